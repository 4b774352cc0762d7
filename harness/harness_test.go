package harness_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/generators/model"
	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/self"
	"faultline/harness/target"
)

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

// soon is for what happens within a second on an idle machine.
const soon = time.Minute

func needFuse(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: planted faults ask /proc for the stacks of others")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("needs /dev/fuse: ", err)
	}
}

func runner(t testing.TB, spec string, o harness.Options) *harness.Runner {
	t.Helper()
	return runnerIn(t, "", spec, o)
}

// runnerIn is a Runner whose target keeps its files in temp.
func runnerIn(t testing.TB, temp, spec string, o harness.Options) *harness.Runner {
	t.Helper()
	return runnerWith(t, opener(temp, spec), o)
}

func runnerWith(t testing.TB, open harness.Opener, o harness.Options) *harness.Runner {
	t.Helper()
	r, err := harness.NewRunner(t.Context(), open, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func opener(temp, spec string) harness.Opener {
	return func(ctx context.Context) (target.Target, error) {
		return target.Open(ctx, spec, target.Options{Temp: temp})
	}
}

// derived is a program from its text, with the model's expectations.
func derived(t testing.TB, text string) *prog.Prog {
	t.Helper()
	p, err := prog.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := model.Derive(p, int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	return p
}

// named is the program under another name.
func named(t testing.TB, text, name string) *prog.Prog {
	t.Helper()
	p := derived(t, text)
	p.Name = name
	return p
}

func sections(o harness.Outcome) []string {
	var names []string
	for _, s := range o.Evidence {
		names = append(names, s.Name)
	}
	return names
}

// leftovers finds what a Runner left behind when the test has ended.
type leftovers struct {
	temp string
	pids []int
}

func watchForLeftovers(t *testing.T) *leftovers {
	t.Helper()
	l := &leftovers{temp: t.TempDir()}
	t.Cleanup(func() {
		g := gomega.NewWithT(t)
		g.Eventually(func() []int { return slices.DeleteFunc(l.pids, ended) }, soon).Should(gomega.BeEmpty(), "processes left")
		g.Expect(mountsBelow(t, l.temp)).To(gomega.BeEmpty(), "mounts left")
		g.Expect(filepath.Glob(l.temp+"/*")).To(gomega.BeEmpty(), "files left")
	})
	return l
}

// see notes the processes that the Runner has right now.
func (l *leftovers) see(r *harness.Runner) {
	l.pids = append(l.pids, r.Target().Servers()...)
	l.pids = append(l.pids, workersIn(r.Target().Dir())...)
}

// ended reports a process that is gone, or only waits to be reaped.
func ended(pid int) bool {
	s := state(pid)
	return s == "" || s == "Z"
}

// state is the letter of proc_pid_stat(5) for a process, "" if there is none.
func state(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, fields, _ := strings.Cut(string(stat), ") ")
	letter, _, _ := strings.Cut(fields, " ")
	return letter
}

func mountsBelow(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, dir+"/") {
			found = append(found, line)
		}
	}
	return found
}

// workersIn are the workers whose folder is dir.
func workersIn(dir string) []int {
	var found []int
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline") // a good pattern
	for _, path := range paths {
		line, _ := os.ReadFile(path) // a process may be gone by now
		var pid int
		if strings.HasPrefix(string(line), "faultline-worker\x00"+dir+"\x00") {
			fmt.Sscanf(path, "/proc/%d/", &pid)
			found = append(found, pid)
		}
	}
	return found
}
