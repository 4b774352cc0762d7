package worker

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Asynchronous I/O of the kernel's own (io_setup(2)). Pointers, requests and events lie in memory of the program; the context is the actor's, a
// fresh one for every program, so that nothing of an earlier one is left in it.
type aio struct {
	context uintptr
	seq     uint64
}

// aioRoom is how many requests a context takes.
const aioRoom = 8

// ioSetupOp has the kernel write a context to the program's memory, and gives it up again.
func ioSetupOp(a *actor, c *call) result {
	r := sys(unix.SYS_IO_SETUP, aioRoom, c.base())
	if !r.ok() {
		return r
	}
	a.reserve(8)
	if seen := a.collect(memory(c.base(), 8), a.scratch); !seen.ok() {
		return seen
	}
	return sys(unix.SYS_IO_DESTROY, *(*uintptr)(unsafe.Pointer(&a.scratch[0])))
}

// withContext makes sure that the actor has a context for the running program.
func (a *actor) withContext() result {
	if a.aio == nil {
		a.aio = &aio{}
	}
	if a.aio.seq == a.prog.seq && a.aio.context != 0 {
		return result{}
	}
	if a.aio.context != 0 {
		sys(unix.SYS_IO_DESTROY, a.aio.context)
	}
	a.aio.seq, a.aio.context = a.prog.seq, 0
	return sys(unix.SYS_IO_SETUP, aioRoom, uintptr(unsafe.Pointer(&a.aio.context)))
}

// ioSubmitOp hands over as many pointers to requests as fit into the memory.
func ioSubmitOp(a *actor, c *call) result {
	if r := a.withContext(); !r.ok() {
		return r
	}
	return sys(unix.SYS_IO_SUBMIT, a.aio.context, c.length()/8, c.base())
}

// ioGeteventsOp waits for one event at least.
func ioGeteventsOp(a *actor, c *call) result {
	if r := a.withContext(); !r.ok() {
		return r
	}
	const eventSize = 32
	return sys(unix.SYS_IO_GETEVENTS, a.aio.context, 1, c.length()/eventSize, c.base(), 0)
}
