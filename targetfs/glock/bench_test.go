package glock

import (
	"sync"
	"testing"
	"time"
)

// BenchmarkLock takes and gives back a glock that the node has cached, and a sync.RWMutex as often. The ratio is how many times longer
// the glock takes.
func BenchmarkLock(b *testing.B) {
	n := NewSpace(nil).Join(Options{})
	var m sync.RWMutex
	for _, c := range []struct {
		name         string
		state        State
		lock, unlock func()
	}{{"shared", SH, m.RLock, m.RUnlock}, {"exclusive", EX, m.Lock, m.Unlock}} {
		b.Run(c.name, func(b *testing.B) {
			r := request(1, c.state, 0)
			b.ReportAllocs()
			for b.Loop() {
				h, err := n.Lock(b.Context(), r)
				if err != nil {
					b.Fatal(err)
				}
				h.Unlock()
			}
			start := time.Now()
			for range b.N {
				c.lock()
				c.unlock()
			}
			b.ReportMetric(float64(b.Elapsed())/float64(time.Since(start)), "x-rwmutex")
		})
	}
}
