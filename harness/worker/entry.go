package worker

import (
	"bytes"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls on attributes, links and pairs of files: each is one system call whose memory is wherever the program says.

func setxattrOp(_ *actor, c *call) result {
	return sys(unix.SYS_FSETXATTR, c.fd(), c.baseAt(0), c.baseAt(1), c.lengthAt(1), c.flags[0])
}

func getxattrOp(_ *actor, c *call) result {
	return sys(unix.SYS_FGETXATTR, c.fd(), c.baseAt(0), c.baseAt(1), c.lengthAt(1))
}

func listxattrOp(_ *actor, c *call) result {
	return sys(unix.SYS_FLISTXATTR, c.fd(), c.base(), c.length())
}

func removexattrOp(_ *actor, c *call) result { return sys(unix.SYS_FREMOVEXATTR, c.fd(), c.base()) }

// symlinkOp makes a link whose text is the file's name without the directory.
func symlinkOp(_ *actor, c *call) result {
	text := c.paths[0][bytes.LastIndexByte(c.paths[0], '/')+1:]
	return sys(unix.SYS_SYMLINKAT, uintptr(unsafe.Pointer(unsafe.SliceData(text))), atCWD, c.path(1))
}

func readlinkOp(_ *actor, c *call) result {
	return sys(unix.SYS_READLINKAT, atCWD, c.path(0), c.base(), c.length())
}

// ficloneRequest is FICLONE (linux/fs.h); its argument is a descriptor.
const ficloneRequest = 0x40049409

func ficloneOp(_ *actor, c *call) result {
	return sys(unix.SYS_IOCTL, c.fd(), ficloneRequest, c.fd2())
}

func copyFileRangeOp(_ *actor, c *call) result {
	return sys(unix.SYS_COPY_FILE_RANGE, c.fd(), c.baseAt(0), c.fd2(), c.baseAt(1), c.off(0), 0)
}

func sendfileOp(_ *actor, c *call) result {
	return sys(unix.SYS_SENDFILE, c.fd(), c.fd2(), c.base(), c.off(0))
}
