// Package glock is GFS2's lock layer: glocks with a type, a number and a state, which cache a lock of the cluster on one node
// and queue the requests of its tasks. Several nodes in one process share a Space, which plays the part of the
// cluster's lock manager. A request that must wait does so first come, first served. The package imports nothing of ours.
//
//	space := glock.NewSpace()
//	node := space.Join(glock.Options{Name: "n0"})
//	h, err := node.Lock(ctx, glock.Request{
//		Owner: glock.Owner{PID: 4711, Comm: "cat"}, Name: glock.InodeName(ino), State: glock.EX, Caller: "write"})
//	defer h.Unlock()
//
// Dump writes all glocks as the kernel's debugfs file does, and Cycle finds tasks that wait for each other and says in
// words how. Both work while everything else hangs. The rules are those of Linux 6.1, fs/gfs2/glock.c.
package glock
