package footprint

import (
	"context"
	"fmt"
	"strings"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/footprint/matrix"
	"faultline/results"
)

// servedType is the type of the file system whose server counts copies.
const servedType = "fuse.gfs2"

// copySamples is how often a call's copy is counted at most: the first numbers that come twice are believed. On a busy machine a server may give up a
// look at its caller, and then counts one round more.
const copySamples = 5

// copied counts who does the copy of a stopped call, nil where nobody counts. The error is that of a file system that is lost.
func (m *measurement) copied(ctx context.Context, r *harness.Runner, o operation) (*matrix.Copy, error) {
	if r.Target().FS() != servedType {
		return nil, nil
	}
	r.Run(ctx, alone(o, false)) // what the cells have ruined is replaced now
	seen := map[matrix.Copy]bool{}
	for range copySamples {
		c, err := sampleCopy(ctx, r, o)
		if err != nil || c.Reason != "" || seen[c] {
			return &c, err
		}
		seen[c] = true
	}
	return &matrix.Copy{Stopped: o.name, Reason: fmt.Sprintf("the numbers were others each of %d times", copySamples)}, nil
}

// sampleCopy is by how much the server counts more when the call is made than when all is done but the call.
func sampleCopy(ctx context.Context, r *harness.Runner, o operation) (matrix.Copy, error) {
	without, err := countedRun(ctx, r, o, false)
	if err != nil || without.Reason != "" {
		return without, err
	}
	with, err := countedRun(ctx, r, o, true)
	if err != nil || with.Reason != "" {
		return with, err
	}
	return matrix.Copy{
		Stopped: o.name, Server: with.Server - without.Server, Kernel: 1 + with.Kernel - without.Kernel,
		Retries: with.Retries - without.Retries, UnderLock: with.UnderLock - without.UnderLock, Outside: with.Outside - without.Outside,
	}, nil
}

// countedRun is what the server counts while a program runs; Kernel is less by one for each call that the server copies.
func countedRun(ctx context.Context, r *harness.Runner, o operation, call bool) (c matrix.Copy, err error) {
	c.Stopped = o.name
	t := r.Target()
	before, askErr := t.Copies(ctx)
	if askErr != nil {
		c.Reason = askErr.Error()
		return c, nil
	}
	outcome := r.Run(ctx, alone(o, call))
	switch {
	case ctx.Err() != nil:
		return c, context.Cause(ctx)
	case outcome.Kind == results.InfraTargetLost:
		return c, fmt.Errorf("count the copies of %s: %s", o.name, outcome.Message)
	case outcome.Verdict != results.Pass:
		c.Reason = outcome.Message
		return c, nil
	}
	after, askErr := t.Copies(ctx)
	if askErr != nil {
		c.Reason = askErr.Error()
		return c, nil
	}
	less := func(a, b uint64) int64 { return int64(a - b) }
	c.Server, c.Kernel, c.Retries = less(after.Pages, before.Pages), less(before.Calls, after.Calls), less(after.Retries, before.Retries)
	c.UnderLock, c.Outside = less(after.FaultsUnderLock, before.FaultsUnderLock), less(after.FaultsOutside, before.FaultsOutside)
	return c, nil
}

// alone is a stopped call that nobody looks at, or only what is done before it.
func alone(o operation, call bool) *prog.Prog {
	var b strings.Builder
	fmt.Fprintf(&b, "# Who copies while %s is stopped?\nprog footprint/%s/copy\n%s", o.name, o.name, prologue)
	for _, line := range o.steps() {
		b.WriteString(line + "\n")
	}
	if call {
		fmt.Fprintf(&b, "t1: %s -> any\nstalled(%s)\n%s\nwait(t1)\n", o.call, o.stop(), o.serve())
	}
	return parsed(b.String())
}
