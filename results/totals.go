package results

import "syscall"

// Totals counts cases by verdict.
type Totals struct {
	Planned int `json:"planned"` // cases that should have a verdict
	Pass    int `json:"pass"`
	Wrong   int `json:"wrong"`
	Hang    int `json:"hang"`
	Crash   int `json:"crash"`
	Skip    int `json:"skip"`
	Broken  int `json:"broken"`
	Flaky   int `json:"flaky,omitempty"` // of Pass: passed after a failure
	Known   int `json:"known,omitempty"` // of Skip: ran, and failed as the list of known failures says
}

// Add counts c. A case with an unknown verdict is not counted, so it stays missing.
func (t *Totals) Add(c Case) {
	if n := t.count(c.Verdict); n != nil {
		*n++
	}
	if c.Flaky() {
		t.Flaky++
	}
	if c.Known() {
		t.Known++
	}
}

// Of returns how many cases have verdict v.
func (t Totals) Of(v Verdict) int {
	if n := t.count(v); n != nil {
		return *n
	}
	return 0
}

func (t *Totals) count(v Verdict) *int {
	switch v {
	case Pass:
		return &t.Pass
	case Wrong:
		return &t.Wrong
	case Hang:
		return &t.Hang
	case Crash:
		return &t.Crash
	case Skip:
		return &t.Skip
	case Broken:
		return &t.Broken
	}
	return nil
}

// Bad counts the failures of the product: wrong, hang and crash.
func (t Totals) Bad() int { return t.Wrong + t.Hang + t.Crash }

// Judged counts the cases that have a verdict.
func (t Totals) Judged() int { return t.Pass + t.Bad() + t.Skip + t.Broken }

// Ran counts the cases that have a verdict and were not skipped. Known failures ran.
func (t Totals) Ran() int { return t.Judged() - t.Skip + t.Known }

// Missing counts the planned cases that have no verdict.
func (t Totals) Missing() int { return max(0, t.Planned-t.Judged()) }

// The exit codes of a run. What git bisect, check of xfstests and tmt expect of them is kept.
const (
	ExitOK          = 0   // all selected cases passed, were skipped for a reason, or are known failures
	ExitFailed      = 1   // at least one failure of the product
	ExitUsage       = 2   // wrong usage or configuration
	ExitNothing     = 3   // nothing was selected
	ExitSkipped     = 4   // everything was skipped
	ExitIncomplete  = 5   // infrastructure errors or missing verdicts, and no failure of the product
	ExitCannotJudge = 125 // for git bisect run: this commit cannot be judged
)

// ExitCode is the exit code of a run with these totals. Interrupted is the signal that ended the run early, or 0: the code is
// then 128 plus its number. A failure of the product outweighs an incomplete run, and a planned case without a verdict
// never gives 0.
func ExitCode(t Totals, interrupted syscall.Signal) int {
	switch {
	case interrupted != 0:
		return 128 + int(interrupted)
	case t.Bad() > 0:
		return ExitFailed
	case t.Broken > 0 || t.Missing() > 0:
		return ExitIncomplete
	case t.Judged() == 0:
		return ExitNothing
	case t.Ran() == 0:
		return ExitSkipped
	}
	return ExitOK
}

// BisectCode turns an exit code into one for git bisect run, which takes 1 to 124 as "this commit is bad" and 125 as "skip
// this commit" (git-bisect(1), "Bisect run"). Only a failure of the product makes a commit bad.
func BisectCode(code int) int {
	if code > ExitFailed && code < ExitCannotJudge {
		return ExitCannotJudge
	}
	return code
}
