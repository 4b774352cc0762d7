package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"faultline/generators/prog"
	"faultline/harness/machine"
	"faultline/harness/target"
	"faultline/harness/watch"
	"faultline/harness/worker"
	"faultline/results"
)

// Runner runs programs on one target, one after the other. It is not safe for concurrent use.
type Runner struct {
	open   Opener
	opts   Options
	target target.Target
	on     machine.Machine // where the target is
	log    machine.Log
	mark   watch.Mark

	proc machine.Worker
	sent int // programs given to this worker
	seq  uint64
	// flight are the jobs the worker has in hand, in order; queue are those that come next.
	flight, queue []*job
	watchers      map[watched]*watch.Judge
	asked         time.Time // when the machine was asked for samples last
	silence       silence
	out           func(Outcome)
	last          string
	// unchecked are the programs that have run since the target was checked, if it is between programs.
	unchecked []string
	// idleDeaths counts the machines that died while no program ran, since the last program that ended.
	idleDeaths int
	// proven counts the programs that have failed in every run, more than one.
	proven map[failing]int
	// Leaked counts workers that could not be killed and were left behind.
	Leaked int
}

// job is one program on its way through its runs.
type job struct {
	p      *prog.Prog
	text   string
	seq    uint64
	sentAt time.Time
	first  *Outcome // the outcome of the first run, if it was no pass
	reruns []results.Attempt
	left   int // runs still to come
}

// NewRunner opens a target. The kernel log is read from now on.
func NewRunner(ctx context.Context, open Opener, opts Options) (*Runner, error) {
	t, err := open(ctx)
	if err != nil {
		return nil, err
	}
	r := &Runner{open: open, opts: opts.filled(), watchers: map[watched]*watch.Judge{}, proven: map[failing]int{}}
	return r, r.use(t)
}

// use makes t the target. The kernel log of its machine is read from now on.
func (r *Runner) use(t target.Target) error {
	r.target, r.unchecked = t, nil
	if r.on == t.Machine() {
		return nil
	}
	var err error
	if r.log != nil {
		err = r.log.Close()
	}
	r.on = t.Machine()
	r.log = r.on.OpenLog()
	r.mark = r.log.Mark()
	return err
}

// Target is the target in use.
func (r *Runner) Target() target.Target { return r.target }

// Run runs one program. It returns when the program has passed, failed and been repeated, or been given up; an error of the target is a
// broken outcome.
func (r *Runner) Run(ctx context.Context, p *prog.Prog) Outcome {
	in := make(chan *prog.Prog, 1)
	in <- p
	close(in)
	var outcome *Outcome
	err := r.Stream(ctx, in, func(o Outcome) {
		if outcome == nil || o.Prog == p {
			outcome = &o
		}
	})
	if outcome == nil {
		return Outcome{Name: p.Name, Prog: p, Verdict: results.Broken, Kind: results.InfraTargetLost, Message: fmt.Sprint(err), Step: -1}
	}
	return *outcome
}

// Stream runs programs as they come, until in is closed. out is called once for each, from this goroutine. When ctx ends, what is
// running is killed and gets no outcome, unless it has failed before and was being repeated. The error is a *Lost if the target was
// ruined, and then the rest of in is left unread.
func (r *Runner) Stream(ctx context.Context, in <-chan *prog.Prog, out func(Outcome)) error {
	r.out = out
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := r.feed(ctx); err != nil {
			return r.lost(err)
		}
		next := in
		if len(r.flight)+len(r.queue) >= depth {
			next = nil
		}
		if in == nil && len(r.flight)+len(r.queue) == 0 {
			return nil
		}
		var err error
		select {
		case <-ctx.Done():
			r.drop()
			return context.Cause(ctx)
		case p, more := <-next:
			if !more {
				in = nil
				continue
			}
			r.admit(p)
		case report, alive := <-r.reports():
			if alive {
				err = r.finish(ctx, report)
			} else {
				err = r.died(ctx)
			}
		case <-tick.C:
			err = r.look(ctx)
		}
		if err != nil {
			return r.lost(err)
		}
	}
}

func (r *Runner) lost(err error) error {
	return &Lost{By: r.last, Err: err, Left: r.drop()}
}

// drop stops everything under way. What has failed already is told; the programs without any verdict are returned.
func (r *Runner) drop() (left []*prog.Prog) {
	r.killWorker()
	for _, j := range append(r.flight, r.queue...) {
		if j.first == nil {
			left = append(left, j.p)
			continue
		}
		r.tell(j)
	}
	r.flight, r.queue = nil, nil
	return left
}

// admit takes a program in, or skips it.
func (r *Runner) admit(p *prog.Prog) {
	for _, need := range p.Needs {
		if why := r.target.Lacks(need); why != "" {
			r.out(Outcome{Name: p.Name, Prog: p, Verdict: results.Skip, Message: "needs " + why, Step: -1, Start: time.Now()})
			return
		}
	}
	r.queue = append(r.queue, &job{p: p, text: p.String()})
}

func (r *Runner) reports() <-chan worker.Report {
	if r.proc == nil {
		return nil
	}
	return r.proc.Reports()
}

