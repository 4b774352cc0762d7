package harness_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness"
	"faultline/results"
)

// A server that gets no CPU for a while, here as it is stopped, makes no hang of what is slow, nor a slow step of what hangs.
func TestAServerThatIsStoppedForAWhile(t *testing.T) {
	needFuse(t)
	for _, row := range []struct {
		spec, text string
		want       results.Verdict
	}{
		{"planted:block-read", readIt, results.Hang},
		{"planted:slow,delay=200ms", longIt, results.Pass},
	} {
		t.Run(row.spec, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			// A stop of eight deadlines: two are left until there must be an answer, and a confirmation takes three.
			const deadline, stop = 500 * time.Millisecond, 4 * time.Second
			r := runner(t, row.spec, harness.Options{Deadline: deadline, Repeats: -1})
			dir, servers := r.Target().Dir(), slices.Clone(r.Target().Servers())
			g.Expect(servers).NotTo(gomega.BeEmpty())
			stopped := make(chan error, 1)
			go func() { stopped <- stopAll(servers, dir, stop) }()
			o := r.Run(t.Context(), derived(t, row.text))
			g.Expect(<-stopped).To(gomega.Succeed())
			g.Expect(o.Verdict).To(gomega.Equal(row.want), o.Message)
			if row.want == results.Hang {
				g.Expect(o.Message).To(gomega.ContainSubstring("the main thread is blocked in pread(d, b, 0)"))
			}
		})
	}
}

// stopAll stops processes when a worker is at work in dir, and lets them go on after a time.
func stopAll(pids []int, dir string, lasting time.Duration) error {
	for until := time.Now().Add(soon); len(workersIn(dir)) == 0 && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // any moment in the program will do
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		for _, pid := range pids {
			if err := syscall.Kill(pid, signal); err != nil {
				return err
			}
		}
		if signal == syscall.SIGSTOP {
			time.Sleep(lasting)
		}
	}
	return nil
}
