// Package glock is GFS2's lock layer as a library. A glock is named by a type and a number, is held in one of three modes, caches a
// lock of the cluster on one node, and queues the requests of that node's tasks first come, first served. Several nodes in one
// process share a Space, which plays the part of the cluster's lock manager: what one node asks for makes the others write back,
// drop what they cached and give way.
//
//	space := glock.NewSpace(nil)
//	node := space.Join(glock.Options{Name: "n0"})
//	ctx = glock.WithOwner(ctx, glock.Owner{PID: 4711, Comm: "cat", Op: "pread of A"})
//	h, err := node.Lock(ctx, glock.Request{Name: glock.InodeName(ino), State: glock.SH, Caller: "read"})
//	if err != nil {
//		return err
//	}
//	defer h.Unlock()
//
// Dump writes all glocks as the kernel's debugfs file "glocks" does, Cycle finds tasks that wait for each other, and Explain says how.
// They work while everything else hangs: a single mutex guards the space, and nobody waits, calls a hook or does I/O with it held.
//
// The rules are those of Linux 6.1, fs/gfs2/glock.c, unless a comment says otherwise. The package imports the standard library only.
package glock
