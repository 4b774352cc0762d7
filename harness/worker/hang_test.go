package worker_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/worker"
)

// A FIFO that nobody writes to blocks whoever opens it for reading: a step that hangs, on any file system and without root. A program
// cannot make one, so the test plants it in the program's directory while the worker is stopped.

// delayed is a program that first spends some time, then does the steps. F is the name of the FIFO.
func delayed(steps string) (text string, delay int) {
	delay = 20000
	return "file F = empty\nunlink(F)\n" + strings.Repeat("stat(F, size) -> any\n", delay) + steps, delay + 1
}

// plant sends the delayed program and puts something into its directory before the steps begin. It returns the number of the first step and
// the sequence number.
func plant(w *worker.Proc, dir, steps string, put func(dir string) error) (first int, seq uint64, err error) {
	text, first := delayed(steps)
	for seq = 1; seq <= 100; seq++ {
		if err := w.Send(seq, "prog plant\n"+text); err != nil {
			return 0, 0, err
		}
		own := filepath.Join(dir, fmt.Sprint(seq))
		planted, err := whileStopped(w, seq, first, func() error { return put(own) })
		if planted || err != nil {
			return first, seq, err
		}
		<-w.Reports()
	}
	return 0, 0, fmt.Errorf("the worker was always faster")
}

// whileStopped stops the worker between the unlink and the first interesting step; false means that it was too late.
func whileStopped(w *worker.Proc, seq uint64, first int, put func() error) (bool, error) {
	for {
		step, seen := mainStep(w, seq)
		if seen && step >= 1 {
			break
		}
		if seen && step == worker.StepCleanup {
			return false, nil
		}
		runtime.Gosched()
	}
	if err := syscall.Kill(w.PID(), syscall.SIGSTOP); err != nil {
		return false, err
	}
	defer syscall.Kill(w.PID(), syscall.SIGCONT)
	for !stopped(w.PID()) {
		time.Sleep(time.Millisecond)
	}
	if step, seen := mainStep(w, seq); !seen || step < 1 || step >= first {
		return false, nil
	}
	return true, put()
}

// mainStep is the latest step of the main thread in the program's history.
func mainStep(w *worker.Proc, seq uint64) (int, bool) {
	events := w.Events(seq)
	if len(events) == 0 {
		return 0, false
	}
	return events[len(events)-1].Step, true
}

func stopped(pid int) bool { return state(pid) == "T" }

// state is the letter of /proc/PID/stat, "" if there is no process.
func state(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := bytes.Cut(text, []byte(") "))
	return string(rest[:1])
}

func dead(pid int) bool { return state(pid) == "" || state(pid) == "Z" }

func mkfifo(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "F"), 0o600) }

// hung waits until exactly the given steps are in progress.
func hung(t *testing.T, w *worker.Proc, want ...int) []worker.Live {
	t.Helper()
	var live []worker.Live
	gomega.NewWithT(t).Eventually(func() []int {
		live = w.Live()
		var steps []int
		for _, l := range live {
			steps = append(steps, l.Step)
		}
		return steps
	}, patience, 5*time.Millisecond).Should(gomega.ConsistOf(want))
	return live
}

func TestHangIsSeenFromOutsideAndKilled(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	w := start(t, worker.Config{Dir: dir})
	before := time.Now()
	step, seq, err := plant(w, dir, "d = open(F, rdonly)", mkfifo)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	live := hung(t, w, step)
	g.Expect(live[0].Actor).To(gomega.BeEmpty())
	g.Expect(live[0].PID).To(gomega.Equal(w.PID()))
	g.Expect(live[0].TID).To(gomega.BeNumerically(">=", w.PID()))
	g.Expect(live[0].Seq).To(gomega.Equal(seq))
	g.Expect(live[0].Began).To(gomega.BeTemporally(">", before))
	g.Expect(live[0].Began).To(gomega.BeTemporally("<", time.Now()))
	g.Expect(live[0].Finished).To(gomega.BeNumerically(">=", step))
	_, exited := w.Exit()
	g.Expect(exited).To(gomega.BeFalse())

	w.Kill()
	g.Eventually(w.Exited(), patience).Should(gomega.BeClosed())
	g.Eventually(w.Reports(), patience).Should(gomega.BeClosed())
	exit, exited := w.Exit()
	g.Expect(exited).To(gomega.BeTrue())
	g.Expect(exit.String()).To(gomega.Equal("killed by SIGKILL"))
	g.Expect(w.Live()).To(gomega.Equal(live), "what it was doing outlives it")
	events := w.Events(seq)
	g.Expect(events[len(events)-1].Step).To(gomega.Equal(step))
	g.Expect(events[len(events)-1].End).To(gomega.BeFalse())
	g.Expect(len(events)).To(gomega.BeNumerically(">", 1000))
}

