// Package worker performs the system calls of programs, in a child process that does nothing else, and gives the parent a
// handle on that child. A child can hang or die in any call, so it is watched from outside: it notes what every thread is about to do in
// shared memory that outlives it. It imports prog, self, uring, demand, golang.org/x/sys and the standard library.
//
// # The child
//
// Every step is one raw system call (check is a few of them) from a goroutine locked to its thread: a thread for the main steps, one
// for each t1, t2, ..., and a process of its own for each p1, p2, ... All of them are kept and used again by the next program. The
// garbage collector and asynchronous preemption are off and nothing in the child stops the world, because a thread that is stuck in a
// page fault would never stop, and the child would freeze. So a child grows with every program and is replaced after some hundred.
//
// # Order
//
// The steps are walked through in text order. Steps of the main thread are done in place; steps of an actor are handed to it and not waited for,
// until wait or the end of the program. Steps of actors with no main step between them are handed out together: the idle
// ones among these actors, and the main thread unless it goes on to wait, meet at a gate and start at the same moment.
// A step that uses a name which another actor's earlier step makes waits for that step. The first wrong step ends the program: running
// steps are joined, no further one is begun.
//
// # Use
//
//	proc, err := worker.Start(worker.Config{Dir: "/mnt/test"})
//	err = proc.Send(1, text)
//	for report := range proc.Reports() { ... }
//	proc.Live()   // from a watcher: what is being done right now, by which thread, since when
//	proc.Kill()
package worker
