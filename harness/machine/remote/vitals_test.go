package remote

import (
	"os"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/watch"
)

func TestVitalsAreDifferences(t *testing.T) {
	g := gomega.NewWithT(t)
	before := watch.Snapshot{Tasks: []watch.Task{{TID: 1, Ran: 5 * time.Second, Waited: time.Second}}}
	now := watch.Snapshot{Tasks: []watch.Task{{TID: 1, Ran: 6 * time.Second, Waited: 4 * time.Second}, {TID: 2, Ran: time.Second}}}
	ran, waited := total(now, before)
	g.Expect(ran).To(gomega.Equal(2 * time.Second))
	g.Expect(waited).To(gomega.Equal(3 * time.Second))
	g.Expect(vitals{span: 5 * time.Second, ran: ran}.String()).To(gomega.Equal("; in the last 5.0 s of that it had 2.0 s of CPU time"))
	g.Expect(vitals{}.String()).To(gomega.BeEmpty())
}

// Starved is only who can be looked at, and not for ever.
func TestStarved(t *testing.T) {
	g := gomega.NewWithT(t)
	m := &Machine{}
	g.Expect(m.starved(0)).To(gomega.BeFalse(), "nobody knows its process")
	m.opts.PID = 1 << 30
	g.Expect(m.starved(0)).To(gomega.BeFalse(), "there is no such process")
	m.opts.PID = os.Getpid()
	g.Expect(m.starved(0)).To(gomega.BeTrue(), "the first look")
	g.Expect(m.starved(starvedFor+1)).To(gomega.BeFalse(), "that is enough")
	m.vitals.began.Tasks = nil // as if all this process has ever done were in its silence
	spin(200 * time.Millisecond)
	m.starved(1)
	g.Expect(m.vitals.ran).To(gomega.BeNumerically(">", 0))
}

// A second in which it had its CPU time does not say that a guest is stuck; some do.
func TestAwakeForSomeTime(t *testing.T) {
	g := gomega.NewWithT(t)
	m := &Machine{}
	m.opts.PID = os.Getpid()
	g.Expect(m.starved(0)).To(gomega.BeTrue())
	looks := 0
	g.Eventually(func() bool {
		looks++
		spin(20 * time.Millisecond)
		return m.starved(1)
	}, time.Minute, time.Millisecond).Should(gomega.BeFalse())
	g.Expect(looks).To(gomega.BeNumerically(">=", awakeFor))
	g.Expect(m.starved(0)).To(gomega.BeTrue(), "it has spoken in between")
	g.Expect(m.vitals.awake).To(gomega.BeZero())
}

func spin(long time.Duration) {
	for end := time.Now().Add(long); time.Now().Before(end); {
	}
}
