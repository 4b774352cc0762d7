package worker

import (
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stopper hears, in a thread of its own, who is stopped on the stalls of its address space. When the program is over or has failed it lets all go.
type stopper struct {
	table *table
	prog  *program
	// space is the slot of the process, 0 for the child.
	space, epoll int

	mu    sync.Mutex
	open  map[int]*stallRecord    // by userfaultfd
	files map[uint32]*stallRecord // by number, in package demand
	// made is how many files there were, orders the descriptor that takes orders for them, bell what ends a poll: an eventfd.
	made   uint32
	orders int
	bell   int
	// events is the count of the program's events when everybody was found stopped or waiting; 0 if somebody was not.
	events uint64

	// What the kernel is given addresses of lies here: stacks move.
	event unix.EpollEvent
	ready [maxStalls]unix.EpollEvent
	msg   uffdMsg
	rung  uint64
}

func newStopper(p *program, space int) *stopper {
	epoll := sys(unix.SYS_EPOLL_CREATE1, unix.EPOLL_CLOEXEC)
	return &stopper{table: p.table, prog: p, space: space, epoll: int(epoll.value), open: map[int]*stallRecord{}, files: map[uint32]*stallRecord{}, orders: -1}
}

// add begins to listen.
func (w *stopper) add(fd int, rec *stallRecord) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[fd] = rec
	w.watch(fd)
}

func (w *stopper) watch(fd int) {
	w.event = unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	sys(unix.SYS_EPOLL_CTL, uintptr(w.epoll), unix.EPOLL_CTL_ADD, uintptr(fd), uintptr(unsafe.Pointer(&w.event)))
}

// close lets everybody go: without their userfaultfd stalls are ordinary memory.
func (w *stopper) close() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closeAll()
}

func (w *stopper) closeAll() {
	for fd, rec := range w.open {
		w.table.release(rec, 0, int(rec.pages.Load()))
		sys(unix.SYS_CLOSE, uintptr(fd))
	}
	clear(w.open)
	for number, rec := range w.files {
		w.table.release(rec, 0, int(rec.pages.Load()))
		fileKeeper{orders: w.orders, file: number}.free(0, int(rec.pages.Load()))
	}
	clear(w.files)
	w.events = 0
}

// run listens for ever. While somebody is stopped it also looks now and then whether the program goes on.
func (w *stopper) run() {
	timeout := -1
	for {
		w.poll(timeout)
		w.mu.Lock()
		// A descriptor that was closed since the first call is not in the second one's answer.
		for _, e := range w.poll(0) {
			if rec := w.open[int(e.Fd)]; rec != nil {
				w.read(int(e.Fd), rec)
			} else if int(e.Fd) == w.bell {
				sys(unix.SYS_READ, uintptr(w.bell), uintptr(unsafe.Pointer(&w.rung)), unsafe.Sizeof(w.rung))
			}
		}
		timeout = -1
		if w.anyStopped() {
			timeout = int(tick.Milliseconds())
			w.goesOn()
		}
		w.mu.Unlock()
	}
}

func (w *stopper) poll(timeout int) []unix.EpollEvent {
	r := sys(unix.SYS_EPOLL_PWAIT, uintptr(w.epoll), uintptr(unsafe.Pointer(&w.ready)), maxStalls, uintptr(timeout), 0, 0)
	if !r.ok() {
		return nil
	}
	return w.ready[:r.value]
}

// read takes the stall's events.
func (w *stopper) read(fd int, rec *stallRecord) {
	msg := &w.msg
	for {
		r := sys(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(msg)), unsafe.Sizeof(*msg))
		if !r.ok() || r.value < int64(unsafe.Sizeof(*msg)) {
			return
		}
		if msg.event != eventPagefault {
			continue
		}
		addr := uintptr(msg.address) &^ uintptr(pageSize-1)
		page := int((addr - uintptr(rec.addr.Load())) / uintptr(pageSize))
		if page >= 0 && page < int(rec.pages.Load()) && !w.table.stop(rec, page, w.who(int32(msg.tid), rec)) {
			onRange(fd, uffdioWake, addr, uintptr(pageSize), 0)
		}
	}
}

// who are the bits of the actor with the thread. A fault may be taken for an actor by another thread: a worker of io_uring, the server of a file system. Then it is who
// does a step with the stall in it.
func (w *stopper) who(tid int32, rec *stallRecord) (bits uint64) {
	for i := w.space; i < slotCount && i-w.space <= MaxActors; i++ {
		s := &w.table.slots[i]
		if s.pid.Load() != int32(unix.Getpid()) {
			continue
		}
		if s.tid.Load() == tid {
			return 1 << (i - w.space)
		}
		if _, step, running := unpackState(s.state.Load()); running && s.seq.Load() == w.prog.seq && w.prog.touches(step, rec) {
			bits |= 1 << (i - w.space)
		}
	}
	if bits == 0 {
		return stranger
	}
	return bits
}

// touches reports whether the step has the stall among its arguments.
func (p *program) touches(step int, rec *stallRecord) bool {
	if step < 0 || step >= len(p.calls) {
		return false
	}
	for _, o := range p.calls[step].uses {
		if o.rec == rec {
			return true
		}
	}
	return false
}

func (w *stopper) anyStopped() bool {
	for _, rec := range w.open {
		if rec.stopsAnyone() {
			return true
		}
	}
	for _, rec := range w.files {
		if rec.stopsAnyone() {
			return true
		}
	}
	return false
}

// goesOn lets all go when the program has failed. It fails a program in which everybody is stopped or waits for those who are: nobody would ever serve them.
func (w *stopper) goesOn() {
	if w.table.failing() {
		w.closeAll()
		return
	}
	if !w.table.quiet(w.prog.seq, nil, waitsForActor) {
		w.events = 0
		return
	}
	if now := w.table.next.Load(); w.events != now {
		w.events = now
		return
	}
	for i := range w.table.slots {
		s := &w.table.slots[i]
		if s.seq.Load() != w.prog.seq || !w.table.isStopped(i) {
			continue
		}
		_, step, _ := unpackState(s.state.Load())
		name := unpackName(s.name.Load())
		w.table.fail(&Failure{Step: max(step, 0), Actor: name, Broken: true, Text: fmt.Sprintf("%s is stopped on a stall, and nobody is left to serve it", name)})
		return
	}
}

// clean ends what the program has left in this address space.
func (p *program) clean() {
	p.stops.close()
	p.space.clean()
}
