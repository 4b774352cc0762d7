package harness

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"faultline/harness/machine"
	"faultline/harness/watch"
	"faultline/results"
)

// A guest may die, and its kernel may complain and go on. Either way it is of no use to the next program, and a new one takes two seconds. What
// had begun is blamed; what had only been sent is sent again.

// disposable reports whether the machine is there for the target only, and goes with it.
func (r *Runner) disposable() bool { return r.on.Facts().Disposable }

// refresh gets a fresh target, with a fresh machine, and takes back what the worker has in hand.
func (r *Runner) refresh(ctx context.Context) error {
	r.killWorker()
	r.flight, r.queue = nil, append(r.flight, r.queue...)
	return r.replace(ctx)
}

// bereaved is called when a worker's reports have ended because its machine died.
func (r *Runner) bereaved(ctx context.Context, proc machine.Worker, death *machine.Death) error {
	defer func() { go proc.Close() }() // it may wait
	if len(r.flight) == 0 || proc.Begun() < r.flight[0].seq {
		r.flight, r.queue = nil, append(r.flight, r.queue...)
		return r.mourn(ctx, death)
	}
	// Programs are run in order: the first without a report is the one that had begun.
	j := r.flight[0]
	r.flight, r.queue = nil, append(r.flight[1:], r.queue...)
	r.last = j.p.Name
	o := r.outcome(j)
	lines := r.lastWords(death)
	found, _ := complaint(lines, suspects{all: true})
	o.Step, o.Message = lastStep(j, proc, watch.TaskOf(lines, found))
	if o.Step == -1 {
		o.Message = "" // what was told last is of an earlier program
	} else {
		o.Message = joined(o.Message, earlier(j, proc))
	}
	if len(proc.Events(j.seq)) > 0 {
		o.Evidence = append(o.Evidence, history(j, proc))
	}
	err := r.inherit(ctx, &o, death)
	r.settle(j, o)
	return err
}

// inherit makes a machine's death the verdict, and gets a fresh target. With a worker still in hand, the end of its reports will tell whose fault it was.
func (r *Runner) inherit(ctx context.Context, o *Outcome, death *machine.Death) error {
	if r.proc != nil {
		return nil
	}
	r.blameDeath(o, death)
	return r.replace(ctx)
}

// idleLimit is how many machines in a row may die before a program has ended on one.
const idleLimit = 5

// mourn replaces a machine that has died while no program ran. If its kernel has said why, that is an outcome of its own.
func (r *Runner) mourn(ctx context.Context, death *machine.Death) error {
	if r.idleDeaths++; r.idleDeaths > idleLimit {
		return fmt.Errorf("%d machines in a row have died while no program ran: %w", r.idleDeaths, death)
	}
	o := Outcome{Name: "target/guest/" + r.last, Verdict: results.Pass, Step: -1, Start: time.Now()}
	r.blameDeath(&o, death)
	if o.Verdict.Bad() && r.last != "" && r.out != nil {
		o.Message = joined(o.Message, "no program ran; the last one was "+r.last)
		r.out(o)
	}
	return r.replace(ctx)
}

// silentGuest is the signature of a guest that says nothing any more, and of which nothing else is known.
const silentGuest = "the guest fell silent"

// blameDeath turns the death of a machine into a verdict: what its kernel said last, or its silence. A machine that was ended from outside, or
// ended without a word, says nothing about the program.
func (r *Runner) blameDeath(o *Outcome, death *machine.Death) {
	lines := r.lastWords(death)
	found, complained := complaint(lines, suspects{all: true})
	switch {
	case death.Outside && !complained:
		o.Verdict, o.Kind = results.Broken, results.InfraTargetLost
	case complained:
		accuse(o, found, lines)
		if o.Verdict == results.Crash {
			o.Kind = results.KernelPanic
		}
	case death.Silent:
		o.Verdict, o.Kind, o.Signature = results.Hang, results.KernelHang, silentGuest
	case strings.Contains(death.How, "signal: "):
		o.Verdict, o.Kind, o.Signature = results.Crash, results.KernelPanic, death.How
	default:
		o.Verdict, o.Kind = results.Broken, results.InfraTargetLost
	}
	o.Message = joined(o.Message, death.Error())
	if text := cmp.Or(lastLines(death.Console), logText(lines)); text != "" {
		o.Evidence = append(o.Evidence, Section{"console.txt", text})
	}
	if death.Interrogation != "" {
		o.Evidence = append(o.Evidence, Section{"silence.txt", death.Interrogation})
	}
}

// lastWords are what the kernel of a dead machine said: on its console, or else what of its log has come.
func (r *Runner) lastWords(death *machine.Death) []watch.Line {
	lines := watch.ParseConsole(death.Console)
	if len(lines) == 0 {
		lines, _ = r.log.Since(r.mark)
	}
	return lines
}

// consoleLines is how much of a console is evidence.
const consoleLines = 500

func lastLines(text string) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-consoleLines):], "")
}

// gravest is the finding that counts on a machine where all are ours: the first, but what a file system says of itself comes after what the kernel
// says of it.
func gravest(findings []watch.Finding) watch.Finding {
	grave := slices.IndexFunc(findings, func(f watch.Finding) bool { return kernelKind(f.Kind) != results.Fsck })
	return findings[max(grave, 0)]
}
