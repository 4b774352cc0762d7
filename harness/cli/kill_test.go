package cli_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/results"
)

// A supervisor that is killed at any moment leaves a readable journal and valid JUnit, and the run can go on until every program has
// exactly one verdict.
func TestSupervisorKilled(t *testing.T) {
	t.Parallel()
	g := gomega.NewWithT(t)
	p := newPlace(t)
	args := []string{"run", "--group", "sequence", "--results", p.results()}
	before := 0
	for i := range 10 {
		cmd, wait := p.start(t, args...)
		p.awaitVerdicts(t, before+1)
		// The moments are random, what must hold at each of them is not.
		more := time.Duration(rand.Int64N(int64(100 * time.Millisecond)))
		time.Sleep(more)
		g.Expect(cmd.Process.Kill()).To(gomega.Succeed())
		if code, out := wait(); code != -1 {
			t.Logf("the run ended before kill %d: code %d\n%s", i, code, out)
			break
		}
		j, cases := p.journal(t), p.cases(t)
		t.Logf("kill %d, %v after the first verdict: %d verdicts", i, more, len(j.verdicts))
		g.Expect(j.twice).To(gomega.BeEmpty())
		g.Expect(len(j.verdicts)).To(gomega.BeNumerically(">", before), "the journal only grows")
		before = len(j.verdicts)
		g.Expect(cases["campaign/complete"].Error).NotTo(gomega.BeNil(), "a killed run never looks finished")
		for name := range cases {
			if name != "campaign/complete" {
				g.Expect(j.verdicts).To(gomega.HaveKey(name), "JUnit knows nothing that the journal does not")
			}
		}
		args = []string{"run", "--resume", "--results", p.results()}
	}
	got := p.run(t, "run", "--resume", "--results", p.results())
	g.Expect(got.code).To(gomega.BeZero(), got.out+got.stderr)
	p.hasEverythingOnce(t, "--group", "sequence")
	p.nothingLeft(t)
}

// While a run goes on, nobody else may go on with it.
func TestResumeOfARunThatGoesOn(t *testing.T) {
	t.Parallel()
	g := gomega.NewWithT(t)
	p := newPlace(t)
	cmd, wait := p.start(t, "run", "--group", "sequence", "--results", p.results())
	p.awaitVerdicts(t, 1)
	got := p.run(t, "run", "--resume", "--results", p.results())
	g.Expect(got.code).To(gomega.Equal(results.ExitUsage), got.out)
	g.Expect(got.stderr).To(gomega.ContainSubstring("is another run using it?"))
	fresh := p.run(t, "run", "--group", "regress", "--results", p.results())
	g.Expect(fresh.code).To(gomega.Equal(results.ExitUsage), fresh.out)
	g.Expect(fresh.stderr).To(gomega.ContainSubstring("journal.jsonl"))
	g.Expect(cmd.Process.Signal(syscall.SIGINT)).To(gomega.Succeed())
	code, out := wait()
	g.Expect(code).To(gomega.Equal(130), out)
}

func TestResumeOfNonsense(t *testing.T) {
	for name, row := range map[string]struct{ journal, want string }{
		"empty":         {"", "resume DIR: "},
		"other format":  {`{"header":{"format":99,"seed":1,"planned":1}}` + "\n", "resume DIR: "},
		"no journal":    {"something else\n", "resume DIR: "},
		"unknown flags": {`{"header":{"format":1,"seed":1,"planned":1,"args":["--nonesuch"]}}` + "\n", "resume DIR: the journal's arguments: unknown flag: --nonesuch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			p := newPlace(t)
			write(t, filepath.Join(p.dir, "journal.jsonl"), row.journal)
			got := p.run(t, "run", "--resume", "--results", p.dir)
			g.Expect(got.code).To(gomega.Equal(results.ExitUsage), got.out)
			g.Expect(strings.ReplaceAll(got.stderr, p.dir, "DIR")).To(gomega.HavePrefix("faultline: " + row.want))
			g.Expect(strings.Count(got.stderr, "\n")).To(gomega.Equal(1))
			text, err := os.ReadFile(filepath.Join(p.dir, "journal.jsonl"))
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(string(text)).To(gomega.Equal(row.journal), "what was there is left alone")
		})
	}
}

