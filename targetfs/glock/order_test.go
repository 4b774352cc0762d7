package glock

import (
	"errors"
	"slices"
	"testing"

	"github.com/onsi/gomega"
)

func ordered(err error) bool {
	_, wrong := errors.AsType[*OrderError](err)
	return !wrong
}

// TestOrder takes every pair of glocks one after the other: it is right in one order only.
func TestOrder(t *testing.T) {
	inode := func(addr uint64, depth uint8) Request { return Request{Name: InodeName(addr), State: EX, Depth: depth} }
	order := []Request{
		{Name: RenameName(), State: EX}, inode(5, 0), inode(9, 0), inode(3, 1), inode(7, 1),
		{Name: QuotaName(1, false), State: EX}, {Name: QuotaName(1, true), State: EX}, inode(2, SystemDepth),
		{Name: RgrpName(17), State: EX}, {Name: RgrpName(18), State: EX},
	}
	for i, a := range order {
		for j, b := range order {
			if i == j {
				continue
			}
			n := NewSpace(nil).Join(Options{CheckOrder: true})
			a.Owner, b.Owner = task(1), task(1)
			first := enqueue(t, n, a)
			second, err := n.Enqueue(t.Context(), b)
			if ordered(err) != (i < j) {
				t.Errorf("%v after %v: %v", b.Name, a.Name, err)
			}
			if second != nil {
				second.Unlock()
			}
			first.Unlock()
			if _, err := n.Enqueue(t.Context(), b); err != nil {
				t.Errorf("%v when %v was given back: %v", b.Name, a.Name, err)
			}
		}
	}
}

// TestOrderExempts is who may break the order: tries, other tasks, long-lived holders, glocks without a place, and rename among inodes.
func TestOrderExempts(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace(nil).Join(Options{CheckOrder: true})
	ask := func(r Request) error {
		r.State = EX
		_, err := n.Enqueue(t.Context(), r)
		return err
	}
	g.Expect(ask(Request{Owner: task(1), Name: RgrpName(17)})).To(gomega.Succeed())
	g.Expect(ask(Request{Owner: task(1), Name: InodeName(1), Flags: Try})).To(gomega.Succeed())
	g.Expect(ask(Request{Owner: task(2), Name: InodeName(2)})).To(gomega.Succeed())
	g.Expect(ask(Request{Owner: task(1), Name: InodeName(3), Flags: NoPID})).To(gomega.Succeed())
	g.Expect(ask(Request{Owner: task(1), Name: Name{Journal, 0}})).To(gomega.Succeed())
	g.Expect(ask(Request{Owner: task(4), Name: InodeName(5)})).To(gomega.Succeed())
	err := ask(Request{Owner: task(4), Name: InodeName(4), Flags: Async})
	g.Expect(err).To(gomega.MatchError("task 4 takes inode 4 and has inode 5, which must be taken later"), "Async is exempt among the asynchronous only")
	for _, addr := range []uint64{9, 8, 7} {
		g.Expect(ask(Request{Owner: task(3), Name: InodeName(addr), Flags: Async})).To(gomega.Succeed())
	}
	g.Expect(ordered(ask(Request{Owner: task(3), Name: InodeName(6)}))).To(gomega.BeFalse())
	g.Expect(ordered(ask(Request{Owner: task(3), Name: RenameName(), Flags: Async}))).To(gomega.BeFalse())
	g.Expect(n.Counters().Misordered).To(gomega.Equal(uint64(3)))
	unchecked := NewSpace(nil).Join(Options{})
	for _, name := range []Name{RgrpName(2), InodeName(1), RenameName()} {
		enqueue(t, unchecked, Request{Owner: task(1), Name: name, State: EX})
	}
}

