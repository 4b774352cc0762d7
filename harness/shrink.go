package harness

import (
	"context"
	"time"

	"faultline/generators/prog"
	"faultline/results"
)

// Budget says how much may be done to make a program that fails smaller.
type Budget struct {
	// Tries is how many smaller programs may be run, Time how long that may take in all. The try under way is finished.
	Tries int
	Time  time.Duration
	// Derive sets the expectations of a smaller program; the harness itself knows no file-system rules.
	Derive func(*prog.Prog) error
}

// Small is what shrinking came to.
type Small struct {
	// Prog is the smallest program that failed in the same way: the one that was given if there is none.
	Prog *prog.Prog
	// Outcome is that of its last run.
	Outcome Outcome
	// Tries is how many programs were run on the way; then Prog was run Runs times, and failed in the same way Failed times.
	Tries, Runs, Failed int
}

// Shrunk reports whether anything could be left out.
func (s *Small) Shrunk(p *prog.Prog) bool { return s.Prog != p }

// confirm is how often the small program is run again; a hang, which takes its time, less often.
const (
	confirm     = 5
	confirmHang = 2
)

// Shrink makes the program of a failure smaller: what is left fails with the same verdict and kind in the same operation, on this Runner's
// target. Every try is one run; a hang's costs the deadline and the time of the proof, and a fresh target. It must not be called
// while Stream runs. What the target itself comes to on the way (a check that finds damage) is not told.
func (r *Runner) Shrink(ctx context.Context, failed Outcome, b Budget) Small {
	defer func(opts Options, out func(Outcome)) { r.opts, r.out = opts, out }(r.opts, r.out)
	r.opts.Repeats = 0
	small := Small{Prog: failed.Prog, Outcome: failed}
	end := time.Now().Add(b.Time)
	fails := func(p *prog.Prog) bool {
		if ctx.Err() != nil || time.Now().After(end) {
			return false
		}
		small.Tries++
		o := r.Run(ctx, p)
		return sameFailure(failed, o)
	}
	s := prog.Shrinker{Derive: b.Derive, Fails: fails, Tries: b.Tries}
	if best := s.Shrink(failed.Prog, failed.Step); best != failed.Prog {
		named := *best
		named.Name, named.Doc = failed.Prog.Name+"/small", []string{"Shrunk from " + failed.Prog.Name + "."}
		small.Prog = &named
	}
	small.Runs = confirm
	if failed.Verdict == results.Hang {
		small.Runs = confirmHang
	}
	for range small.Runs {
		if small.Outcome = r.Run(ctx, small.Prog); sameFailure(failed, small.Outcome) {
			small.Failed++
		}
	}
	return small
}

// sameFailure reports whether two runs failed in the same way: in the same operation, which may be another step. A wrong result is the same only
// if it is the same error, or data again.
func sameFailure(a, b Outcome) bool {
	if a.Verdict != b.Verdict || a.Kind != b.Kind || failedOp(a) != failedOp(b) {
		return false
	}
	return a.Verdict != results.Wrong || a.Signature == b.Signature
}

// failedOp is the operation at which a program failed, or the part of its life that is no step of it.
func failedOp(o Outcome) string {
	if o.Step < 0 || o.Step >= len(o.Prog.Steps) {
		return stepText(o.Prog, o.Step)
	}
	return o.Prog.Steps[o.Step].Op
}
