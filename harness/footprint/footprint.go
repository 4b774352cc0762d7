// Package footprint measures lock footprints: which operations cannot proceed while a system call is stopped in the middle of its user copy. Each cell, a
// stopped operation and an onlooker, is a program of its own, run by a Runner; what blocks is confirmed by repetition, and its kernel stack says for
// which lock. A page fault that blocks is a hazard: the copy can fault as well, and then it waits for itself. It imports prog, harness, target,
// watch and results.
//
//	open := func(ctx context.Context) (target.Target, error) { return target.Open(ctx, "loop:ext4", target.Options{}) }
//	f, err := footprint.Measure(ctx, open, footprint.Choice{})
//	fmt.Print(f.Text())
package footprint

import (
	"fmt"
	"slices"
	"strings"
)

// Outcome is what came of a cell.
type Outcome string

// The outcomes of cells.
const (
	Proceeds  Outcome = "proceeds"  // the onlooker came back while the operation was stopped
	Blocks    Outcome = "blocks"    // it slept until the operation was let go
	Deadlocks Outcome = "deadlocks" // it, or the operation, did not come back even then
	Fails     Outcome = "fails"     // it returned an error
	Varies    Outcome = "varies"    // repeated, it came out in different ways
	Untouched Outcome = "untouched" // the operation never touched its buffer, so it was not stopped
	Skipped   Outcome = "skipped"   // the file system cannot do one of the two
	Broken    Outcome = "broken"    // our own fault
)

// Cell is one stopped operation with one onlooker.
type Cell struct {
	Op       string  `json:"op"`
	Onlooker string  `json:"onlooker"`
	Outcome  Outcome `json:"outcome"`
	// Runs is how often the cell was tried.
	Runs int `json:"runs"`
	// Why says for what the onlooker waited, with which error it failed, or why the cell was skipped.
	Why string `json:"why,omitempty"`
	// Stack is the kernel stack of the onlooker that blocked, innermost first.
	Stack []string `json:"stack,omitempty"`
}

// Held reports a cell whose onlooker did not get on.
func (c *Cell) Held() bool { return c.Outcome == Blocks || c.Outcome == Deadlocks }

// Hazard is an operation beside which page faults block while it is stopped in its user copy: fault-under-lock. A fault in the copy itself then waits for the call
// that copies, and neither ever ends.
type Hazard struct {
	Op string `json:"op"`
	// Onlookers are the page faults that block, Why says for what one of them waits.
	Onlookers []string `json:"onlookers"`
	Why       string   `json:"why,omitempty"`
	// Program hangs if the hazard is real: the shortest one.
	Program string `json:"program"`
	// Proof is what its run came to: "hang" proves it, "pass" refutes it; empty if it was not run.
	Proof string `json:"proof,omitempty"`
}

func (h Hazard) String() string {
	text := fmt.Sprintf("fault-under-lock: while %s is stopped in its user copy, page faults block (%s), %s", h.Op, strings.Join(h.Onlookers, ", "), h.Why)
	switch h.Proof {
	case "":
		return text + "; this would hang:"
	case "hang":
		return text + "; this hangs:"
	}
	return text + "; this was tried, and came to " + h.Proof + ":"
}

// Footprint is the table of one file system.
type Footprint struct {
	Target  string   `json:"target"`
	FS      string   `json:"fs"`
	Kernel  string   `json:"kernel"`
	Options string   `json:"options,omitempty"`
	Seconds float64  `json:"seconds"`
	Cells   []Cell   `json:"cells"`
	Hazards []Hazard `json:"hazards,omitempty"`
}

// Find is the cell of an operation and an onlooker, or nil.
func (f *Footprint) Find(op, onlooker string) *Cell {
	for i := range f.Cells {
		if c := &f.Cells[i]; c.Op == op && c.Onlooker == onlooker {
			return c
		}
	}
	return nil
}

// Ops are the operations of the table in order, Onlookers the onlookers.
func (f *Footprint) Ops() []string { return f.names(func(c Cell) string { return c.Op }) }

// Onlookers are the onlookers of the table in order.
func (f *Footprint) Onlookers() []string { return f.names(func(c Cell) string { return c.Onlooker }) }

func (f *Footprint) names(of func(Cell) string) (list []string) {
	for _, c := range f.Cells {
		if name := of(c); !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// marks are the signs of a table on the terminal.
var marks = map[Outcome]string{
	Proceeds: ".", Blocks: "B", Deadlocks: "D", Fails: "E", Varies: "?", Untouched: "-", Skipped: " ", Broken: "!",
}

// Text is the table for a terminal, what blocks in words, and the hazards.
func (f *Footprint) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s; %d cells in %.1f s\n\n", f.Target, f.FS, f.Kernel, len(f.Cells), f.Seconds)
	f.grid(&b)
	b.WriteString("\n. proceeds  B blocks until the stopped call is let go  D deadlocks  E fails  ? varies  - the call does not touch its buffer\n")
	f.words(&b)
	for _, h := range f.Hazards {
		fmt.Fprintf(&b, "\nHAZARD %v\n%s", h, indent(h.Program))
	}
	return b.String()
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") + "\n"
}

// grid writes one line an operation; the onlookers' names stand above their columns, from top to bottom.
func (f *Footprint) grid(b *strings.Builder) {
	ops, onlookers := f.Ops(), f.Onlookers()
	wide, high := 0, 0
	for _, op := range ops {
		wide = max(wide, len(op))
	}
	for _, name := range onlookers {
		high = max(high, len(name))
	}
	for row := range high {
		line := strings.Repeat(" ", wide)
		for _, name := range onlookers {
			letter := " "
			if at := row - (high - len(name)); at >= 0 {
				letter = name[at : at+1]
			}
			line += " " + letter
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	for _, op := range ops {
		line := fmt.Sprintf("%-*s", wide, op)
		for _, name := range onlookers {
			mark := " "
			if c := f.Find(op, name); c != nil {
				mark = marks[c.Outcome]
			}
			line += " " + mark
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// words says of each operation what it holds up, and why; and what else is no plain answer.
func (f *Footprint) words(b *strings.Builder) {
	for _, c := range f.Cells {
		switch c.Outcome {
		case Blocks, Deadlocks, Fails, Varies, Broken:
			fmt.Fprintf(b, "%s while %s is stopped: %s", c.Onlooker, c.Op, c.Outcome)
			if c.Why != "" {
				fmt.Fprintf(b, ", %s", c.Why)
			}
			b.WriteString("\n")
		}
	}
}
