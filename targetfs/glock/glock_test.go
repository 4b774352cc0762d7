package glock

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

var file = InodeName(0x927)

func task(pid int) Owner { return Owner{pid, "task"} }

func request(pid int, s State, f Flags) Request {
	return Request{Owner: task(pid), Name: file, State: s, Flags: f, Caller: "test"}
}

func enqueue(t *testing.T, n *Node, r Request) *Holder {
	t.Helper()
	h, err := n.Enqueue(r)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// within waits for a condition that has to come true.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after 20 s", what)
		}
	}
}

func TestCompatible(t *testing.T) {
	for pair, want := range map[[2]State]bool{{SH, SH}: true, {SH, DF}: false, {SH, EX}: false, {DF, DF}: true, {DF, EX}: false,
		{EX, EX}: false, {UN, EX}: true, {UN, SH}: true} {
		if pair[0].Compatible(pair[1]) != want || pair[1].Compatible(pair[0]) != want {
			t.Errorf("%v and %v: want %v", pair[0], pair[1], want)
		}
	}
}

// TestSecondHolder asks on one node while another task holds the glock.
func TestSecondHolder(t *testing.T) {
	for _, c := range []struct {
		state  State
		flags  Flags
		second State
		flags2 Flags
		want   bool
	}{
		{SH, 0, SH, 0, true}, {SH, 0, DF, 0, false}, {SH, 0, EX, 0, false}, {DF, 0, DF, 0, true}, {DF, 0, SH, 0, false},
		{EX, 0, SH, 0, false}, {EX, 0, EX, 0, false}, {EX, NodeScope, EX, NodeScope, true}, {EX, NodeScope, EX, 0, false},
		{EX, NodeScope, SH, NodeScope, false}, {SH, 0, DF, Any, false},
	} {
		g := gomega.NewWithT(t)
		n := NewSpace().Join(Options{})
		first := enqueue(t, n, request(1, c.state, c.flags))
		g.Expect(first.Granted()).To(gomega.BeTrue())
		second := enqueue(t, n, request(2, c.second, c.flags2))
		g.Expect(second.Granted()).To(gomega.Equal(c.want), "%+v", c)
		first.Unlock()
		g.Expect(second.Granted()).To(gomega.BeTrue())
		second.Unlock()
	}
}

// TestCachedState asks when nobody holds the glock and the node has a state cached.
func TestCachedState(t *testing.T) {
	for _, c := range []struct {
		cached, want State
		flags        Flags
		after        State
	}{
		{EX, SH, 0, EX}, {EX, DF, 0, EX}, {EX, SH, Exact, SH}, {SH, EX, 0, EX}, {SH, DF, 0, DF}, {SH, DF, Any, SH}, {DF, SH, Any, DF},
	} {
		g := gomega.NewWithT(t)
		n := NewSpace().Join(Options{})
		enqueue(t, n, request(1, c.cached, 0)).Unlock()
		g.Expect(n.State(file)).To(gomega.Equal(c.cached))
		h := enqueue(t, n, request(1, c.want, c.flags))
		g.Expect(h.Granted()).To(gomega.BeTrue())
		g.Expect(n.State(file)).To(gomega.Equal(c.after), "%+v", c)
	}
}

// TestFairness: a reader does not overtake a writer that waits.
func TestFairness(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace().Join(Options{})
	reader, writer, late := enqueue(t, n, request(1, SH, 0)), enqueue(t, n, request(2, EX, 0)), enqueue(t, n, request(3, SH, 0))
	g.Expect([]bool{reader.Granted(), writer.Granted(), late.Granted()}).To(gomega.Equal([]bool{true, false, false}))
	reader.Unlock()
	g.Expect([]bool{writer.Granted(), late.Granted()}).To(gomega.Equal([]bool{true, false}))
	writer.Unlock()
	g.Expect(late.Granted()).To(gomega.BeTrue())
}

func TestTry(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace()
	a, b := s.Join(Options{}), s.Join(Options{})
	h := enqueue(t, a, request(1, EX, Try))
	_, err := a.Enqueue(request(2, SH, Try))
	g.Expect(err).To(gomega.MatchError(ErrTryFailed))
	h.Unlock()
	_, err = b.Enqueue(request(2, SH, Try))
	g.Expect(err).To(gomega.MatchError(ErrTryFailed), "the other node has it cached and is not asked")
	g.Expect(a.State(file)).To(gomega.Equal(EX))
	_, err = b.Enqueue(request(2, SH, TryOneCB))
	g.Expect(err).To(gomega.MatchError(ErrTryFailed))
	g.Expect(a.State(file)).To(gomega.Equal(SH), "the other node was asked once")
	enqueue(t, b, request(2, SH, Try)).Unlock()
}

