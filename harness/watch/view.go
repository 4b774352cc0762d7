package watch

import (
	"fmt"
	"sort"
	"time"
)

// view is a window of samples, reduced to what the rules ask about.
type view struct {
	span       time.Duration
	sinceFirst time.Duration // since the first sample after the deadline
	still      bool          // the thread has not moved
	thread     activity
	servers    []activity
	stacks     [][]string
	oldest     Sample
	newest     Sample
}

// activity is what a thread, or all threads of a process, did.
type activity struct {
	id         int // thread or process
	inWindow   work
	sinceFirst work // since the first sample after the deadline
}

// work is a difference of counters.
type work struct {
	ran, waited, user, system   time.Duration
	longest                     time.Duration // that one thread has waited for a CPU
	voluntary, switches, faults uint64
	// inKernel says that it was always seen in the kernel: User Mode Linux books the kernel's time as the user's.
	inKernel bool
}

func (w work) String() string {
	return fmt.Sprintf("%d context switches, %d page faults, %s of CPU time, %s waiting for a CPU",
		w.switches, w.faults, seconds(w.ran), seconds(w.waited))
}

func (w *work) add(now, before Task) {
	w.ran += now.CPU() - before.CPU()
	w.waited += now.Waited - before.Waited
	w.longest = max(w.longest, now.Waited-before.Waited)
	w.user += now.Utime - before.Utime
	w.system += now.Stime - before.Stime
	w.voluntary += now.Voluntary - before.Voluntary
	w.switches += now.Switches() - before.Switches()
	w.faults += now.Faults() - before.Faults()
}

// events are what a livelock that sleeps in between makes without end.
func (w work) events() uint64 { return max(w.voluntary, w.faults) }

// fewStacks is how many stacks at least are compared to find what they have in common, from before an interruption if need be.
const fewStacks = 5

// view reduces the shortest run of the latest samples that spans the confirmation, or all since the last interruption if they do not. The thread is
// known to be in every one of them.
func (j *Judge) view() view {
	last := len(j.window) - 1
	from, newest, need := min(j.steady, last), j.window[last], j.confirm()
	for from < last && newest.At.Sub(j.window[from+1].At) >= need {
		from++
	}
	window := j.window[from:]
	oldest := window[0]
	w := view{span: newest.At.Sub(oldest.At), sinceFirst: newest.At.Sub(j.first.At), oldest: oldest, newest: newest}
	first, _ := j.first.Process.Task(j.tid)
	before, _ := oldest.Process.Task(j.tid)
	now, _ := newest.Process.Task(j.tid)
	w.still = len(window) > 1 && now.still(before)
	w.thread.id = j.tid
	w.thread.inWindow.add(now, before)
	w.thread.sinceFirst.add(now, first)
	for _, server := range newest.Servers {
		w.servers = append(w.servers, activity{
			id:         server.PID,
			inWindow:   difference(server, oldest.server(server.PID)),
			sinceFirst: difference(server, j.first.server(server.PID)),
		})
	}
	for _, s := range j.window[max(0, min(from, last+1-fewStacks)):] {
		t, _ := s.Process.Task(j.tid)
		if len(t.KernelStack) > 0 {
			w.stacks = append(w.stacks, t.KernelStack)
		}
	}
	return w
}

// difference sums over the threads of a process. A thread that started in between counts from zero; what an ended one
// did is lost.
func difference(now, before Snapshot) work {
	var w work
	for _, t := range now.Tasks {
		earlier, known := before.Task(t.TID)
		if !known || earlier.Start != t.Start {
			earlier = Task{}
		}
		w.add(t, earlier)
	}
	return w
}

// spins applies the rule for spinning to what the thread did in a span of time.
func (w view) spins(did work, span, deadline time.Duration) (string, bool) {
	did.inKernel = Signature(w.common()) != ""
	return activity{inWindow: did, sinceFirst: w.thread.sinceFirst}.spins(span, deadline)
}

// spins applies the rule for spinning: at least half of the CPU time to be had in the window, and as much CPU time since
// the deadline as the deadline allowed in wall time.
func (a activity) spins(span, deadline time.Duration) (string, bool) {
	available := max(0, span-a.inWindow.waited)
	if a.inWindow.ran < available/2 || a.sinceFirst.ran < deadline {
		return "", false
	}
	where := "in user space"
	if a.inWindow.inKernel || a.inWindow.system > a.inWindow.user {
		where = "in the kernel"
	}
	why := fmt.Sprintf("%s of CPU time in %s, mostly %s", seconds(a.inWindow.ran), seconds(span), where)
	if a.inWindow.events() > manyEvents/10 {
		why += fmt.Sprintf(", with %d page faults and %d voluntary context switches", a.inWindow.faults, a.inWindow.voluntary)
	}
	return why, true
}

// busy reports a server that is not at rest, and whether it is one that wants to run and cannot.
func (a activity) busy(span time.Duration) (busy, starved bool) {
	starved = a.inWindow.waited >= span/2
	rate := float64(a.inWindow.switches) / span.Seconds()
	return starved || rate >= awakeRate || a.inWindow.ran >= span/10, starved
}

// workingDisk names a block device that has work, which our thread may be waiting for: requests are in flight all the time
// (a slow disk may need longer than the window for one), or some were completed and it was busy for a good part of the
// window. A device that now and then writes a log is not working.
func (w view) workingDisk() string {
	var names []string
	for name, now := range w.newest.Disks {
		before := w.oldest.Disks[name]
		share := float64(now.Busy-before.Busy) / float64(w.span)
		if now.InFlight > 0 && before.InFlight > 0 || now.Completed != before.Completed && share >= diskShare {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	sort.Strings(names)
	return names[0]
}

// common keeps the frames at the outer end of the stack that all samples share.
func (w view) common() []string {
	if len(w.stacks) == 0 {
		return nil
	}
	shared := w.stacks[0]
	for _, stack := range w.stacks[1:] {
		n := 0
		for n < min(len(shared), len(stack)) && frameName(shared[len(shared)-1-n]) == frameName(stack[len(stack)-1-n]) {
			n++
		}
		shared = shared[len(shared)-n:]
	}
	return shared
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
