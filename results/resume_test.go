package results

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// A run is killed, resumed from its journal alone, and ends with one verdict for each planned case.
func TestResumeAfterKill(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	s := killVictim(t, dir, 80*time.Millisecond)
	planned := len(s.started) + 50

	path := filepath.Join(dir, "journal.jsonl")
	done, open, err := Finished(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(done.Len()).To(gomega.And(gomega.BeNumerically(">=", len(s.ended)), gomega.BeNumerically("<", planned)))
	for _, id := range open {
		g.Expect(done.Has(id)).To(gomega.BeFalse())
	}
	j, err := Resume(path, sampleHeader)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	x, err := newJUnit(filepath.Join(dir, "junit.xml"), JUnitOptions{Class: "campaign", Header: sampleHeader}, shardLimits{cases: 40, bytes: 1 << 20})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	sum := NewSummary(planned)
	for r, err := range Read(path) {
		g.Expect(err).NotTo(gomega.HaveOccurred())
		if r.End != nil {
			g.Expect(x.Add(*r.End)).To(gomega.Succeed())
			sum.Add(*r.End)
		}
	}
	for i := range planned {
		c := makeCase(i, Pass)
		if done.Has(c.ID) {
			continue
		}
		g.Expect(j.Start(c.ID)).To(gomega.Succeed())
		g.Expect(j.End(c)).To(gomega.Succeed())
		g.Expect(x.Add(c)).To(gomega.Succeed())
		sum.Add(c)
	}
	g.Expect(x.Finish(Missing{})).To(gomega.Succeed())
	g.Expect(j.Finish(sum.Totals())).To(gomega.Succeed())
	g.Expect(j.Close()).To(gomega.Succeed())

	g.Expect(sum.Totals().Judged()).To(gomega.Equal(planned))
	g.Expect(sum.Totals().Missing()).To(gomega.Equal(0))
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	seen := map[string]int{}
	for _, f := range files {
		for _, s := range readJUnitFile(t, f).Suites {
			for _, c := range s.Cases {
				seen[c.Name]++
			}
		}
	}
	g.Expect(seen).To(gomega.HaveLen(planned), "and no file says any more that the run is not finished")
	for name, n := range seen {
		g.Expect(n).To(gomega.Equal(1), name)
	}
}

// BenchmarkStart compares many goroutines that start cases with one that syncs for each.
func BenchmarkStart(b *testing.B) {
	measure := func(goroutines int) float64 {
		j, err := Create(filepath.Join(b.TempDir(), fmt.Sprint(goroutines)), sampleHeader)
		if err != nil {
			b.Fatal(err)
		}
		defer j.Close()
		const cases = 256
		errs := make(chan error, goroutines)
		begin := time.Now()
		for range goroutines {
			go func() {
				var err error
				for i := 0; i < cases/goroutines && err == nil; i++ {
					err = j.Start(makeCase(i, Pass).ID)
				}
				errs <- err
			}()
		}
		for range goroutines {
			if err := <-errs; err != nil {
				b.Fatal(err)
			}
		}
		return float64(time.Since(begin)) / cases
	}
	var alone, grouped float64
	for b.Loop() {
		alone += measure(1)
		grouped += measure(32)
	}
	b.ReportMetric(alone/grouped, "x-faster-grouped")
	b.ReportMetric(grouped/float64(b.N), "ns/start")
}