// A worker that somebody kills costs nothing: its programs are run again.
func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	g := gomega.NewWithT(t)
	p := newPlace(t)
	_, wait := p.start(t, "run", "--group", "sequence", "--filter", "/seed-[1-4]$/", "-j", "1", "--results", p.results())
	p.awaitVerdicts(t, 1)
	for range 5 {
		p.awaitVerdicts(t, 1+len(p.journal(t).verdicts))
		if pids := processes("worker", p.dir); len(pids) > 0 {
			_ = syscall.Kill(pids[0], syscall.SIGKILL) // it may have been replaced
		}
	}
	code, out := wait()
	g.Expect(code).To(gomega.BeZero(), out)
	p.hasEverythingOnce(t, "--group", "sequence", "--filter", "/seed-[1-4]$/")
	p.nothingLeft(t)
}

// Without repeats a lost worker is an incomplete run, and no failure of the file system.
func TestWorkerKilledWithoutRepeats(t *testing.T) {
	needRoot(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	p := newPlace(t)
	_, wait := p.start(t, "run", "--target", "planted:slow,delay=700ms", "--group", "regress", "--timeout", "20s", "--repeat", "0", "-j", "1", "--results", p.results())
	g.Eventually(func() []int { return processes("worker", p.dir) }, soon).Should(gomega.HaveLen(1))
	time.Sleep(500 * time.Millisecond) // the worker is in a program from its beginning to its end
	g.Expect(syscall.Kill(processes("worker", p.dir)[0], syscall.SIGKILL)).To(gomega.Succeed())
	code, out := wait()
	g.Expect(code).To(gomega.Equal(results.ExitIncomplete), out)
	broken := 0
	for _, c := range p.cases(t) {
		g.Expect(c.Failure).To(gomega.BeNil())
		if c.Error != nil {
			broken++
			g.Expect(c.Error.Type).To(gomega.Equal("infra.worker-lost"))
		}
	}
	g.Expect(broken).To(gomega.Equal(1))
	p.nothingLeft(t)
}

// A server that dies is a crash of the program in flight, once; everything else passes on a fresh one.
func TestServerKilled(t *testing.T) {
	needRoot(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	p := newPlace(t)
	_, wait := p.start(t, "run", "--target", "planted:none", "--group", "sequence", "--filter", "/seed-[1-2]$/", "-j", "1", "--results", p.results())
	p.awaitVerdicts(t, 5)
	g.Expect(syscall.Kill(processes("target-planted", p.dir)[0], syscall.SIGKILL)).To(gomega.Succeed())
	code, out := wait()
	g.Expect(code).To(gomega.Equal(results.ExitFailed), out)
	p.hasEverythingOnce(t, "--group", "sequence", "--filter", "/seed-[1-2]$/")
	crashed := 0
	for _, c := range p.cases(t) {
		g.Expect(c.Error).To(gomega.BeNil())
		if c.Failure != nil {
			crashed++
			g.Expect(c.Failure.Type).To(gomega.Equal("target.died"))
			g.Expect(c.Failure.Message).To(gomega.ContainSubstring("its server has ended: signal: killed"))
		}
	}
	g.Expect(crashed).To(gomega.Equal(1))
	p.nothingLeft(t)
}

// A directory whose mount goes away under the run: what was not run is missing, and nobody is accused.
func TestMountGoesAway(t *testing.T) {
	needRoot(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	p := newPlace(t)
	mnt := filepath.Join(p.dir, "mnt")
	g.Expect(os.Mkdir(mnt, 0o777)).To(gomega.Succeed())
	g.Expect(syscall.Mount("tmpfs", mnt, "tmpfs", 0, "size=64m")).To(gomega.Succeed())
	defer syscall.Unmount(mnt, syscall.MNT_DETACH)
	g.Expect(os.Mkdir(filepath.Join(mnt, "work"), 0o777)).To(gomega.Succeed())
	_, wait := p.start(t, "run", "--target", "dir:"+mnt+"/work", "--group", "sequence", "--repeat", "0", "--results", p.results())
	p.awaitVerdicts(t, 5)
	g.Expect(syscall.Unmount(mnt, syscall.MNT_DETACH)).To(gomega.Succeed())
	code, out := wait()
	g.Expect(code).To(gomega.Equal(results.ExitIncomplete), out)
	g.Expect(out).To(gomega.ContainSubstring("LOST dir:" + mnt + "/work: the target was lost by sequence/"))
	for name, c := range p.cases(t) {
		g.Expect(c.Failure).To(gomega.BeNil(), name)
	}
	g.Expect(p.cases(t)["campaign/complete"].Error).NotTo(gomega.BeNil())
}
