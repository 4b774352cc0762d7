package glock

import (
	"context"
	"fmt"
	"testing"

	"github.com/onsi/gomega"
)

var (
	nameA, nameB, nameC = InodeName(0xa), InodeName(0xb), InodeName(0xc)
	titles              = map[Name]string{nameA: "A", nameB: "B", nameC: "C"}
)

func titled() *Space { return NewSpace(func(n Name) string { return titles[n] }) }

func as(pid int, op string, name Name, s State) Request {
	return Request{Owner: Owner{PID: pid, Op: op}, Name: name, State: s}
}

// TestCycleOfOne: a task's own fault wants what it holds.
func TestCycleOfOne(t *testing.T) {
	g := gomega.NewWithT(t)
	s := titled()
	n := s.Join(Options{})
	enqueue(t, n, as(1234, "pwrite of A", nameA, EX))
	g.Expect(s.Explain(s.Cycle())).To(gomega.Equal("No task waits for itself.\n"))
	fault := as(1234, "fault of page 0 of A", nameA, SH)
	fault.Untrapped = true
	enqueue(t, n, fault)
	g.Expect(s.Explain(s.Cycle())).To(gomega.Equal(`pwrite of A by 1234 holds A (EX) and waits for A (SH), which
pwrite of A by 1234 holds (EX).
`))
}

// TestCycleOfTwo: two tasks read one file into a mapping of the other.
func TestCycleOfTwo(t *testing.T) {
	g := gomega.NewWithT(t)
	s := titled()
	n := s.Join(Options{})
	enqueue(t, n, as(1235, "write of B", nameB, EX))
	enqueue(t, n, as(1234, "pread of A", nameA, SH))
	fault := enqueue(t, n, as(1234, "fault of page 3 of B", nameB, SH))
	enqueue(t, n, as(7, "stat of B", nameB, SH))
	g.Expect(s.Cycle()).To(gomega.BeNil(), "one waits for the other: no circle yet")
	enqueue(t, n, as(8, "truncate of A", nameA, EX)) // waits for the circle and is not part of it
	enqueue(t, n, as(1235, "fault of page 0 of A", nameA, EX))
	g.Expect(s.Explain(s.Cycle())).To(gomega.Equal(`pread of A by 1234 holds A (SH) and waits for B (SH), which
write of B by 1235 holds (EX), and waits for A (EX), which
pread of A by 1234 holds (SH).
`))
	fault.Unlock()
	g.Expect(s.Cycle()).To(gomega.BeNil())
}

// TestCycleThroughFaults: the tasks hold glocks while others serve their faults, and those want the glocks.
func TestCycleThroughFaults(t *testing.T) {
	g := gomega.NewWithT(t)
	s := titled()
	n := s.Join(Options{})
	reader, writer := Owner{PID: 1234, Op: "pread of A"}, Owner{PID: 1235, Op: "write of B"}
	enqueue(t, n, as(1234, "pread of A", nameA, SH))
	enqueue(t, n, as(1235, "write of B", nameB, EX))
	enqueue(t, n, as(77, "FUSE READ of B", nameB, SH))
	enqueue(t, n, as(78, "FUSE READ of A", nameA, EX))
	s.AddWait(reader, Owner{PID: 77, Op: "FUSE READ of B"}, "the fault of page 3 of B")
	g.Expect(s.Cycle()).To(gomega.BeNil())
	end := s.AddWait(writer, Owner{PID: 78, Op: "FUSE READ of A"}, "the fault of page 0 of A")
	g.Expect(s.Explain(s.Cycle())).To(gomega.Equal(`pread of A by 1234 holds A (SH) and waits for the fault of page 3 of B, which
FUSE READ of B by 77 serves, and waits for B (SH), which
write of B by 1235 holds (EX), and waits for the fault of page 0 of A, which
FUSE READ of A by 78 serves, and waits for A (EX), which
pread of A by 1234 holds (SH).
`))
	end()
	g.Expect(s.Cycle()).To(gomega.BeNil())
}

// TestCycleOfThree: one of them is only ahead in a queue.
func TestCycleOfThree(t *testing.T) {
	g := gomega.NewWithT(t)
	s := titled()
	n := s.Join(Options{})
	enqueue(t, n, as(1, "pread of A", nameA, SH))
	enqueue(t, n, as(3, "read of C", nameC, SH))
	enqueue(t, n, as(2, "write of A", nameA, EX))
	enqueue(t, n, as(3, "fault of A", nameA, SH))
	g.Expect(s.Cycle()).To(gomega.BeNil())
	enqueue(t, n, as(1, "fault of C", nameC, EX))
	g.Expect(s.Explain(s.Cycle())).To(gomega.Equal(`pread of A by 1 holds A (SH) and waits for C (EX), which
read of C by 3 holds (SH), and waits for A (SH), which
write of A by 2 asked for first (EX), and waits for A (EX), which
pread of A by 1 holds (SH).
`))
}

