package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"faultline/generators/prog"
	"faultline/harness/machine"
	"faultline/harness/target"
	"faultline/harness/watch"
	"faultline/harness/worker"
	"faultline/results"
)

// outcome is the beginning of a program's outcome.
func (r *Runner) outcome(j *job) Outcome {
	return Outcome{Name: j.p.Name, Prog: j.p, Verdict: results.Pass, Step: -1, Start: j.sentAt, Elapsed: time.Since(j.sentAt)}
}

// judge turns the worker's report into an outcome.
func (r *Runner) judge(j *job, report worker.Report) Outcome {
	o := r.outcome(j)
	o.Elapsed = report.Elapsed
	switch {
	case report.Broken != "":
		o.Verdict, o.Kind, o.Message = results.Broken, results.InfraHarness, report.Broken
	case report.Setup != nil:
		o.Verdict, o.Kind, o.Message = results.Wrong, results.Semantics, "set-up failed: "+report.Setup.String()
		o.Signature = "set-up " + report.Setup.Err
	case report.Failure != nil:
		r.wrong(j, &o, report.Failure)
	case report.Cleanup != nil:
		o.Verdict, o.Kind, o.Message = results.Wrong, results.Semantics, "clean-up failed: "+report.Cleanup.String()
		o.Signature = "clean-up " + report.Cleanup.Err
	}
	if o.Verdict != results.Pass {
		o.Evidence = append(o.Evidence, history(j, r.proc))
	}
	return o
}

// wrong is a step that returned or found what it must not.
func (r *Runner) wrong(j *job, o *Outcome, f *worker.Failure) {
	s := &j.p.Steps[f.Step]
	o.Verdict, o.Kind, o.Step = results.Wrong, results.Semantics, f.Step
	if f.Broken {
		o.Verdict, o.Kind = results.Broken, results.InfraHarness
	}
	o.Message = fmt.Sprintf("step %d, %s: %s", f.Step+1, who(s), f.Text)
	o.Signature = s.Op + " " + f.Got.Err
	if f.Data != nil {
		o.Kind, o.Signature = results.DataCorruption, s.Op+" data"
	}
	if f.Asleep != nil {
		o.Signature = s.Op + " " + watch.Signature(f.Asleep.Stack)
		o.Evidence = append(o.Evidence, Section{"asleep.txt", stepText(j.p, f.Asleep.Step) + "\n" + strings.Join(f.Asleep.Stack, "\n") + "\n"})
	}
	o.Signature = strings.TrimSpace(o.Signature)
}

// who is the step with its actor.
func who(s *prog.Step) string {
	if s.Actor == "" {
		return s.Call()
	}
	return s.Actor + ": " + s.Call()
}

// crashed is a worker that died. A signal of the processor is the file system's doing: workers touch nothing else that faults. SIGKILL is
// not, unless the kernel says more (askKernel): people and the OOM killer send it.
func (r *Runner) crashed(j *job, proc machine.Worker) Outcome {
	o := r.outcome(j)
	exit, known := proc.Exit()
	stderr := proc.Stderr()
	o.Step, o.Message = lastStep(j, proc, 0)
	o.Evidence = append(o.Evidence, history(j, proc))
	if stderr != "" {
		o.Evidence = append(o.Evidence, Section{"stderr.txt", stderr})
	}
	signal := exit.Signal
	if signal == 0 {
		signal = runtimeSignal(stderr)
	}
	switch signal {
	case syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGILL, syscall.SIGFPE, syscall.SIGSYS, syscall.SIGTRAP, syscall.SIGABRT:
		o.Verdict, o.Kind = results.Crash, results.Semantics
		o.Message = fmt.Sprintf("the worker was killed by %v %s", signal, o.Message)
		o.Signature = "killed by " + signal.String()
	default:
		o.Verdict, o.Kind = results.Broken, results.InfraWorkerLost
		how := exit.String()
		if !known {
			how = "its reports cannot be read, and it does not die"
		}
		o.Message = fmt.Sprintf("the worker ended (%s) %s", how, o.Message)
	}
	o.Message = joined(o.Message, earlier(j, proc))
	return o
}

// runtimeSignal is the signal that Go's runtime died of: it exits with 2 and its trace begins with the name.
func runtimeSignal(stderr string) syscall.Signal {
	for _, s := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGILL, syscall.SIGFPE, syscall.SIGSYS} {
		name := map[syscall.Signal]string{
			syscall.SIGSEGV: "SIGSEGV", syscall.SIGBUS: "SIGBUS", syscall.SIGILL: "SIGILL", syscall.SIGFPE: "SIGFPE", syscall.SIGSYS: "SIGSYS",
		}[s]
		if strings.Contains(stderr, "signal "+name) || strings.HasPrefix(stderr, name) {
			return s
		}
	}
	return 0
}

// earlier says that a step was wrong before the program hung or died; "" if none was.
func earlier(j *job, proc machine.Worker) string {
	f := proc.FailureSoFar()
	if f == nil {
		return ""
	}
	return fmt.Sprintf("before that, step %d, %s: %s", f.Step+1, who(&j.p.Steps[f.Step]), f.Text)
}

// lastStep says what a dead worker was doing: the thread tid if it was at a step, or else the first that was.
func lastStep(j *job, proc machine.Worker, tid int) (step int, text string) {
	at := slices.DeleteFunc(proc.Live(), func(l worker.Live) bool { return l.Seq != j.seq })
	if len(at) == 0 {
		return -1, "between two steps"
	}
	l := at[max(slices.IndexFunc(at, func(l worker.Live) bool { return l.TID == tid }), 0)]
	return l.Step, fmt.Sprintf("in %s of %s", stepText(j.p, l.Step), actorName(l.Actor))
}

// askTarget looks whether the target itself is ruined, corrects the outcome, and gets a fresh target. The error means that there is none.
func (r *Runner) askTarget(ctx context.Context, o *Outcome) error {
	err := r.target.Check(ctx)
	if err == nil {
		return nil
	}
	if death := r.on.Death(); death != nil {
		return r.inherit(ctx, o, death)
	}
	var unfit *target.Unfit
	switch {
	case errors.As(err, &unfit) && unfit.Cause == target.Died:
		o.Verdict, o.Kind, o.Signature = results.Crash, results.TargetDied, "the server died"
	case errors.As(err, &unfit) && (unfit.Cause == target.Full || unfit.Cause == target.Vanished):
		o.Verdict, o.Kind = results.Broken, results.InfraTargetLost
	case errors.As(err, &unfit) && unfit.Cause == target.ReadOnly:
		o.Verdict, o.Kind, o.Signature = results.Wrong, results.Fsck, "went read-only"
	}
	o.Message = joined(o.Message, err.Error())
	r.killWorker()
	rest := r.flight
	r.flight, r.queue = nil, append(rest, r.queue...)
	return r.replace(ctx)
}
