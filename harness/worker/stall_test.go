package worker_test

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/demand/demandtest"
	"faultline/harness/worker"
)

// ways does a test with each way to stall, with a folder of its own.
func ways(t *testing.T, test func(t *testing.T, cfg worker.Config)) {
	t.Run("userfaultfd", func(t *testing.T) {
		needUffd(t)
		test(t, worker.Config{Dir: t.TempDir()})
	})
	t.Run("files", func(t *testing.T) {
		mount, _ := demandtest.Mount(t)
		test(t, worker.Config{Dir: t.TempDir(), Stalls: mount})
	})
}

// needUffd skips where the kernel does not let us stop it.
func needUffd(t *testing.T) {
	t.Helper()
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	if errno != 0 {
		t.Skip("needs userfaultfd for faults of the kernel: ", errno)
	}
	unix.Close(int(fd))
}

const atStall = `file A = pat1*4p
d = open(A, rdwr)
u = stall(2p)
t1: pread(d, u, 0)
stalled(u[0:1p]) -> 0
`

// times is a line many times over.
func times(n int, line string) string { return strings.Repeat(line+"\n", n) }

// The watcher sees that a step is stopped, and since when it is not any more.
func TestAStoppedStepIsShown(t *testing.T) { ways(t, testAStoppedStepIsShown) }

func testAStoppedStepIsShown(t *testing.T, cfg worker.Config) {
	g := gomega.NewWithT(t)
	w := start(t, cfg)
	served := times(4, "proceeds(t1) -> any") + "serve(u[0:1p], 's'*1p)\nstalled(u[1p:2p]) -> 1p\n" + times(4, "proceeds(t1) -> any") + "serve(u[1p:2p])\nwait(t1)\ncheck(u, pat1*2p)\n"
	g.Expect(w.Send(1, program(t, atStall+served))).To(gomega.Succeed())
	actor := func() worker.Live {
		for _, l := range w.Live() {
			if l.Actor == "t1" {
				return l
			}
		}
		return worker.Live{}
	}
	g.Eventually(func() bool { l := actor(); return l.Stopped && l.Since.Equal(l.Began) }, patience).Should(gomega.BeTrue(), "stopped on the first page")
	g.Eventually(func() bool { l := actor(); return l.Stopped && l.Since.After(l.Began) }, patience).Should(gomega.BeTrue(), "let go, and stopped on the second page")
	r := next(t, w)
	g.Expect(r.Passed()).To(gomega.BeTrue(), "%+v", r.Failure)
	g.Expect(w.Live()).To(gomega.BeEmpty())
}

// What stalled returns is where an actor is, which one if that was asked, or that nobody comes any more.
func TestStalled(t *testing.T) { ways(t, testStalled) }

func testStalled(t *testing.T, cfg worker.Config) {
	w := start(t, cfg)
	for i, text := range []string{
		atStall + "stalled(u, t1) -> 0\nt2: stat(A, size)\nstalled(u, t2) -> ESRCH\nserve(u)\nwait(t1)",
		atStall + "t2: pread(d, u[1p:2p], 0)\nstalled(u, t2) -> 1p\nstalled(u, t1) -> 0\nserve(u)",
		atStall + "stalled(u[1p:2p]) -> ESRCH\nserve(u)\nwait(t1)\nstalled(u) -> ESRCH",
		atStall + "serve(u)\nwait(t1)\nserve(u[1p:2p]) -> EEXIST",
		// An actor serves what stops the main thread.
		"file A = pat1*4p\nd = open(A, rdwr)\nu = stall(2p)\nt2: stalled(u[1p:2p]) -> 1p\nt2: serve(u)\npread(d, u[1p:2p], 0) -> 1p",
		// Nobody comes to where two actors wait.
		"u = stall(1p)\nt1: stalled(u) -> ESRCH\nt2: stalled(u) -> ESRCH\nserve(u)",
		// Another process's stall.
		"file A = pat1*4p\np1: d = open(A, rdwr)\np1: u = stall(2p)\np1: pwrite(d, u, 0) -> 2p\nstalled(u, p1) -> 0\nserve(u, pat2*2p)\nwait(p1)\ncheck(A, pat2*2p + pat1[2p:4p])",
		// What is let go on goes on: with an error, or without.
		"file A = pat1*4p\nd = open(A, rdwr)\nu = stall(2p)\nt1: pwrite(d, u, 0) -> EFAULT\nstalled(u) -> 0\nmunmap(u)\nwait(t1)\ncheck(A, pat1*4p)",
		"u = stall(1p)\nt1: load(u) -> 1p\nstalled(u) -> 0\nserve(u, 's'*1p)\nwait(t1)\nstore(u, 'x'*1p)\ncheck(u, 'x'*1p)",
		"file A = pat1*4p\nd = open(A, rdwr)\nu = stall(2p)\nt1: pread(d, u, 0) -> EFAULT\nstalled(u) -> 0\npoison(u)\nwait(t1)",
		"u = stall(1p)\nt1: load(u) -> SIGBUS\nstalled(u) -> 0\npoison(u)\nwait(t1)\nload(u) -> SIGBUS\npoison(u) -> EEXIST",
		"file A = pat1*4p\nd = open(A, rdwr)\nu = stall(2p)\nt1: pread(d, u, 0) -> 2p\nstalled(u) -> 0\nunregister(u)\nwait(t1)\ncheck(u, pat1*2p)",
	} {
		g := gomega.NewWithT(t)
		g.Expect(w.Send(uint64(i+1), program(t, text))).To(gomega.Succeed())
		r := next(t, w)
		g.Expect(r.Passed()).To(gomega.BeTrue(), "%+v\n%s", r, text)
	}
}

