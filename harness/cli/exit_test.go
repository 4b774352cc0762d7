package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/results"
)

// A failure end to end: the screen, JUnit, the bundle, and the command that repeats it.
func TestHangEndToEnd(t *testing.T) {
	needRoot(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	p := newPlace(t)
	got := p.run(t, "run", "--target", "planted:block-read", "--group", "regress", "--filter", "gfs2-self-read", "--timeout", "1s", "--repeat", "1", "--shrink", "0", "--results", p.results())
	g.Expect(got.code).To(gomega.Equal(results.ExitFailed), got.stderr)
	g.Expect(got.out).To(gomega.ContainSubstring("HANG regress/gfs2-self-read on fuse_planted.block-read.planted\n"))
	g.Expect(got.out).To(gomega.ContainSubstring("failed 2 of 2 attempts"))
	g.Expect(got.out).To(gomega.ContainSubstring("\nFailures: regress/gfs2-self-read\n"))

	c := p.cases(t)["regress/gfs2-self-read"]
	g.Expect(c.Class).To(gomega.Equal("fuse_planted.block-read.planted"))
	g.Expect(c.Failure).NotTo(gomega.BeNil())
	g.Expect(c.Failure.Type).To(gomega.Equal("kernel.hang"))
	g.Expect(c.Failure.Message).To(gomega.HavePrefix("HANG: the main thread is blocked in pread(d, m[0:1p], 1p) for "))
	g.Expect(c.Failure.Body).To(gomega.HavePrefix(c.Failure.Message))
	g.Expect(c.Failure.Body).To(gomega.ContainSubstring("pread(d, m[0:1p], 1p) -> 1p    # <-- here\n"))
	g.Expect(c.Reruns).To(gomega.HaveLen(1))

	var files []string
	for line := range strings.Lines(strings.TrimSpace(c.SystemOut)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "[[ATTACHMENT|")
		g.Expect(ok).To(gomega.BeTrue(), line)
		path = strings.TrimSuffix(path, "]]")
		g.Expect(path).To(gomega.BeARegularFile())
		files = append(files, filepath.Base(path))
	}
	g.Expect(files).To(gomega.ContainElements("report.txt", "program.prog", "watcher.txt", "processes.txt", "events.txt"))

	_, again, found := strings.Cut(got.out, "    again:  ")
	g.Expect(found).To(gomega.BeTrue(), got.out)
	again, _, _ = strings.Cut(again, "\n")
	cmd := exec.Command("sh", "-c", again+" --timeout 1s")
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "PATH="+faultlineOnPath(t)+":"+os.Getenv("PATH"), "TMPDIR="+p.dir)
	repeated := finish(t, cmd)
	g.Expect(repeated.code).To(gomega.Equal(results.ExitFailed), repeated.stderr)
	lines := strings.Split(strings.TrimSpace(repeated.out), "\n")
	g.Expect(lines[len(lines)-1]).To(gomega.HavePrefix("HANG: the main thread is blocked in pread(d, m[0:1p], 1p) for "))
	p.nothingLeft(t)
}

func TestExitCodesOfRun(t *testing.T) {
	for name, row := range map[string]struct {
		args string
		code int
		last string // of standard output
	}{
		"passed":     {"--group regress", results.ExitOK, "PASS  "},
		"failed":     {"--group regress --target planted:corrupt-byte --repeat 0", results.ExitFailed, "FAIL  "},
		"nothing":    {"--filter nonesuch", results.ExitNothing, ""},
		"skipped":    {"--group collapse --filter /^sequence.*seed-1$/ --target dir:/dev/shm", results.ExitSkipped, "PASS  0 passed, 0 failed, "},
		"two, mixed": {"--group regress --target dir:/dev/shm --target planted:corrupt-byte --repeat 0", results.ExitFailed, "FAIL  "},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(row.args, "planted") {
				needRoot(t)
			}
			t.Parallel()
			g := gomega.NewWithT(t)
			p := newPlace(t)
			got := p.run(t, append([]string{"run", "--results", p.results()}, strings.Fields(row.args)...)...)
			g.Expect(got.code).To(gomega.Equal(row.code), got.out+got.stderr)
			lines := strings.Split(strings.TrimSpace(got.out), "\n")
			if row.last == "" {
				g.Expect(got.out).To(gomega.BeEmpty())
				g.Expect(got.stderr).To(gomega.HavePrefix("faultline: nothing to run: "))
				return
			}
			g.Expect(lines[len(lines)-2]).To(gomega.HavePrefix(row.last))
			g.Expect(lines[len(lines)-1]).To(gomega.Equal("results: " + p.results()))
			for name, verdict := range p.journal(t).verdicts {
				g.Expect(p.cases(t)).To(gomega.HaveKey(name), "%s", verdict)
			}
			g.Expect(p.cases(t)).NotTo(gomega.HaveKey("campaign/complete"))
			p.nothingLeft(t)
		})
	}
}

