package worker

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Tickets: the main thread hands tickets to an actor, which does them in order. For a thread a ticket is a step; for a process there are two
// more, see process.go. handed and done only ever grow, so an actor that is late cannot mistake an old order for a new one.

// hand gives n tickets and wakes the actor.
func (s *slot) hand(n uint32) {
	s.handed.Add(n)
	futexWake(&s.handed)
}

// idle reports whether everything that was handed is done.
func (s *slot) idle() bool { return s.done.Load() == s.handed.Load() }

// await waits for the actor's next ticket, then passes the gate if the ticket says so.
func (a *actor) await() {
	s := a.slot
	for s.handed.Load() == a.next {
		futexWait(&s.handed, a.next)
	}
	if s.gateAt.Load() == a.next {
		a.table.gate(s.gateGoal.Load())
	}
}

// finish marks the ticket as done.
func (a *actor) finish() {
	a.next++
	a.slot.done.Store(a.next)
	if a.slot.waiting.Load() != 0 {
		futexWake(&a.slot.done)
	}
}

// join waits until the actor has done all that was handed to it.
func (s *slot) join() {
	s.waiting.Store(1)
	for {
		n := s.done.Load()
		if n == s.handed.Load() {
			break
		}
		futexWait(&s.done, n)
	}
	s.waiting.Store(0)
}

// gate lets nobody pass until the number of arrivals reaches the goal. Who waits spins: the last one to come opens the gate, and all who have a
// processor at that moment leave within a fraction of a microsecond. A sleeper would be late, and so would one who lets others have its processor; that is
// done only after a while, sooner if there are more actors at the gate than processors.
func (t *table) gate(goal uint32) {
	n := t.arrived.Add(1)
	patience := t.spins.Load()
	for spins := uint32(1); int32(n-goal) < 0; spins++ {
		if spins%patience == 0 {
			sys(unix.SYS_SCHED_YIELD)
		}
		n = t.arrived.Load()
	}
}

// How often the count of arrivals is looked at before the processor is given away: some 20 microseconds, or a millisecond.
const (
	spinsCrowded = 20_000
	spinsRoomy   = 1_000_000
)

// futexWait sleeps while the word has the value. The word is in shared memory, so the wait works between processes.
func futexWait(word *atomic.Uint32, value uint32) {
	sys(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWaitCommand, uintptr(value), 0)
}

func futexWake(word *atomic.Uint32) {
	const all = 1 << 30
	sys(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWakeCommand, all)
}

// FUTEX_WAIT and FUTEX_WAKE of futex(2), between processes.
const (
	futexWaitCommand = 0
	futexWakeCommand = 1
)
