package glock

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onsi/gomega"
)

// TestDemotion: what one node wants makes the other one write, drop and give way.
func TestDemotion(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	var c notes
	a, b := s.Join(Options{Hooks: c.hooks("a")}), s.Join(Options{Hooks: c.hooks("b")})
	ctx := soon(t)
	lock := func(n *Node, state State) {
		h, err := n.Lock(ctx, request(1, state, 0))
		g.Expect(err).NotTo(gomega.HaveOccurred())
		h.Unlock()
	}
	both := func() []State { return []State{a.State(file), b.State(file)} }
	lock(a, EX)
	lock(b, SH)
	g.Expect(both()).To(gomega.Equal([]State{SH, SH}))
	lock(b, EX)
	g.Expect(both()).To(gomega.Equal([]State{UN, EX}))
	lock(a, DF)
	g.Expect(both()).To(gomega.Equal([]State{DF, DF}))
	lock(b, SH)
	g.Expect(both()).To(gomega.Equal([]State{UN, SH}))
	lock(b, DF)
	g.Expect(both()).To(gomega.Equal([]State{UN, DF}))
	g.Expect(c.get()).To(gomega.Equal([]string{"a sync 2/927", "a invalidate 2/927 UN", "b sync 2/927", "b invalidate 2/927 DF",
		"a invalidate 2/927 UN", "b invalidate 2/927 DF"}))
	g.Expect(a.Counters().Syncs + b.Counters().Syncs).To(gomega.Equal(uint64(2)))
	g.Expect(a.Counters().Invalidations + b.Counters().Invalidations).To(gomega.Equal(uint64(4)))
}

// TestDemotionAmongThree: a node does not step from DF to SH while a third one has DF held.
func TestDemotionAmongThree(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	a, b, c := s.Join(Options{}), s.Join(Options{}), s.Join(Options{})
	enqueue(t, a, request(1, DF, 0)).Unlock()
	direct := enqueue(t, c, request(3, DF, 0))
	reader := enqueue(t, b, request(2, SH, 0))
	second := enqueue(t, a, request(1, SH, 0))
	g.Expect(granted(direct, reader, second)).To(gomega.Equal([]bool{true, false, false}))
	g.Expect(a.State(file)).To(gomega.Equal(UN))
	direct.Unlock()
	g.Expect(granted(reader, second)).To(gomega.Equal([]bool{true, true}))
	UnlockAll([]*Holder{reader, second})
	finish(t, s)
}

// TestChangeReserves: while a node drops its cache on the way to DF nobody else gets SH.
func TestChangeReserves(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	goOn := make(chan struct{})
	a, b := s.Join(Options{Hooks: Hooks{Invalidate: func(context.Context, Name, State) { <-goOn }}}), s.Join(Options{})
	enqueue(t, a, request(1, SH, 0)).Unlock()
	direct := enqueue(t, a, request(1, DF, 0))
	reader := enqueue(t, b, request(2, SH, 0))
	g.Expect(granted(direct, reader)).To(gomega.Equal([]bool{false, false}))
	goOn <- struct{}{}
	g.Expect(direct.Wait(soon(t))).To(gomega.Succeed(), "who it was for gets it first, although the other node wants it back")
	g.Expect(granted(direct, reader)).To(gomega.Equal([]bool{true, false}))
	direct.Unlock()
	g.Expect(reader.Wait(soon(t))).To(gomega.Succeed())
	reader.Unlock()
	close(goOn)
	finish(t, s)
}

// TestDemotionWaits: a holder is not disturbed, new requests of its node queue behind the demotion, and hooks run only after it.
func TestDemotionWaits(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	var c notes
	a, b := s.Join(Options{Hooks: c.hooks("a")}), s.Join(Options{})
	holder := enqueue(t, a, request(1, EX, 0))
	remote := enqueue(t, b, request(2, EX, 0))
	late := enqueue(t, a, request(3, SH, 0))
	g.Expect(granted(remote, late)).To(gomega.Equal([]bool{false, false}))
	g.Expect(c.get()).To(gomega.BeEmpty())
	holder.Unlock()
	g.Expect(remote.Wait(soon(t))).To(gomega.Succeed())
	g.Expect(c.get()).To(gomega.Equal([]string{"a sync 2/927", "a invalidate 2/927 UN"}))
	g.Expect(late.Granted()).To(gomega.BeFalse())
	remote.Unlock()
	g.Expect(late.Wait(soon(t))).To(gomega.Succeed())
	late.Unlock()
	finish(t, s)
}

