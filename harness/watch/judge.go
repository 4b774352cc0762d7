package watch

import (
	"fmt"
	"time"
)

const (
	// limitFactor is the hard limit in deadlines.
	limitFactor = 10
	// manyEvents is the number of voluntary switches or faults that one step cannot need: a livelock that sleeps. It is asked at the hard limit, and
	// ten times as many from livelockFactor deadlines on.
	manyEvents     = 10_000
	livelockFactor = 2
	// pauses is after how many interruptions a machine is not suspended now and then, but slow: the gaps count.
	pauses = 10
	// awakeRate is the context switches per second above which a sleeping server is said to be awake. A runtime's
	// housekeeping (Go, glib) stays below it.
	awakeRate = 20
	// diskShare is the part of the time in which a disk must have been busy to be taken for still working.
	diskShare = 0.25
)

// Rules are the times of one step. Only Deadline must be given.
type Rules struct {
	Deadline time.Duration // wall time the step may take before anyone asks
	Confirm  time.Duration // shortest time between the samples of a verdict; 1 s
	Interval time.Duration // how often the caller takes a sample; Confirm/5
	Limit    time.Duration // hard limit, after which there is always an answer; 10 × Deadline
}

func (r Rules) withDefaults() Rules {
	if r.Confirm == 0 {
		r.Confirm = time.Second
	}
	if r.Interval == 0 {
		r.Interval = r.Confirm / 5
	}
	if r.Limit == 0 {
		r.Limit = limitFactor * r.Deadline
	}
	return r
}

// Judge decides about one step of one thread. It does nothing but look at samples; it is not safe for concurrent use.
type Judge struct {
	rules Rules
	tid   int
	began time.Time

	lost   time.Duration // time that does not count: gaps in which this machine was suspended
	gaps   int           // how many there were
	pause  interruption  // the last time in which nothing could be seen
	last   Sample        // the sample before this one, zero at first
	first  *Sample       // the first sample after the deadline
	window []Sample      // all samples since then, oldest first; the hard limit bounds their number
	steady int           // index in window of the first one since the last interruption
}

// interruption is a time in which nothing could be proved: no samples came, or somebody was stopped.
type interruption struct {
	number      int // from 1 on
	began, last time.Time
	now         bool // it goes on
}

// note takes one more sample.
func (i *interruption) note(at time.Time, interrupted bool) {
	switch {
	case interrupted && !i.now:
		*i = interruption{number: i.number + 1, began: at, last: at, now: true}
	case interrupted:
		i.last = at
	default:
		i.now = false
	}
}

// NewJudge starts the watch over the thread tid, which began its step at began.
func NewJudge(rules Rules, tid int, began time.Time) *Judge {
	return &Judge{rules: rules.withDefaults(), tid: tid, began: began}
}

// Rules returns the rules with the defaults filled in.
func (j *Judge) Rules() Rules { return j.rules }

// Observe judges one more sample. Samples must come in order, about every Interval. Samples taken before the deadline
// are allowed and prove nothing.
func (j *Judge) Observe(s Sample) Motion {
	interrupted := j.tick(s)
	j.pause.note(s.At, interrupted != "")
	m := Motion{Kind: Slow, Elapsed: s.At.Sub(j.began) - j.lost, Servers: s.Servers}
	task, found := s.Process.Task(j.tid)
	m.Task = task
	switch {
	case s.Problem != "":
		return j.undecided(m, s.Problem)
	case !found, task.Dead(), j.replaced(task):
		m.Kind, m.Why = Gone, "the thread has ended"
		return m
	case m.Elapsed < j.rules.Deadline:
		m.Why = "not overdue yet"
		return m
	case !task.counted():
		return j.undecided(m, fmt.Sprintf("its counters cannot be read: %v", task.Missing))
	}
	if j.first == nil {
		j.first = &s
	}
	j.window = append(j.window, s)
	if interrupted != "" {
		j.steady = len(j.window)
	}
	return j.decide(m, interrupted)
}

// tick keeps the clock, and says why the confirmation must start again, if it must.
func (j *Judge) tick(s Sample) string {
	before := j.last
	j.last = s
	if before.At.IsZero() {
		return suspension(s)
	}
	// The monotonic clock stands still while a machine sleeps and the wall clock does not; in a paused guest it may be
	// the other way round. Round drops the monotonic reading.
	monotonic, wall := s.At.Sub(before.At), s.At.Round(0).Sub(before.At.Round(0))
	gap := max(monotonic, wall)
	// Whoever waited for an answer was not suspended.
	if gap-before.Took-s.Took > 4*j.rules.Interval+time.Second {
		if j.gaps++; j.gaps <= pauses {
			j.lost += max(0, monotonic-j.rules.Interval)
		}
		return fmt.Sprintf("no sample for %s: this machine was suspended or starved", seconds(gap))
	}
	return suspension(s)
}

