package worker

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Pipes have one descriptor for both ends, and do not block: a program that reads from an empty one would wait for ever.

// pipeOp makes a pipe and opens it once more for both.
func pipeOp(a *actor, c *call) result {
	ends := new([2]int32)
	r := sys(unix.SYS_PIPE2, uintptr(unsafe.Pointer(ends)), unix.O_CLOEXEC)
	if !r.ok() {
		return r
	}
	r = a.reopened(int64(ends[0]), unix.O_RDWR|unix.O_NONBLOCK)
	for _, end := range ends {
		sys(unix.SYS_CLOSE, uintptr(end))
	}
	if r.ok() {
		c.makes.fd, r.value = int(r.value), 0
	}
	return r
}

func vmspliceOp(_ *actor, c *call) result {
	iov, n := c.vector()
	return sys(unix.SYS_VMSPLICE, c.fd(), iov, n, unix.SPLICE_F_NONBLOCK)
}

func teeOp(_ *actor, c *call) result {
	return sys(unix.SYS_TEE, c.fd(), c.fd2(), c.off(0), unix.SPLICE_F_NONBLOCK)
}

func spliceFromOp(_ *actor, c *call) result {
	return sys(unix.SYS_SPLICE, c.fd(), c.base(), c.fd2(), 0, c.off(0), unix.SPLICE_F_NONBLOCK)
}

func spliceToOp(_ *actor, c *call) result {
	return sys(unix.SYS_SPLICE, c.fd(), 0, c.fd2(), c.base(), c.off(0), unix.SPLICE_F_NONBLOCK)
}