func TestExitCodesOfRepro(t *testing.T) {
	const program = "prog proof/mine\nneeds collapse\nfile A = 'a'*1p\ncheck(A, 'a'*1p)\n"
	for name, row := range map[string]struct {
		args string
		code int
		last string
	}{
		"passed":         {"regress/gfs2-self-read", results.ExitOK, "PASS"},
		"passed, often":  {"regress/gfs2-self-read --times 3", results.ExitOK, "PASS (failed 0 of 3)"},
		"failed":         {"regress/gfs2-self-read --target planted:corrupt-byte", results.ExitFailed, "WRONG: step "},
		"skipped":        {"mine.prog --target dir:/dev/shm", results.ExitSkipped, "SKIP: needs collapse: "},
		"wrong by text":  {"wrong.prog --target dir:/dev/shm", results.ExitFailed, "WRONG: step 1, check(A, 'b'*1p): "},
		"right by model": {"wrong.prog --target dir:/dev/shm --derive", results.ExitOK, "PASS"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(row.args, "planted") {
				needRoot(t)
			}
			t.Parallel()
			g := gomega.NewWithT(t)
			p := newPlace(t)
			write(t, filepath.Join(p.dir, "mine.prog"), program)
			write(t, filepath.Join(p.dir, "wrong.prog"), "prog proof/wrong\nfile A = 'a'*1p\ncheck(A, 'b'*1p)\n")
			got := p.run(t, append([]string{"repro"}, strings.Fields(row.args)...)...)
			g.Expect(got.code).To(gomega.Equal(row.code), got.out+got.stderr)
			lines := strings.Split(strings.TrimSpace(got.out), "\n")
			g.Expect(lines[len(lines)-1]).To(gomega.HavePrefix(row.last))
			p.nothingLeft(t)
		})
	}
}

// start starts the program and returns what must be called for its end.
func (p place) start(t *testing.T, args ...string) (cmd *exec.Cmd, wait func() (code int, out string)) {
	t.Helper()
	cmd = p.command(args...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = soon
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd, func() (int, string) {
		_ = cmd.Wait() // the code tells
		return cmd.ProcessState.ExitCode(), said.String()
	}
}

// The first ^C finishes what runs; everything that was begun has a verdict, and the run can go on later.
func TestInterrupt(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			p := newPlace(t)
			cmd, wait := p.start(t, "run", "--group", "sequence", "--results", p.results())
			p.awaitVerdicts(t, 20)
			g.Expect(cmd.Process.Signal(signal)).To(gomega.Succeed())
			code, out := wait()
			g.Expect(code).To(gomega.Equal(128+int(signal)), out)
			g.Expect(out).To(gomega.ContainSubstring("faultline: finishing what is running; once more to stop at once\n"))
			j := p.journal(t)
			g.Expect(j.finished).To(gomega.BeFalse())
			for name := range j.started {
				g.Expect(j.verdicts).To(gomega.HaveKey(name))
			}
			g.Expect(p.cases(t)["campaign/complete"].Error).NotTo(gomega.BeNil())
			g.Expect(p.cases(t)["campaign/complete"].Error.Message).To(gomega.ContainSubstring("interrupted"))
			g.Expect(len(p.cases(t))).To(gomega.Equal(len(j.verdicts) + 1))
			p.nothingLeft(t)

			got := p.run(t, "run", "--resume", "--results", p.results())
			g.Expect(got.code).To(gomega.BeZero(), got.out+got.stderr)
			p.hasEverythingOnce(t, "--group", "sequence")
		})
	}
}

// hasEverythingOnce checks that the finished run has one verdict for every program of the selection.
func (p place) hasEverythingOnce(t *testing.T, selection ...string) {
	t.Helper()
	g := gomega.NewWithT(t)
	j := p.journal(t)
	g.Expect(j.finished).To(gomega.BeTrue())
	g.Expect(j.twice).To(gomega.BeEmpty(), "programs with two verdicts")
	var have []string
	for name := range j.verdicts {
		have = append(have, name)
	}
	want := strings.Fields(p.run(t, append([]string{"list", "programs"}, selection...)...).out)
	slices.Sort(have)
	slices.Sort(want)
	g.Expect(have).To(gomega.Equal(want))
	cases := p.cases(t)
	g.Expect(cases).To(gomega.HaveLen(len(want)))
	for _, name := range want {
		g.Expect(cases).To(gomega.HaveKey(name))
	}
}

// The second ^C stops at once, also when a program hangs; results are complete up to it.
func TestSecondInterrupt(t *testing.T) {
	needRoot(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	p := newPlace(t)
	cmd, wait := p.start(t, "run", "--target", "planted:block-fault", "--group", "regress", "--timeout", "1h", "-j", "1", "--results", p.results())
	g.Eventually(func() string {
		text, _ := os.ReadFile(filepath.Join(p.results(), "journal.jsonl")) // not there yet
		return string(text)
	}, soon).Should(gomega.ContainSubstring("regress/gfs2-self-read"))
	g.Eventually(func() []int { return processes("worker", p.dir) }, soon).ShouldNot(gomega.BeEmpty())
	g.Expect(cmd.Process.Signal(syscall.SIGINT)).To(gomega.Succeed())
	done := make(chan struct{})
	go func() { // until the program has heard of both
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Second):
				_ = cmd.Process.Signal(syscall.SIGINT)
			}
		}
	}()
	code, out := wait()
	close(done)
	g.Expect(code).To(gomega.Equal(130), out)
	cases := p.cases(t)
	g.Expect(cases["campaign/complete"].Error).NotTo(gomega.BeNil())
	g.Expect(cases["regress/gfs2-self-read"].Skipped).NotTo(gomega.BeNil())
	g.Expect(cases["regress/gfs2-self-read"].Skipped.Message).To(gomega.Equal("MISS: interrupted by interrupt"))
	p.nothingLeft(t)
}
