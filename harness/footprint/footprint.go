// Package footprint measures lock footprints: which operations cannot proceed while a system call is stopped in the middle of its user copy. Each cell, a
// stopped operation and an onlooker, is a program of its own, run by a Runner; what blocks is confirmed by repetition, and its kernel stack says for
// which lock. A page fault that blocks is a hazard: the copy can fault as well, and then it waits for itself. It imports prog, harness,
// results, matrix, which says what a footprint is, and lock, which names locks.
//
//	open := func(ctx context.Context) (target.Target, error) { return target.Open(ctx, "loop:ext4", target.Options{}) }
//	f, err := footprint.Measure(ctx, open, footprint.Choice{})
//	fmt.Print(footprint.Text(f))
package footprint

import (
	"fmt"
	"slices"
	"strings"

	"faultline/harness/footprint/matrix"
)

// marks are the signs of a table on the terminal.
var marks = map[matrix.Outcome]string{
	matrix.Proceeds: ".", matrix.Blocks: "B", matrix.Deadlocks: "D", matrix.Fails: "E", matrix.Unstable: "?", matrix.Untouched: "-", matrix.Skipped: " ", matrix.Broken: "!",
}

// Text is the table for a terminal, what blocks in words, and the hazards.
func Text(f *matrix.Footprint) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s; %d cells in %.1f s\n\n", f.Target, f.FS, f.Kernel, len(f.Cells), f.Seconds)
	grid(&b, f)
	b.WriteString("\n")
	for _, o := range matrix.Outcomes {
		if slices.ContainsFunc(f.Cells, func(c matrix.Cell) bool { return c.Outcome == o }) {
			fmt.Fprintf(&b, "%s %s: %s\n", marks[o], o, o.Meaning())
		}
	}
	for i := range f.Cells {
		b.WriteString(line(&f.Cells[i]))
	}
	for _, h := range f.Hazards {
		fmt.Fprintf(&b, "\nHAZARD fault-under-lock: a page fault (%s) blocks while %s is stopped in its user copy, %s; that this hangs is %s:\n%s",
			h.Onlooker, h.Stopped, h.Lock, h.Proof, indent(h.Program))
	}
	return b.String()
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ") + "\n"
}

// grid writes one line an operation; the onlookers' names stand above their columns, from top to bottom.
func grid(b *strings.Builder, f *matrix.Footprint) {
	wide, high := 0, 0
	for _, op := range f.Ops {
		wide = max(wide, len(op))
	}
	for _, by := range f.Onlookers {
		high = max(high, len(by.Name))
	}
	for row := range high {
		line := strings.Repeat(" ", wide)
		for _, by := range f.Onlookers {
			letter := " "
			if at := row - (high - len(by.Name)); at >= 0 {
				letter = by.Name[at : at+1]
			}
			line += " " + letter
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	for _, op := range f.Ops {
		line := fmt.Sprintf("%-*s", wide, op)
		for _, by := range f.Onlookers {
			mark := " "
			if c := f.Find(op, by.Name); c != nil {
				mark = marks[c.Outcome]
			}
			line += " " + mark
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// line says what a cell came to, if that is no plain answer.
func line(c *matrix.Cell) string {
	switch c.Outcome {
	case matrix.Proceeds, matrix.Untouched, matrix.Skipped:
		return ""
	}
	text := fmt.Sprintf("%s while %s is stopped: %s", c.Onlooker, c.Stopped, c.Outcome)
	if c.Held() && c.Lock != "" {
		return text + ", " + c.Lock + "\n"
	}
	return text + ", " + c.Reason + "\n"
}