func TestRecursion(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace().Join(Options{})
	enqueue(t, n, request(1, SH, 0))
	_, err := n.Enqueue(Request{Owner: Owner{1, "cat"}, Name: file, State: SH, Caller: "page fault"})
	_, trapped := errors.AsType[*RecursionError](err)
	g.Expect(trapped).To(gomega.BeTrue())
	g.Expect(err).To(gomega.MatchError(`task 1 [cat] asks for inode glock 2/927 SH (page fault) and has asked for it SH before (test)`))
	enqueue(t, n, request(1, SH, NoPID))
	flock := Request{Owner: task(1), Name: Name{Flock, 5}, State: SH}
	enqueue(t, n, flock)
	enqueue(t, n, flock)
	g.Expect(n.LockedBy(task(1), file)).To(gomega.BeTrue())
	g.Expect(n.LockedBy(task(2), file)).To(gomega.BeFalse())

	free := NewSpace().Join(Options{AllowRecursion: true})
	enqueue(t, free, request(1, EX, 0))
	again := enqueue(t, free, request(1, SH, 0))
	g.Expect(again.Granted()).To(gomega.BeFalse())
	g.Expect(Explain(free.space.Cycle())).To(gomega.Equal("task 1 [task] wants inode glock 2/927 SH (test), which task 1 [task] holds EX (test),\n" +
		"and so task 1 [task] waits for itself.\n"))
}

func TestNoCache(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace().Join(Options{})
	enqueue(t, n, request(1, EX, NoCache)).Unlock()
	g.Expect(n.State(file)).To(gomega.Equal(UN))
	g.Expect(n.glocks).To(gomega.BeEmpty(), "a glock that says nothing is dropped")
}

func TestCancel(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace()
	a, b := s.Join(Options{}), s.Join(Options{})
	first := enqueue(t, a, request(1, SH, 0))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := a.Lock(ctx, request(2, EX, 0))
	g.Expect(err).To(gomega.MatchError(context.Canceled))
	_, err = b.Lock(ctx, request(3, EX, 0))
	g.Expect(err).To(gomega.MatchError(context.Canceled))
	g.Expect(s.queues).To(gomega.BeEmpty())
	// Neither is in the way any more. The demote request of the second is still due.
	first.Unlock()
	g.Expect(enqueue(t, b, request(4, EX, 0)).Granted()).To(gomega.BeTrue())
}

// journal of hook calls.
type calls struct {
	mu  sync.Mutex
	all []string
}

func (c *calls) hooks(node string) Hooks {
	note := func(s string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all = append(c.all, node+" "+s)
	}
	return Hooks{Sync: func(n Name) { note("sync " + n.String()) },
		Invalidate: func(n Name, to State) { note("invalidate " + n.String() + " " + to.String()) }}
}

// TestDemotion: what one node wants makes the other one write, drop and give way.
func TestDemotion(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace()
	var c calls
	a, b := s.Join(Options{Name: "a", Hooks: c.hooks("a")}), s.Join(Options{Name: "b", Hooks: c.hooks("b")})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	lock := func(n *Node, state State) *Holder {
		h, err := n.Lock(ctx, request(1, state, 0))
		g.Expect(err).NotTo(gomega.HaveOccurred())
		return h
	}
	lock(a, EX).Unlock()
	lock(b, SH).Unlock()
	g.Expect([]State{a.State(file), b.State(file)}).To(gomega.Equal([]State{SH, SH}))
	lock(b, EX).Unlock()
	g.Expect([]State{a.State(file), b.State(file)}).To(gomega.Equal([]State{UN, EX}))
	lock(a, DF).Unlock()
	g.Expect([]State{a.State(file), b.State(file)}).To(gomega.Equal([]State{DF, DF}))
	c.mu.Lock()
	defer c.mu.Unlock()
	g.Expect(c.all).To(gomega.Equal([]string{"a sync 2/927", "a invalidate 2/927 UN", "b sync 2/927", "b invalidate 2/927 DF"}))
}

// TestDemotionWaits: a holder is not disturbed, and new requests of its node queue behind the demote.
func TestDemotionWaits(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSpace()
	a, b := s.Join(Options{}), s.Join(Options{})
	holder := enqueue(t, a, request(1, SH, 0))
	remote := enqueue(t, b, request(2, EX, 0))
	late := enqueue(t, a, request(3, SH, 0))
	g.Expect([]bool{remote.Granted(), late.Granted()}).To(gomega.Equal([]bool{false, false}))
	holder.Unlock()
	g.Expect([]bool{remote.Granted(), late.Granted()}).To(gomega.Equal([]bool{true, false}))
	remote.Unlock()
	g.Expect(late.Granted()).To(gomega.BeTrue())
}

