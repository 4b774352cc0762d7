package worker

import (
	"errors"
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

// onFuse makes a call on a connection of its own.
func onFuse(do func(fd uintptr) result) result {
	conn, err := devfuse.New()
	if err != nil {
		r := result{errno: unix.ENOSYS}
		errors.As(err, &r.errno)
		return r
	}
	defer conn.Close()
	return do(uintptr(conn.FD))
}

func fuseReadOp(_ *actor, c *call) result {
	return onFuse(func(fd uintptr) result {
		iov, n := c.vector()
		return sys(unix.SYS_READV, fd, iov, n)
	})
}

func fuseNotifyOp(_ *actor, c *call) result {
	return onFuse(func(fd uintptr) result { return sys(unix.SYS_WRITE, fd, c.base(), c.length()) })
}