// TestDemotionTwice: two different demote requests mean UN.
func TestDemotionTwice(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace(nil).Join(Options{})
	for _, c := range []struct {
		first, second, want State
	}{{SH, SH, SH}, {DF, DF, DF}, {SH, DF, UN}, {UN, SH, UN}, {EX, SH, SH}} {
		h := enqueue(t, n, request(1, EX, 0))
		n.Demote(file, c.first)
		n.Demote(file, c.second)
		g.Expect(n.State(file)).To(gomega.Equal(EX))
		h.Unlock()
		g.Expect(n.State(file)).To(gomega.Equal(c.want), "%+v", c)
	}
	enqueue(t, n, request(1, SH, Exact)).Unlock()
	n.Demote(file, EX)
	g.Expect(n.State(file)).To(gomega.Equal(SH), "a demotion raises nothing")
}

// TestConversion: two nodes have SH cached and both want EX. One gives up its SH; nobody hangs.
func TestConversion(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	a, b := s.Join(Options{}), s.Join(Options{})
	readers := []*Holder{enqueue(t, a, request(1, SH, 0)), enqueue(t, b, request(2, SH, 0))}
	one, two := enqueue(t, a, request(3, EX, 0)), enqueue(t, b, request(4, EX, 0))
	UnlockAll(readers)
	g.Expect(granted(one, two)).To(gomega.ConsistOf(true, false))
	one.Unlock()
	two.Unlock()
	finish(t, s)
}

// TestAnyAlternative: with Any the node takes SH or DF, whichever the other nodes leave.
func TestAnyAlternative(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	a, b := s.Join(Options{}), s.Join(Options{})
	direct := enqueue(t, a, request(1, DF, 0))
	_, err := b.Enqueue(t.Context(), request(2, SH, Any|Exact|Try))
	g.Expect(err).To(gomega.MatchError(ErrTryFailed))
	h := enqueue(t, b, request(2, SH, Any))
	g.Expect(h.Granted()).To(gomega.BeTrue())
	g.Expect(b.State(file)).To(gomega.Equal(DF))
	UnlockAll([]*Holder{direct, h})
	finish(t, s)
}

// TestHoldTime: a node that has an inode in use keeps it for a while, and serves its own tasks meanwhile.
func TestHoldTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gomega.NewWithT(t)
		s := NewSpace(nil)
		a, b := s.Join(Options{HoldTime: 200 * time.Millisecond}), s.Join(Options{})
		start := time.Now()
		one := enqueue(t, a, request(1, SH, 0))
		remote := enqueue(t, b, request(2, EX, 0))
		two := enqueue(t, a, request(3, SH, 0))
		g.Expect(two.Granted()).To(gomega.BeTrue(), "the demote request is not due yet")
		UnlockAll([]*Holder{one, two})
		g.Expect(remote.Wait(soon(t))).To(gomega.Succeed())
		g.Expect(time.Since(start)).To(gomega.Equal(200 * time.Millisecond))
		remote.Unlock()

		start = time.Now()
		group := func(pid int, n *Node) *Holder {
			return enqueue(t, n, Request{Owner: task(pid), Name: RgrpName(17), State: EX})
		}
		held := group(1, a)
		wanted := group(2, b)
		held.Unlock()
		g.Expect(wanted.Granted()).To(gomega.BeTrue(), "resource groups have no hold time")
		idle := enqueue(t, a, request(1, EX, 0))
		idle.Unlock()
		h := enqueue(t, b, request(2, EX, 0))
		g.Expect(h.Granted()).To(gomega.BeTrue(), "a glock that nobody uses has none either")
		g.Expect(time.Since(start)).To(gomega.BeZero())
	})
}

// TestInstantiate: the object is read once after UN, by the first who does not skip it, and a failure fails the request.
func TestInstantiate(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	var c notes
	broken := errors.New("bad magic")
	fail := true
	hooks := Hooks{Instantiate: func(ctx context.Context, n Name) error {
		c.add(OwnerOf(ctx).String() + " reads " + n.String())
		if fail {
			return broken
		}
		return nil
	}}
	a, b := s.Join(Options{Hooks: hooks}), s.Join(Options{})
	unread, err := a.Lock(soon(t), request(1, EX, Skip))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	unread.Unlock()
	_, err = a.Lock(t.Context(), request(2, SH, 0))
	g.Expect(err).To(gomega.MatchError(broken))
	g.Expect(a.LockedBy(task(2), file)).To(gomega.BeFalse())
	fail = false
	for pid := 3; pid < 6; pid++ {
		h, err := a.Lock(t.Context(), request(pid, SH, 0))
		g.Expect(err).NotTo(gomega.HaveOccurred())
		defer h.Unlock()
	}
	h, err := a.Lock(t.Context(), Request{Owner: task(1), Name: Name{Journal, 0}, State: EX})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	h.Unlock()
	g.Expect(c.get()).To(gomega.Equal([]string{"test by 2 reads 2/927", "test by 3 reads 2/927"}))

	other := InodeName(5)
	lock := func(n *Node) {
		h, err := n.Lock(t.Context(), Request{Owner: task(9), Name: other, State: EX})
		g.Expect(err).NotTo(gomega.HaveOccurred())
		h.Unlock()
	}
	lock(a)
	lock(a)
	lock(b)
	lock(a)
	g.Expect(c.get()[2:]).To(gomega.Equal([]string{"test by 9 reads 2/5", "test by 9 reads 2/5"}), "another node may have changed it")
	g.Expect(a.Counters().Instantiations).To(gomega.Equal(uint64(4)))
}

