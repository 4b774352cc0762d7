package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"faultline/generators/prog"
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
	log    *watch.KernelLog
	mark   watch.Mark

	proc *worker.Proc
	sent int // programs given to this worker
	seq  uint64
	// flight are the jobs the worker has in hand, in order; queue are those that come next.
	flight, queue []*job
	watchers      map[watched]*watch.Judge
	out           func(Outcome)
	last          string
	// Leaked counts workers that could not be killed and were left behind.
	Leaked int
}

// job is one program on its way through its runs.
type job struct {
	p       *prog.Prog
	text    string
	seq     uint64
	sentAt  time.Time
	first   *Outcome // the outcome of the first run, if it was no pass
	reruns  []results.Attempt
	left    int  // runs still to come
	retried bool // sent again because the worker died of something else
}

// NewRunner opens a target. The kernel log is read from now on.
func NewRunner(ctx context.Context, open Opener, opts Options) (*Runner, error) {
	t, err := open(ctx)
	if err != nil {
		return nil, err
	}
	log := watch.OpenKernelLog()
	return &Runner{open: open, opts: opts.filled(), target: t, log: log, mark: log.Mark(), watchers: map[watched]*watch.Judge{}}, nil
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
// running is killed and gets no outcome. The error is a *Lost if the target was ruined, and then the rest of in is left unread.
func (r *Runner) Stream(ctx context.Context, in <-chan *prog.Prog, out func(Outcome)) error {
	r.out = out
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := r.feed(); err != nil {
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
			return ctx.Err()
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
	r.drop()
	return &Lost{By: r.last, Err: err}
}

// drop forgets everything under way.
func (r *Runner) drop() {
	r.killWorker()
	r.flight, r.queue = nil, nil
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
func (r *Runner) feed() error {
	if r.proc != nil && r.sent >= r.opts.Lifetime && len(r.flight) == 0 {
		r.proc.Close()
		r.proc = nil
	}
	for len(r.queue) > 0 && len(r.flight) < depth && (r.proc == nil || r.sent < r.opts.Lifetime) {
		if r.proc == nil {
			if err := r.hire(); err != nil {
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

func (r *Runner) hire() error {
	proc, err := worker.Start(worker.Config{Dir: r.target.Dir(), Other: r.target.Other()})
	if err != nil {
		return fmt.Errorf("start a worker: %w", err)
	}
	r.proc, r.sent = proc, 0
	return nil
}

// finish takes the worker's report of one program.
func (r *Runner) finish(ctx context.Context, report worker.Report) error {
	i := slices.IndexFunc(r.flight, func(j *job) bool { return j.seq == report.Seq })
	if i < 0 {
		return nil
	}
	j := r.flight[i]
	r.flight = slices.Delete(r.flight, i, i+1)
	r.last = j.p.Name
	clear(r.watchers)
	o := r.judge(j, report)
	r.askKernel(j, &o)
	if o.Verdict != results.Pass && r.suspicious(report) {
		if err := r.askTarget(ctx, j, &o); err != nil {
			return err
		}
	}
	r.settle(j, o)
	return nil
}

// settle books one run of a program: a failure is repeated, then told.
func (r *Runner) settle(j *job, o Outcome) {
	if j.first == nil {
		if o.Verdict == results.Pass {
			r.out(o)
			return
		}
		j.first, j.left = &o, r.opts.Repeats
		if o.Verdict == results.Hang {
			j.left = min(j.left, hangRepeats)
		}
	} else {
		j.left--
		j.reruns = append(j.reruns, results.Attempt{Verdict: o.Verdict, Kind: o.Kind, Message: o.Message})
	}
	if j.left > 0 {
		r.queue = slices.Insert(r.queue, 0, j)
		return
	}
	first := *j.first
	first.Attempts = j.reruns
	// A run that only our own side spoiled counts for nothing once the program has passed.
	if first.Verdict == results.Broken {
		for _, a := range j.reruns {
			if a.Verdict == results.Pass {
				first.Verdict, first.Kind = results.Pass, ""
				break
			}
		}
	}
	r.out(first)
}

// died is called when the worker is gone without being told to.
func (r *Runner) died(ctx context.Context) error {
	proc := r.proc
	r.proc = nil
	if len(r.flight) == 0 {
		return nil
	}
	// Programs are run in order: the first without a report was the one.
	j := r.flight[0]
	r.flight, r.queue = nil, append(r.flight[1:], r.queue...)
	r.last = j.p.Name
	o := r.crashed(j, proc)
	go proc.Close()
	r.askKernel(j, &o)
	if err := r.askTarget(ctx, j, &o); err != nil {
		return err
	}
	r.settle(j, o)
	return nil
}

// killWorker ends the worker, or leaves it behind when it does not die.
func (r *Runner) killWorker() {
	if r.proc == nil {
		return
	}
	if !kill(r.proc) {
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
	r.target = t
	return nil
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
		r.out(Outcome{
			Name: "target/fsck", Verdict: results.Wrong, Kind: results.Fsck, Step: -1, Start: time.Now(),
			Message:  fmt.Sprintf("%v; the last program was %s", damage, r.last),
			Evidence: []Section{{"fsck.txt", damage.Command + "\n" + damage.Output}},
		})
	}
	return err
}
