package worker

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// Operations on stalls. The pages of a stall can be served from any thread, also of another process: see keeper.

// stallInfo is what the text says of a stall.
type stallInfo struct {
	rec   *stallRecord
	name  string
	guard bool
	pages int
}

// number gives every stall of the program, whosever it is, its record. Each process comes to the same numbers.
func (p *program) number() error {
	clear(p.stalls)
	n := 0
	for i := range p.prog.Steps {
		s := &p.prog.Steps[i]
		if prog.Ops[s.Op].Makes != prog.KindStall {
			continue
		}
		if n == maxStalls {
			return fmt.Errorf("the program has more than %d stalls", maxStalls)
		}
		info := stallInfo{rec: &p.table.stalls[n], name: s.Makes, guard: prog.IsGuard(s.Op)}
		if s.Op == "guard" {
			info.pages = int(s.Args[0].(prog.Data).Len().Pages)
		} else {
			info.pages = int(s.Args[0].(prog.Size).Pages)
		}
		if info.pages > prog.MaxStall {
			return fmt.Errorf("stall %s has %d pages, the worker has room for %d", s.Makes, info.pages, prog.MaxStall)
		}
		p.stalls[home(s)+"/"+s.Makes] = info
		n++
	}
	p.table.stallCount.Store(uint32(n))
	return nil
}

// onStall finds the stall of a step that works on one from outside: its own address space's, or the only one of that name elsewhere.
func (p *program) onStall(c *call, b prog.Buf) error {
	r := b.Ranges[0]
	info, own := p.stalls[home(c.step)+"/"+r.Of]
	for key := range p.stalls {
		if !own && p.stalls[key].name == r.Of {
			info = p.stalls[key]
		}
	}
	if info.rec == nil {
		return fmt.Errorf("%s is no stall", r.Of)
	}
	c.rec, c.guard = info.rec, info.guard
	c.fromPage, c.toPage = 0, info.pages
	if !r.Whole {
		c.fromPage, c.toPage = int(r.From.In(pageSize)/pageSize), int((r.To.In(pageSize)+pageSize-1)/pageSize)
	}
	if c.fromPage < 0 || c.toPage < c.fromPage || c.toPage > info.pages {
		return fmt.Errorf("%v: wanted pages of %s, which has %d", r, r.Of, info.pages)
	}
	return nil
}

// await waits until the stall is made, or will never be.
func (rec *stallRecord) await() uint32 {
	for rec.state.Load() == pending {
		futexWait(&rec.state, pending)
	}
	return rec.state.Load()
}

func (rec *stallRecord) settle(state uint32) {
	rec.state.Store(state)
	futexWake(&rec.state)
}

// stallOp maps memory whose pages are missing, and has faults there wait.
func stallOp(a *actor, c *call) result {
	if a.prog.demand >= 0 {
		return a.makeFileStall(c)
	}
	return a.makeStall(c, registerMissing, featureThreadID)
}

// guardOp maps memory, writes its bytes, and has writers wait.
func guardOp(a *actor, c *call) result {
	return a.makeStall(c, registerWP, featureThreadID|featureWP)
}

func (a *actor) makeStall(c *call, mode uint64, features uint64) result {
	o := c.makes
	if r := anonOp(a, c); !r.ok() {
		return r
	}
	opened := openUffd(features)
	if !opened.ok() {
		return opened
	}
	fd, length := int(opened.value), uintptr(o.length)
	r := onRange(fd, uffdioRegister, o.addr, length, mode)
	if r.ok() && mode == registerWP {
		r = onRange(fd, uffdioWriteprotect, o.addr, length, 1)
	}
	if !r.ok() {
		sys(unix.SYS_CLOSE, uintptr(fd))
		return r
	}
	c.rec.enter(a.space, false, fd, o)
	a.prog.stopper(a).add(fd, c.rec)
	return r
}

// enter notes whose stall it is and where, and how its pages are kept.
func (rec *stallRecord) enter(space int, file bool, fd int, o *object) {
	rec.owner.Store(int32(space))
	rec.file.Store(file)
	rec.fd.Store(int32(fd))
	rec.addr.Store(uint64(o.addr))
	rec.pages.Store(int32(o.length / pageSize))
}

