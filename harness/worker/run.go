package worker

import (
	"os"
	"runtime"
	"time"
)

// runner is the main thread of the child: it takes programs one after the other through set-up, steps and clean-up.
type runner struct {
	cfg   Config
	table *table
	main  *actor
	crew  crew
	// goal is the number of arrivals that opens the latest gate.
	goal uint32
}

func newRunner(cfg Config, t *table) *runner {
	r := &runner{cfg: cfg, table: t, main: newActor(t, &t.slots[0])}
	r.crew = crew{cfg: cfg, table: t, shared: os.NewFile(tableFD, "table")}
	r.main.embody()
	r.main.crew = &r.crew
	return r
}

// run does it all for one program that was loaded from text.
func (r *runner) run(p *program, text string) Report {
	start := monotonic()
	t := r.table
	t.verdict.Store(verdictOpen)
	report := Report{Seq: p.seq}
	if err := r.crew.recruit(p, text); err != nil {
		report.Broken = err.Error()
		return report
	}
	r.main.enter(p, "")
	report.Setup = r.main.around(StepSetup, r.main.setup)
	if report.Setup != nil {
		t.verdict.Store(verdictCancelled)
	}
	r.walk(p)
	r.crew.dismiss()
	report.Cleanup = r.main.around(StepCleanup, r.main.cleanup)
	report.Failure = t.readFailure()
	r.count(&report)
	report.Elapsed = time.Duration(monotonic() - start)
	return report
}

// count adds up the steps of all actors, which have been joined.
func (r *runner) count(report *Report) {
	report.Ran, report.Skipped = int(r.main.slot.ran), int(r.main.slot.skipped)
	for _, m := range r.crew.members {
		report.Ran += int(m.slot.ran)
		report.Skipped += int(m.slot.skipped)
	}
}

// around does work that is no step of the text, visibly for the watcher.
func (a *actor) around(step int, work func() *Trouble) *Trouble {
	a.begin(step)
	trouble := work()
	a.end(step, result{})
	return trouble
}

// walk goes through the steps in text order. Once the program is failing, perform skips the rest: every actor still gets all its tickets.
func (r *runner) walk(p *program) {
	for _, c := range p.calls {
		if c.actor != "" {
			r.crew.find(c.actor).queued++
			continue
		}
		if c.waits != 0 {
			r.release(false)
			r.main.perform(c)
			continue
		}
		r.release(true)
		r.main.perform(c)
	}
	r.release(false)
	r.main.slot.waits.Store(waitsForActor)
	for _, m := range r.crew.members {
		m.slot.join()
	}
	r.main.slot.waits.Store(0)
}

// waiters are the operations that only wait for others, and for what.
var waiters = map[string]uint32{"wait": waitsForActor, "proceeds": waitsForStop, "stalled": waitsForStop}

func waitOp(a *actor, c *call) result {
	a.crew.find(c.target).slot.join()
	return result{}
}

// release hands out what is queued. Those that can begin at once meet at a gate, the main thread among them if it has a step to do next.
func (r *runner) release(withMain bool) {
	meeting := uint32(0)
	for _, m := range r.crew.members {
		m.meets = m.queued > 0 && m.slot.idle()
		if m.meets {
			meeting++
		}
	}
	if withMain && meeting > 0 {
		meeting++
	}
	if meeting > 1 {
		r.goal += meeting
		r.table.spins.Store(spinsFor(meeting))
	}
	for _, m := range r.crew.members {
		if m.meets && meeting > 1 {
			m.slot.gateGoal.Store(r.goal)
			m.slot.gateAt.Store(m.slot.handed.Load())
		}
		if m.queued > 0 {
			m.slot.hand(m.queued)
			m.queued = 0
		}
	}
	if withMain && meeting > 1 {
		r.table.gate(r.goal)
	}
}

func spinsFor(actors uint32) uint32 {
	if int(actors) > runtime.NumCPU() {
		return spinsCrowded
	}
	return spinsRoomy
}
