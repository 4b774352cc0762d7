package matrix

import (
	"cmp"
	"fmt"
	"slices"
)

// Comparison is two footprints held against each other.
type Comparison struct{ Old, New *Footprint }

// Change is a cell that came out in another way. For a cell that only one side has, the other is the zero Cell.
type Change struct {
	Old, New Cell
	// Hazard says that a page fault blocks that did not.
	Hazard bool
}

// Pair joins the footprints of two files: those of the same target, or, if no target is on both sides, the first with the first and so on. What is
// left over is an error: it would go unnoticed.
func Pair(old, now []*Footprint) ([]Comparison, error) {
	if len(old) != len(now) {
		return nil, fmt.Errorf("compare footprints: %d on one side, %d on the other", len(old), len(now))
	}
	byTarget := func(target string) func(*Footprint) bool {
		return func(f *Footprint) bool { return f.Target == target }
	}
	var pairs []Comparison
	for _, a := range old {
		if i := slices.IndexFunc(now, byTarget(a.Target)); i >= 0 {
			pairs = append(pairs, Comparison{a, now[i]})
		}
	}
	switch len(pairs) {
	case len(old):
		return pairs, nil
	case 0:
		for i := range old {
			pairs = append(pairs, Comparison{old[i], now[i]})
		}
		return pairs, nil
	}
	return nil, fmt.Errorf("compare footprints: some targets are on both sides, and some on one only")
}

// Title says in a line what is compared.
func (c Comparison) Title() string {
	if c.Old.Target == c.New.Target && c.Old.Kernel == c.New.Kernel {
		return fmt.Sprintf("%s on %s", c.New.Target, c.New.Kernel)
	}
	return fmt.Sprintf("%s on %s -> %s on %s", c.Old.Target, c.Old.Kernel, c.New.Target, c.New.Kernel)
}

// Changes are the cells that differ: those that got worse first, page faults first among them, then what only changed, then what got better.
func (c Comparison) Changes() []Change {
	var all []Change
	for _, was := range c.Old.Cells {
		is := c.New.Find(was.Stopped, was.Onlooker)
		switch {
		case is == nil:
			all = append(all, Change{Old: was})
		case is.Outcome != was.Outcome:
			all = append(all, Change{Old: was, New: *is, Hazard: c.New.IsHazard(is) && !was.Held()})
		}
	}
	for _, is := range c.New.Cells {
		if c.Old.Find(is.Stopped, is.Onlooker) == nil {
			all = append(all, Change{New: is, Hazard: c.New.IsHazard(&is)})
		}
	}
	slices.SortStableFunc(all, func(a, b Change) int { return cmp.Compare(b.weight(), a.weight()) })
	return all
}

// severity orders the outcomes that say how far the onlooker got; a higher one is worse. The others have none.
var severity = map[Outcome]int{Proceeds: 1, Unstable: 2, Blocks: 3, Fails: 4, Deadlocks: 5}

// Worse reports a change for the worse, which includes a new cell that is a hazard. Cells that could not be measured on one side, or are on one side only, are neither worse nor
// better.
func (c Change) Worse() bool { return c.Hazard || c.step() > 0 }

// Better reports a change for the better.
func (c Change) Better() bool { return !c.Hazard && c.step() < 0 }

// step is by how much it got worse; 0 where the two cannot be compared.
func (c Change) step() int {
	before, after := severity[c.Old.Outcome], severity[c.New.Outcome]
	if before == 0 || after == 0 {
		return 0
	}
	return after - before
}

// weight orders changes in a list.
func (c Change) weight() int {
	if c.Hazard {
		return c.step() + 2*len(severity)
	}
	return c.step()
}

// String is the change in one line: "worse: pwrite stopped, load-far: proceeds -> blocks on the inode lock (i_rwsem)".
func (c Change) String() string {
	how := "changed"
	switch {
	case c.Hazard:
		how = "HAZARD"
	case c.Worse():
		how = "worse"
	case c.Better():
		how = "better"
	}
	at := c.New
	if at.Stopped == "" {
		at = c.Old
	}
	return fmt.Sprintf("%-7s  %s stopped, %s: %s -> %s", how, at.Stopped, at.Onlooker, c.Old.words(), c.New.words())
}

// words are an outcome with what explains it.
func (c *Cell) words() string {
	switch {
	case c.Outcome == "":
		return "not measured"
	case c.Held() && c.Lock != "":
		return fmt.Sprintf("%s on %s", c.Outcome, c.Lock)
	case c.Reason != "":
		return fmt.Sprintf("%s (%s)", c.Outcome, c.Reason)
	}
	return string(c.Outcome)
}
