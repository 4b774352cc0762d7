package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/demand"
	"faultline/results"
)

// nobody is a user without rights.
const nobody = 65534

// theirs are nobody's folders for files elsewhere, and nobody's servers.
func theirs() []string {
	list, _ := filepath.Glob("/dev/shm/faultline-*") // a good pattern
	for _, pid := range processes(demand.Role, "") {
		list = append(list, fmt.Sprintf("/proc/%d", pid))
	}
	return slices.DeleteFunc(list, func(path string) bool {
		var st unix.Stat_t
		return unix.Lstat(path, &st) != nil || st.Uid != nobody
	})
}

// stallCases runs some programs of the family stall in a folder, as a user, and tells what became of each of them. What is
// skipped as an affair of userfaultfd, or of root, is left out.
func stallCases(t *testing.T, dir string, uid uint32, args ...string) (verdicts map[string]string, out string) {
	t.Helper()
	g := gomega.NewWithT(t)
	dir, err := os.MkdirTemp(dir, "stalls") // t.TempDir is below a folder that others may not enter
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := place{dir}
	g.Expect(os.Chown(dir, int(uid), int(uid))).To(gomega.Succeed())
	cmd := p.command(append([]string{"run", "--target", "dir:" + dir, "--results", p.results(), "--filter", "stall && first && (pwrite || getdents || fiemap)"}, args...)...)
	if uid == nobody {
		cmd = withFUSE(t, cmd)
	}
	got := finish(t, cmd)
	g.Expect(got.code).To(gomega.BeElementOf(results.ExitOK, results.ExitFailed), got.out+got.stderr)
	verdicts = map[string]string{}
	for name, c := range p.cases(t) {
		switch {
		case c.Failure != nil:
			verdicts[name] = "failure: " + c.Failure.Message
		case c.Error != nil:
			verdicts[name] = "error: " + c.Error.Message
		case c.Skipped != nil && strings.Contains(c.Skipped.Message, "userfaultfd:"):
			// one way has what the other one has not
		case c.Skipped != nil && strings.HasSuffix(c.Skipped.Message, "(EPERM)"):
			// root may what this user may not, whatever it stalls with
		case c.Skipped != nil:
			verdicts[name] = "skipped: " + c.Skipped.Message
		default:
			verdicts[name] = "passed"
		}
	}
	p.nothingLeft(t)
	return verdicts, got.out
}

// A user without rights stalls with FUSE files, and learns the same as root does with userfaultfd. Nothing is left behind.
func TestStallsWithoutRoot(t *testing.T) {
	t.Parallel()
	needRoot(t)
	before := theirs()
	for _, dir := range []string{os.TempDir(), "/dev/shm"} {
		g := gomega.NewWithT(t)
		want, out := stallCases(t, dir, 0, "--stall-with", "userfaultfd")
		g.Expect(out).NotTo(gomega.ContainSubstring("STALLS"))
		got, out := stallCases(t, dir, nobody)
		if !strings.Contains(out, "STALLS        -- FUSE files\n") {
			t.Skip("this user has userfaultfd, or no FUSE: ", out)
		}
		passed := 0
		for name, verdict := range got {
			g.Expect(verdict).To(gomega.Equal(want[name]), name)
			if verdict == "passed" {
				passed++
			}
		}
		g.Expect(passed).To(gomega.BeNumerically(">", 20), out)
		g.Expect(len(want)-len(got)).To(gomega.BeNumerically("<", len(want)/4), "guards are all that is missing")
	}
	g := gomega.NewWithT(t)
	g.Eventually(theirs, soon).Should(gomega.HaveLen(len(before)))
}

func TestStallWithRefusesOtherWords(t *testing.T) {
	t.Parallel()
	g := gomega.NewWithT(t)
	got := newPlace(t).run(t, "run", "--stall-with", "luck")
	g.Expect(got.code).To(gomega.Equal(results.ExitUsage))
	g.Expect(got.stderr).To(gomega.ContainSubstring("wanted userfaultfd or fuse"))
}
