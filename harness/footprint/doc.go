// Package footprint measures lock footprints: which operations cannot proceed while a system call is stopped in the middle of its user copy. Each cell, a
// stopped operation and an onlooker, is a program of its own, run by a Runner; what blocks is confirmed by repetition, and its kernel stack says for
// which lock. A page fault that blocks is a hazard: the copy can fault as well, and then it waits for itself. Where a server counts what it copies, the footprint
// says who did the copy of each call. It imports prog, entry, harness,
// results, matrix, which says what a footprint is, and lock, which names locks.
//
//	open := func(ctx context.Context) (target.Target, error) { return target.Open(ctx, "loop:ext4", target.Options{}) }
//	f, err := footprint.Measure(ctx, open, footprint.Choice{})
//	fmt.Println(len(f.Hazards), "hazards")
package footprint
