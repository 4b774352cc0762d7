package harness_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/results"
)

// longIt takes some seconds on "slow,delay=500ms": ten direct reads, a request each.
var longIt = `prog proof/long
file A = 'a'*1p
d = open(A, rdonly|direct)
b = anon(zero*1p)
` + strings.Repeat("pread(d, b, 0)\n", 10)

// kill sends a signal to the worker once it is in the middle of a program.
func kill(t *testing.T, dir string, signal syscall.Signal) {
	deadline := time.Now().Add(soon)
	for time.Now().Before(deadline) {
		if pids := workersIn(dir); len(pids) == 1 {
			time.Sleep(time.Second) // any moment in the program will do
			if err := syscall.Kill(pids[0], signal); err != nil {
				t.Error(err)
			}
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("no worker came up")
}

// awaitStop waits until the worker has been stopped by a signal.
func awaitStop(t *testing.T, dir string) {
	gomega.NewWithT(t).Eventually(func() string {
		for _, pid := range workersIn(dir) {
			return state(pid)
		}
		return "no worker"
	}, soon, 10*time.Millisecond).Should(gomega.Equal("T"))
}

func TestWorkerKilledFromOutside(t *testing.T) {
	needFuse(t)
	for signal, want := range map[syscall.Signal]struct {
		verdict results.Verdict
		kind    results.Kind
		message string
	}{
		syscall.SIGSEGV: {results.Crash, results.Semantics, "the worker was killed by segmentation fault in pread(d, b, 0) of the main thread"},
		syscall.SIGBUS:  {results.Crash, results.Semantics, "the worker was killed by bus error in pread(d, b, 0) of the main thread"},
		syscall.SIGKILL: {results.Broken, results.InfraWorkerLost, "the worker ended (killed by SIGKILL) in pread(d, b, 0) of the main thread"},
		syscall.SIGTERM: {results.Broken, results.InfraWorkerLost, "the worker ended (killed by SIGTERM) in pread(d, b, 0) of the main thread"},
	} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			left := watchForLeftovers(t)
			r := runnerIn(t, left.temp, "planted:slow,delay=500ms", harness.Options{Deadline: 20 * time.Second, Repeats: -1})
			killed := make(chan struct{})
			go func() { kill(t, r.Target().Dir(), signal); close(killed) }()
			o := r.Run(t.Context(), derived(t, longIt))
			<-killed
			g.Expect(o.Verdict).To(gomega.Equal(want.verdict), o.Message)
			g.Expect(o.Kind).To(gomega.Equal(want.kind))
			g.Expect(o.Message).To(gomega.Equal(want.message))
			g.Expect(o.Step).To(gomega.BeNumerically(">=", 2))
			g.Expect(sections(o)).To(gomega.ContainElement("events.txt"))
			g.Expect(r.Run(t.Context(), derived(t, namesOnly)).Verdict).To(gomega.Equal(results.Pass), "the next program")
			left.see(r)
		})
	}
}

