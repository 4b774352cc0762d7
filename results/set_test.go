package results

import (
	"runtime"
	"testing"

	"github.com/onsi/gomega"
)

func TestSetOfAMillion(t *testing.T) {
	g := gomega.NewWithT(t)
	before := heap()
	s := NewSet()
	for i := range 1_000_000 {
		s.Add(makeCase(i, Pass).ID)
	}
	used := heap() - before
	g.Expect(s.Len()).To(gomega.Equal(1_000_000), "no two of them share a hash")
	g.Expect(s.Has(makeCase(999_999, Pass).ID)).To(gomega.BeTrue())
	g.Expect(s.Has(makeCase(1_000_000, Pass).ID)).To(gomega.BeFalse())
	t.Logf("%.1f MiB", float64(used)/(1<<20))
	g.Expect(used).To(gomega.BeNumerically("<", 40<<20))
	runtime.KeepAlive(s)
}

// The parts of an id may not run into each other.
func TestHashTellsFieldsApart(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(hash(ID{"a", "b", "c"})).NotTo(gomega.Equal(hash(ID{"ab", "", "c"})))
	g.Expect(hash(ID{"a", "b", "c"})).NotTo(gomega.Equal(hash(ID{"a", "bc", ""})))
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
