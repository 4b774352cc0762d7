package usercopy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/targetfs/glock"
)

// files are the glocks of the files A and B.
var fileA, fileB = glock.InodeName(1), glock.InodeName(2)

// lab is a node with two files, a copier, and callers whose memory is played.
type lab struct {
	t      *testing.T
	space  *glock.Space
	node   *glock.Node
	copier *Copier
}

func newLab(t *testing.T, p Policy) *lab {
	space := glock.NewSpace(func(n glock.Name) string { return map[glock.Name]string{fileA: "A", fileB: "B"}[n] })
	return &lab{t, space, space.Join(glock.Options{CheckOrder: true}), New(p, nil)}
}

// played is memory whose pages are mappings of a file: a fault takes the file's glock as a READ does.
type played struct {
	*lab
	of      glock.Name
	mu      sync.Mutex
	present map[uintptr]bool
	touched []uintptr
	evict   bool                        // pages vanish as soon as they are in
	bad     map[uintptr]bool            // pages that can't be touched
	fault   func(context.Context) error // instead of the READ
	look    func()                      // before the page map is read
	during  func(addr uintptr)          // in each touch
	stop    context.Context
}

func (l *lab) memory(of glock.Name) *played {
	ctx, cancel := context.WithCancel(l.t.Context())
	l.t.Cleanup(cancel)
	return &played{lab: l, of: of, present: map[uintptr]bool{}, bad: map[uintptr]bool{}, stop: ctx}
}

func page(addr uintptr) uintptr { return addr / uintptr(pageSize) }

