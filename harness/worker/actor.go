package worker

import (
	"runtime"
	"runtime/debug"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"faultline/harness/uring"
)

// actor performs steps on a thread of its own: the main thread, a thread of a pool, or an actor process.
type actor struct {
	table *table
	slot  *slot
	// space is the slot of the actor's process, 0 for the child and its threads.
	space int
	prog  *program
	// begun counts the steps begun; it tells states of the slot apart.
	begun uint32
	// next is the ticket to do next.
	next uint32
	// steps are the actor's own steps of the program, first the ticket of steps[0]. The main thread writes them before it hands out first.
	steps []*call
	first uint32

	// crew is set for the main thread, which waits for the others.
	crew *crew

	scratch []byte
	page    []byte
	stat    unix.Statx_t
	ring    *uring.Ring
	aio     *aio
	// dirents are buffers for reading directories, one for each depth.
	dirents [][]byte
	depth   int
}

func newActor(t *table, slot *slot) *actor {
	return &actor{table: t, slot: slot, page: make([]byte, pageSize)}
}

// serve is the body of a thread of the pool.
func (a *actor) serve() {
	a.embody()
	for {
		a.await()
		a.perform(a.steps[a.next-a.first])
		a.finish()
	}
}

// embody makes the calling goroutine the actor's body.
func (a *actor) embody() {
	runtime.LockOSThread()
	debug.SetPanicOnFault(true)
	a.slot.pid.Store(int32(unix.Getpid()))
	a.slot.tid.Store(int32(unix.Gettid()))
}

// enter tells the actor, while it is idle, which program comes next and who it is there.
func (a *actor) enter(p *program, name string) {
	a.prog = p
	a.slot.name.Store(packName(name))
	a.slot.seq.Store(p.seq)
	a.slot.ran, a.slot.skipped = 0, 0
}

// collectSteps finds the actor's own steps.
func (a *actor) collectSteps(name string) {
	a.steps = a.steps[:0]
	for _, c := range a.prog.calls {
		if c.run != nil && c.actor == name {
			a.steps = append(a.steps, c)
		}
	}
}

// perform does one step, unless the program is over or the step lacks something it names.
func (a *actor) perform(c *call) {
	if !c.ready(a.table) {
		c.settle(failed)
		if !a.table.failing() {
			a.slot.skipped++
		}
		return
	}
	a.prepare(c)
	r := a.do(c)
	a.slot.ran++
	c.settle(outcome(r))
	if f := judge(c, r); f != nil {
		a.table.fail(f)
	}
}

// do makes the call. One that only waits for others is in the history but not shown as running: who is stuck is who it waits for.
func (a *actor) do(c *call) result {
	if c.waits == 0 {
		a.begin(c.index)
		r := c.run(a, c)
		a.end(c.index, r)
		return r
	}
	a.table.log(a.slot, c.index, eventBegin, monotonic(), result{})
	a.slot.waits.Store(c.waits)
	r := c.run(a, c)
	a.slot.waits.Store(0)
	a.table.log(a.slot, c.index, eventEnd, monotonic(), r)
	return r
}

func outcome(r result) uint32 {
	if r.ok() {
		return made
	}
	return failed
}

// settle says what became of the thing that the call makes.
func (c *call) settle(state uint32) {
	if c.makes != nil {
		if c.makes.rec != nil {
			c.makes.rec.settle(state)
		}
		c.makes.state.Store(state)
		if c.makes.awaited.Load() != 0 {
			futexWake(&c.makes.state)
		}
	}
}

// ready reports whether all that the call names was made. It waits for what another actor has yet to make.
func (c *call) ready(t *table) bool {
	for _, o := range c.uses {
		if o.await() != made {
			return false
		}
	}
	if c.rec != nil && c.makes == nil && c.rec.await() != made {
		return false
	}
	return !t.failing()
}

// await waits until the object is made, or will never be.
func (o *object) await() uint32 {
	if state := o.state.Load(); state != pending {
		return state
	}
	o.awaited.Store(1)
	for o.state.Load() == pending {
		futexWait(&o.state, pending)
	}
	return o.state.Load()
}

// prepare gets the memory of our own ready that a step needs, so that the step itself touches the program's memory only.
func (a *actor) prepare(c *call) {
	if c.stores {
		switch {
		case c.record != nil:
			a.encodeAt(c)
			return
		case c.step.Op == "put_path":
			a.encodePath(c)
			return
		}
		n := c.data.Len().In(pageSize)
		a.reserve(int(n))
		c.data.Bytes(a.scratch[:n], pageSize)
	}
}

// reserve makes the scratch at least n bytes large and touches it.
func (a *actor) reserve(n int) {
	if len(a.scratch) < n {
		a.scratch = make([]byte, n+n/2)
		clear(a.scratch)
	}
}

// begin notes that the thread is about to do a step: two stores tell the watcher, the rest is history.
func (a *actor) begin(step int) {
	now := monotonic()
	a.begun++
	a.slot.began.Store(now)
	a.slot.state.Store(packState(a.begun, step, true))
	a.table.log(a.slot, step, eventBegin, now, result{})
}

func (a *actor) end(step int, r result) {
	a.slot.state.Store(packState(a.begun, step, false))
	kind := eventEnd
	if r.wrong != nil {
		kind |= eventWrong
	}
	a.table.log(a.slot, step, kind, monotonic(), r)
}

// processStart and processClock are the same moment, in Go's time and as CLOCK_MONOTONIC. So monotonic costs no system call where the kernel has a vDSO.
var (
	processStart = time.Now()
	processClock = clockNow()
)

// monotonic is CLOCK_MONOTONIC in ns: the same clock in every process.
func monotonic() int64 { return processClock + int64(time.Since(processStart)) }

func clockNow() int64 {
	var ts unix.Timespec
	// The only errors are an unknown clock and a bad address.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// address is that of the first byte. See sys for what it may be used for.
func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