// While one thread hangs, others go on: each actor has a thread of its own, and nothing in the worker waits for all threads.
func TestOthersGoOnBesideAHungThread(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	w := start(t, worker.Config{Dir: dir})
	step, seq, err := plant(w, dir, `t1: d = open(F, rdonly)
t2: stat(F, size) -> 0
wait(t2)
mkdir(D)
p1: stat(D, blocks) -> any
wait(p1)
load(bad[0:1]!) -> SIGSEGV
`, mkfifo)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	// The last step of the main thread is done, t1 is not.
	g.Eventually(func() []int { return steps(w.Events(seq)) }, patience).Should(gomega.ContainElement(step + 6))
	live := hung(t, w, step)
	g.Expect(live[0].Actor).To(gomega.Equal("t1"))
	g.Expect(live[0].TID).NotTo(gomega.Equal(live[0].PID))
	w.Kill()
	g.Eventually(w.Exited(), patience).Should(gomega.BeClosed())
}

// A wrong step is known even if the program never ends.
func TestFailureBesideAHang(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	w := start(t, worker.Config{Dir: dir})
	const later = 20000 // steps, so that the thread has begun
	step, _, err := plant(w, dir, "t1: d = open(F, rdonly)\n"+strings.Repeat("stat(F, size)\n", later)+"stat(F, size) -> 7", mkfifo)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	hung(t, w, step)
	g.Eventually(w.FailureSoFar, patience).ShouldNot(gomega.BeNil())
	g.Expect(w.FailureSoFar().Step).To(gomega.Equal(step + 1 + later))
	w.Kill()
}

// A hang that ends is no failure: the program goes on where it stopped.
func TestHangThatEnds(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	w := start(t, worker.Config{Dir: dir})
	step, seq, err := plant(w, dir, "p1: d = open(F, rdonly)\nwait(p1)", mkfifo)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	live := hung(t, w, step)
	g.Expect(live[0].PID).NotTo(gomega.Equal(w.PID()), "a process of its own")
	g.Expect(w.PIDs()).To(gomega.ConsistOf(w.PID(), live[0].PID))
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(seq), "F"), os.O_WRONLY, 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	r := next(t, w)
	g.Expect(r.Passed()).To(gomega.BeTrue(), "%+v", r)
	g.Expect(w.Live()).To(gomega.BeEmpty())
}

// Kill reaches a process actor that hangs, and so does the death of the worker.
func TestHungProcessDiesWithTheWorker(t *testing.T) {
	for name, end := range map[string]func(*worker.Proc){
		"kill":  (*worker.Proc).Kill,
		"crash": func(w *worker.Proc) { syscall.Kill(w.PID(), syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			dir := t.TempDir()
			w := start(t, worker.Config{Dir: dir})
			step, _, err := plant(w, dir, "p1: d = open(F, rdonly)", mkfifo)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			hung(t, w, step)
			pids := w.PIDs()
			g.Expect(pids).To(gomega.HaveLen(2))
			end(w)
			for _, pid := range pids {
				g.Eventually(func() bool { return dead(pid) }, patience, 5*time.Millisecond).Should(gomega.BeTrue())
			}
		})
	}
}

// Clean-up removes what lies in the program's directory, whoever put it there, and follows no link.
func TestCleanupFollowsNoLink(t *testing.T) {
	g := gomega.NewWithT(t)
	dir, outside := t.TempDir(), t.TempDir()
	g.Expect(os.WriteFile(filepath.Join(outside, "keep"), nil, 0o600)).To(gomega.Succeed())
	w := start(t, worker.Config{Dir: dir})
	_, _, err := plant(w, dir, "stat(F, size) -> any", func(own string) error {
		if err := os.MkdirAll(filepath.Join(own, "a/b/c"), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(own, "a/b/file"), nil, 0o600); err != nil {
			return err
		}
		return os.Symlink(outside, filepath.Join(own, "a/link"))
	})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	r := next(t, w)
	g.Expect(r.Passed()).To(gomega.BeTrue(), "%+v", r)
	g.Expect(os.ReadDir(dir)).To(gomega.BeEmpty())
	g.Expect(filepath.Join(outside, "keep")).To(gomega.BeAnExistingFile())
}