func (m *played) resident(r Range) (n int, err error) {
	if m.look != nil {
		m.look()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for addr, part := range pages([]Range{r}) {
		if !m.present[page(addr)] {
			break
		}
		n += part
	}
	return n, nil
}

func (m *played) touch(addr uintptr, write bool) error {
	m.mu.Lock()
	m.touched = append(m.touched, page(addr))
	there := m.present[page(addr)]
	m.mu.Unlock()
	if m.during != nil {
		m.during(addr)
	}
	if m.bad[page(addr)] {
		return unix.EFAULT
	}
	if there {
		return nil
	}
	fault := m.fault
	if fault == nil {
		fault = m.read
	}
	if err := fault(m.stop); err != nil {
		return unix.EFAULT
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.present[page(addr)] = !m.evict
	return nil
}

// read is the READ that a fault leads to. It is served by another thread, but tells ours.
func (m *played) read(ctx context.Context) error {
	tid := unix.Gettid()
	want := glock.Request{Name: m.of, State: glock.SH, Caller: "page fault", Owner: glock.Owner{Op: fmt.Sprint("READ ", tid)}}
	lock := m.node.Lock
	if f := m.copier.Fault(tid); f != nil {
		lock = func(ctx context.Context, r glock.Request) (*glock.Holder, error) { return f.Lock(ctx, m.node, r) }
	}
	h, err := lock(ctx, want)
	if err != nil {
		return err
	}
	h.Unlock()
	return nil
}

// call is a system call by a task with buffers that begin 100 bytes into page 1 and span n pages.
func call(tid int, name string, read bool, n int) *Call {
	return &Call{TID: tid, Comm: "caller", Name: name, Read: read, Buffers: []Range{{uintptr(pageSize + 100), n*pageSize - 200}}}
}

// start copies in the background. The channel gets the result.
func (l *lab) start(c *Call, of glock.Name, state glock.State, m memory) <-chan error {
	done := make(chan error, 1)
	want := glock.Request{Name: of, State: state, Caller: c.Name, Owner: c.Owner(l.space.Title(of))}
	go func() { done <- l.copier.copy(l.t.Context(), l.node, c, want, m) }()
	return done
}

// hangs waits until tasks wait for each other, and says how.
func (l *lab) hangs() string {
	l.t.Helper()
	gomega.NewWithT(l.t).Eventually(l.space.Cycle, patience, time.Millisecond).ShouldNot(gomega.BeEmpty())
	return l.space.Explain(l.space.Cycle())
}

// passes waits until a copy has ended well, with everything given back.
func (l *lab) passes(done <-chan error) {
	l.t.Helper()
	g := gomega.NewWithT(l.t)
	g.Eventually(done, patience).Should(gomega.Receive(gomega.BeNil()))
	var held strings.Builder
	g.Expect(l.node.Dump(&held)).To(gomega.Succeed())
	g.Expect(held.String()).NotTo(gomega.ContainSubstring(" H:"))
}

func TestKernelDoesNothing(t *testing.T) {
	g := gomega.NewWithT(t)
	l := newLab(t, Kernel)
	m := l.memory(fileA)
	l.passes(l.start(call(1, "pread", true, 3), fileA, glock.SH, m))
	g.Expect(m.touched).To(gomega.BeEmpty())
	g.Expect(l.node.Counters().Requests).To(gomega.BeZero())
	g.Expect(l.copier.Start(t.Context(), 0, true, nil)).To(gomega.Succeed(), "it doesn't even look")
	g.Expect(l.copier.Skips()).To(gomega.BeZero())
}

// selfStates are the four self rows: what the call takes while its buffer is a mapping of the same file.
var selfStates = []struct {
	name   string
	read   bool
	direct bool
	state  glock.State
}{{"pread", true, false, glock.SH}, {"pwrite", false, false, glock.EX}, {"pread", true, true, glock.DF}, {"pwrite", false, true, glock.DF}}

func TestFaultingHangsOnItself(t *testing.T) {
	for _, row := range selfStates {
		g := gomega.NewWithT(t)
		l := newLab(t, Faulting)
		m := l.memory(fileA)
		stop, free := context.WithCancel(t.Context())
		m.stop = stop
		done := l.start(call(7, row.name, row.read, 3), fileA, row.state, m)
		g.Expect(l.hangs()).To(gomega.Equal(fmt.Sprintf("%s of A by 7 holds A (%v) and waits for A (SH), which\n%s of A by 7 holds (%v).\n", row.name, row.state, row.name, row.state)))
		touches := l.copier.Touches()
		g.Expect(touches).To(gomega.HaveLen(1))
		g.Expect(touches[0]).To(gomega.And(gomega.HaveField("Addr", uintptr(pageSize+100)), gomega.HaveField("Locked", true), gomega.HaveField("Owner.PID", 7)))
		free()
		l.passes(done)
		g.Expect(l.copier.Touches()).To(gomega.BeEmpty())
		g.Expect(l.copier.Counters(Faulting)).To(gomega.Equal(Counters{Calls: 1, FaultsUnderLock: 1}))
	}
}

func TestRecursiveLetsItself(t *testing.T) {
	for _, row := range selfStates {
		g := gomega.NewWithT(t)
		l := newLab(t, Recursive)
		m := l.memory(fileA)
		l.passes(l.start(call(7, row.name, row.read, 3), fileA, row.state, m))
		want := Counters{Calls: 1, Pages: 3, FaultsUnderLock: 3}
		if row.state == glock.DF { // it covers no fault: each page is faulted in without the glock
			want = Counters{Calls: 1, Pages: 3, FaultsUnderLock: 3, Weak: 3, Retries: 3, FaultsOutside: 3}
			g.Expect(m.touched).To(gomega.Equal([]uintptr{1, 1, 1, 2, 2, 2, 3, 3, 3}))
		}
		g.Expect(l.copier.Counters(Recursive)).To(gomega.Equal(want), "%+v", row)
	}
}

func TestNoFaultPassesItself(t *testing.T) {
	for _, row := range selfStates {
		g := gomega.NewWithT(t)
		l := newLab(t, NoFault)
		m := l.memory(fileA)
		m.during = func(uintptr) {
			g.Expect(l.node.LockedBy(glock.Owner{PID: 7}, fileA)).To(gomega.BeFalse(), "nothing is touched under the lock")
		}
		c := call(7, row.name, row.read, 3)
		c.Direct = row.direct
		l.passes(l.start(c, fileA, row.state, m))
		want := Counters{Calls: 1, Pages: 3, Retries: 1, FaultsOutside: 3}
		if !row.read && !row.direct { // the first window comes before the glock
			want.Retries = 0
		}
		g.Expect(l.copier.Counters(NoFault)).To(gomega.Equal(want), "%+v", row)
		g.Expect(l.node.Counters().Waits).To(gomega.BeZero())
	}
}

// TestCrossed: A is written from B while B is written from A.
func TestCrossed(t *testing.T) {
	for _, p := range Policies() {
		g := gomega.NewWithT(t)
		l := newLab(t, p)
		stop, free := context.WithCancel(t.Context())
		var both sync.WaitGroup
		both.Add(2)
		meet := func(m *played) *played {
			var once sync.Once
			m.stop = stop
			m.during = func(uintptr) { once.Do(func() { both.Done(); both.Wait() }) }
			return m
		}
		first := l.start(call(7, "pwrite", false, 2), fileA, glock.EX, meet(l.memory(fileB)))
		second := l.start(call(8, "pwrite", false, 2), fileB, glock.EX, meet(l.memory(fileA)))
		if p == Faulting || p == Recursive {
			g.Expect(l.hangs()).To(gomega.Equal("pwrite of A by 7 holds A (EX) and waits for B (SH), which\n" +
				"pwrite of B by 8 holds (EX), and waits for A (SH), which\npwrite of A by 7 holds (EX).\n"))
		}
		free()
		g.Eventually(first, patience).Should(gomega.Receive(gomega.BeNil()))
		l.passes(second)
	}
}

// TestHandlerWantsTheFile: nobody but the caller holds the glock up; whoever wants it hangs under faulting and recursive, and not under nofault.
func TestHandlerWantsTheFile(t *testing.T) {
	for _, p := range []Policy{Faulting, Recursive, NoFault} {
		l := newLab(t, p)
		m := l.memory(fileA)
		served := make(chan struct{})
		m.fault = func(context.Context) error { <-served; return nil }
		done := l.start(call(7, "pread", true, 1), fileA, glock.SH, m)
		g := gomega.NewWithT(t)
		g.Eventually(l.copier.Touches, patience).Should(gomega.HaveLen(1))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		h, err := l.node.Lock(ctx, glock.Request{Name: fileA, State: glock.EX, Owner: glock.Owner{PID: 8}})
		cancel()
		g.Expect(err == nil).To(gomega.Equal(p == NoFault), "%v", p)
		if err == nil {
			h.Unlock()
		}
		close(served)
		l.passes(done)
	}
}

func TestUnderLockStopsAtABadPage(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, p := range []Policy{Faulting, Recursive} {
		l := newLab(t, p)
		m := l.memory(fileB)
		m.bad[2] = true
		l.passes(l.start(call(7, "pwrite", false, 3), fileA, glock.EX, m))
		g.Expect(m.touched).To(gomega.Equal([]uintptr{1, 2}))
		g.Expect(l.copier.Counters(p)).To(gomega.Equal(Counters{Calls: 1, Pages: 1, FaultsUnderLock: 2}))
	}
}

func TestNoFaultStopsAtABadPage(t *testing.T) {
	g := gomega.NewWithT(t)
	l := newLab(t, NoFault)
	m := l.memory(fileB)
	m.bad[2] = true
	l.passes(l.start(call(7, "pread", true, 3), fileA, glock.SH, m))
	g.Expect(m.touched).To(gomega.Equal([]uintptr{1, 2, 2}))
	g.Expect(l.copier.Counters(NoFault)).To(gomega.Equal(Counters{Calls: 1, Pages: 1, Retries: 2, FaultsOutside: 1}))

	l = newLab(t, NoFault)
	m = l.memory(fileB)
	m.bad[1] = true
	l.passes(l.start(call(7, "pwrite", false, 3), fileA, glock.EX, m))
	g.Expect(l.node.Counters().Requests).To(gomega.BeZero(), "a buffered write of nothing takes no glock")
}

// TestProgress: pages that vanish before they can be copied, for ever, do not keep a call for ever.
func TestProgress(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, p := range []Policy{NoFault, Recursive} {
		l := newLab(t, p)
		m := l.memory(fileA)
		m.evict = true
		l.passes(l.start(call(7, "pread", true, 4), fileA, glock.DF, m))
		n := l.copier.Counters(p)
		g.Expect(n.Retries).To(gomega.BeNumerically("==", rounds), "%v", p)
		if p == NoFault {
			g.Expect(n.GaveUp).To(gomega.Equal(uint64(1)))
			g.Expect(n.FaultsOutside).To(gomega.BeNumerically("==", 4+rounds-1), "after the first window one page at a time")
		}
	}
}

// TestWindows: a long buffer comes in a window at a time, and what was copied is not looked at again.
func TestWindows(t *testing.T) {
	g := gomega.NewWithT(t)
	l := newLab(t, NoFault)
	m := l.memory(fileB)
	c := call(7, "pread", true, 0)
	c.Buffers = []Range{{0, 3 * window / 2}, {0, 0}, {1 << 30, window}}
	l.passes(l.start(c, fileA, glock.SH, m))
	total := uint64(5 * window / 2 / pageSize)
	g.Expect(l.copier.Counters(NoFault)).To(gomega.Equal(Counters{Calls: 1, Pages: total, Retries: 3, FaultsOutside: total}))
	g.Expect(m.touched).To(gomega.HaveLen(int(total)))
}

// TestEnds: a buffer of no bytes, none at all, and one of a few bytes at the end of a page.
func TestEnds(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, p := range []Policy{Faulting, Recursive, NoFault} {
		for _, read := range []bool{false, true} {
			for _, buffers := range [][]Range{nil, {{100, 0}}, {{uintptr(pageSize - 3), 3}}} {
				l := newLab(t, p)
				c := call(7, "call", read, 0)
				c.Buffers = buffers
				l.passes(l.start(c, fileA, glock.DF, l.memory(fileB)))
				want := uint64(0)
				if c.Bytes() > 0 {
					want = 1
				}
				g.Expect(l.copier.Counters(p).Pages).To(gomega.Equal(want), "%v %v", p, buffers)
			}
		}
	}
}

// TestPageMapIsNotWaitedFor: who looks at a page map waits for the lock of the caller's memory, which may depend on the glock.
func TestPageMapIsNotWaitedFor(t *testing.T) {
	g := gomega.NewWithT(t)
	l := newLab(t, NoFault)
	m := l.memory(fileA)
	taken, free := make(chan struct{}), make(chan struct{})
	var once sync.Once
	m.look = func() { once.Do(func() { close(taken); <-free }) }
	done := l.start(call(7, "pread", true, 1), fileA, glock.SH, m)
	g.Eventually(taken, patience).Should(gomega.BeClosed())
	h, err := l.node.Lock(t.Context(), glock.Request{Name: fileA, State: glock.EX, Owner: glock.Owner{PID: 8}})
	g.Expect(err).NotTo(gomega.HaveOccurred(), "the glock is free again")
	close(free)
	h.Unlock()
	l.passes(done)
}

func TestCopyEndsWithItsContext(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, p := range []Policy{Faulting, Recursive, NoFault} {
		l := newLab(t, p)
		h, err := l.node.Lock(t.Context(), glock.Request{Name: fileA, State: glock.EX, Owner: glock.Owner{PID: 8}})
		g.Expect(err).NotTo(gomega.HaveOccurred())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c := call(7, "pread", true, 1)
		err = l.copier.copy(ctx, l.node, c, glock.Request{Name: fileA, State: glock.SH, Owner: c.Owner("A")}, l.memory(fileB))
		g.Expect(errors.Is(err, context.Canceled)).To(gomega.BeTrue())
		h.Unlock()
	}
}

// TestInterrupt: a fault that nobody serves does not keep a caller that got a signal.
func TestInterrupt(t *testing.T) {
	for _, p := range []Policy{Recursive, NoFault} {
		l := newLab(t, p)
		m := l.memory(fileA)
		never, signal := make(chan struct{}), make(chan struct{})
		defer close(never)
		m.fault = func(ctx context.Context) error {
			if l.copier.Fault(unix.Gettid()) != nil { // under the lock: it fails, and is tried again without
				return m.read(ctx)
			}
			close(signal)
			<-never
			return nil
		}
		c := call(7, "pread", true, 1)
		c.Interrupt = signal
		l.passes(l.start(c, fileA, glock.DF, m))
		gomega.NewWithT(t).Expect(l.node.LockedBy(c.Owner("A"), fileA)).To(gomega.BeFalse())
	}
}

// TestPolicyChanges: a call goes on under the policy that it began with.
func TestPolicyChanges(t *testing.T) {
	g := gomega.NewWithT(t)
	l := newLab(t, Recursive)
	m := l.memory(fileA)
	m.during = func(uintptr) { l.copier.SetPolicy(Faulting) }
	l.passes(l.start(call(7, "pwrite", false, 3), fileA, glock.EX, m))
	g.Expect(l.copier.Counters(Recursive).Pages).To(gomega.Equal(uint64(3)))
	g.Expect(l.copier.Policy()).To(gomega.Equal(Faulting))
}

func TestClip(t *testing.T) {
	g := gomega.NewWithT(t)
	c := &Call{Buffers: []Range{{10, 5}, {20, 5}, {30, 5}}}
	g.Expect(c.Bytes()).To(gomega.Equal(int64(15)))
	c.Clip(7)
	g.Expect(c.Buffers).To(gomega.Equal([]Range{{10, 5}, {20, 2}, {30, 0}}))
	c.Clip(-1)
	g.Expect(c.Bytes()).To(gomega.BeZero())
}

func TestSkips(t *testing.T) {
	g := gomega.NewWithT(t)
	var refused []error
	c := New(NoFault, func(err error) { refused = append(refused, err) })
	g.Expect(c.Start(t.Context(), 0, true, nil)).To(gomega.Succeed())
	for _, err := range []error{ErrAsync, ErrNoBuffer, ErrForbidden, ErrGone, ErrRunning, unix.EFAULT} {
		c.skips.count(fmt.Errorf("look: %w", err))
	}
	g.Expect(c.Skips()).To(gomega.Equal(Skips{Async: 1, Other: 1, Forbidden: 1, Gone: 2, Running: 1, Failed: 1}))
	g.Expect(refused).To(gomega.BeEmpty())
}
