package glock

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onsi/gomega"
)

// TestMatrix is the compatibility of two nodes, and that of two holders of one node, for every pair of states.
func TestMatrix(t *testing.T) {
	states := []State{UN, SH, DF, EX}
	between := [][]bool{{true, true, true, true}, {true, true, false, false}, {true, false, true, false}, {true, false, false, false}}
	for i, s := range states {
		for j, u := range states {
			if s.Compatible(u) != between[i][j] {
				t.Errorf("%v and %v on two nodes: %v", s, u, !between[i][j])
			}
			if s == UN || u == UN {
				continue
			}
			expectSecond(t, request(1, s, 0), request(2, u, 0), between[i][j])
			expectSecond(t, request(1, s, NodeScope), request(2, u, NodeScope), between[i][j] || s == EX && u == EX)
			expectSecond(t, request(1, s, NodeScope), request(2, u, 0), between[i][j])
			expectSecond(t, request(1, s, 0), request(2, u, NodeScope), between[i][j])
			expectSecond(t, request(1, s, 0), request(2, u, Any), between[i][j])
			expectSecond(t, request(1, s, 0), request(2, u, Exact), between[i][j])
		}
	}
}

// expectSecond asks on one node while another task holds the glock; with and without Try.
func expectSecond(t *testing.T, a, b Request, want bool) {
	t.Helper()
	n := NewSpace(nil).Join(Options{})
	first := enqueue(t, n, a)
	second := enqueue(t, n, b)
	if !first.Granted() || second.Granted() != want {
		t.Errorf("%v %x after %v %x on one node: %v", b.State, b.Flags, a.State, a.Flags, second.Granted())
	}
	first.Unlock()
	if !second.Granted() {
		t.Errorf("%v %x when %v %x is gone: not granted", b.State, b.Flags, a.State, a.Flags)
	}
	second.Unlock()
	first = enqueue(t, n, a)
	b.Flags |= Try
	if _, err := n.Enqueue(t.Context(), b); (err == nil) != want || err != nil && !errors.Is(err, ErrTryFailed) {
		t.Errorf("try of %v %x after %v %x: %v", b.State, b.Flags, a.State, a.Flags, err)
	}
	first.Unlock()
}

// TestCachedState asks when nobody holds the glock and the node has a state cached: every state, with the flags that matter.
func TestCachedState(t *testing.T) {
	after := map[State]map[Flags][3]State{ // wanted SH, DF, EX
		UN: {0: {SH, DF, EX}, Any: {SH, DF, EX}, Exact: {SH, DF, EX}, Any | Exact: {SH, DF, EX}},
		SH: {0: {SH, DF, EX}, Any: {SH, SH, EX}, Exact: {SH, DF, EX}, Any | Exact: {SH, DF, EX}},
		DF: {0: {SH, DF, EX}, Any: {DF, DF, EX}, Exact: {SH, DF, EX}, Any | Exact: {SH, DF, EX}},
		EX: {0: {EX, EX, EX}, Any: {EX, EX, EX}, Exact: {SH, DF, EX}, Any | Exact: {SH, DF, EX}},
	}
	for cached, byFlags := range after {
		for flags, states := range byFlags {
			for i, want := range []State{SH, DF, EX} {
				g := gomega.NewWithT(t)
				n := NewSpace(nil).Join(Options{})
				if cached != UN {
					enqueue(t, n, request(1, cached, 0)).Unlock()
				}
				g.Expect(n.State(file)).To(gomega.Equal(cached))
				h := enqueue(t, n, request(1, want, flags))
				g.Expect(h.Granted()).To(gomega.BeTrue())
				g.Expect(n.State(file)).To(gomega.Equal(states[i]), "%v cached, %v wanted with %x", cached, want, flags)
			}
		}
	}
}