// TestExclusion lets many tasks on three nodes read and write a counter under glocks, with hooks that take time.
func TestExclusion(t *testing.T) {
	s := NewSpace()
	var nodes []*Node
	for range 3 {
		pause := func() { time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond) }
		nodes = append(nodes, s.Join(Options{CheckOrder: true, Hooks: Hooks{Sync: func(Name) { pause() }, Invalidate: func(Name, State) { pause() }}}))
	}
	const tasks, rounds = 12, 150
	var readers, writers, direct, wrong atomic.Int32
	var total int // protected by EX
	var wg sync.WaitGroup
	var count atomic.Int32
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for i := range tasks {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			for range rounds {
				state := []State{SH, SH, DF, EX}[rnd.IntN(4)]
				flags := []Flags{0, 0, Any, Exact, NoCache, Try}[rnd.IntN(6)]
				h, err := nodes[i%len(nodes)].Lock(ctx, request(i+1, state, flags))
				if errors.Is(err, ErrTryFailed) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				group := map[State]*atomic.Int32{SH: &readers, DF: &direct, EX: &writers}[state]
				group.Add(1)
				if w := writers.Load(); w > 1 || w == 1 && readers.Load()+direct.Load() > 0 {
					wrong.Add(1)
				}
				if state == EX {
					total++
					count.Add(1)
				}
				group.Add(-1)
				h.Unlock()
			}
		})
	}
	wg.Wait()
	if wrong.Load() > 0 || total != int(count.Load()) {
		t.Errorf("%d violations, counter %d of %d", wrong.Load(), total, count.Load())
	}
	if waits := s.Waits(); len(waits) > 0 {
		t.Errorf("still waiting: %v", waits)
	}
}

func TestOrder(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace().Join(Options{CheckOrder: true})
	lock := func(pid int, name Name, f Flags) error {
		_, err := n.Enqueue(Request{Owner: task(pid), Name: name, State: EX, Flags: f})
		return err
	}
	rename := Name{NonDisk, RenameLock}
	for _, name := range []Name{rename, InodeName(9), InodeName(5), {Quota, 2}, {Quota, 3}, RgrpName(100), RgrpName(200)} {
		g.Expect(lock(1, name, 0)).To(gomega.Succeed(), "%v", name)
	}
	g.Expect(lock(2, RgrpName(300), 0)).To(gomega.Succeed())
	for _, name := range []Name{rename, InodeName(1), {Quota, 9}, RgrpName(250)} {
		err := lock(2, name, 0)
		_, wrong := errors.AsType[*OrderError](err)
		g.Expect(wrong).To(gomega.BeTrue(), "%v", name)
	}
	_, err := n.Enqueue(Request{Owner: task(2), Name: InodeName(1), State: EX, Flags: Try})
	g.Expect(err).NotTo(gomega.HaveOccurred(), "who does not wait needs no order")
}

func TestLockAll(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace().Join(Options{CheckOrder: true})
	all, err := n.LockAll(t.Context(), Request{Owner: task(1), Name: RgrpName(7), State: EX}, Request{Owner: task(1), Name: InodeName(9), State: SH},
		Request{Owner: task(1), Name: RgrpName(3), State: EX})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(all).To(gomega.HaveLen(3))
	g.Expect([]uint64{all[0].Name.Number, all[1].Name.Number, all[2].Name.Number}).To(gomega.Equal([]uint64{9, 3, 7}))
	blocked, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = n.LockAll(blocked, Request{Owner: task(2), Name: InodeName(1), State: SH}, Request{Owner: task(2), Name: RgrpName(7), State: EX})
	g.Expect(err).To(gomega.MatchError(context.Canceled))
	g.Expect(n.LockedBy(task(2), InodeName(1))).To(gomega.BeFalse(), "what was taken before the failure is given back")
}

func TestWaitEnds(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace().Join(Options{})
	first := enqueue(t, n, request(1, EX, 0))
	done := make(chan error)
	go func() {
		h, err := n.Lock(t.Context(), request(2, SH, 0))
		if err == nil {
			h.Unlock()
		}
		done <- err
	}()
	within(t, "the second task waits", func() bool { return len(n.space.Waits()) == 1 })
	first.Unlock()
	g.Expect(<-done).NotTo(gomega.HaveOccurred())
}

func TestStates(t *testing.T) {
	g := gomega.NewWithT(t)
	n := NewSpace().Join(Options{})
	_, err := n.Enqueue(request(1, UN, 0))
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("UN is no state to hold")))
	g.Expect(strings.TrimSpace(Name{Type(7), 255}.String())).To(gomega.Equal("7/ff"))
}
