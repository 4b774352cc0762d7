package matrix

import (
	"slices"
	"time"
)

// Outcome is what came of a cell.
type Outcome string

// The outcomes of cells.
const (
	Proceeds  Outcome = "proceeds"  // the onlooker came back while the call was stopped
	Blocks    Outcome = "blocks"    // it slept until the call was served, and then came back
	Fails     Outcome = "fails"     // it returned an error
	Deadlocks Outcome = "deadlocks" // it, or the call, did not come back even after serving
	Unstable  Outcome = "unstable"  // repetitions came out in different ways
	Untouched Outcome = "untouched" // the call never touched its buffer, so it was not stopped
	Skipped   Outcome = "skipped"   // the file system cannot do one of the two
	Broken    Outcome = "broken"    // our own fault
)

// Outcomes are all there are, the best first and those that say nothing about locks last.
var Outcomes = []Outcome{Proceeds, Unstable, Blocks, Fails, Deadlocks, Untouched, Skipped, Broken}

// Meaning says in a few words what an outcome means, for legends.
func (o Outcome) Meaning() string { return meanings[o] }

var meanings = map[Outcome]string{
	Proceeds:  "comes back at once",
	Blocks:    "waits until the stopped call is let go",
	Fails:     "returns an error",
	Deadlocks: "does not come back even then",
	Unstable:  "not the same each time",
	Untouched: "the call does not touch its buffer",
	Skipped:   "not possible here",
	Broken:    "could not be measured",
}

// Group says what an onlooker is to the stopped call. It orders the columns of a table.
type Group string

// The groups of onlookers, in the order in which tables show them.
const (
	Faults    Group = "page faults" // a load or store through a mapping of any file of the file system
	SameFile  Group = "same file"
	OtherFile Group = "other file"
	Names     Group = "directory" // names are looked up, made, removed, listed
	Whole     Group = "file system"
)

// Groups are all groups in order.
var Groups = []Group{Faults, SameFile, OtherFile, Names, Whole}

// Onlooker is an operation that another process tries while a call is stopped.
type Onlooker struct {
	Name  string `json:"name"`
	Group Group  `json:"group"`
}

// Cell is one stopped call with one onlooker.
type Cell struct {
	Stopped  string  `json:"stopped"`
	Onlooker string  `json:"onlooker"`
	Outcome  Outcome `json:"outcome"`
	// Runs is how often the cell was tried.
	Runs int `json:"runs"`
	// Reason is the error of a failure, why a cell was skipped or could not be measured, how repetitions differed.
	Reason string `json:"reason,omitempty"`
	// Lock is what the onlooker waited for, "" if its stack does not tell.
	Lock string `json:"lock,omitempty"`
	// Stack is the kernel stack of the onlooker that waited: functions, innermost first.
	Stack []string `json:"stack,omitempty"`
	// Program is the program that measured the cell, by name.
	Program string `json:"program,omitempty"`
}

// Held reports a cell whose onlooker did not get on before the stopped call did.
func (c *Cell) Held() bool { return c.Outcome == Blocks || c.Outcome == Deadlocks }

// Proof is what became of the claim that a hazard can hang.
type Proof string

// The proofs of hazards.
const (
	Untried Proof = "not tried"
	Proved  Proof = "proved"  // its program hung
	Refuted Proof = "refuted" // its program ended
)

// Hazard is fault-under-lock: a page fault that blocks while a user copy is stopped. The copy can cause such a fault itself, and then it waits
// for itself and neither ever ends.
type Hazard struct {
	Stopped  string `json:"stopped"`
	Onlooker string `json:"onlooker"`
	Lock     string `json:"lock,omitempty"`
	// Program is the text of the shortest program that hangs if the hazard is real.
	Program string `json:"program,omitempty"`
	Proof   Proof  `json:"proof"`
}

// Footprint is the table of one file system. Cells stand in the order in which they were measured; a cell may be missing if the measurement was
// cut short.
type Footprint struct {
	Target    string     `json:"target"`            // as given to --target
	FS        string     `json:"fs"`                // type, as in /proc/self/mountinfo
	Kernel    string     `json:"kernel"`            // release, as uname -r
	Options   string     `json:"options,omitempty"` // of the mount
	Date      time.Time  `json:"date"`
	Seconds   float64    `json:"seconds"`       // how long it took
	Cut       string     `json:"cut,omitempty"` // why cells are missing, "" if none is
	Ops       []string   `json:"ops"`           // stopped calls, in order
	Onlookers []Onlooker `json:"onlookers"`
	Cells     []Cell     `json:"cells"`
	Hazards   []Hazard   `json:"hazards,omitempty"`
	Copies    []Copy     `json:"copies,omitempty"` // where a server counts them
}

// Find is the cell of a stopped call and an onlooker, or nil.
func (f *Footprint) Find(stopped, onlooker string) *Cell {
	for i := range f.Cells {
		if c := &f.Cells[i]; c.Stopped == stopped && c.Onlooker == onlooker {
			return c
		}
	}
	return nil
}

// IsHazard reports a page fault that did not get on: its group is Faults, and it blocks or deadlocks.
func (f *Footprint) IsHazard(c *Cell) bool { return c.Held() && f.group(c.Onlooker) == Faults }

// group is the group of an onlooker, "" if there is none of the name.
func (f *Footprint) group(onlooker string) Group {
	for _, by := range f.Onlookers {
		if by.Name == onlooker {
			return by.Group
		}
	}
	return ""
}

// ByGroup are the onlookers of a group in order.
func (f *Footprint) ByGroup(g Group) []Onlooker {
	return slices.DeleteFunc(slices.Clone(f.Onlookers), func(by Onlooker) bool { return by.Group != g })
}

// Locks are the locks that held something up, in the order in which the table meets them. A stack that does not tell is "".
func (f *Footprint) Locks() (list []string) {
	for i := range f.Cells {
		if c := &f.Cells[i]; c.Held() && !slices.Contains(list, c.Lock) {
			list = append(list, c.Lock)
		}
	}
	return list
}
