package worker

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"faultline/harness/devfuse"
	"faultline/harness/twin"
)

// Calls on a copy of the process, on memory that the kernel writes by itself, and on the device of FUSE.

// traced makes a request of ptrace(2) to a copy of ours.
func traced(request, remote, data uintptr) result {
	errno := twin.Do(func(pid int) unix.Errno {
		return sys(unix.SYS_PTRACE, request, uintptr(pid), remote, data).errno
	})
	return result{errno: errno}
}

func ptracePeekOp(_ *actor, c *call) result {
	return traced(unix.PTRACE_PEEKDATA, c.baseAt(1), c.baseAt(0))
}

// ptracePokeOp hands over the word that prepare has put into the scratch.
func ptracePokeOp(a *actor, c *call) result {
	return traced(unix.PTRACE_POKEDATA, c.base(), *(*uintptr)(unsafe.Pointer(&a.scratch[0])))
}

// coredumpOp reads from the core what it has of the second range.
func coredumpOp(a *actor, c *call) result {
	core, offset, err := twin.Dump(a.prog.dir, c.baseAt(1), c.lengthAt(1))
	if err != nil {
		return because(err)
	}
	defer core.Close()
	return sys(unix.SYS_PREAD64, core.Fd(), c.baseAt(0), c.lengthAt(0), uintptr(offset))
}

// Of rseq(2) (linux/rseq.h): the length of the oldest area, RSEQ_FLAG_UNREGISTER, and any number for the signature.
const (
	rseqLength     = 32
	rseqUnregister = 1
	rseqSignature  = 0x53053053
)

// rseqOp has an area for the time of the step. The Go runtime, which has no C library, registers none.
func rseqOp(_ *actor, c *call) result {
	r := sys(unix.SYS_RSEQ, c.base(), rseqLength, 0, rseqSignature)
	if !r.ok() {
		return r
	}
	return sys(unix.SYS_RSEQ, c.base(), rseqLength, rseqUnregister, rseqSignature)
}

// fuseReadOp reads from a connection of its own.
func fuseReadOp(_ *actor, c *call) result {
	conn, err := devfuse.New()
	if err != nil {
		return because(err)
	}
	defer conn.Close()
	iov, n := c.vector()
	return sys(unix.SYS_READV, uintptr(conn.FD), iov, n)
}

// fuseNotifyOp writes to a connection whose first request was answered.
func fuseNotifyOp(_ *actor, c *call) result {
	conn, err := devfuse.New()
	if err != nil {
		return because(err)
	}
	defer conn.Close()
	if err := conn.Init(); err != nil {
		return because(err)
	}
	return sys(unix.SYS_WRITE, uintptr(conn.FD), c.base(), c.length())
}
