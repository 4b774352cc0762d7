package glock

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// guarded is what a glock protects in the stress test, without any lock of its own: the race detector sees what the glock lets through.
type guarded struct {
	mu              sync.Mutex // of the counts of holders only
	readers, direct int
	writers         int
	value           int // written under EX, read under SH
}

func (d *guarded) enter(s State, by int) (wrong bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch s {
	case SH:
		d.readers += by
	case DF:
		d.direct += by
	case EX:
		d.writers += by
	}
	kinds := 0
	for _, count := range []int{d.readers, d.direct, d.writers} {
		kinds += min(count, 1)
	}
	return kinds > 1 || d.writers > 1
}

// TestStress lets tasks on three nodes take glocks in the lock order, with hooks that take time, hold times, tries and impatient tasks.
// Nobody sees what a glock forbids, nobody hangs, and nothing is left behind.
func TestStress(t *testing.T) {
	const tasks, rounds = 12, 120
	s := NewSpace(nil)
	var nodes []*Node
	for i := range 3 {
		pause := func() { time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond) }
		nodes = append(nodes, s.Join(Options{CheckOrder: true, HoldTime: time.Duration(i) * 100 * time.Microsecond, Hooks: Hooks{
			Sync:        func(context.Context, Name) { pause() },
			Invalidate:  func(context.Context, Name, State) { pause() },
			Instantiate: func(context.Context, Name) error { pause(); return nil },
		}}))
	}
	names := []Name{RenameName(), InodeName(3), InodeName(4), QuotaName(0, false), RgrpName(17)}
	data := make([]guarded, len(names))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for i := range tasks {
		wg.Go(func() {
			w := stressTask{t: t, ctx: WithOwner(ctx, task(i+1)), node: nodes[i%len(nodes)], names: names, data: data,
				rnd: rand.New(rand.NewPCG(uint64(i), 9))}
			for range rounds {
				w.round()
			}
		})
	}
	stop := make(chan struct{})
	go func() { // the watcher looks on all the time
		defer close(stop)
		for ctx.Err() == nil {
			if cycle := s.Cycle(); cycle != nil {
				t.Errorf("a circle although everybody keeps the order:\n%s", s.Explain(cycle))
				return
			}
			nodes[0].snapshot()
			time.Sleep(time.Millisecond)
		}
	}()
	wg.Wait()
	cancel()
	<-stop
	finish(t, s)
	var waits uint64
	for _, n := range nodes {
		waits += n.Counters().Waits
	}
	if waits == 0 {
		t.Error("nobody had to wait: this tested nothing")
	}
}

type stressTask struct {
	t     *testing.T
	ctx   context.Context
	node  *Node
	names []Name
	data  []guarded
	rnd   *rand.Rand
	sum   int
}

// round takes some glocks in the lock order.
func (w *stressTask) round() {
	var taken []int
	var held []*Holder
	for i := range w.names {
		if w.rnd.IntN(2) == 0 {
			continue
		}
		h := w.lock(i)
		if h == nil {
			continue
		}
		taken, held = append(taken, i), append(held, h)
		w.use(i, h)
	}
	for j, h := range slices.Backward(held) {
		w.data[taken[j]].enter(h.State, -1)
		h.Unlock()
	}
}

func (w *stressTask) lock(i int) *Holder {
	ctx, cancel := w.ctx, context.CancelFunc(func() {})
	if w.rnd.IntN(10) == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(w.rnd.IntN(200))*time.Microsecond)
	}
	defer cancel()
	r := Request{Name: w.names[i], State: []State{SH, SH, DF, EX}[w.rnd.IntN(4)], Flags: []Flags{0, 0, Exact, NoCache, Try, TryOneCB, Skip}[w.rnd.IntN(7)]}
	h, err := w.node.Lock(ctx, r)
	if err == nil {
		return h
	}
	if w.ctx.Err() != nil || !errors.Is(err, ErrTryFailed) && !errors.Is(err, context.DeadlineExceeded) {
		w.t.Error(err)
	}
	return nil
}

// use does what the state allows.
func (w *stressTask) use(i int, h *Holder) {
	d := &w.data[i]
	if d.enter(h.State, 1) {
		w.t.Errorf("%v: %d readers, %d direct, %d writers", h.Name, d.readers, d.direct, d.writers)
	}
	switch h.State {
	case SH:
		w.sum += d.value
	case EX:
		d.value++
	}
}
