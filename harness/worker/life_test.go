package worker_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/self"
	"faultline/harness/worker"
)

// everyKind is a small program with a file, a mapping, a thread and a process.
const everyKind = `
file A = pat1*4p
d = open(A, rdwr)
m = mmap(d, shared, rw, 0, 4p)
b = anon(hole*1p, 512)
pread(d, m[1p:2p], 0) -> 1p
t1: pwrite(d, m[0:1p], 3p) -> 1p
p1: e = open(A, rdonly)
p1: m = mmap(e, private, r, 0, 1p)
p1: check(m, pat1*1p)
wait(t1)
pread(d, b, 1p) -> 1p
check(b, pat1*1p)
check(A, pat1*1p + pat1*1p + pat1[2p:3p] + pat1*1p)
`

func TestProgramsAreQueued(t *testing.T) {
	g := gomega.NewWithT(t)
	w := start(t, worker.Config{Dir: t.TempDir()})
	const n = 50
	for seq := range uint64(n) {
		g.Expect(w.Send(seq, program(t, everyKind))).To(gomega.Succeed())
	}
	for seq := range uint64(n) {
		r := next(t, w)
		g.Expect(r.Seq).To(gomega.Equal(seq))
		g.Expect(r.Passed()).To(gomega.BeTrue(), "%+v", r)
		g.Expect(r.Ran).To(gomega.Equal(12))
		g.Expect(r.Elapsed).To(gomega.BeNumerically(">", 0))
	}
	pids := w.PIDs()
	g.Expect(pids).To(gomega.HaveLen(2), "the process actor is used again")
	w.Close()
	exit, exited := w.Exit()
	g.Expect(exited).To(gomega.BeTrue())
	g.Expect(exit.String()).To(gomega.Equal("exit code 0"), w.Stderr())
	g.Eventually(func() bool { return dead(pids[1]) }, patience, time.Millisecond).Should(gomega.BeTrue())
	g.Expect(w.Send(n, program(t, everyKind))).NotTo(gomega.Succeed())
}

// Steps of two actors overlap in time: they run at once, not one after the other.
func TestActorsRunAtTheSameTime(t *testing.T) {
	for name, text := range map[string]string{
		"threads":   strings.Repeat("t1: pwrite(d, b, 0) -> 256p\nt2: pwrite(d, b, 256p) -> 256p\n", 4),
		"processes": strings.Repeat("p1: check(A)\np2: check(A)\n", 4),
		"main too":  "t1: pwrite(d, b, 0) -> 256p\npwrite(d, b, 256p) -> 256p\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, worker.Config{Dir: t.TempDir()})
			seq := uint64(0)
			gomega.NewWithT(t).Eventually(func() bool {
				seq++
				r := run(t, w, seq, "file A = pat1*512p\nd = open(A, rdwr)\nb = anon('b'*256p)\n"+text)
				gomega.NewWithT(t).Expect(r.Passed()).To(gomega.BeTrue(), "%+v", r)
				return overlap(w.Events(seq))
			}, patience, time.Millisecond).Should(gomega.BeTrue())
		})
	}
}

// overlap reports whether a step of one actor began while one of another was running, later steps than the first two.
func overlap(events []worker.Event) bool {
	running := map[string]bool{}
	for _, e := range events {
		if e.Step < 2 {
			continue
		}
		if e.End {
			delete(running, e.Actor)
			continue
		}
		running[e.Actor] = true
		if len(running) > 1 {
			return true
		}
	}
	return false
}

