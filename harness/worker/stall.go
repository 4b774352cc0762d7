package worker

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// Operations on stalls. The pages of a stall can be served from any thread, also of another process: that one borrows the userfaultfd.

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
	c.rec.owner.Store(int32(a.space))
	c.rec.fd.Store(int32(fd))
	c.rec.addr.Store(uint64(o.addr))
	c.rec.pages.Store(int32(o.length / pageSize))
	a.prog.stopper(a).add(fd, c.rec)
	return r
}

// withUffd calls f with the userfaultfd of the call's stall and the addresses of its range.
func (a *actor) withUffd(c *call, f func(fd int, addr, length uintptr) result) result {
	if c.fromPage == c.toPage {
		return result{}
	}
	fd := int(c.rec.fd.Load())
	if owner := int(c.rec.owner.Load()); owner != a.space {
		borrowed := borrow(a.table.slots[owner].pid.Load(), fd)
		if !borrowed.ok() {
			return borrowed
		}
		fd = int(borrowed.value)
		defer sys(unix.SYS_CLOSE, uintptr(fd))
	}
	a.table.release(c.rec, c.fromPage, c.toPage)
	return f(fd, uintptr(c.rec.addr.Load())+uintptr(c.fromPage)*uintptr(pageSize), uintptr(c.toPage-c.fromPage)*uintptr(pageSize))
}

// borrow gets a descriptor of another process (pidfd_getfd(2), Linux 5.6).
func borrow(pid int32, fd int) result {
	handle := sys(unix.SYS_PIDFD_OPEN, uintptr(pid), 0)
	if !handle.ok() {
		return handle
	}
	defer sys(unix.SYS_CLOSE, uintptr(handle.value))
	return sys(unix.SYS_PIDFD_GETFD, uintptr(handle.value), uintptr(fd), 0)
}

func serveOp(a *actor, c *call) result {
	return a.withUffd(c, func(fd int, addr, length uintptr) result {
		switch {
		case c.guard:
			return onRange(fd, uffdioWriteprotect, addr, length, 0)
		case c.data == nil:
			return zeroPages(fd, addr, length)
		}
		return copyPages(fd, addr, a.scratch[:length])
	})
}

func poisonOp(a *actor, c *call) result {
	return a.withUffd(c, func(fd int, addr, length uintptr) result { return onRange(fd, uffdioPoison, addr, length, 0) })
}

// unregisterOp also wakes: the kernel does that by itself for missing pages only.
func unregisterOp(a *actor, c *call) result {
	return a.withUffd(c, func(fd int, addr, length uintptr) result {
		r := onRange(fd, uffdioUnregister, addr, length, 0)
		onRange(fd, uffdioWake, addr, length, 0)
		return r
	})
}

// munmapOp wakes those who were stopped in what is gone now: the kernel lets them sleep.
func munmapOp(a *actor, c *call) result {
	rec := c.uses[0].rec
	if rec == nil {
		return sys(unix.SYS_MUNMAP, c.base(), c.length())
	}
	from := int((c.base() - c.uses[0].addr) / uintptr(pageSize))
	a.table.release(rec, from, from+int((c.length()+uintptr(pageSize)-1)/uintptr(pageSize)))
	r := sys(unix.SYS_MUNMAP, c.base(), c.length())
	onRange(int(rec.fd.Load()), uffdioWake, c.base(), c.length(), 0)
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
		r := sys(unix.SYS_EPOLL_CREATE1, unix.EPOLL_CLOEXEC)
		p.stops = &stopper{table: a.table, prog: p, space: a.space, epoll: int(r.value), open: map[int]*stallRecord{}}
		go p.stops.run()
	})
	return p.stops
}

// aTick is the tick as futex(2) takes it.
var aTick = unix.NsecToTimespec(int64(tick))

// futexWaitTick is futexWait for no longer than a tick.
func futexWaitTick(word *atomic.Uint32, value uint32) {
	sys(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWaitOp, uintptr(value), uintptr(unsafe.Pointer(&aTick)))
}
