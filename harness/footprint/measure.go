package footprint

import (
	"context"
	"fmt"
	"strings"
	"time"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/footprint/lock"
	"faultline/harness/footprint/matrix"
	"faultline/results"
)

// Choice says what is measured, and how.
type Choice struct {
	// Ops and Onlookers are names; none means all. What waits for every file system of the machine is skipped but in a guest, or when it is named.
	Ops, Onlookers []string
	// Prove runs the program of each hazard, which hangs if the hazard is real, and takes a fresh file system after it.
	Prove bool
	// Deadline is how long one step may take before anyone asks; 3 s.
	Deadline time.Duration
	// Progress is called after each cell, if it is set, by one goroutine at a time: with the cell, and how many of all are done.
	Progress func(c *matrix.Cell, done, all int)
}

// repeats is how often a cell that did not proceed is tried again.
const repeats = 2

// Measure makes the table of the file system that open opens, or of several of the kind at once. An error with a nil table means that there is none: a
// name is unknown, or the file system cannot be opened. With a table it means that the table is cut short, which Footprint.Cut then says too: ctx ended, or the
// file system was lost.
func Measure(ctx context.Context, open harness.Opener, choice Choice) (*matrix.Footprint, error) {
	ops, err := chosen(operations, func(o operation) string { return o.name }, choice.Ops)
	if err != nil {
		return nil, fmt.Errorf("choose operations: %w", err)
	}
	by, err := chosen(onlookers, func(o onlooker) string { return o.name }, choice.Onlookers)
	if err != nil {
		return nil, fmt.Errorf("choose onlookers: %w", err)
	}
	first, err := runner(ctx, open, choice)
	if err != nil {
		return nil, err
	}
	t := first.Target()
	m := &measurement{Choice: choice, open: open, ops: ops, by: by, rows: make([]row, len(ops)), f: &matrix.Footprint{
		Target: t.Spec(), FS: t.FS(), Kernel: t.Mount().Kernel, Options: t.Mount().Options, Date: time.Now(),
		Ops: names(ops, func(o operation) string { return o.name }),
	}}
	for _, who := range by {
		m.f.Onlookers = append(m.f.Onlookers, matrix.Onlooker{Name: who.name, Group: who.group})
	}
	err = m.measure(ctx, first)
	m.f.Seconds = time.Since(m.f.Date).Seconds()
	return m.f, err
}

func runner(ctx context.Context, open harness.Opener, choice Choice) (*harness.Runner, error) {
	return harness.NewRunner(ctx, open, harness.Options{Deadline: choice.Deadline, Repeats: repeats})
}

// cell measures one cell.
func (m *measurement) cell(ctx context.Context, r *harness.Runner, o operation, by onlooker) (matrix.Cell, error) {
	t := r.Target()
	if why := by.refuses(t.Mount().Guest, t.Lacks("own-mount") == "", len(m.Onlookers) > 0); why != "" {
		return matrix.Cell{Stopped: o.name, Onlooker: by.name, Outcome: matrix.Skipped, Reason: why}, nil
	}
	outcome := r.Run(ctx, program(o, by))
	if ctx.Err() != nil {
		return matrix.Cell{}, context.Cause(ctx) // what was under way was killed
	}
	if outcome.Kind == results.InfraTargetLost {
		return matrix.Cell{}, fmt.Errorf("measure %s beside %s: %s", by.name, o.name, outcome.Message)
	}
	c := cellOf(o.name, by.name, outcome)
	if by.fails != "" && c.Outcome == matrix.Proceeds {
		c.Outcome, c.Reason = matrix.Fails, by.fails+", as it must"
	}
	return c, nil
}

// prove runs the program of a hazard once, on a file system of its own, which may be ruined by it.
func (m *measurement) prove(ctx context.Context, p *prog.Prog) matrix.Proof {
	r, err := harness.NewRunner(ctx, m.open, harness.Options{Deadline: m.Deadline, Repeats: -1})
	if err != nil {
		return matrix.Untried
	}
	defer r.Close(context.WithoutCancel(ctx)) // what it leaves in ruins is no news
	return proofs[r.Run(ctx, p).Verdict]
}

// proofs say what the verdict of a hazard's program means. A crash is one too: kernels trap a lock that is taken twice.
var proofs = map[results.Verdict]matrix.Proof{
	results.Hang: matrix.Proved, results.Crash: matrix.Proved, results.Pass: matrix.Refuted, results.Wrong: matrix.Untried, results.Skip: matrix.Untried, results.Broken: matrix.Untried,
}

// cellOf reads the answer out of the outcome of the cell's program: which step was not as claimed, and how.
func cellOf(op, onlooker string, o harness.Outcome) matrix.Cell {
	c := matrix.Cell{Stopped: op, Onlooker: onlooker, Runs: 1 + len(o.Attempts), Reason: o.Message, Program: o.Name}
	switch o.Verdict {
	case results.Pass:
		c.Outcome, c.Reason = matrix.Proceeds, ""
	case results.Skip:
		c.Outcome = matrix.Skipped
	case results.Hang:
		c.Outcome = hung(o)
	case results.Wrong:
		wrong(&c, o)
	default:
		c.Outcome = matrix.Broken
	}
	if c.Outcome != matrix.Proceeds && c.Outcome != matrix.Skipped {
		agree(&c, o)
	}
	return c
}

// hung tells whether it was the onlooker beside the stopped call that hung, or the call when it was let go. What hangs before says nothing about the two.
func hung(o harness.Outcome) matrix.Outcome {
	at := stalledAt(o.Prog)
	if at < len(o.Prog.Steps) && strings.Contains(section(o, "events.txt"), " end   "+o.Prog.Steps[at].Call()+" = ") {
		return matrix.Deadlocks
	}
	return matrix.Broken
}

// wrong tells by the step what a wrong program means.
func wrong(c *matrix.Cell, o harness.Outcome) {
	c.Outcome = matrix.Broken
	if o.Step < 0 {
		return
	}
	switch s := &o.Prog.Steps[o.Step]; {
	case s.Op == "proceeds":
		stack := stackOf(o)
		c.Outcome, c.Reason, c.Lock, c.Stack = matrix.Blocks, "", lock.Name(stack), lock.Trim(stack)
	case s.Op == "stalled":
		c.Outcome, c.Reason = matrix.Untouched, ""
	case s.Actor == "p2" && o.Step > stalledAt(o.Prog) && strings.HasSuffix(o.Message, "got EOPNOTSUPP"):
		c.Outcome = matrix.Skipped
	case s.Actor == "p2" && o.Step > stalledAt(o.Prog):
		c.Outcome = matrix.Fails
	}
}

// agree holds the repetitions against the first run.
func agree(c *matrix.Cell, o harness.Outcome) {
	for _, a := range o.Attempts {
		if a.Verdict != o.Verdict || o.Verdict == results.Wrong && stepOf(a.Message) != stepOf(o.Message) {
			first := strings.TrimSpace(fmt.Sprintf("%s %s", c.Outcome, c.Reason))
			c.Reason = strings.TrimSpace(fmt.Sprintf("at first %s, and then %s %s", first, a.Verdict, a.Message))
			c.Outcome = matrix.Unstable
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
	return strings.Split(strings.TrimSpace(section(o, "asleep.txt")), "\n")[1:]
}

// section is the text of a piece of evidence, "" if there is none of the name.
func section(o harness.Outcome, name string) string {
	for _, s := range o.Evidence {
		if s.Name == name {
			return s.Text
		}
	}
	return ""
}