// TestFairness: readers that come while a writer waits do not overtake it, on one node as on two.
func TestFairness(t *testing.T) {
	s := NewSpace(nil)
	a, b := s.Join(Options{}), s.Join(Options{})
	for _, writerNode := range []*Node{a, b} {
		g := gomega.NewWithT(t)
		reader := enqueue(t, a, request(1, SH, 0))
		writer := enqueue(t, writerNode, request(2, EX, 0))
		var late []*Holder
		for i := range 50 {
			late = append(late, enqueue(t, a, request(10+i, SH, 0)))
		}
		g.Expect(granted(reader, writer)).To(gomega.Equal([]bool{true, false}))
		g.Expect(granted(late...)).NotTo(gomega.ContainElement(true))
		reader.Unlock()
		g.Expect(writer.Granted()).To(gomega.BeTrue())
		g.Expect(granted(late...)).NotTo(gomega.ContainElement(true))
		writer.Unlock()
		g.Expect(granted(late...)).NotTo(gomega.ContainElement(false))
		UnlockAll(late)
	}
	finish(t, s)
}

// TestNoStarvation: readers come without end, and a writer gets in all the same.
func TestNoStarvation(t *testing.T) {
	s := NewSpace(nil)
	a, b := s.Join(Options{}), s.Join(Options{})
	ctx := soon(t)
	overlap := make(chan *Holder, 2) // there is always a reader
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for pid := 10; ; pid++ {
			h, err := a.Enqueue(ctx, request(pid, SH, 0))
			if err != nil {
				t.Error(err)
				return
			}
			overlap <- h
			if len(overlap) == cap(overlap) {
				(<-overlap).Unlock()
			}
			select {
			case <-stop:
				for len(overlap) > 0 {
					(<-overlap).Unlock()
				}
				return
			default:
			}
		}
	}()
	for _, n := range []*Node{a, b, a} {
		h, err := n.Lock(ctx, request(1, EX, 0))
		if err != nil {
			t.Fatal(err)
		}
		h.Unlock()
	}
	close(stop)
	<-stopped
	finish(t, s)
}

func TestTryBetweenNodes(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	a, b := s.Join(Options{}), s.Join(Options{})
	enqueue(t, a, request(1, EX, Try)).Unlock()
	_, err := b.Enqueue(t.Context(), request(2, SH, Try))
	g.Expect(err).To(gomega.MatchError(ErrTryFailed), "the other node has it cached and is not asked")
	g.Expect(a.State(file)).To(gomega.Equal(EX))
	_, err = b.Enqueue(t.Context(), request(2, SH, TryOneCB))
	g.Expect(err).To(gomega.MatchError(ErrTryFailed))
	g.Expect(a.State(file)).To(gomega.Equal(SH), "the other node was asked")
	enqueue(t, b, request(2, SH, Try)).Unlock()
	g.Expect(b.Counters()).To(gomega.Equal(Counters{Requests: 3, TriesFailed: 2, StateChanges: 1}))
	g.Expect(a.Counters()).To(gomega.Equal(Counters{Requests: 1, StateChanges: 2, Demotes: 1}))
	finish(t, s)
}

// TestTryWaitsForOwnChange: Try does not give up because of the work that the change of state makes on its own node, but it
// does when another change is under way.
func TestTryWaitsForOwnChange(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	goOn := make(chan struct{})
	n := s.Join(Options{Hooks: Hooks{Invalidate: func(context.Context, Name, State) { <-goOn }}})
	enqueue(t, n, request(1, SH, 0)).Unlock()
	direct := enqueue(t, n, request(1, DF, Try))
	g.Expect(direct.Granted()).To(gomega.BeFalse())
	_, err := n.Enqueue(t.Context(), request(2, DF, Try))
	g.Expect(err).To(gomega.MatchError(ErrTryFailed), "what is cached is being dropped")
	goOn <- struct{}{}
	g.Expect(direct.Wait(soon(t))).To(gomega.Succeed())
	direct.Unlock()
	n.Demote(file, UN)
	_, err = n.Enqueue(t.Context(), request(2, SH, Try))
	g.Expect(err).To(gomega.MatchError(ErrTryFailed), "a demotion is under way")
	close(goOn)
	finish(t, s)
}

