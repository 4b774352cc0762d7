// Package harness runs programs on a target and says what came of them. A Runner is one target with one worker: it sends programs, watches the
// worker from outside, judges, collects evidence, repeats what failed, and replaces whatever a hang has ruined. It always
// comes back, whatever the worker does. A Pool is several Runners side by side.
// It imports prog, results, targetfs/glock for the lock dumps of kernels, and the packages below harness.
//
//	r, err := harness.NewRunner(ctx, func(ctx context.Context) (target.Target, error) {
//		return target.Open(ctx, "dir:/mnt/x", target.Options{})
//	}, harness.Options{Deadline: 2 * time.Second})
//	defer r.Close(ctx)
//	outcome := r.Run(ctx, p)
package harness

import (
	"context"
	"time"

	"faultline/generators/prog"
	"faultline/harness/target"
	"faultline/results"
)

// Options say how patient a Runner is and how often it repeats a failure. Zero values stand for the defaults.
type Options struct {
	// Deadline is how long one step may take before anyone asks what it is doing; 3 s. A hang is declared only after the watcher has found
	// proof, which takes another second or more (package watch).
	Deadline time.Duration
	// Repeats is how often a program that failed is run again to find the rate; a hang, which takes its time, at most twice. Negative: never.
	Repeats int
	// Lifetime is after how many programs a worker is replaced (it does not collect garbage); 300.
	Lifetime int
}

const (
	defaultDeadline = 3 * time.Second
	defaultRepeats  = 4
	hangRepeats     = 2
	defaultLifetime = 300
	// depth is how many programs a worker has in hand, so that it never waits for us, and ahead their bytes: half of what a pipe holds
	// (pipe(7), "Pipe capacity").
	depth = 4
	ahead = 32 << 10
)

func (o Options) filled() Options {
	if o.Deadline == 0 {
		o.Deadline = defaultDeadline
	}
	if o.Repeats == 0 {
		o.Repeats = defaultRepeats
	}
	o.Repeats = max(o.Repeats, 0)
	if o.Lifetime == 0 {
		o.Lifetime = defaultLifetime
	}
	return o
}

// Opener gets a fresh target. A Runner calls it at its start and whenever the old one is ruined.
type Opener func(context.Context) (target.Target, error)

// Outcome is what came of one program, or of a check of the target itself (then Prog is nil).
type Outcome struct {
	Name string
	Prog *prog.Prog

	Verdict results.Verdict
	Kind    results.Kind
	// Message is one sentence: which step, what was wanted, what was seen; the reason of a skip.
	Message string
	// Step is the index of the step that failed, -1 if it is none of the program's.
	Step int
	// Signature is equal for equal failures.
	Signature string

	Start   time.Time
	Elapsed time.Duration
	// Attempts are the further runs of a program that failed. Attempts[0] is the second one.
	Attempts []results.Attempt
	// Evidence is what was seen, best first.
	Evidence []Section
}

// Section is a piece of evidence; the name is fit for a file.
type Section struct{ Name, Text string }

// Failures counts the runs of the program that were not a pass, of 1+len(Attempts).
func (o *Outcome) Failures() int {
	n := 0
	if o.Verdict != results.Pass && o.Verdict != results.Skip {
		n++
	}
	for _, a := range o.Attempts {
		if a.Verdict != results.Pass {
			n++
		}
	}
	return n
}

// Lost is the error of a Runner whose target is ruined and cannot be replaced: what was still to run has no verdict.
type Lost struct {
	// By names the program that ran last.
	By  string
	Err error
	// Left are the programs that were taken and got no verdict.
	Left []*prog.Prog
}

func (l *Lost) Error() string { return "the target was lost by " + l.By + ": " + l.Err.Error() }
func (l *Lost) Unwrap() error { return l.Err }
