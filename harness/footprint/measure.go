package footprint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/watch"
	"faultline/results"
)

// Choice says what is measured, and how.
type Choice struct {
	// Ops and Onlookers are names; none means all.
	Ops, Onlookers []string
	// Prove runs the program of each hazard, which hangs if the hazard is real, and takes a fresh file system after it.
	Prove bool
	// Deadline is how long one step may take before anyone asks; 3 s.
	Deadline time.Duration
	// Progress is called before each cell, if it is set.
	Progress func(op, onlooker string)
}

// repeats is how often a cell that did not proceed is tried again.
const repeats = 2

// Measure makes the table of the file system that open opens. An error means that there is none: a name is unknown, the file system cannot be opened, or is lost.
func Measure(ctx context.Context, open harness.Opener, choice Choice) (*Footprint, error) {
	ops, err := chosen(operations, func(o operation) string { return o.name }, choice.Ops)
	if err != nil {
		return nil, fmt.Errorf("choose operations: %w", err)
	}
	by, err := chosen(onlookers, func(o onlooker) string { return o.name }, choice.Onlookers)
	if err != nil {
		return nil, fmt.Errorf("choose onlookers: %w", err)
	}
	r, err := harness.NewRunner(ctx, open, harness.Options{Deadline: choice.Deadline, Repeats: repeats})
	if err != nil {
		return nil, err
	}
	t := r.Target()
	f := &Footprint{Target: t.Spec(), FS: t.FS(), Kernel: t.Mount().Kernel, Options: t.Mount().Options}
	start := time.Now()
	err = f.measure(ctx, r, ops, by, choice)
	f.Seconds = time.Since(start).Seconds()
	return f, errors.Join(err, r.Close(context.WithoutCancel(ctx)))
}

func (f *Footprint) measure(ctx context.Context, r *harness.Runner, ops []operation, by []onlooker, choice Choice) error {
	for _, o := range ops {
		for _, who := range by {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if choice.Progress != nil {
				choice.Progress(o.name, who.name)
			}
			outcome := r.Run(ctx, program(o, who))
			if outcome.Kind == results.InfraTargetLost {
				return fmt.Errorf("measure %s beside %s: %s", who.name, o.name, outcome.Message)
			}
			f.Cells = append(f.Cells, cellOf(o.name, who.name, outcome))
		}
		f.warn(ctx, r, o, choice.Prove)
	}
	return nil
}

// warn notes the hazard of an operation, if page faults have blocked beside it.
func (f *Footprint) warn(ctx context.Context, r *harness.Runner, o operation, prove bool) {
	h := Hazard{Op: o.name}
	var shortest *prog.Prog
	for _, who := range onlookers {
		c := f.Find(o.name, who.name)
		if c == nil || !c.Held() || !isTouch(who.name) {
			continue
		}
		h.Onlookers = append(h.Onlookers, who.name)
		if p := danger(o, who); shortest == nil || len(p.Steps) < len(shortest.Steps) {
			shortest, h.Why = p, c.Why
		}
	}
	if shortest == nil {
		return
	}
	h.Program = shortest.String()
	if prove {
		h.Proof = string(r.Run(ctx, shortest).Verdict)
	}
	f.Hazards = append(f.Hazards, h)
}

// cellOf reads the answer out of the outcome of the cell's program: which step was not as claimed, and how.
func cellOf(op, onlooker string, o harness.Outcome) Cell {
	c := Cell{Op: op, Onlooker: onlooker, Runs: 1 + len(o.Attempts), Why: o.Message}
	switch o.Verdict {
	case results.Pass:
		c.Outcome, c.Why = Proceeds, ""
	case results.Skip:
		c.Outcome = Skipped
	case results.Hang:
		c.Outcome = Deadlocks
	case results.Wrong:
		c.wrong(o)
	default:
		c.Outcome = Broken
	}
	if c.Outcome != Proceeds && c.Outcome != Skipped {
		c.agree(o)
	}
	return c
}

// wrong tells by the step what a wrong program means.
func (c *Cell) wrong(o harness.Outcome) {
	c.Outcome = Broken
	if o.Step < 0 {
		return
	}
	switch s := &o.Prog.Steps[o.Step]; {
	case s.Op == "proceeds":
		c.Outcome, c.Stack = Blocks, stackOf(o)
		c.Why = "waiting " + watch.Waiting(c.Stack)
	case s.Op == "stalled":
		c.Outcome, c.Why = Untouched, ""
	case s.Actor == "p2" && o.Step > stalledAt(o.Prog):
		c.Outcome = Fails
	}
}

// agree holds the repetitions against the first run.
func (c *Cell) agree(o harness.Outcome) {
	for _, a := range o.Attempts {
		if a.Verdict != o.Verdict || o.Verdict == results.Wrong && stepOf(a.Message) != stepOf(o.Message) {
			c.Why = strings.TrimSpace(fmt.Sprintf("%s at first (%s), and then %s %s", c.Outcome, c.Why, a.Verdict, a.Message))
			c.Outcome = Varies
			return
		}
	}
}

// stepOf is the part of a message that names the step: "step 22, proceeds(p2)".
func stepOf(message string) string {
	step, _, _ := strings.Cut(message, ": ")
	return step
}

func stalledAt(p *prog.Prog) int {
	for i := range p.Steps {
		if p.Steps[i].Op == "stalled" {
			return i
		}
	}
	return len(p.Steps)
}

// stackOf is the stack of the sleeper: the section's first line is the step.
func stackOf(o harness.Outcome) []string {
	for _, s := range o.Evidence {
		if s.Name == "asleep.txt" {
			return strings.Split(strings.TrimSpace(s.Text), "\n")[1:]
		}
	}
	return nil
}
