package worker

import (
	"sort"
	"time"

	"faultline/generators/prog"
)

// Live is a step that is being done right now, read from outside.
type Live struct {
	// Actor is "" for the main thread.
	Actor    string
	PID, TID int
	Seq      uint64
	// Step counts from 0; StepSetup and StepCleanup are no steps of the text.
	Step  int
	Began time.Time
	// Stopped says that the step is stopped on a stall: it cannot end before the program serves it. Since is when it began, or was last let go.
	Stopped bool
	Since   time.Time
	// Finished counts the steps that this thread has done in its life, modulo 2^32: while it changes there is progress.
	Finished uint64
}

// Live lists the steps in progress, the main thread's first. Waiting for an actor is no step in progress: the actor's is. It works while the
// child hangs and after its death, when it tells what the child was doing.
func (p *Proc) Live() []Live {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.table == nil {
		return nil
	}
	return p.table.live()
}

func (t *table) live() []Live {
	var all []Live
	for i := range t.slots {
		if l, running := t.slots[i].live(); running {
			l.Stopped = t.isStopped(i)
			all = append(all, l)
		}
	}
	return all
}

// live reads a slot until all fields are of one step.
func (s *slot) live() (Live, bool) {
	for {
		state := s.state.Load()
		begun, step, running := unpackState(state)
		l := Live{
			Actor: unpackName(s.name.Load()), PID: int(s.pid.Load()), TID: int(s.tid.Load()), Seq: s.seq.Load(), Step: step,
			Began: moment(s.began.Load()), Finished: uint64(begun),
		}
		l.Since = l.Began
		if resumed := moment(s.resumed.Load()); resumed.After(l.Since) {
			l.Since = resumed
		}
		if running {
			l.Finished--
		}
		if s.state.Load() == state {
			return l, running
		}
	}
}

// moment is a CLOCK_MONOTONIC time as Go's.
func moment(clock int64) time.Time {
	return processStart.Add(time.Duration(clock - processClock))
}

// Finished counts what all threads of the child have begun and ended in their lives, steps that only wait for others included: while it changes, somebody makes progress.
func (p *Proc) Finished() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var n uint64
	if p.table != nil {
		n = p.table.next.Load()
		for i := range p.table.slots {
			l, _ := p.table.slots[i].live()
			n += l.Finished
		}
	}
	return n
}

// FailureSoFar is the failure of the program that is running, or was when the child died. It is how a wrong step is still told if the program hangs
// after it; otherwise it is in the report.
func (p *Proc) FailureSoFar() *Failure {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.table == nil {
		return nil
	}
	return p.table.readFailure()
}

// PIDs lists the child and its actor processes.
func (p *Proc) PIDs() []int {
	pids := []int{p.PID()}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.table == nil {
		return pids
	}
	for i := 1 + MaxActors; i < slotCount; i++ {
		if pid := p.table.slots[i].pid.Load(); pid != 0 {
			pids = append(pids, int(pid))
		}
	}
	return pids
}

// Event is one line of a program's history: a step began or ended.
type Event struct {
	Time  time.Time
	Actor string
	// Step counts from 0, or is StepSetup or StepCleanup.
	Step int
	// End tells the end of the step from its beginning. Result belongs to an end, and Wrong says that a check found wrong data.
	End    bool
	Result prog.Result
	Wrong  bool
}

// Events is the history of a program, oldest first, as far as it is among the last thousand events of the child. It survives the child.
func (p *Proc) Events(seq uint64) []Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.table == nil {
		return nil
	}
	return p.table.history(seq)
}

func (t *table) history(seq uint64) []Event {
	type numbered struct {
		number uint64
		event  Event
	}
	var found []numbered
	for i := range t.events {
		e := &t.events[i]
		number := e.number.Load()
		event := e.public()
		mine := e.seq == seq
		// Add(0) is a load that waits for the loads before it.
		if mine && number != 0 && e.number.Add(0) == number {
			found = append(found, numbered{number, event})
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].number < found[j].number })
	events := make([]Event, len(found))
	for i := range found {
		events[i] = found[i].event
	}
	return events
}

func (e *event) public() Event {
	return Event{
		Time: moment(e.time), Actor: unpackName(e.name), Step: int(e.step), End: e.kind&eventEnd != 0, Wrong: e.kind&eventWrong != 0,
		Result: prog.Result{Value: e.value, Err: codeName(e.code)},
	}
}

// Begun is the number of the program that the child has begun last, 0 if it has begun none.
func (p *Proc) Begun() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.table == nil {
		return 0
	}
	return p.table.slots[0].seq.Load()
}