// suspension says which process is not allowed to run, if one is.
func suspension(s Sample) string {
	if s.Process.suspended() {
		return "the process is stopped or frozen"
	}
	for _, server := range s.Servers {
		if server.suspended() {
			return fmt.Sprintf("the server, process %d, is stopped or frozen", server.PID)
		}
	}
	return ""
}

// replaced reports that the thread id now names another thread.
func (j *Judge) replaced(t Task) bool {
	if j.first == nil || !t.counted() {
		return false
	}
	known, _ := j.first.Process.Task(j.tid)
	return known.Start != t.Start
}

// confirm is the shortest time of a verdict, now. When more threads want to run than there are CPUs, whoever should wake
// our thread (a kernel thread nobody told us about) gets that much less of a CPU, and we wait that much longer.
func (j *Judge) confirm() time.Duration {
	load := j.window[len(j.window)-1].Load
	return time.Duration(float64(j.rules.Confirm) * max(1, load))
}

// overLimit reports that there must be an answer now. A machine that stretches the confirmation stretches the limit.
func (j *Judge) overLimit(elapsed time.Duration) bool {
	limit := j.rules.Limit
	if len(j.window) > 0 {
		limit = max(limit, j.rules.Deadline+2*j.confirm())
	}
	return elapsed >= limit && !j.recovering()
}

// recovering reports that there was an interruption not long ago, and so no time for a whole confirmation: what hung before a server was stopped hangs after it. Whoever
// is interrupted for too long, or again and again, is not waited for.
func (j *Judge) recovering() bool {
	i := j.pause
	if i.number == 0 || i.number > pauses || len(j.window) == 0 {
		return false
	}
	now := j.last.At
	return now.Sub(i.last) < 2*j.confirm() && (!i.now || now.Sub(i.began) < j.rules.Limit)
}

// undecided keeps waiting, up to the hard limit.
func (j *Judge) undecided(m Motion, why string) Motion {
	m.Kind, m.Why, m.Exhausted = Slow, why, j.overLimit(m.Elapsed)
	return m
}

// decide judges the latest samples that span the confirmation. What a thread has done since the deadline is proof without it.
func (j *Judge) decide(m Motion, interrupted string) Motion {
	w := j.view()
	m.Window, m.Common = w.span, w.common()
	late := j.overLimit(m.Elapsed)
	events := w.thread.sinceFirst.events()
	if events > 10*manyEvents && m.Elapsed >= livelockFactor*j.rules.Deadline || events > manyEvents && late {
		m.Kind, m.Livelock = Spinning, true
		m.Why = fmt.Sprintf("%d voluntary context switches and %d page faults in this one step", w.thread.sinceFirst.voluntary, w.thread.sinceFirst.faults)
		return m
	}
	if interrupted == "" && w.span < j.confirm() {
		interrupted = fmt.Sprintf("watched for %s so far", seconds(w.span))
	}
	if interrupted != "" {
		if why, spins := w.spins(w.thread.sinceFirst, w.sinceFirst, j.rules.Deadline); spins && late {
			m.Kind, m.Why = Spinning, why
			return m
		}
		return j.undecided(m, interrupted)
	}
	if why, spins := w.spins(w.thread.inWindow, w.span, j.rules.Deadline); spins {
		m.Kind, m.Why = Spinning, why
		return m
	}
	if w.still {
		return j.still(m, w)
	}
	return j.undecided(m, "it moves: "+w.thread.inWindow.String())
}

// still decides about a thread that has not moved in the whole window.
func (j *Judge) still(m Motion, w view) Motion {
	for _, server := range w.servers {
		if why, spins := server.spins(w.span, j.rules.Deadline); spins {
			m.Kind, m.Server, m.Why = Spinning, server.id, why
			return m
		}
	}
	late := j.overLimit(m.Elapsed)
	for _, server := range w.servers {
		busy, starved := server.busy(w.span)
		if starved && (!late || server.inWindow.longest >= w.span/2) {
			return j.undecided(m, fmt.Sprintf("its server, process %d, gets no CPU: %s", server.id, server.inWindow))
		}
		if !busy {
			continue
		}
		m.Although = fmt.Sprintf("its server, process %d, is awake: %s", server.id, server.inWindow)
		if !late {
			return j.undecided(m, m.Although)
		}
	}
	if disk := w.workingDisk(); disk != "" {
		m.Although = "disk " + disk + " has requests in flight"
		if !late {
			return j.undecided(m, m.Although)
		}
	}
	m.Kind = Blocked
	m.Why = fmt.Sprintf("not one context switch, page fault or tick of CPU time in %s", seconds(w.span))
	return m
}