// feed gives the worker what it may have in hand, and a new worker its first.
func (r *Runner) feed(ctx context.Context) error {
	if r.proc != nil && r.sent >= r.opts.Lifetime && len(r.flight) == 0 {
		r.proc.Close()
		r.proc = nil
	}
	if err := r.recheck(ctx); err != nil {
		return err
	}
	for len(r.queue) > 0 && r.mayBegin() && r.fits(r.queue[0]) && (r.proc == nil || r.sent < r.opts.Lifetime) {
		if r.proc == nil {
			if err := r.hire(ctx); err != nil {
				return err
			}
		}
		j := r.queue[0]
		r.queue = r.queue[1:]
		r.seq++
		r.sent++
		j.seq, j.sentAt = r.seq, time.Now()
		r.flight = append(r.flight, j)
		if err := r.proc.Send(j.seq, j.text); err != nil {
			return nil // the worker is dying: its reports end, and then we know of what
		}
	}
	return nil
}

// fits reports whether the worker may be given one more program: what waits behind one that hangs must fit into the pipe, or sending would
// hang as well.
func (r *Runner) fits(j *job) bool {
	bytes := len(j.text)
	for _, k := range r.flight {
		bytes += len(k.text)
	}
	return len(r.flight) == 0 || len(r.flight) < depth && bytes <= ahead
}

// hire starts a worker, on another machine if this one has died meanwhile.
func (r *Runner) hire(ctx context.Context) error {
	proc, err := r.startWorker()
	for err != nil {
		death := r.on.Death()
		if death == nil {
			return fmt.Errorf("start a worker: %w", err)
		}
		if err := r.mourn(ctx, death); err != nil {
			return err
		}
		proc, err = r.startWorker()
	}
	r.proc, r.sent = proc, 0
	return nil
}

func (r *Runner) startWorker() (machine.Worker, error) {
	return r.on.StartWorker(worker.Config{Dir: r.target.Dir(), Other: r.target.Other(), Stalls: r.target.Stalls(), Ours: r.target.Lacks("own-mount") == ""})
}

// finish takes the worker's report of one program.
func (r *Runner) finish(ctx context.Context, report worker.Report) error {
	i := slices.IndexFunc(r.flight, func(j *job) bool { return j.seq == report.Seq })
	if i < 0 {
		return nil
	}
	j := r.flight[i]
	r.flight = slices.Delete(r.flight, i, i+1)
	r.ran(j.p.Name)
	clear(r.watchers)
	o := r.judge(j, report)
	r.idleDeaths = 0
	var err error
	switch complained := r.askKernel(&o, r.proc); {
	case complained && r.disposable():
		err = r.refresh(ctx)
	case o.Verdict != results.Pass:
		err = r.askTarget(ctx, &o)
	}
	r.settle(j, o)
	return err
}

// settle books one run of a program: a failure is repeated, then told.
func (r *Runner) settle(j *job, o Outcome) {
	if j.first == nil {
		if o.Verdict == results.Pass {
			r.out(o)
			return
		}
		j.first = &o
		var known bool
		if j.left, known = r.repeats(o); known {
			o.Message = joined(o.Message, "it was run once: others with this signature have failed in every run")
		}
	} else {
		j.left--
		if j.first.Verdict == results.Broken && o.Verdict.Bad() {
			*j.first, o = o, *j.first // a failure of the target weighs more than one of ours
		}
		j.reruns = append(j.reruns, results.Attempt{Verdict: o.Verdict, Kind: o.Kind, Message: o.Message})
	}
	if j.left > 0 {
		r.queue = slices.Insert(r.queue, 0, j)
		return
	}
	r.tell(j)
}

// tell reports a program that was not a pass at first, with the runs after it.
func (r *Runner) tell(j *job) {
	first := *j.first
	first.Attempts = j.reruns
	weigh(&first, j.reruns)
	r.prove(first)
	r.out(first)
}

// died is called when the worker is gone without being told to.
func (r *Runner) died(ctx context.Context) error {
	proc := r.proc
	r.proc = nil
	clear(r.watchers)
	if death := r.on.Death(); death != nil {
		return r.bereaved(ctx, proc, death)
	}
	if !kill(proc) { // reports may also end because they cannot be read
		r.Leaked++
	}
	defer func() { go proc.Close() }() // it waits for a worker that may never end
	if len(r.flight) == 0 {
		return nil
	}
	// Programs are run in order: the first without a report was the one.
	j := r.flight[0]
	r.flight, r.queue = nil, append(r.flight[1:], r.queue...)
	r.ran(j.p.Name)
	o := r.crashed(j, proc)
	var err error
	if complained := r.askKernel(&o, proc); complained && r.disposable() {
		err = r.replace(ctx)
	} else {
		err = r.askTarget(ctx, &o)
	}
	r.settle(j, o)
	return err
}

// killWorker ends the worker, or leaves it behind when it does not die.
func (r *Runner) killWorker() {
	if r.proc == nil {
		return
	}
	if !r.disposable() && !kill(r.proc) {
		r.Leaked++
	}
	go r.proc.Close() // it waits for a worker that may never end
	r.proc = nil
	clear(r.watchers)
}

// replace gets a fresh target for one that is ruined. What its end brings to light is reported.
func (r *Runner) replace(ctx context.Context) error {
	r.closeTarget(ctx)
	t, err := r.open(ctx)
	if err != nil {
		return err
	}
	return r.use(t)
}

// Close ends the worker and the target. The error says what could not be put back; damage found by the file system's own checker comes
// as an outcome of its own to the function given to the last Stream, and as a *target.CheckError.
func (r *Runner) Close(ctx context.Context) error {
	if r.proc != nil {
		r.proc.Close()
		r.proc = nil
	}
	err := r.closeTarget(ctx)
	return errors.Join(err, r.log.Close())
}

func (r *Runner) closeTarget(ctx context.Context) error {
	err := r.target.Close(ctx)
	var damage *target.CheckError
	if errors.As(err, &damage) && r.out != nil {
		r.tellDamage(damage)
	}
	return err
}