// TestOrderOfOthers: nobody waits for a glock within a transaction or with a page locked, and pages come last.
func TestOrderOfOthers(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace(nil).Join(Options{CheckOrder: true})
	for _, level := range []Level{TransactionLevel, MetadataLevel, PageLevel} {
		leave, err := n.Enter(task(1), level)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		for _, name := range []Name{InodeName(1), RgrpName(2), {Journal, 0}} {
			_, err := n.Enqueue(t.Context(), Request{Owner: task(1), Name: name, State: EX})
			g.Expect(ordered(err)).To(gomega.BeFalse(), "%v within level %v", name, level)
			enqueue(t, n, Request{Owner: task(1), Name: name, State: SH, Flags: Try}).Unlock()
		}
		leave()
		enqueue(t, n, Request{Owner: task(1), Name: InodeName(1), State: EX}).Unlock()
	}
	page, err := n.Enter(task(1), PageLevel)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	another, err := n.Enter(task(1), PageLevel)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	_, err = n.Enter(task(1), TransactionLevel)
	g.Expect(err).To(gomega.MatchError("task 1 takes a transaction and has a page, which must be taken later"))
	another()
	_, err = n.Enter(task(1), MetadataLevel)
	g.Expect(ordered(err)).To(gomega.BeFalse(), "one page is still locked")
	page()
	g.Expect(n.order).To(gomega.BeEmpty())
	_, err = n.Enter(task(1), TransactionLevel)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	_, err = n.Enter(task(1), TransactionLevel)
	g.Expect(ordered(err)).To(gomega.BeFalse(), "transactions don't nest")
	unchecked := NewSpace(nil).Join(Options{})
	for range 2 {
		leave, err := unchecked.Enter(task(1), TransactionLevel)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		leave()
	}
}

func TestLockAll(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace(nil)
	n := s.Join(Options{CheckOrder: true})
	all, err := n.LockAll(t.Context(), Request{Owner: task(1), Name: RgrpName(7), State: EX}, Request{Owner: task(1), Name: InodeName(9), State: SH},
		Request{Owner: task(1), Name: RgrpName(3), State: EX}, Request{Owner: task(1), Name: InodeName(1), State: SH, Depth: 1})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	var names []Name
	for _, h := range all {
		names = append(names, h.Name)
	}
	g.Expect(names).To(gomega.Equal([]Name{InodeName(9), InodeName(1), RgrpName(3), RgrpName(7)}))
	_, err = n.LockAll(t.Context(), Request{Owner: task(2), Name: InodeName(1), State: SH}, Request{Owner: task(2), Name: RgrpName(7), State: EX, Flags: Try})
	g.Expect(err).To(gomega.MatchError(ErrTryFailed))
	g.Expect(n.LockedBy(task(2), InodeName(1))).To(gomega.BeFalse(), "what was taken before the failure is given back")
	UnlockAll(all)
	finish(t, s)
}

// TestOperations takes what the table says, in its order and in the reverse one, with the check of the order on.
func TestOperations(t *testing.T) {
	g := gomega.NewWithT(t)
	seen := map[string]bool{}
	for _, op := range Operations {
		g.Expect(seen[op.Name]).To(gomega.BeFalse(), op.Name)
		seen[op.Name] = true
		g.Expect(takeInOrder(t, op.Takes)).To(gomega.Succeed(), op.Name)
	}
	for _, name := range []string{"create", "unlink", "rename", "write", "quota sync"} {
		op, ok := Find(name)
		g.Expect(ok).To(gomega.BeTrue(), name)
		takes := slices.Clone(op.Takes)
		slices.Reverse(takes)
		g.Expect(ordered(takeInOrder(t, takes))).To(gomega.BeFalse(), name)
	}
	_, ok := Find("defragment")
	g.Expect(ok).To(gomega.BeFalse())
}

func takeInOrder(t *testing.T, takes []Take) error {
	t.Helper()
	n := NewSpace(nil).Join(Options{CheckOrder: true})
	for i, take := range takes {
		r := take.Request(uint64(100 + i))
		if take.Of == Event {
			r.Name = RenameName()
		}
		r.Owner = task(1)
		h, err := n.Enqueue(t.Context(), r)
		if err != nil {
			return err
		}
		if take.Brief {
			h.Unlock()
		}
	}
	return nil
}
