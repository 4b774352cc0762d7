package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/demand"
	"faultline/harness/mount"
	"faultline/harness/self"
	"faultline/results"
)

// soon is for what happens within some seconds on an idle machine.
const soon = 2 * time.Minute

// ended is what a command has said and how it ended.
type ended struct {
	code        int
	out, stderr string
}

// place is where commands run: a folder of their own, which is also the temporary folder.
type place struct{ dir string }

func newPlace(t *testing.T) place {
	t.Helper()
	return place{t.TempDir()}
}

// command is the real program in this place, with nothing in the environment that changes how it looks.
func (p place) command(args ...string) *exec.Cmd {
	cmd := self.Command("faultline", args...)
	cmd.Dir = p.dir
	cmd.Env = append(cmd.Env, "TMPDIR="+p.dir, "NO_COLOR=", "CI=", "CLICOLOR_FORCE=", "FORCE_COLOR=")
	return cmd
}

// run runs the program to its end.
func (p place) run(t *testing.T, args ...string) ended {
	t.Helper()
	return finish(t, p.command(args...))
}

func finish(t *testing.T, cmd *exec.Cmd) ended {
	t.Helper()
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	cmd.WaitDelay = soon
	err := cmd.Run()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		t.Fatal(err)
	}
	return ended{cmd.ProcessState.ExitCode(), out.String(), stderr.String()}
}

// results is the folder that runs here write to.
func (p place) results() string { return filepath.Join(p.dir, "out") }

// cases reads the JUnit file, which must be valid, and returns its cases by name. The synthetic one is among them.
func (p place) cases(t *testing.T) map[string]results.JUnitCase {
	t.Helper()
	all, seen := map[string]results.JUnitCase{}, map[string]bool{}
	files, err := filepath.Glob(filepath.Join(p.results(), "junit*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no JUnit file: %v", err)
	}
	for _, path := range files {
		xmllint(t, path)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		report, err := results.ReadJUnit(f)
		f.Close()
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, s := range report.Suites {
			for _, c := range s.Cases {
				if seen[c.Class+" "+c.Name] {
					t.Errorf("%s on %s is in the JUnit file twice", c.Name, c.Class)
				}
				seen[c.Class+" "+c.Name], all[c.Name] = true, c
			}
		}
	}
	return all
}

// xmllint checks that the file is well-formed by another parser, if there is one.
func xmllint(t *testing.T, path string) {
	t.Helper()
	if _, err := exec.LookPath("xmllint"); err != nil {
		return
	}
	if out, err := exec.Command("xmllint", "--noout", path).CombinedOutput(); err != nil {
		t.Errorf("xmllint %s: %v\n%s", path, err, out)
	}
}

// journal is what the journal holds; it must be readable.
type journal struct {
	started  map[string]bool
	verdicts map[string]results.Verdict
	twice    []string
	finished bool
}

func (p place) journal(t *testing.T) journal {
	t.Helper()
	j := journal{started: map[string]bool{}, verdicts: map[string]results.Verdict{}}
	for r, err := range results.Read(filepath.Join(p.results(), "journal.jsonl")) {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case r.Start != nil:
			j.started[r.Start.Name] = true
		case r.End != nil:
			if _, again := j.verdicts[r.End.Name]; again {
				j.twice = append(j.twice, r.End.Name)
			}
			j.verdicts[r.End.Name] = r.End.Verdict
		case r.Finish != nil:
			j.finished = true
		}
	}
	return j
}

// awaitVerdicts waits until the journal has at least n verdicts.
func (p place) awaitVerdicts(t *testing.T, n int) {
	t.Helper()
	path := filepath.Join(p.results(), "journal.jsonl")
	gomega.NewWithT(t).Eventually(func() int {
		text, _ := os.ReadFile(path) // not there yet
		return bytes.Count(text, []byte("\n{\"end\":"))
	}, soon, 5*time.Millisecond).Should(gomega.BeNumerically(">=", n), "verdicts in the journal")
}

// processes are those whose command line begins with role and names dir.
func processes(role, dir string) []int {
	var found []int
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline") // a good pattern
	for _, path := range paths {
		line, _ := os.ReadFile(path) // a process may be gone by now
		if strings.HasPrefix(string(line), "faultline-"+role+"\x00") && strings.Contains(string(line), dir+"/") {
			var pid int
			fmt.Sscanf(path, "/proc/%d/", &pid)
			found = append(found, pid)
		}
	}
	return found
}

// nothingLeft checks that no process, mount or folder of a run is left in the place.
func (p place) nothingLeft(t *testing.T) {
	t.Helper()
	g := gomega.NewWithT(t)
	for _, role := range []string{"worker", "worker-process", "target-hands", "target-planted", mount.Role, demand.Role} {
		g.Eventually(func() []int { return processes(role, p.dir) }, soon).Should(gomega.BeEmpty(), "processes of the role %s", role)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(mounts)).NotTo(gomega.ContainSubstring(p.dir + "/"))
	g.Expect(filepath.Glob(p.dir + "/faultline-[^r]*")).To(gomega.BeEmpty())
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}
