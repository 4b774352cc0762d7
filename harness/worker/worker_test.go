package worker_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
	"faultline/harness/self"
	"faultline/harness/worker"
)

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

// patience bounds what a test waits for; nothing is slow unless it is broken.
const patience = 60 * time.Second

// start starts a worker that the test's end closes.
func start(t *testing.T, cfg worker.Config) *worker.Proc {
	t.Helper()
	p, err := worker.Start(cfg)
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(p.Close)
	return p
}

// program puts a first line before the steps and makes sure that they mean something.
func program(t *testing.T, text string) string {
	t.Helper()
	if !strings.Contains(text, "prog ") {
		text = "prog test\n" + text
	}
	p, err := prog.Parse(text)
	g := gomega.NewWithT(t)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(p.Validate()).To(gomega.Succeed())
	return text
}

// next waits for one report.
func next(t *testing.T, p *worker.Proc) worker.Report {
	t.Helper()
	select {
	case r, open := <-p.Reports():
		if !open {
			t.Fatalf("the worker ended: %s", p.Stderr())
		}
		return r
	case <-time.After(patience):
		t.Fatalf("no report; running: %+v\n%s", p.Live(), p.Stderr())
	}
	panic("not reached")
}

// run runs one program.
func run(t *testing.T, p *worker.Proc, seq uint64, text string) worker.Report {
	t.Helper()
	gomega.NewWithT(t).Expect(p.Send(seq, program(t, text))).To(gomega.Succeed())
	return next(t, p)
}
