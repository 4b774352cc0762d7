package picture

import (
	"fmt"
	"slices"
	"strings"

	"faultline/harness/footprint/matrix"
)

// heading is what was measured, in one line.
func heading(f *matrix.Footprint) string {
	text := fmt.Sprintf("%s on Linux %s", f.FS, f.Kernel)
	if f.Options != "" {
		text += ", mounted " + f.Options
	}
	return text
}

// effort is what it took, and when.
func effort(f *matrix.Footprint) string {
	if f.Cut != "" {
		return fmt.Sprintf("NOT COMPLETE: %s; %.0f s, %s", f.Cut, f.Seconds, f.Date.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return fmt.Sprintf("%d cells in %.0f s, %s", len(f.Cells), f.Seconds, f.Date.UTC().Format("2006-01-02 15:04 UTC"))
}

// copied is the group of the rows, or columns, that say who copied.
const copied = "user copy"

// wait is a lock that onlookers waited for, with its number in the table.
type wait struct {
	Number int
	Lock   string
	Cells  int
	// Stack is that of the first who waited, in one line.
	Stack string
}

// waits are the locks of a footprint, numbered from 1.
func waits(f *matrix.Footprint) []wait {
	var all []wait
	for i, name := range f.Locks() {
		w := wait{Number: i + 1, Lock: name}
		if name == "" {
			w.Lock = "unknown: there is no stack that tells"
		}
		for _, c := range f.Cells {
			if c.Held() && c.Lock == name {
				w.Cells++
				if w.Stack == "" {
					w.Stack = strings.Join(c.Stack, " < ")
				}
			}
		}
		all = append(all, w)
	}
	return all
}

// number is that of the lock a cell waited for, 0 if it did not.
func number(f *matrix.Footprint, c *matrix.Cell) int {
	if !c.Held() {
		return 0
	}
	return slices.Index(f.Locks(), c.Lock) + 1
}

// remarks are the reasons that cells and copies give, one line each, with those that give it: nothing that was not measured is passed over in silence.
func remarks(f *matrix.Footprint) []string {
	at := map[string][]string{}
	var order []string
	add := func(why, where string) {
		if at[why] == nil {
			order = append(order, why)
		}
		at[why] = append(at[why], where)
	}
	for _, c := range f.Cells {
		if c.Reason != "" {
			add(fmt.Sprintf("%s: %s", c.Outcome, c.Reason), c.Onlooker+" beside "+c.Stopped)
		}
	}
	for _, c := range f.Copies {
		if c.Reason != "" {
			add("not counted: "+c.Reason, "copy of "+c.Stopped)
		}
	}
	for i, why := range order {
		list := at[why]
		if len(list) > 2 {
			list = append(list[:1:1], fmt.Sprintf("%d more", len(list)-1))
		}
		order[i] = fmt.Sprintf("%s (%s)", why, strings.Join(list, ", "))
	}
	return order
}

// occurring are the outcomes that a footprint has.
func occurring(f *matrix.Footprint) []matrix.Outcome {
	return slices.DeleteFunc(slices.Clone(matrix.Outcomes), func(o matrix.Outcome) bool {
		return !slices.ContainsFunc(f.Cells, func(c matrix.Cell) bool { return c.Outcome == o })
	})
}

// endangered says what a hazard is.
func endangered(h matrix.Hazard) string {
	text := fmt.Sprintf("while %s is stopped in its user copy, a page fault (%s) waits", h.Stopped, h.Onlooker)
	if h.Lock != "" {
		text += " for " + h.Lock
	}
	return text + ". A fault of the copy itself then waits for ever."
}

// proofs say what became of a hazard's program.
var proofs = map[matrix.Proof]string{
	matrix.Untried: "This program should hang; it was not run:",
	matrix.Proved:  "This program hung:",
	matrix.Refuted: "This program should have hung, and ended:",
}

// verdict is what all page faults came to.
func verdict(f *matrix.Footprint) (text string, hazard bool) {
	tried, held := 0, 0
	for _, by := range f.ByGroup(matrix.Faults) {
		for _, op := range f.Ops {
			c := f.Find(op, by.Name)
			switch {
			case c == nil:
			case f.IsHazard(c):
				held++
				tried++
			case c.Outcome == matrix.Proceeds:
				tried++
			}
		}
	}
	switch {
	case tried == 0:
		return "No page fault was tried.", false
	case held == 0:
		return fmt.Sprintf("No page fault waits for a stopped call (%d tried).", tried), false
	}
	return fmt.Sprintf("%d of %d page faults wait for a stopped call: fault-under-lock.", held, tried), true
}
