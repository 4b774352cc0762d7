package glock

import (
	"errors"
	"testing"

	"github.com/onsi/gomega"
)

func TestRecursionTrap(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace(nil).Join(Options{})
	cat := Owner{PID: 1, Comm: "cat", Op: "pread of A"}
	fault := Request{Owner: Owner{PID: 1, Comm: "cat", Op: "page fault in A"}, Name: file, State: SH, Caller: "gfs2_fault"}
	outer := enqueue(t, n, Request{Owner: cat, Name: file, State: SH, Caller: "gfs2_file_read_iter"})
	_, err := n.Enqueue(t.Context(), fault)
	trap, trapped := errors.AsType[*RecursionError](err)
	g.Expect(trapped).To(gomega.BeTrue())
	g.Expect([]Request{trap.Old, trap.New}).To(gomega.Equal([]Request{outer.Request, fault}))
	g.Expect(err).To(gomega.MatchError("page fault in A by 1 asks for inode 2343 (SH, gfs2_fault) and holds it already " +
		"(SH, gfs2_file_read_iter as pread of A by 1)"))
	g.Expect(n.Counters().Recursions).To(gomega.Equal(uint64(1)))

	waiting := enqueue(t, n, request(2, EX, 0))
	_, err = n.Enqueue(t.Context(), request(2, SH, Try))
	g.Expect(err).To(gomega.MatchError("test by 2 asks for inode 2343 (SH, test) and waits for it already (EX, test as test by 2)"))
	waiting.Unlock()

	exempt := enqueue(t, n, Request{Owner: cat, Name: file, State: SH, Flags: NoPID})
	flock := Request{Owner: cat, Name: Name{Flock, 5}, State: SH}
	g.Expect(granted(exempt, enqueue(t, n, flock), enqueue(t, n, flock))).To(gomega.Equal([]bool{true, true, true}))
	outer.Unlock()
	g.Expect(n.LockedBy(cat, file)).To(gomega.BeFalse(), "NoPID is nobody's")
	g.Expect(enqueue(t, n, fault).Granted()).To(gomega.BeTrue())
}

// TestUntrapped: the task waits for itself, and can be freed.
func TestUntrapped(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	n := s.Join(Options{CheckOrder: true})
	outer := enqueue(t, n, request(1, EX, 0))
	again := request(1, SH, 0)
	again.Untrapped = true
	h := enqueue(t, n, again)
	g.Expect(h.Granted()).To(gomega.BeFalse())
	g.Expect(s.Explain(s.Cycle())).To(gomega.Equal("test by 1 holds inode 2343 (EX) and waits for inode 2343 (SH), which\ntest by 1 holds (EX).\n"))
	outer.Unlock()
	g.Expect(h.Granted()).To(gomega.BeTrue())
}

// TestUntrappedShares: a task that holds SH waits for itself in SH too, as the kernel's trap stops it whatever it asks for.
func TestUntrappedShares(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	n := s.Join(Options{})
	outer := enqueue(t, n, request(1, SH, 0))
	again := request(1, SH, 0)
	again.Untrapped = true
	h := enqueue(t, n, again)
	g.Expect(granted(enqueue(t, n, request(2, SH, 0)), h)).To(gomega.Equal([]bool{false, false}))
	g.Expect(s.Explain(s.Cycle())).To(gomega.Equal("test by 1 holds inode 2343 (SH) and waits for inode 2343 (SH), which\ntest by 1 holds (SH).\n"))
	outer.Unlock()
	g.Expect(h.Granted()).To(gomega.BeTrue())
}

// TestUntrappedTogether: two faults of one task, of which one was asked for first, are not waiting for each other.
func TestUntrappedTogether(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	n := s.Join(Options{})
	other := enqueue(t, n, request(2, EX, 0))
	fault := request(1, SH, 0)
	fault.Untrapped = true
	first, second := enqueue(t, n, fault), enqueue(t, n, fault)
	g.Expect(s.Cycle()).To(gomega.BeNil())
	other.Unlock()
	g.Expect(granted(first, second)).To(gomega.Equal([]bool{true, false}))
	first.Unlock()
	g.Expect(second.Granted()).To(gomega.BeTrue())
}

// TestNest is what a holder's own fault is let through for.
func TestNest(t *testing.T) {
	for _, c := range []struct {
		held, want State
		ok         bool
	}{{SH, SH, true}, {SH, EX, false}, {SH, DF, false}, {DF, SH, false}, {DF, EX, false}, {DF, DF, true}, {EX, SH, true}, {EX, EX, true}, {EX, DF, true}} {
		g := gomega.NewWithT(t)
		s := NewSpace(nil)
		n := s.Join(Options{CheckOrder: true})
		outer := enqueue(t, n, request(1, c.held, 0))
		writer := enqueue(t, n, request(2, EX, 0))
		nested, err := n.Nest(WithOwner(t.Context(), task(1)), Request{Name: file, State: c.want})
		if !c.ok {
			weak, is := errors.AsType[*WeakError](err)
			g.Expect(is).To(gomega.BeTrue(), "%+v", c)
			g.Expect([]State{weak.Held.State, weak.New.State}).To(gomega.Equal([]State{c.held, c.want}))
			UnlockAll([]*Holder{outer, writer})
			finish(t, s)
			continue
		}
		g.Expect(err).NotTo(gomega.HaveOccurred(), "%+v", c)
		g.Expect(granted(nested, writer)).To(gomega.Equal([]bool{true, false}), "ahead of everybody who waits")
		g.Expect(s.Cycle()).To(gomega.BeNil())
		outer.Unlock()
		g.Expect(writer.Granted()).To(gomega.BeFalse(), "the nested holder still holds")
		nested.Unlock()
		g.Expect(writer.Granted()).To(gomega.BeTrue())
		writer.Unlock()
		g.Expect(n.Counters().Nested).To(gomega.Equal(uint64(1)))
		finish(t, s)
	}
}

func TestNestNeedsHolder(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace(nil).Join(Options{})
	_, err := n.Nest(t.Context(), request(1, SH, 0))
	g.Expect(err).To(gomega.MatchError(ErrNotHeld))
	enqueue(t, n, request(2, EX, 0))
	waiting := enqueue(t, n, request(1, SH, 0))
	_, err = n.Nest(t.Context(), request(1, SH, 0))
	g.Expect(err).To(gomega.MatchError(ErrNotHeld), "another task's fault is not let through, nor is one of a task that waits")
	g.Expect(waiting.Granted()).To(gomega.BeFalse())
	enqueue(t, n, Request{Name: RgrpName(1), State: SH})
	_, err = n.Nest(t.Context(), Request{Name: RgrpName(1), State: SH})
	g.Expect(err).To(gomega.MatchError(ErrNotHeld), "nobody is not an owner")
}

// TestNestOpensNothing: a reader waits for a writer whose own fault was let through as a reader's.
func TestNestOpensNothing(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace(nil).Join(Options{})
	outer := enqueue(t, n, request(1, EX, 0))
	nested, err := n.Nest(t.Context(), request(1, SH, 0))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	reader := enqueue(t, n, request(2, SH, 0))
	g.Expect(granted(nested, reader)).To(gomega.Equal([]bool{true, false}))
	outer.Unlock()
	g.Expect(granted(nested, reader)).To(gomega.Equal([]bool{true, true}))
}