func TestHistory(t *testing.T) {
	g := gomega.NewWithT(t)
	w := start(t, worker.Config{Dir: t.TempDir()})
	run(t, w, 7, "file A = pat1*1p\nd = open(A, rdonly)\nftruncate(d, 0) -> EINVAL\ncheck(A, 'x'*1p)")
	var lines []string
	for _, e := range w.Events(7) {
		line := fmt.Sprint(e.Step, " begin")
		if e.End {
			line = fmt.Sprint(e.Step, " ", e.Result.Value, e.Result.Err, " ", e.Wrong)
		}
		lines = append(lines, line)
	}
	g.Expect(lines).To(gomega.Equal([]string{
		"-1 begin", "-1 0 false", "0 begin", "0 0 false", "1 begin", "1 0EINVAL false",
		"2 begin", fmt.Sprintf("2 %d true", os.Getpagesize()), "-2 begin", "-2 0 false",
	}))
	g.Expect(w.Events(8)).To(gomega.BeEmpty())
}

func TestCrash(t *testing.T) {
	g := gomega.NewWithT(t)
	w := start(t, worker.Config{Dir: t.TempDir()})
	g.Expect(run(t, w, 1, everyKind).Passed()).To(gomega.BeTrue())
	pids := w.PIDs()
	g.Expect(syscall.Kill(w.PID(), syscall.SIGSEGV)).To(gomega.Succeed())
	g.Eventually(w.Exited(), patience).Should(gomega.BeClosed())
	g.Eventually(w.Reports(), patience).Should(gomega.BeClosed())
	exit, _ := w.Exit()
	g.Expect(exit.String()).To(gomega.Equal("exit code 2"))
	g.Eventually(w.Stderr, patience).Should(gomega.ContainSubstring("SIGSEGV: segmentation violation"))
	g.Eventually(func() bool { return dead(pids[1]) }, patience, time.Millisecond).Should(gomega.BeTrue())
	g.Expect(w.Events(1)).NotTo(gomega.BeEmpty(), "the history outlives the worker")
}

// Without its actor the worker could never go on, so it ends, and says why.
func TestDeadActorEndsTheWorker(t *testing.T) {
	g := gomega.NewWithT(t)
	w := start(t, worker.Config{Dir: t.TempDir()})
	g.Expect(run(t, w, 1, everyKind).Passed()).To(gomega.BeTrue())
	g.Expect(syscall.Kill(w.PIDs()[1], syscall.SIGKILL)).To(gomega.Succeed())
	g.Eventually(w.Exited(), patience).Should(gomega.BeClosed())
	exit, _ := w.Exit()
	g.Expect(exit.String()).To(gomega.Equal("exit code 4"))
	g.Eventually(w.Stderr, patience).Should(gomega.ContainSubstring("actor process 0 died: signal: killed"))
}

// With the collector off the worker only grows: by some kilobytes a program, so that it can be used for hundreds.
func TestMemoryOfTheWorker(t *testing.T) {
	g := gomega.NewWithT(t)
	w := start(t, worker.Config{Dir: t.TempDir()})
	const n = 500
	seq := uint64(0)
	batch := func() {
		for range n {
			seq++
			g.Expect(run(t, w, seq, everyKind).Passed()).To(gomega.BeTrue())
		}
	}
	batch()
	before := memory(t, w.PIDs())
	batch()
	for i, after := range memory(t, w.PIDs()) {
		t.Logf("process %d: %d KiB, then %d KiB after %d more programs", i, before[i], after, n)
		g.Expect(after-before[i]).To(gomega.BeNumerically("<", 50*n), "KiB")
		g.Expect(after).To(gomega.BeNumerically("<", 100<<10), "KiB")
	}
}

// memory is the anonymous memory of each process in KiB.
func memory(t *testing.T, pids []int) (all []int) {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
		_, rest, _ := strings.Cut(string(text), "RssAnon:")
		n, err := strconv.Atoi(strings.Fields(rest)[0])
		gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
		all = append(all, n)
	}
	return all
}

func TestStartInAMissingDirectoryIsTroubleOfThePrograms(t *testing.T) {
	g := gomega.NewWithT(t)
	w := start(t, worker.Config{Dir: "/proc/none"})
	g.Expect(run(t, w, 1, "mkdir(D)").Setup).NotTo(gomega.BeNil())
}

