package session

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/onsi/gomega"
)

// TestWatcherComesBack has a reader watch while the other one answers a request that waits for the next one.
func TestWatcherComesBack(t *testing.T) {
	g := gomega.NewWithT(t)
	f := &shelf{gate: make(chan struct{})}
	s, dir := served(t, f)
	look := func(i int) {
		_, err := os.Lstat(filepath.Join(dir, name(i)))
		g.Expect(err).NotTo(gomega.HaveOccurred())
	}
	for try := 0; !s.watching.on.Load(); try++ {
		g.Expect(try).To(gomega.BeNumerically("<", 1000), "no reader watches")
		s.watching.quick.Store(enough)
		look(try)
	}
	read := make(chan error, 1)
	go func() {
		_, err := os.ReadFile(filepath.Join(dir, name(0)))
		read <- err
	}()
	g.Eventually(f.waiting.Load, soon).Should(gomega.BeEquivalentTo(1))
	g.Eventually(s.watching.on.Load, soon).Should(gomega.BeFalse(), "the other one waits")
	look(1001)
	close(f.gate)
	g.Eventually(read, soon).Should(gomega.Receive(gomega.BeNil()))
	g.Eventually(s.waiting.Load, soon).Should(gomega.BeEquivalentTo(spare))
}

// TestQuickRequests: who asks at once after an answer is told from who does not, and from those who ask together.
func TestQuickRequests(t *testing.T) {
	g := gomega.NewWithT(t)
	s := &Session{}
	quick := s.watching.quick.Load
	s.waiting.Store(spare)
	s.watching.last.Store(1 << 62) // an answer that no time is long after
	s.arrived()
	s.arrived()
	g.Expect(quick()).To(gomega.BeEquivalentTo(2))
	s.waiting.Store(spare - 1)
	s.arrived()
	g.Expect(quick()).To(gomega.BeEquivalentTo(1), "another reader is at work")
	s.waiting.Store(spare)
	s.watching.last.Store(-1 << 62)
	s.arrived()
	s.arrived()
	g.Expect(quick()).To(gomega.BeZero(), "the answer was long ago")
	s.answered()
	g.Expect(s.watching.last.Load()).To(gomega.BeNumerically(">", 0))
}

// TestOneReaderIsNotEnough has requests answered all the time, and one that nobody reads.
func TestOneReaderIsNotEnough(t *testing.T) {
	g := gomega.NewWithT(t)
	r, w, err := os.Pipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer r.Close()
	defer w.Close()
	s := &Session{fd: int(r.Fd())}
	s.waiting.Store(spare)
	s.watching.quick.Store(enough)
	quick := s.watching.quick.Load
	watch := func() {
		s.watching.quick.Store(enough)
		s.watch()
	}
	watch()
	g.Expect(quick()).To(gomega.BeZero(), "the other one has nothing to do")

	done := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				s.answered()
			}
		}
	})
	_, err = w.Write([]byte("request"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	for quick() != afterCrowd { // again, if the other one is not run for a glance
		watch()
	}
	close(done)
	busy.Wait()
	s.watch() // at once: nobody is to watch so soon
	g.Expect(quick()).To(gomega.BeEquivalentTo(afterCrowd))
}