func TestNoCache(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace(nil).Join(Options{})
	one, two := enqueue(t, n, request(1, SH, NoCache)), enqueue(t, n, request(2, SH, 0))
	one.Unlock()
	late := enqueue(t, n, request(3, SH, 0))
	g.Expect(granted(two, late)).To(gomega.Equal([]bool{true, false}), "who comes now queues behind the demotion")
	two.Unlock()
	late.Unlock()
	late.Unlock()
	g.Expect(late.Granted()).To(gomega.BeFalse())
	g.Expect(n.State(file)).To(gomega.Equal(SH))
	enqueue(t, n, request(1, EX, NoCache)).Unlock()
	g.Expect(n.State(file)).To(gomega.Equal(UN))
	g.Expect(n.glocks).To(gomega.BeEmpty(), "a glock that says nothing is dropped")
}

func TestCancel(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	a, b := s.Join(Options{}), s.Join(Options{})
	first := enqueue(t, a, request(1, SH, 0))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := a.Lock(ctx, request(2, EX, 0))
	g.Expect(err).To(gomega.MatchError(context.Canceled))
	g.Expect(err).To(gomega.MatchError("test by 2 asks for inode 2343 (EX, test): context canceled"))
	_, err = b.Lock(ctx, request(3, EX, 0))
	g.Expect(err).To(gomega.MatchError(context.Canceled))
	g.Expect(s.lines).To(gomega.BeEmpty())
	_, err = a.Lock(ctx, request(4, DF, Try))
	g.Expect(err).To(gomega.MatchError(ErrTryFailed))
	first.Unlock()
	h := enqueue(t, b, request(4, EX, 0))
	g.Expect(h.Granted()).To(gomega.BeTrue(), "those that gave up are in nobody's way")
	g.Expect(h.Wait(ctx)).To(gomega.Succeed(), "what was granted in time is granted")
	h.Unlock()
	g.Expect(a.Counters().Cancelled + b.Counters().Cancelled).To(gomega.Equal(uint64(2)))
	finish(t, s)
}

// TestCancelLetsOthersGo: a writer that gives up was all that kept a reader waiting.
func TestCancelLetsOthersGo(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace(nil).Join(Options{})
	enqueue(t, n, request(1, SH, 0))
	writer, reader := enqueue(t, n, request(2, EX, 0)), enqueue(t, n, request(3, SH, 0))
	g.Expect(reader.Granted()).To(gomega.BeFalse())
	writer.Unlock()
	g.Expect(reader.Granted()).To(gomega.BeTrue())
}

// TestWaitAll: two nodes' renames that block each other give up instead of hanging.
func TestWaitAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gomega.NewWithT(t)
		s := NewSpace(nil)
		a, b := s.Join(Options{CheckOrder: true}), s.Join(Options{CheckOrder: true})
		ask := func(n *Node, pid int, addr uint64) *Holder {
			return enqueue(t, n, Request{Owner: task(pid), Name: InodeName(addr), State: EX, Flags: Async})
		}
		mine, yours := ask(a, 1, 7), ask(b, 2, 5)
		g.Expect(granted(mine, yours)).To(gomega.Equal([]bool{true, true}))
		rest := ask(a, 1, 5)
		start := time.Now()
		g.Expect(WaitAll(t.Context(), mine, rest)).To(gomega.MatchError(ErrStale))
		g.Expect(time.Since(start)).To(gomega.Equal(800 * time.Millisecond))
		g.Expect(a.LockedBy(task(1), InodeName(7))).To(gomega.BeFalse(), "everything is given back")
		g.Expect(WaitAll(t.Context(), yours, ask(b, 2, 7))).To(gomega.Succeed())
		g.Expect(b.LockedBy(task(2), InodeName(5))).To(gomega.BeTrue())
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		g.Expect(WaitAll(cancelled, ask(a, 3, 5))).To(gomega.MatchError(context.Canceled))
	})
}

