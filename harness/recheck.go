package harness

import (
	"context"
	"errors"
	"time"

	"faultline/harness/target"
	"faultline/results"
)

// batch is after how many programs the target wants to be checked; 0 if at its end only.
func (r *Runner) batch() int {
	if c, is := r.target.(target.Checkable); is {
		return c.Batch()
	}
	return 0
}

// ran notes a program that has run on the target.
func (r *Runner) ran(name string) {
	r.last = name
	if r.batch() > 0 {
		r.unchecked = append(r.unchecked, name)
	}
}

// mayBegin reports whether another program may begin before the target is checked.
func (r *Runner) mayBegin() bool {
	n := r.batch()
	return n == 0 || len(r.unchecked)+len(r.flight) < n
}

// recheck checks the target when it is time, between two programs. Damage is that of the programs since the last check, and ruins the target. The error
// means that there is no other.
func (r *Runner) recheck(ctx context.Context) error {
	if n := r.batch(); n == 0 || len(r.unchecked) < n || len(r.flight) > 0 {
		return nil
	}
	if r.proc != nil {
		r.proc.Close() // it works in a folder of the target
		r.proc = nil
	}
	err := r.target.(target.Checkable).Recheck(ctx)
	var damage *target.CheckError
	switch {
	case err == nil:
		r.unchecked = nil
		return nil
	case errors.As(err, &damage):
		r.tellDamage(damage)
	case r.on.Death() != nil:
		return r.mourn(ctx, r.on.Death())
	case ctx.Err() == nil:
		r.out(Outcome{
			Name: "target/check/" + r.last, Verdict: results.Broken, Kind: results.InfraTargetLost, Step: -1, Start: time.Now(), Message: err.Error(),
		})
	}
	return r.replace(ctx)
}

// tellDamage reports what a file system's own checker has found. It is called after the program that ran last.
func (r *Runner) tellDamage(damage *target.CheckError) {
	o := Outcome{
		Name: "target/fsck/" + r.last, Verdict: results.Wrong, Kind: results.Fsck, Step: -1, Start: time.Now(),
		Message:  damage.Error(),
		Evidence: []Section{{"fsck.txt", damage.Command + "\n" + damage.Output}},
	}
	if len(r.unchecked) > 1 {
		text := ""
		for _, name := range r.unchecked {
			text += name + "\n"
		}
		o.Message = joined(o.Message, "one of the programs since the last check did it, see programs.txt")
		o.Evidence = append(o.Evidence, Section{"programs.txt", text})
	}
	r.out(o)
}
