package harness

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"faultline/harness/machine"
	"faultline/harness/target"
	"faultline/harness/watch"
	"faultline/harness/worker"
	"faultline/results"
)

// lookEvery is how often the shared memory of the worker is looked at, and askEvery how often a guest is asked for a sample: it takes the guest some milliseconds, in
// which it does nothing else.
const (
	lookEvery = 50 * time.Millisecond
	askEvery  = 250 * time.Millisecond
)

// watched is one step of one thread that has been running for too long.
type watched struct {
	tid  int
	seq  uint64
	step int
}

// look finds steps past their deadline and has the watcher judge them.
func (r *Runner) look(ctx context.Context) error {
	if r.proc == nil || len(r.flight) == 0 {
		return nil
	}
	acting := false // a thread that lives is at a step
	var overdue []worker.Live
	for _, l := range r.proc.Live() {
		if l.Stopped {
			// Stopped in the middle of a call by the program itself. Who waits for it is another matter.
			delete(r.watchers, watched{l.TID, l.Seq, l.Step})
			continue
		}
		if time.Since(l.Since) > r.deadline() {
			overdue = append(overdue, l)
		} else {
			acting = true
		}
	}
	if len(overdue) > 0 {
		if r.disposable() && time.Since(r.asked) < askEvery {
			return nil
		}
		r.asked = time.Now()
	}
	samples := map[int]watch.Sample{}
	for _, l := range overdue {
		if _, taken := samples[l.PID]; !taken {
			samples[l.PID] = r.on.Sample(r.subject(l.PID))
		}
		key := watched{l.TID, l.Seq, l.Step}
		judge := r.watchers[key]
		if judge == nil {
			judge = watch.NewJudge(watch.Rules{Deadline: r.deadline(), Confirm: r.confirm()}, l.TID, l.Since)
			r.watchers[key] = judge
		}
		m := judge.Observe(samples[l.PID])
		if m.Kind == watch.Gone {
			continue
		}
		acting = true
		if m.Final() {
			return r.overdue(ctx, l, m, overdue)
		}
	}
	return r.listen(ctx, acting)
}

// silence is since when the worker has neither been at a step nor finished one, and the steps it had finished then.
type silence struct {
	since    time.Time
	finished uint64
}

// silentFor is after how many deadlines a worker that does nothing is given up.
const silentFor = 10

// deadline is how long one step may take on the target's machine before anyone asks what it is doing. It is a thousand times what a step takes,
// so that on a slow machine the root of the slowdown will do; all of it would make every hang there last minutes.
func (r *Runner) deadline() time.Duration {
	return time.Duration(float64(r.opts.Deadline) * math.Sqrt(r.on.Facts().Slowdown))
}

// listen gives up a worker that has a program in hand and does nothing at all.
func (r *Runner) listen(ctx context.Context, acting bool) error {
	finished, j := r.proc.Finished(), r.flight[0]
	if acting || finished != r.silence.finished || r.silence.since.Before(j.sentAt) {
		r.silence = silence{time.Now(), finished}
		return nil
	}
	quiet := time.Since(r.silence.since)
	if quiet < silentFor*r.deadline() {
		return nil
	}
	o := r.outcome(j)
	o.Verdict, o.Kind = results.Broken, results.InfraWorkerLost
	o.Message = fmt.Sprintf("the worker has begun and finished no step for %.1f s", quiet.Seconds())
	return r.giveUp(ctx, j, o, []worker.Live{{PID: r.proc.PID()}})
}

// remote are file systems whose answers come from somebody that may sleep before it answers: a server in user space or on another machine.
var remote = regexp.MustCompile(`^(fuse|nfs|cifs|smb3|9p|ceph|afs|virtiofs)`)

// confirm is how long a step must not have moved before it is called blocked; 0 is the watcher's own rule. One late answer of a server looks just
// like none, so there it must be later than any deadline by far.
func (r *Runner) confirm() time.Duration {
	if remote.MatchString(r.target.Mount().Type) {
		return 3 * r.deadline()
	}
	return 0
}