func TestStates(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace(nil).Join(Options{})
	for _, s := range []State{UN, 4} {
		_, err := n.Enqueue(t.Context(), request(1, s, 0))
		g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("is no state to hold")))
	}
	g.Expect(Name{Type(7), 255}.Title()).To(gomega.Equal("type 7 255"))
	g.Expect(QuotaName(1000, true)).To(gomega.Equal(Name{Quota, 2001}))
	ctx := WithOwner(t.Context(), Owner{PID: 12, Op: "pread of A"})
	_, err := n.Lock(ctx, Request{Name: file, State: EX})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(n.LockedBy(Owner{PID: 12}, file)).To(gomega.BeTrue(), "the owner is that of the context")
}

// TestAnyDoesNotInvite: a reader of attributes is content with DF, but a reader of data does not join it there.
func TestAnyDoesNotInvite(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	n := s.Join(Options{})
	enqueue(t, n, request(1, DF, 0)).Unlock()
	stat := enqueue(t, n, request(1, SH, Any))
	read, second := enqueue(t, n, request(2, SH, 0)), enqueue(t, n, request(3, SH, Any))
	g.Expect(granted(stat, read, second)).To(gomega.Equal([]bool{true, false, false}))
	g.Expect(s.Edges()).To(gomega.HaveLen(2), "the reader of data waits for the first, the other one for the reader")
	stat.Unlock()
	g.Expect(granted(read, second)).To(gomega.Equal([]bool{true, true}))
	g.Expect(n.State(file)).To(gomega.Equal(SH))
}

// TestTryDoesNotOvertake: a try that could be had is refused while another node lines up for a state that it would keep away.
func TestTryDoesNotOvertake(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	a, b, c := s.Join(Options{}), s.Join(Options{}), s.Join(Options{})
	reader := enqueue(t, a, request(1, SH, 0))
	writer := enqueue(t, b, request(2, EX, 0))
	_, err := c.Enqueue(t.Context(), request(3, SH, Try))
	g.Expect(err).To(gomega.MatchError(ErrTryFailed))
	reader.Unlock()
	g.Expect(writer.Granted()).To(gomega.BeTrue())
	writer.Unlock()
	finish(t, s)
}

// TestTryEndsWithItsHope: a try waits for a change of state that would do for it; when more is needed it fails after all.
func TestTryEndsWithItsHope(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	goOn := make(chan struct{})
	a, b := s.Join(Options{Hooks: Hooks{Sync: func(context.Context, Name) { <-goOn }}}), s.Join(Options{})
	enqueue(t, a, request(1, EX, 0)).Unlock()
	a.Demote(file, SH)
	reader, hopeful := enqueue(t, a, request(1, SH, 0)), enqueue(t, a, request(2, SH, Try))
	writer := enqueue(t, b, request(3, EX, 0))
	close(goOn)
	g.Expect(hopeful.Wait(soon(t))).To(gomega.MatchError(ErrTryFailed), "the other node was first")
	g.Expect(writer.Wait(soon(t))).To(gomega.Succeed())
	g.Expect(reader.Granted()).To(gomega.BeFalse())
	writer.Unlock()
	g.Expect(reader.Wait(soon(t))).To(gomega.Succeed())
	reader.Unlock()
	hopeful.Unlock()
	finish(t, s)
}

// TestCancelTooLate: what was granted before the context ended is granted, whichever of the two Wait sees first.
func TestCancelTooLate(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace(nil).Join(Options{})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for range 64 {
		first, second := enqueue(t, n, request(1, EX, 0)), enqueue(t, n, request(2, EX, 0))
		first.Unlock()
		g.Expect(second.Wait(cancelled)).To(gomega.Succeed())
		g.Expect(second.Granted()).To(gomega.BeTrue())
		second.Unlock()
	}
	g.Expect(n.Counters().Cancelled).To(gomega.BeZero())
}
