package layout

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// rule says what of ours a package may import. A name that ends in /... stands for a folder and all below it. The first rule that fits counts.
type rule struct {
	who string
	may []string
}

// rules go from the bottom up. A package without a rule is a complaint: whoever adds one decides where it stands.
var rules = []rule{
	{"generators/prog", nil},
	{"targetfs/disk", nil},
	{"targetfs/glock", nil},
	{"results", nil},
	{"harness/watch", nil},
	{"harness/self", nil},
	{"harness/uring", nil},
	{"harness/devfuse", nil},
	{"harness/twin", nil},
	{"generators/model", []string{"generators/prog"}},
	{"generators/emit", []string{"generators/prog"}},
	{"generators/family", []string{"generators/prog", "generators/model"}},
	{"generators/entry", nil},
	{"generators/structs", []string{"generators/prog", "generators/family", "generators/entry"}},
	{"generators/stall", []string{"generators/prog", "generators/family", "generators/entry"}},
	{"generators", []string{"generators/..."}},
	{"generators/...", []string{"generators/prog", "generators/family"}},
	{"targetfs/...", []string{"targetfs/..."}},
	{"harness/mount", []string{"harness/self", "targetfs/..."}},
	{"harness/demand", []string{"harness/self", "targetfs/connection"}},
	{"harness/demand/demandtest", []string{"harness/demand", "harness/self"}},
	{"harness/worker", []string{"generators/prog", "harness/self", "harness/uring", "harness/devfuse", "harness/twin", "harness/demand"}},
	{"harness/machine", []string{"harness/self", "harness/watch", "harness/worker"}},
	{"harness/machine/...", []string{"harness/machine", "harness/machine/...", "harness/self", "harness/watch", "harness/worker"}},
	{"harness/guest/unpack", nil},
	{"harness/guest/apt", nil},
	{"harness/guest/elfpatch", nil},
	{"harness/guest/kernels", []string{"harness/guest/unpack", "harness/guest/apt", "harness/guest/elfpatch"}},
	{"harness/guest/initramfs", []string{"harness/guest/unpack"}},
	{"harness/guest/pid1", []string{"harness/guest/initramfs", "harness/machine/agent", "harness/self"}},
	{"harness/guest", []string{"harness/guest/...", "harness/self", "harness/watch"}},
	{"harness/footprint/matrix", nil},
	{"harness/footprint/lock", []string{"harness/watch"}},
	{"harness/footprint/picture", []string{"harness/footprint/matrix"}},
	{"harness/target", []string{"generators/prog", "harness/uring", "harness/devfuse", "harness/twin", "harness/mount", "harness/demand", "harness/self", "harness/watch", "harness/machine/...", "harness/guest/...", "targetfs/..."}},
	{"harness", []string{"generators/prog", "harness/self", "harness/watch", "harness/worker", "harness/machine", "harness/target", "targetfs/glock", "results"}},
	{"harness/footprint", []string{"generators/prog", "generators/entry", "harness", "harness/footprint/...", "results"}},
	{"harness/campaign", []string{"generators/...", "harness", "harness/self", "harness/target", "results"}},
	// The regressions are nothing but programs.
	{"harness/cli", []string{"generators/...", "harness/...", "targetfs/...", "results", "suites/regress"}},
	{"suites/regress", []string{"generators/prog"}},
	{"suites/...", []string{"generators/...", "harness/...", "targetfs/...", "results", "suites/..."}},
	{".", []string{"harness/cli", "harness/self"}},
}

// outside says where modules of other people may be imported; in tests, those marked so may be anywhere.
var outside = []struct {
	prefix  string
	where   []string
	inTests bool
}{
	{"github.com/onsi/ginkgo/", []string{"suites/..."}, false},
	{"github.com/onsi/gomega", []string{"suites/..."}, true},
	{"github.com/hanwen/go-fuse/", []string{"targetfs/...", "harness/target", "harness/demand"}, true},
	{"github.com/spf13/cobra", []string{"harness/cli"}, false},
	{"github.com/klauspost/compress/", []string{"harness/guest/..."}, true},
	{"github.com/ulikunitz/xz", []string{"harness/guest/..."}, true},
	{"golang.org/x/term", []string{"harness/..."}, true},
	{"github.com/moby/sys/mountinfo", []string{"harness/...", "targetfs/..."}, true},
	{"golang.org/x/sys/", []string{"harness/...", "targetfs/...", "results"}, true},
}

// Imports complains about imports that go up or sideways, and about modules of other people where they do not belong. Tests may import
// anything of ours.
func (t *Tree) Imports() []string {
	var all []string
	for dir, files := range t.packages() {
		for _, f := range files {
			for _, spec := range f.syntax.Imports {
				name, _ := strconv.Unquote(spec.Path.Value)
				if wrong := t.importOf(f, dir, name); wrong != "" {
					all = append(all, fmt.Sprintf("%s imports %s: %s", f.path, name, wrong))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

func (t *Tree) importOf(f file, dir, name string) string {
	if ours, is := strings.CutPrefix(name, t.Module+"/"); is {
		return ourImport(f, dir, ours)
	}
	first, _, _ := strings.Cut(name, "/")
	if !strings.Contains(first, ".") {
		return "" // the standard library
	}
	for _, o := range outside {
		if strings.HasPrefix(name, o.prefix) {
			if o.inTests && f.test || slices.ContainsFunc(o.where, func(p string) bool { return fits(p, dir) }) {
				return ""
			}
			return "that belongs to " + strings.Join(o.where, ", ")
		}
	}
	return "this module is in no rule"
}

func ourImport(f file, dir, ours string) string {
	if f.test {
		return ""
	}
	for _, r := range rules {
		if !fits(r.who, dir) {
			continue
		}
		if slices.ContainsFunc(r.may, func(p string) bool { return fits(p, ours) }) {
			return ""
		}
		if len(r.may) == 0 {
			return "it may import nothing of ours"
		}
		return "it may import only " + strings.Join(r.may, ", ")
	}
	return "there is no rule for " + dir
}

// fits reports whether a folder is what a pattern of a rule stands for.
func fits(pattern, dir string) bool {
	if below, is := strings.CutSuffix(pattern, "/..."); is {
		return dir == below || strings.HasPrefix(dir, below+"/")
	}
	return path.Clean(dir) == pattern
}
