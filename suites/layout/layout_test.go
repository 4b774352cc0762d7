package layout

import (
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
)

func project(t *testing.T) *Tree {
	t.Helper()
	tree, err := Read(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func clean(t *testing.T, complaints []string) {
	t.Helper()
	if len(complaints) > 0 {
		t.Fatalf("%d complaints:\n%s", len(complaints), strings.Join(complaints, "\n"))
	}
}

func TestImportsGoDownOnly(t *testing.T)       { clean(t, project(t).Imports()) }
func TestFilesAreSmallAndInPlace(t *testing.T) { clean(t, project(t).Files()) }
func TestWhatIsPublicIsExplained(t *testing.T) { clean(t, project(t).Docs()) }
func TestEveryStepIsComplete(t *testing.T)     { clean(t, project(t).Steps()) }
func TestTheProjectIsRead(t *testing.T) {
	g := gomega.NewWithT(t)
	tree := project(t)
	g.Expect(tree.Module).To(gomega.Equal("faultline"))
	g.Expect(len(tree.packages())).To(gomega.BeNumerically(">", 20))
	g.Expect(tree.packages()).NotTo(gomega.HaveKey("suites/example"), "a module of its own")
}

// A row in the table of steps with nothing to it is found by name, in each of its parts.
func TestAPlantedStepIsFound(t *testing.T) {
	g := gomega.NewWithT(t)
	prog.Ops["boil"] = &prog.Op{Name: "boil"}
	defer delete(prog.Ops, "boil")
	g.Expect(project(t).Steps()).To(gomega.Equal([]string{
		"boil has not got a function in the model", "boil has not got a function in the worker",
		"boil has not got a line of documentation", "boil has not got an example",
	}))
	delete(prog.Ops, "boil")
	table := "package worker\n\nfunc init() {\n\tops = map[string]int{\"boil\": 1}\n}\n"
	tree, err := Read(fstest.MapFS{workers: {Data: []byte(table)}})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(tree.Steps()).To(gomega.ContainElements("boil is no operation", "pread has not got a function in the worker"))
}

const comment = "// Package %s is a fixture. It imports nothing.\n//\n//\tuse()\n"

// sound is a small tree without a fault.
func sound() map[string]string {
	source := func(name string) string { return strings.ReplaceAll(comment, "%s", name) + "package " + name + "\n" }
	return map[string]string{
		"go.mod": "module faultline\n\ngo 1.26.0\n", "README.md": "# Faultline\n", ".git/TO" + "DO": "", "main.go": "// Command faultline.\npackage main\n\nimport _ \"faultline/harness/cli\"\n",
		"generators/prog/prog.go": source("prog"), "generators/eof/eof.go": source("eof"), "harness/cli/cli.go": source("cli"),
		"results/case.go": source("results"), "suites/kit/kit.go": source("kit"), "targetfs/image/image.go": source("image"),
		"suites/example/go.mod": "module mine\n", "suites/example/mine.go": "package mine\n\nimport _ \"example.org/anything\"\n",
		"suites/eof/eof_test.go": "package eof\n\nimport _ \"github.com/onsi/ginkgo/v2\"\n",
	}
}

func read(t *testing.T, files map[string]string) *Tree {
	t.Helper()
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tree, err := Read(root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func (t *Tree) all() []string { return append(append(t.Imports(), t.Files()...), t.Docs()...) }

// Every planted fault is one complaint, which names the place; without it there is none.
func TestPlantedFaultsAreFound(t *testing.T) {
	clean(t, read(t, sound()).all())
	for _, c := range []struct{ path, add, want string }{
		{"generators/prog/prog.go", `import _ "faultline/results"`, `generators/prog/prog.go imports faultline/results: it may import nothing of ours`},
		{"results/case.go", `import _ "faultline/generators/prog"`, `results/case.go imports faultline/generators/prog: it may import nothing of ours`},
		{"generators/eof/eof.go", `import _ "faultline/harness"`, `generators/eof/eof.go imports faultline/harness: it may import only generators/prog, generators/family`},
		{"generators/eof/eof.go", `import _ "faultline/generators/vector"`, `generators/eof/eof.go imports faultline/generators/vector: it may import only generators/prog, generators/family`},
		{"targetfs/image/image.go", `import _ "faultline/generators/prog"`, `targetfs/image/image.go imports faultline/generators/prog: it may import only targetfs/...`},
		{"harness/cli/cli.go", `import _ "faultline/suites/kit"`, `harness/cli/cli.go imports faultline/suites/kit: it may import only generators/..., harness/..., targetfs/..., results, suites/regress`},
		{"harness/cli/cli.go", `import _ "github.com/onsi/ginkgo/v2"`, `harness/cli/cli.go imports github.com/onsi/ginkgo/v2: that belongs to suites/...`},
		{"harness/cli/cli_test.go", "package cli\n\nimport _ \"github.com/onsi/ginkgo/v2\"\n", `harness/cli/cli_test.go imports github.com/onsi/ginkgo/v2: that belongs to suites/...`},
		{"harness/cli/cli.go", `import _ "github.com/onsi/gomega"`, `harness/cli/cli.go imports github.com/onsi/gomega: that belongs to suites/...`},
		{"generators/eof/eof.go", `import _ "github.com/hanwen/go-fuse/v2/fs"`, `generators/eof/eof.go imports github.com/hanwen/go-fuse/v2/fs: that belongs to targetfs/..., harness/target, harness/demand`},
		{"generators/prog/prog.go", `import _ "golang.org/x/sys/unix"`, `generators/prog/prog.go imports golang.org/x/sys/unix: that belongs to harness/..., targetfs/..., results`},
		{"results/case.go", `import _ "example.org/clever"`, `results/case.go imports example.org/clever: this module is in no rule`},
		{"harness/new/new.go", comment + "package new\n\nimport _ \"faultline/results\"\n", `harness/new/new.go imports faultline/results: there is no rule for harness/new`},

		{"notes.txt", "", `notes.txt: does not belong to the top level`},
		{"tools/x.go", comment + "package tools\n", `tools: does not belong to the top level`},
		{"results/common/x.go", comment + "package common\n", `results/common: the name says nothing`},
		{"results/long.go", "package results\n" + strings.Repeat("\n", 499), `results/long.go: 501 lines, wanted at most 500`},
		{"README.md", "TO" + "DO: more", `README.md:2: TO` + `DO: do it, or open an issue`},
		{"results/case.go", "// FIX" + "ME", `results/case.go:5: FIX` + `ME: do it, or open an issue`},
		{"harness/run.go", "package harness\n\nvar dir = \"/wo" + "rk/main\"\n", `harness/run.go:3: /wo` + `rk/: that is a path of one machine`},
		{"Makefile", "GOPROXY=https://proxy." + "golang.org", `Makefile:1: proxy.` + `golang: that is the host of a package registry`},

		{"results/case.go", "func Exported() {}", `results/case.go:5:6: Exported has no comment`},
		{"results/case.go", "// T is.\ntype T int\n\nfunc (t *T) Act() {}\n\nfunc (t T) String() string { return \"\" }", `results/case.go:8:13: Act has no comment`},
		{"results/case.go", "type t int\n\nfunc (t) Act() {}\n\ntype Set[K comparable] map[K]bool", `results/case.go:9:6: Set has no comment`},
		{"results/case.go", "// Two of them.\nvar (\n\tA int\n\tB int\n)\n\nconst C = 1", `results/case.go:11:7: C has no comment`},
	} {
		files := maps.Clone(sound())
		files[c.path] = strings.ReplaceAll(files[c.path]+c.add+"\n", "%s", lastFolder(c.path))
		got := read(t, files).all()
		var kept []string
		for _, complaint := range got {
			// A new package without a comment is another fault, which is not the one looked for.
			if !strings.HasSuffix(complaint, "0 package comments, wanted one") {
				kept = append(kept, complaint)
			}
		}
		gomega.NewWithT(t).Expect(kept).To(gomega.Equal([]string{c.want}), "%s %.80q", c.path, c.add)
	}
}

func lastFolder(name string) string {
	parts := strings.Split(name, "/")
	return parts[max(0, len(parts)-2)]
}

func TestPackageCommentsAreDemanded(t *testing.T) {
	for text, want := range map[string][]string{
		"package results\n": {"results: 0 package comments, wanted one"},
		"// Package results is. It imports nothing.\npackage results\n":                {"results: the package comment has no example"},
		"// Package results is.\n//\n//\tuse()\npackage results\n":                     {"results: the package comment does not say what it imports"},
		"// The package. It imports nothing.\n//\n//\tuse()\npackage results\n":        {`results: the package comment does not begin with "Package results"`},
		"// Package results is. It imports nothing.\n//\n//\tuse()\npackage results\n": nil,
	} {
		files := sound()
		files["results/case.go"] = text
		gomega.NewWithT(t).Expect(read(t, files).Docs()).To(gomega.Equal(want), text)
	}
	files := sound()
	files["results/other.go"] = files["results/case.go"]
	gomega.NewWithT(t).Expect(read(t, files).Docs()).To(gomega.Equal([]string{"results: 2 package comments, wanted one"}))
}

func TestATreeThatCannotBeReadIsAnError(t *testing.T) {
	_, err := Read(fstest.MapFS{"x.go": {Data: []byte("pack age")}})
	gomega.NewWithT(t).Expect(err).To(gomega.MatchError(gomega.ContainSubstring("read the project's files: x.go:1:1: expected 'package'")))
}