// roleParent is a parent to be killed: it starts a worker with a busy thread and an idle process, and tells their numbers.
const roleParent = "worker-test-parent"

func init() {
	self.Register(roleParent, func(args []string) int {
		w, err := worker.Start(worker.Config{Dir: args[0]})
		if err != nil {
			fmt.Println(err)
			return 1
		}
		_, _, err = plant(w, args[0], "p1: stat(F, size)\nwait(p1)\nd = open(F, rdonly)", mkfifo)
		for err == nil && len(w.Live()) == 0 {
			time.Sleep(time.Millisecond)
		}
		fmt.Println(err, w.PIDs())
		select {}
	})
}

func TestWorkersDieWithTheParent(t *testing.T) {
	g := gomega.NewWithT(t)
	parent := self.Command(roleParent, t.TempDir())
	out, err := parent.StdoutPipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(parent.Start()).To(gomega.Succeed())
	line, err := bufio.NewReader(out).ReadString('\n')
	g.Expect(err).NotTo(gomega.HaveOccurred())
	var pids [2]int
	_, err = fmt.Sscanf(line, "<nil> [%d %d]", &pids[0], &pids[1])
	g.Expect(err).NotTo(gomega.HaveOccurred(), line)
	for _, pid := range pids {
		g.Expect(dead(pid)).To(gomega.BeFalse())
	}
	g.Expect(parent.Process.Kill()).To(gomega.Succeed())
	var killed *exec.ExitError
	g.Expect(parent.Wait()).To(gomega.BeAssignableToTypeOf(killed))
	for _, pid := range pids {
		g.Eventually(func() bool { return dead(pid) }, patience, 5*time.Millisecond).Should(gomega.BeTrue())
	}
}

func TestAsManyActorsAsThereMayBe(t *testing.T) {
	for kind, n := range map[string]int{"t": worker.MaxActors, "p": 6} {
		t.Run(kind, func(t *testing.T) {
			w := start(t, worker.Config{Dir: t.TempDir()})
			text := "file A = pat1*4p\n"
			for i := range n {
				text += fmt.Sprintf("%s%d: check(A, pat1*4p)\n", kind, i+1)
			}
			for seq := range uint64(3) {
				r := run(t, w, seq, text)
				g := gomega.NewWithT(t)
				g.Expect(r.Passed()).To(gomega.BeTrue(), "%+v", r)
				g.Expect(r.Ran).To(gomega.Equal(n))
			}
		})
	}
}

// A child that is stuck in the kernel keeps its pipes open. Here the test does: the reports end all the same.
func TestReportsEndThoughTheirPipeIsHeldOpen(t *testing.T) {
	g := gomega.NewWithT(t)
	w := start(t, worker.Config{Dir: t.TempDir()})
	g.Expect(run(t, w, 1, everyKind).Passed()).To(gomega.BeTrue())
	held, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/4", w.PID()), os.O_WRONLY, 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer held.Close()
	w.Kill()
	g.Eventually(w.Exited(), patience).Should(gomega.BeClosed())
	g.Eventually(w.Reports(), patience).Should(gomega.BeClosed())
}

func TestKillFreesABlockedSend(t *testing.T) {
	g := gomega.NewWithT(t)
	w := start(t, worker.Config{Dir: t.TempDir()})
	g.Expect(run(t, w, 1, everyKind).Passed()).To(gomega.BeTrue())
	g.Expect(syscall.Kill(w.PID(), syscall.SIGSTOP)).To(gomega.Succeed())
	failed := make(chan error)
	go func() {
		text := "prog x\n" + strings.Repeat("# nothing to do\n", 1<<12)
		for seq := uint64(2); ; seq++ {
			if err := w.Send(seq, text); err != nil {
				failed <- err
				return
			}
		}
	}()
	g.Consistently(failed, 50*time.Millisecond).ShouldNot(gomega.Receive())
	w.Kill()
	g.Eventually(failed, patience).Should(gomega.Receive(gomega.MatchError(os.ErrClosed)))
}
