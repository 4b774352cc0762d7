package worker

import (
	"fmt"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// Calls that only one type of file system has, besides those that are an ioctl(2) and nothing else.

// pathFits gets put_path ready: the path must have room in its memory.
func (c *call) pathFits() error {
	c.stores = true
	if n := len(c.paths[0]); uintptr(n) > c.length() {
		return fmt.Errorf("the path has %d bytes, and room for %d", n, c.length())
	}
	return nil
}

// encodePath writes the path to the end of the scratch, and slashes before it.
func (a *actor) encodePath(c *call) {
	n, path := int(c.length()), c.paths[0]
	a.reserve(n)
	before := a.scratch[:n-len(path)]
	for i := range before {
		before[i] = '/'
	}
	copy(a.scratch[len(before):n], path)
}

// xfsOpenByHandleOp opens without O_CLOEXEC, which its struct may have: no child runs another program.
func xfsOpenByHandleOp(_ *actor, c *call) result {
	r := sys(unix.SYS_IOCTL, c.fd(), uintptr(prog.XFSOpenByHandle), c.base())
	if r.ok() {
		c.makes.fd, r.value = int(r.value), 0
	}
	return r
}

// subvolumeOp makes a subvolume, whose name stands in the memory.
func subvolumeOp(_ *actor, c *call) result { return sys(unix.SYS_IOCTL, c.fd(), c.flags[0], c.base()) }
