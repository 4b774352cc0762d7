package harness

import (
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
	if left > 0 && r.disposable() && r.proven[failing{o.Verdict, o.Signature}] >= provenBy {
		return 0, true
	}
	return left, false
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