// onPages calls f with who keeps the pages of the call's stall, which are taken for let go from now on.
func (a *actor) onPages(c *call, f func(k keeper) result) result {
	if c.fromPage == c.toPage {
		return result{}
	}
	k, r := a.keeper(c.rec)
	if !r.ok() {
		return r
	}
	defer k.close()
	a.table.release(c.rec, c.fromPage, c.toPage)
	return f(k)
}

func serveOp(a *actor, c *call) result {
	return a.onPages(c, func(k keeper) result {
		if c.guard {
			return k.(uffdKeeper).unprotect(c.fromPage, c.toPage)
		}
		if c.data == nil {
			return k.serve(c.fromPage, c.toPage, nil)
		}
		return k.serve(c.fromPage, c.toPage, a.scratch[:int64(c.toPage-c.fromPage)*pageSize])
	})
}

func poisonOp(a *actor, c *call) result {
	return a.onPages(c, func(k keeper) result { return k.poison(c.fromPage, c.toPage) })
}

func unregisterOp(a *actor, c *call) result {
	return a.onPages(c, func(k keeper) result { return k.free(c.fromPage, c.toPage) })
}

// munmapOp wakes those who were stopped in what is gone now: the kernel lets them sleep.
func munmapOp(a *actor, c *call) result {
	rec := c.uses[0].rec
	if rec == nil {
		return sys(unix.SYS_MUNMAP, c.base(), c.length())
	}
	k, r := a.keeper(rec)
	if !r.ok() {
		return r
	}
	defer k.close()
	from := int((c.base() - c.uses[0].addr) / uintptr(pageSize))
	to := from + int((c.length()+uintptr(pageSize)-1)/uintptr(pageSize))
	a.table.release(rec, from, to)
	r = sys(unix.SYS_MUNMAP, c.base(), c.length())
	k.wake(from, to)
	return r
}

// tick is how often who waits for a stop looks around.
const tick = 10 * time.Millisecond

// patienceForOthers is how long actors wait that all wait to see somebody stopped.
const patienceForOthers = 2 * time.Second

// stalledOp waits until somebody is stopped in the range, or until nobody is left who could come: then it is ESRCH.
func stalledOp(a *actor, c *call) result {
	last, since := a.table.next.Load(), monotonic()
	for {
		stops := a.table.stops.Load()
		if page := c.rec.find(c.fromPage, c.toPage, a.table.whom(c, a.prog.seq)); page >= 0 {
			return result{value: int64(page) * pageSize}
		}
		if next := a.table.next.Load(); next != last {
			last, since = next, monotonic()
		}
		late := time.Duration(monotonic()-since) > patienceForOthers
		if a.table.failing() || a.table.quiet(a.prog.seq, a.slot, waitsForActor) || late && a.table.quiet(a.prog.seq, a.slot, waitsForStop) {
			// What came between the two looks counts.
			if page := c.rec.find(c.fromPage, c.toPage, a.table.whom(c, a.prog.seq)); page >= 0 {
				return result{value: int64(page) * pageSize}
			}
			return result{errno: unix.ESRCH}
		}
		futexWaitTick(&a.table.stops, stops)
	}
}

// whom are the bits of those that a stalled step waits for.
func (t *table) whom(c *call, seq uint64) uint64 {
	if c.target == "" {
		return ^letGo
	}
	owner := int(c.rec.owner.Load())
	for i := range t.slots {
		if s := &t.slots[i]; s.seq.Load() == seq && unpackName(s.name.Load()) == c.target && i >= owner && i-owner < 62 {
			return 1 << (i - owner)
		}
	}
	return 0
}

// stopper is the thread of an address space that hears of stops there.
func (p *program) stopper(a *actor) *stopper {
	p.hearing.Do(func() {
		p.stops = newStopper(p, a.space)
		go p.stops.run()
	})
	return p.stops
}

// aTick is the tick as futex(2) takes it.
var aTick = unix.NsecToTimespec(int64(tick))

// futexWaitTick is futexWait for no longer than a tick.
func futexWaitTick(word *atomic.Uint32, value uint32) {
	sys(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWaitCommand, uintptr(value), uintptr(unsafe.Pointer(&aTick)))
}
