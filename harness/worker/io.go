package worker

import "golang.org/x/sys/unix"

// Reads and writes. The buffer is whatever the program says it is; the kernel finds out.

func readOp(_ *actor, c *call) result  { return sys(unix.SYS_READ, c.fd(), c.base(), c.length()) }
func writeOp(_ *actor, c *call) result { return sys(unix.SYS_WRITE, c.fd(), c.base(), c.length()) }
func preadOp(_ *actor, c *call) result {
	return sys(unix.SYS_PREAD64, c.fd(), c.base(), c.length(), c.off(0))
}
func pwriteOp(_ *actor, c *call) result {
	return sys(unix.SYS_PWRITE64, c.fd(), c.base(), c.length(), c.off(0))
}

func readvOp(_ *actor, c *call) result {
	iov, n := c.vector()
	return sys(unix.SYS_READV, c.fd(), iov, n)
}

func writevOp(_ *actor, c *call) result {
	iov, n := c.vector()
	return sys(unix.SYS_WRITEV, c.fd(), iov, n)
}

// The positional vector calls take the offset in two halves, of which a 64-bit kernel shifts the high one out: the low one is all.

func preadvOp(_ *actor, c *call) result {
	iov, n := c.vector()
	return sys(unix.SYS_PREADV, c.fd(), iov, n, c.off(0), 0)
}

func pwritevOp(_ *actor, c *call) result {
	iov, n := c.vector()
	return sys(unix.SYS_PWRITEV, c.fd(), iov, n, c.off(0), 0)
}

func preadv2Op(_ *actor, c *call) result {
	iov, n := c.vector()
	return sys(unix.SYS_PREADV2, c.fd(), iov, n, c.off(0), 0, c.flags[0])
}

func pwritev2Op(_ *actor, c *call) result {
	iov, n := c.vector()
	return sys(unix.SYS_PWRITEV2, c.fd(), iov, n, c.off(0), 0, c.flags[0])
}