// TestCycleAcrossNodes: what a task holds on one node is in the way of the other node, even in a state that would be compatible, as
// long as the node has a stronger one.
func TestCycleAcrossNodes(t *testing.T) {
	g := gomega.NewWithT(t)
	s := titled()
	n0, n1 := s.Join(Options{Name: "n0"}), s.Join(Options{Name: "n1"})
	enqueue(t, n0, as(9, "write of A", nameA, EX)).Unlock()
	enqueue(t, n0, as(1, "read of A", nameA, SH))
	enqueue(t, n1, as(2, "write of B", nameB, EX))
	enqueue(t, n0, as(1, "fault of B", nameB, SH))
	g.Expect(s.Cycle()).To(gomega.BeNil())
	enqueue(t, n1, as(2, "fault of A", nameA, SH))
	cycle := s.Cycle()
	g.Expect(s.Explain(cycle)).To(gomega.Equal(`read of A by 1 holds A (SH) and waits for B (SH), which
write of B by 2 holds (EX), and waits for A (SH), which
read of A by 1 holds (SH).
`))
	g.Expect([]string{cycle[0].Node, cycle[1].Node}).To(gomega.Equal([]string{"n0", "n1"}))
}

// TestCycleThroughLine: nodes wait for each other in the lock manager's line.
func TestCycleThroughLine(t *testing.T) {
	g := gomega.NewWithT(t)
	s := titled()
	a, b, c := s.Join(Options{}), s.Join(Options{}), s.Join(Options{})
	enqueue(t, a, as(1, "read of A", nameA, SH))
	enqueue(t, b, as(2, "write of A", nameA, EX))
	enqueue(t, c, as(3, "read of A", nameA, SH))
	s.AddWait(Owner{PID: 1}, Owner{PID: 3, Comm: "cat"}, "its pipe")
	g.Expect(s.Explain(s.Cycle())).To(gomega.Equal(`read of A by 1 holds A (SH) and waits for its pipe, which
cat by 3 serves, and waits for A (SH), which
write of A by 2 asked for first (EX), and waits for A (EX), which
read of A by 1 holds (SH).
`))
}

// TestCycleThroughWriteBack: a hook waits for a task that waits for the hook: a page fault with the page locked, say.
func TestCycleThroughWriteBack(t *testing.T) {
	g := gomega.NewWithT(t)
	s := titled()
	goOn := make(chan struct{})
	told := make(chan struct{})
	fault := Owner{PID: 5, Op: "fault of page 0 of A"}
	a := s.Join(Options{Name: "n0", Hooks: Hooks{Sync: func(ctx context.Context, name Name) {
		defer s.AddWait(OwnerOf(ctx), fault, fmt.Sprintf("page 0 of %s", titles[name]))()
		close(told)
		<-goOn
	}}})
	b := s.Join(Options{Name: "n1"})
	enqueue(t, a, as(1, "write of A", nameA, EX)).Unlock()
	enqueue(t, b, as(2, "read of A", nameA, SH))
	<-told
	g.Expect(s.Cycle()).To(gomega.BeNil())
	edges := s.Edges()
	g.Expect(edges).To(gomega.HaveLen(2), "the remote reader waits for the hook, and the hook for the fault")
	g.Expect(edges[0].Blocker.Op).To(gomega.Equal("write-back of A on n0"))
	enqueue(t, a, as(5, "fault of page 0 of A", nameA, SH))
	g.Expect(s.Explain(s.Cycle())).To(gomega.Equal(`fault of page 0 of A by 5 waits for A (SH), which
write-back of A on n0 must finish with first, and waits for page 0 of A, which
fault of page 0 of A by 5 serves.
`))
	close(goOn)
	within(t, "the circle is gone", func() bool { return s.Cycle() == nil })
}

// TestNobody: holders that belong to nobody are not one task.
func TestNobody(t *testing.T) {
	g := gomega.NewWithT(t)
	s := titled()
	n := s.Join(Options{})
	nobodys := func(name Name, st State) Request { return Request{Owner: task(1), Name: name, State: st, Flags: NoPID} }
	enqueue(t, n, nobodys(nameA, EX))
	enqueue(t, n, nobodys(nameB, EX))
	enqueue(t, n, as(2, "read of B", nameB, SH))
	enqueue(t, n, nobodys(nameA, SH))
	enqueue(t, n, nobodys(nameB, SH))
	enqueue(t, n, Request{Name: nameB, State: SH})
	g.Expect(s.Edges()).To(gomega.BeEmpty())
	enqueue(t, n, as(3, "write of B", nameB, EX))
	g.Expect(s.Edges()).To(gomega.HaveLen(1), "the one behind task 2")
	g.Expect(s.Cycle()).To(gomega.BeNil())
}

// TestSearchIsLinear: a ladder of waits has 2^60 ways from one end to the other, and no circle.
func TestSearchIsLinear(t *testing.T) {
	g := gomega.NewWithT(t)
	s := titled()
	for pid := 2; pid < 120; pid += 2 {
		for _, from := range []int{pid, pid + 1} {
			for _, to := range []int{pid + 2, pid + 3} {
				s.AddWait(Owner{PID: from}, Owner{PID: to}, "the next rung")
			}
		}
	}
	g.Expect(s.Cycle()).To(gomega.BeNil())
	s.AddWait(Owner{PID: 121}, Owner{PID: 2}, "the first rung")
	g.Expect(s.Cycle()).To(gomega.HaveLen(60))
}