// subject is what the watcher looks at: the process, and the world below the target. A target without a device waits for none: its server, if it
// has one, is watched instead.
func (r *Runner) subject(pid int) machine.Subject {
	return machine.Subject{PID: pid, Servers: r.target.Servers(), NoDisks: !strings.HasPrefix(r.target.Mount().Device, "/dev/")}
}

func (r *Runner) job(seq uint64) *job {
	for _, j := range r.flight {
		if j.seq == seq {
			return j
		}
	}
	return nil
}

// overdue ends a program whose step the watcher has judged: evidence first, then the kill, then whatever else it takes.
func (r *Runner) overdue(ctx context.Context, l worker.Live, m watch.Motion, all []worker.Live) error {
	j := r.job(l.Seq)
	if j == nil {
		return nil
	}
	o := r.outcome(j)
	o.Step = l.Step
	o.Message = watch.Explain(watch.Step{Actor: actorName(l.Actor), Text: stepText(j.p, l.Step), Buffer: bufferText(j.p, l.Step)}, m)
	if m.Hang() {
		o.Verdict, o.Kind = results.Hang, results.KernelHang
		o.Signature = watch.Signature(m.Task.KernelStack)
		if m.Kind == watch.Spinning && len(m.Common) > 0 {
			o.Signature = watch.Signature(m.Common)
		}
	} else {
		o.Verdict, o.Kind = results.Broken, results.TimeoutSlow
		o.Message = "time ran out, but it was still moving: " + o.Message
	}
	o.Message = joined(o.Message, earlier(j, r.proc))
	o.Evidence = append(o.Evidence, Section{"watcher.txt", o.Message + "\n\n" + m.Why + "\n"})
	return r.giveUp(ctx, j, o, all)
}

// giveUp ends a program and the worker that is stuck in it.
func (r *Runner) giveUp(ctx context.Context, j *job, o Outcome, stuck []worker.Live) error {
	processes := r.processes(stuck)
	o.Evidence = append(slices.Concat(o.Evidence, r.circle(j, processes), processes), history(j, r.proc))
	if locks := r.target.Locks(ctx); locks != "" {
		o.Evidence = append(o.Evidence, Section{"locks.txt", locks})
	}
	r.last = j.p.Name
	err := r.clearAway(ctx, &o)
	r.flight = slices.DeleteFunc(r.flight, func(k *job) bool { return k == j })
	r.queue = append(r.flight, r.queue...)
	r.flight = nil
	r.settle(j, o)
	return err
}

// clearAway kills a worker that hangs, aborts the target, and gets a fresh one. FUSE requests, for one, are waited for without regard to
// SIGKILL once the server has them. What the kernel says of that belongs to the program that hung.
func (r *Runner) clearAway(ctx context.Context, o *Outcome) error {
	proc := r.proc
	r.proc = nil
	clear(r.watchers)
	defer func() { go proc.Close() }() // it waits for a worker that may never end
	if r.disposable() {
		r.askKernel(o, proc)
		_ = r.target.Abort() // an unmount would wait for what hangs: the guest is ended as it is
		return r.replace(ctx)
	}
	proc.Kill()
	aborted := r.target.Abort()
	if errors.Is(aborted, target.ErrNothingToAbort) {
		aborted = nil
	}
	if !kill(proc) {
		r.Leaked++
	}
	r.askKernel(o, proc)
	if err := r.replace(ctx); err != nil {
		return errors.Join(err, aborted)
	}
	return nil
}

// killWait is how long a killed worker may take to go.
const killWait = 2 * time.Second

// kill ends a worker and reports whether it went.
func kill(proc machine.Worker) bool {
	proc.Kill()
	select {
	case <-proc.Exited():
		return true
	case <-time.After(killWait):
		return false
	}
}

// processes is what the machine says of the processes that have a step overdue.
func (r *Runner) processes(all []worker.Live) []Section {
	var pids []int
	for _, l := range all {
		pids = append(pids, l.PID)
	}
	var sections []Section
	for _, text := range r.on.Evidence(pids, r.target.Servers()) {
		sections = append(sections, Section(text))
	}
	return sections
}

func actorName(actor string) string {
	if actor == "" {
		return "the main thread"
	}
	return actor
}