// TestInstantiateAgain: who waited while another node had the glock reads the object anew.
func TestInstantiateAgain(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	var c notes
	a := s.Join(Options{Hooks: Hooks{Instantiate: func(_ context.Context, n Name) error { c.add("read"); return nil }}})
	b := s.Join(Options{})
	one, err := a.Lock(soon(t), request(1, SH, 0))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	remote, late := enqueue(t, b, request(2, EX, 0)), enqueue(t, a, request(3, SH, 0))
	one.Unlock()
	remote.Unlock()
	g.Expect(late.Wait(soon(t))).To(gomega.Succeed())
	g.Expect(c.get()).To(gomega.Equal([]string{"read", "read"}))
	late.Unlock()
	finish(t, s)
}

// TestInstantiateTogether: two readers come at once; one reads, the other waits for it.
func TestInstantiateTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gomega.NewWithT(t)
		calls, goOn := 0, make(chan struct{})
		n := NewSpace(nil).Join(Options{Hooks: Hooks{Instantiate: func(context.Context, Name) error { calls++; <-goOn; return nil }}})
		done := make(chan error, 3)
		for pid := range 2 {
			go func() {
				_, err := n.Lock(t.Context(), request(pid+1, SH, 0))
				done <- err
			}()
		}
		synctest.Wait()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := n.Lock(impatient, request(9, SH, 0))
		g.Expect(err).To(gomega.MatchError(context.DeadlineExceeded))
		g.Expect(done).To(gomega.BeEmpty())
		close(goOn)
		g.Expect(<-done).To(gomega.Succeed())
		g.Expect(<-done).To(gomega.Succeed())
		g.Expect(calls).To(gomega.Equal(1))
	})
}

func TestLeave(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	var c notes
	a := s.Join(Options{Name: "a", Hooks: c.hooks("a")})
	h := enqueue(t, a, request(1, EX, 0))
	g.Expect(a.Leave(t.Context())).To(gomega.MatchError("node a leaves: inode 2343 is in use by test by 1 (test)"))
	h.Unlock()
	g.Expect(a.Leave(t.Context())).To(gomega.Succeed())
	g.Expect(c.get()).To(gomega.Equal([]string{"a sync 2/927", "a invalidate 2/927 UN"}))

	stuck := make(chan struct{})
	b := s.Join(Options{Name: "b", Hooks: Hooks{Sync: func(context.Context, Name) { <-stuck }}})
	enqueue(t, b, request(1, EX, 0)).Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	g.Expect(b.Leave(ctx)).To(gomega.MatchError(context.DeadlineExceeded))
	close(stuck)
	finish(t, s)
}

// TestPlaceInLine: a node that drops its cache meanwhile keeps its place in the lock manager's line.
func TestPlaceInLine(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	goOn := make(chan struct{})
	a, b, c := s.Join(Options{Hooks: Hooks{Invalidate: func(context.Context, Name, State) { <-goOn }}}), s.Join(Options{}), s.Join(Options{})
	enqueue(t, a, request(1, SH, 0)).Unlock()
	reader := enqueue(t, c, request(2, SH, 0))
	first, second := enqueue(t, a, request(1, EX, 0)), enqueue(t, b, request(3, EX, 0))
	a.Demote(file, UN)
	reader.Unlock()
	g.Expect(granted(first, second)).To(gomega.Equal([]bool{false, false}))
	close(goOn)
	g.Expect(first.Wait(soon(t))).To(gomega.Succeed())
	g.Expect(second.Granted()).To(gomega.BeFalse())
	first.Unlock()
	g.Expect(second.Wait(soon(t))).To(gomega.Succeed())
	second.Unlock()
	finish(t, s)
}
