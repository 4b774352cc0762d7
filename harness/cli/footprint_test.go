package cli_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/footprint/matrix"
	"faultline/results"
)

// footprintOf is a file with the table of one write beside another one and a page fault.
func footprintOf(t *testing.T, name string, load matrix.Outcome) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f := &matrix.Footprint{Target: "loop:ext4", FS: "ext4", Kernel: "9.9", Ops: []string{"pwrite"},
		Onlookers: []matrix.Onlooker{{Name: "load-far", Group: matrix.Faults}, {Name: "pwrite", Group: matrix.SameFile}},
		Cells: []matrix.Cell{
			{Stopped: "pwrite", Onlooker: "load-far", Outcome: load, Lock: "a glock"}, {Stopped: "pwrite", Onlooker: "pwrite", Outcome: matrix.Blocks},
		}}
	if err := matrix.WriteFile(path, []*matrix.Footprint{f}); err != nil {
		t.Fatal(err)
	}
	return path
}

// A kernel that got worse is exit code 1, one that got better or is the same 0, and a file that is none 2.
func TestFootprintDiff(t *testing.T) {
	at := newPlace(t)
	good, bad := footprintOf(t, "good.json", matrix.Proceeds), footprintOf(t, "bad.json", matrix.Blocks)
	for _, c := range []struct {
		old, now string
		code     int
		says     string
	}{
		{good, good, results.ExitOK, "no cell differs"},
		{good, bad, results.ExitFailed, "HAZARD   pwrite stopped, load-far: proceeds -> blocks on a glock"},
		{bad, good, results.ExitOK, "better   pwrite stopped, load-far: blocks on a glock -> proceeds"},
		{good, "nowhere.json", results.ExitUsage, "nowhere.json: no such file"},
		{good, "/dev/null", results.ExitUsage, "read footprints"},
	} {
		t.Run(c.says, func(t *testing.T) {
			g := gomega.NewWithT(t)
			e := at.run(t, "footprint", "diff", c.old, c.now)
			g.Expect(e.code).To(gomega.Equal(c.code), e.out+e.stderr)
			g.Expect(e.out + e.stderr).To(gomega.ContainSubstring(c.says))
		})
	}
	e := at.run(t, "footprint", "diff", good)
	gomega.NewWithT(t).Expect(e.code).To(gomega.Equal(results.ExitUsage), e.stderr)
}

func TestFootprintFlags(t *testing.T) {
	at := newPlace(t)
	for flags, says := range map[string]string{
		"--color blue":  "wanted auto, always or never",
		"--timeout 1ms": "wanted at least",
		"-t tmpfs: -t loop:ext4 --write-baseline b.txt": "is for one target, found 2",
		"--baseline nowhere.txt":                        "nowhere.txt: no such file",
		"--ops boil -t dir:.":                           `there is no "boil"`,
	} {
		t.Run(flags, func(t *testing.T) {
			g := gomega.NewWithT(t)
			e := at.run(t, append([]string{"footprint"}, strings.Fields(flags)...)...)
			g.Expect(e.code).To(gomega.Equal(results.ExitUsage), e.stderr)
			g.Expect(e.stderr).To(gomega.ContainSubstring(says))
		})
	}
}

// One table is made, drawn, written in each form, and held against a baseline that knows of nothing, and against its own.
func TestFootprintEndToEnd(t *testing.T) {
	g := gomega.NewWithT(t)
	at := newPlace(t)
	few := []string{"footprint", "-t", "tmpfs:", "--ops", "pwrite", "--onlookers", "load-far,pwrite"}
	e := at.run(t, append(few, "--json", "f.json", "--html", "f.html", "--write-baseline", "f.txt")...)
	if strings.Contains(e.stderr, "not permitted") || e.code == results.ExitSkipped {
		t.Skip("needs root and userfaultfd: " + e.out + e.stderr)
	}
	g.Expect(e.code).To(gomega.Equal(results.ExitOK), e.out+e.stderr)
	g.Expect(e.out).To(gomega.MatchRegexp(`load-far +\.\n`))
	g.Expect(e.out).To(gomega.MatchRegexp(`pwrite +blocks 1\n`))
	all, err := matrix.ReadFile(filepath.Join(at.dir, "f.json"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(all).To(gomega.HaveLen(1))
	g.Expect(all[0].Find("pwrite", "pwrite").Lock).To(gomega.Equal("the inode's lock (i_rwsem)"))
	page, err := os.ReadFile(filepath.Join(at.dir, "f.html"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(page)).To(gomega.ContainSubstring("Lock footprint of tmpfs on Linux "))

	g.Expect(at.run(t, append(few, "--baseline", "f.txt")...).code).To(gomega.Equal(results.ExitOK))
	write(t, filepath.Join(at.dir, "less.txt"), "# tmpfs as it was\nmeasured load-far pwrite\npwrite\n")
	e = at.run(t, append(few, "--baseline", "less.txt")...)
	g.Expect(e.code).To(gomega.Equal(results.ExitFailed), e.out+e.stderr)
	g.Expect(e.out).To(gomega.ContainSubstring("BEYOND THE BASELINE: while pwrite is stopped in its user copy, pwrite now blocks on the inode's lock (i_rwsem); it did not on tmpfs as it was"))
}

// ^C in the middle: the table so far is printed and written, and says that it is not all; no baseline is made of it.
func TestFootprintInterrupted(t *testing.T) {
	g := gomega.NewWithT(t)
	at := newPlace(t)
	cmd := at.command("footprint", "-t", "tmpfs:", "--verbose", "--json", "f.json", "--html", "f.html")
	var out bytes.Buffer
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(cmd.Start()).To(gomega.Succeed())
	lines, said := bufio.NewScanner(stderr), ""
	for lines.Scan() {
		said += lines.Text() + "\n"
		if strings.Contains(lines.Text(), " beside pread: ") {
			g.Expect(cmd.Process.Signal(syscall.SIGINT)).To(gomega.Succeed())
			break
		}
	}
	rest, err := io.ReadAll(stderr)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	_ = cmd.Wait() // the exit code says it
	if strings.Contains(said, "needs root") || strings.Contains(out.String(), "stop system calls") {
		t.Skip("needs root and stalls: " + said)
	}
	g.Expect(cmd.ProcessState.ExitCode()).To(gomega.Equal(128+int(syscall.SIGINT)), said+string(rest))
	g.Expect(out.String()).To(gomega.MatchRegexp(`NOT COMPLETE: cut short after \d+ of \d+ cells`))
	all, err := matrix.ReadFile(filepath.Join(at.dir, "f.json"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(all).To(gomega.HaveLen(1))
	g.Expect(all[0].Cut).To(gomega.HavePrefix("cut short after "))
	g.Expect(all[0].Cells).NotTo(gomega.BeEmpty())
	page, err := os.ReadFile(filepath.Join(at.dir, "f.html"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(page)).To(gomega.ContainSubstring("NOT COMPLETE: cut short after "))
	left, err := filepath.Glob(filepath.Join(at.dir, "faultline-*"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(left).To(gomega.BeEmpty(), "mount points and images are gone")
}