// A worker that was lost once says nothing about the program: it is run again, and what counts is that.
func TestLostWorkerIsNoVerdict(t *testing.T) {
	needFuse(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	r := runner(t, "planted:slow,delay=500ms", harness.Options{Deadline: 20 * time.Second, Repeats: 1})
	go kill(t, r.Target().Dir(), syscall.SIGKILL)
	o := r.Run(t.Context(), derived(t, longIt))
	g.Expect(o.Verdict).To(gomega.Equal(results.Pass), o.Message)
	g.Expect(o.Attempts).To(gomega.HaveLen(1))
}

// A worker that is stopped is neither blocked nor spinning.
func TestStoppedWorkerIsNoHang(t *testing.T) {
	needFuse(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	r := runner(t, "planted:slow,delay=500ms", harness.Options{Deadline: 700 * time.Millisecond, Repeats: -1})
	go kill(t, r.Target().Dir(), syscall.SIGSTOP)
	o := r.Run(t.Context(), derived(t, longIt))
	g.Expect(o.Verdict).To(gomega.Equal(results.Broken), o.Message)
	g.Expect(o.Kind).To(gomega.Equal(results.TimeoutSlow))
	g.Expect(o.Message).To(gomega.ContainSubstring("the process is stopped or frozen"))
}

// stream runs the programs and returns the outcomes by name, each of which must come once.
func stream(t *testing.T, r *harness.Runner, programs ...*prog.Prog) map[string]harness.Outcome {
	t.Helper()
	in := make(chan *prog.Prog, len(programs))
	for _, p := range programs {
		in <- p
	}
	close(in)
	return streamed(t, r, in)
}

func streamed(t *testing.T, r *harness.Runner, in <-chan *prog.Prog) map[string]harness.Outcome {
	t.Helper()
	told := map[string]harness.Outcome{}
	ended := make(chan error, 1)
	go func() {
		ended <- r.Stream(t.Context(), in, func(o harness.Outcome) {
			if _, twice := told[o.Name]; twice {
				t.Errorf("%s has two verdicts", o.Name)
			}
			told[o.Name] = o
		})
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(2 * soon):
		t.Fatal("the Runner does not come back")
	}
	return told
}

// Programs that wait in the worker behind one that hangs are run again on a fresh target, and pass.
func TestNeighboursOfAHang(t *testing.T) {
	needFuse(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	r := runner(t, "planted:block-read", harness.Options{Deadline: 500 * time.Millisecond, Repeats: -1})
	var programs []*prog.Prog
	for i := range 8 {
		programs = append(programs, named(t, namesOnly, fmt.Sprintf("proof/names/%d", i)))
	}
	programs[2] = derived(t, readIt)
	told := stream(t, r, programs...)
	g.Expect(told).To(gomega.HaveLen(len(programs)))
	for _, p := range programs {
		want := results.Pass
		if p.Name == "proof/read" {
			want = results.Hang
		}
		g.Expect(told[p.Name].Verdict).To(gomega.Equal(want), "%s: %s", p.Name, told[p.Name].Message)
	}
}

// A worker that is stopped reads nothing, and behind its program there may be more text than a pipe holds.
func TestLongProgramsBehindAStoppedWorker(t *testing.T) {
	needFuse(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	r := runner(t, "planted:slow,delay=500ms", harness.Options{Deadline: 700 * time.Millisecond, Repeats: -1})
	long := namesOnly + strings.Repeat("stat(D, size) -> any\n", 2500)
	var programs []*prog.Prog
	for i := range 4 {
		programs = append(programs, named(t, long, fmt.Sprintf("proof/names/%d", i)))
	}
	g.Expect(len(programs[0].String())).To(gomega.BeNumerically(">", 40<<10))
	in, dir, first := make(chan *prog.Prog), r.Target().Dir(), derived(t, longIt)
	go func() {
		defer close(in)
		in <- first
		kill(t, dir, syscall.SIGSTOP)
		awaitStop(t, dir) // a thread that waits for a server stops when it has its answer
		for _, p := range programs {
			in <- p
		}
	}()
	told := streamed(t, r, in)
	g.Expect(told["proof/long"].Verdict).To(gomega.Equal(results.Broken), told["proof/long"].Message)
	for _, p := range programs {
		g.Expect(told[p.Name].Verdict).To(gomega.Equal(results.Pass), "%s: %s", p.Name, told[p.Name].Message)
	}
}

// A program that failed and is being repeated when the run is stopped is told as it is known.
func TestStoppedWhileRepeating(t *testing.T) {
	needFuse(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	r := runner(t, "planted:eio", harness.Options{Repeats: 1_000_000})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	o := r.Run(ctx, derived(t, readIt))
	g.Expect(o.Verdict).To(gomega.Equal(results.Wrong), o.Message)
	g.Expect(o.Attempts).NotTo(gomega.BeEmpty())
	g.Expect(len(o.Attempts)).To(gomega.BeNumerically("<", 1_000_000))
}
