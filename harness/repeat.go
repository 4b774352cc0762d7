package harness

import (
	"slices"

	"faultline/results"
)

// A program that failed is run again, to find the rate. Where each run costs a guest, and others with the same signature have failed in every run, that
// is known, and one run is enough.

// provenBy is how many programs must have failed in every run for their signature to be known.
const provenBy = 2

// failing is what failures have in common.
type failing struct {
	verdict   results.Verdict
	signature string
}

// repeats is how often a program with that outcome is to be run again. known is set if it is not run again because enough is known.
func (r *Runner) repeats(o Outcome) (left int, known bool) {
	if o.Verdict != results.Hang && o.Kind != results.TimeoutSlow && o.Kind != results.KernelPanic {
		return r.opts.Repeats, false
	}
	left = min(r.opts.Repeats, hangRepeats)
	if o.Signature == silentGuest {
		return max(left, 1), false // one silence is no verdict
	}
	if left > 0 && r.disposable() && r.proven[failing{o.Verdict, o.Signature}] >= provenBy {
		return 0, true
	}
	return left, false
}

// weigh makes a first run that was no fault of the program's a pass, once it has passed: one that only our own side spoiled, or one in which a guest fell
// silent, as one does that gets no CPU, and none did later.
func weigh(first *Outcome, reruns []results.Attempt) {
	has := func(is func(results.Verdict) bool) bool {
		return slices.ContainsFunc(reruns, func(a results.Attempt) bool { return is(a.Verdict) })
	}
	if first.Signature == silentGuest && !has(results.Verdict.Bad) {
		first.Verdict, first.Kind = results.Broken, results.InfraTargetLost
	}
	if first.Verdict == results.Broken && has(func(v results.Verdict) bool { return v == results.Pass }) {
		first.Verdict, first.Kind = results.Pass, ""
	}
}

// prove notes a program that has failed in all its runs, some of them repeated.
func (r *Runner) prove(o Outcome) {
	if o.Signature == "" || len(o.Attempts) == 0 {
		return
	}
	for _, a := range o.Attempts {
		if a.Verdict != o.Verdict {
			return
		}
	}
	r.proven[failing{o.Verdict, o.Signature}]++
}