// What only a userfaultfd does: guards, and two actors at one page.
func TestUserfaultfdOnly(t *testing.T) {
	needUffd(t)
	w := start(t, worker.Config{Dir: t.TempDir()})
	for i, text := range []string{
		atStall + "t2: pread(d, u[0:1p], 0)\nstalled(u, t2) -> 0\nserve(u)",
		"file A = pat1*4p\nd = open(A, rdwr)\nu = guard('g'*2p)\nt1: pread(d, u, 0) -> 2p\nstalled(u) -> 0\nunregister(u)\nwait(t1)\ncheck(u, pat1*2p)",
		"u2 = guard('g'*1p)\nt1: store(u2, 'x'*1p)\nstalled(u2) -> 0\nserve(u2)\nwait(t1)\ncheck(u2, 'x'*1p)",
	} {
		g := gomega.NewWithT(t)
		g.Expect(w.Send(uint64(i+1), program(t, text))).To(gomega.Succeed())
		r := next(t, w)
		g.Expect(r.Passed()).To(gomega.BeTrue(), "%+v\n%s", r, text)
	}
}

// A wrong step lets all go who are stopped, in every process, and is the failure.
func TestAFailureLetsAllGo(t *testing.T) { ways(t, testAFailureLetsAllGo) }

func testAFailureLetsAllGo(t *testing.T, cfg worker.Config) {
	g := gomega.NewWithT(t)
	w := start(t, cfg)
	text := "p1: u2 = stall(1p)\np1: load(u2)\n" + strings.TrimPrefix(atStall, "file A = pat1*4p\n")
	g.Expect(w.Send(1, program(t, "file A = pat1*4p\n"+text+"stalled(u2) -> 0\nstat(A, size) -> 5\nserve(u)\nserve(u2)\n"))).To(gomega.Succeed())
	r := next(t, w)
	g.Expect(r.Failure).NotTo(gomega.BeNil())
	g.Expect(r.Failure.Step).To(gomega.Equal(7))
	g.Expect(r.Failure.Broken).To(gomega.BeFalse())
}

// A program that nobody could bring to its end is told as its own fault.
func TestNobodyServes(t *testing.T) { ways(t, testNobodyServes) }

func testNobodyServes(t *testing.T, cfg worker.Config) {
	w := start(t, cfg)
	for i, text := range []string{
		atStall + "wait(t1)\nserve(u)\n", atStall,
		"u = stall(1p)\nload(u)\n", "p1: u = stall(1p)\np1: load(u)\n", atStall + "t2: pread(d, u[1p:2p], 0)\n",
	} {
		g := gomega.NewWithT(t)
		g.Expect(w.Send(uint64(i+1), program(t, text))).To(gomega.Succeed())
		r := next(t, w)
		g.Expect(r.Failure).NotTo(gomega.BeNil(), text)
		g.Expect(r.Failure.Broken).To(gomega.BeTrue(), text)
		g.Expect(r.Failure.Text).To(gomega.ContainSubstring("is stopped on a stall, and nobody is left to serve it"))
	}
}

// Who is stopped can be killed.
func TestAStoppedWorkerIsKilled(t *testing.T) { ways(t, testAStoppedWorkerIsKilled) }

func testAStoppedWorkerIsKilled(t *testing.T, cfg worker.Config) {
	g := gomega.NewWithT(t)
	w := start(t, cfg)
	g.Expect(w.Send(1, program(t, strings.Replace(atStall, "pread", "pwrite", 1)+times(40, "proceeds(t1) -> any")))).To(gomega.Succeed())
	g.Eventually(func() bool {
		live := w.Live()
		return len(live) == 1 && live[0].Stopped
	}, patience).Should(gomega.BeTrue())
	w.Kill()
	g.Eventually(w.Exited(), patience).Should(gomega.BeClosed())
}

// proceeds tells an actor that sleeps from one that works, and says where it sleeps.
func TestProceeds(t *testing.T) { ways(t, testProceeds) }

func testProceeds(t *testing.T, cfg worker.Config) {
	g := gomega.NewWithT(t)
	w := start(t, cfg)
	busy := strings.ReplaceAll(times(5000, "stat(A, size)"), "stat", "p2: stat")
	g.Expect(w.Send(1, program(t, atStall+busy+"proceeds(p2) -> 0\nserve(u)\n"))).To(gomega.Succeed())
	r := next(t, w)
	g.Expect(r.Passed()).To(gomega.BeTrue(), "%+v", r.Failure)
	g.Expect(w.Send(2, program(t, atStall+"proceeds(t1) -> 0\nserve(u)\n"))).To(gomega.Succeed())
	f := next(t, w).Failure
	g.Expect(f).NotTo(gomega.BeNil())
	g.Expect(f.Text).To(gomega.HavePrefix("wanted 0, got EAGAIN: t1 sleeps"))
	g.Expect(f.Asleep.Step).To(gomega.Equal(2))
	if unix.Geteuid() == 0 {
		g.Expect(f.Asleep.Stack).To(gomega.ContainElement(gomega.BeElementOf("handle_userfault", "request_wait_answer")))
	}
}
