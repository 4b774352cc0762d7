package worker

import (
	"os"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// Calls on metadata: each is one system call whose memory is wherever the program says.

// statxOp asks for what stat(2) gives, and for the number of the mount that statmount(2) takes, into memory of the program.
func statxOp(_ *actor, c *call) result {
	return sys(unix.SYS_STATX, atCWD, c.path(0), 0, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID_UNIQUE, c.base())
}

func fstatOp(_ *actor, c *call) result   { return sys(unix.SYS_FSTAT, c.fd(), c.base()) }
func fstatfsOp(_ *actor, c *call) result { return sys(unix.SYS_FSTATFS, c.fd(), c.base()) }
func getcwdOp(_ *actor, c *call) result  { return sys(unix.SYS_GETCWD, c.base(), c.length()) }

func nameToHandleOp(_ *actor, c *call) result {
	return sys(unix.SYS_NAME_TO_HANDLE_AT, atCWD, c.path(0), c.baseAt(0), c.baseAt(1), unix.AT_SYMLINK_FOLLOW)
}

func openByHandleOp(_ *actor, c *call) result {
	r := sys(unix.SYS_OPEN_BY_HANDLE_AT, c.fd(), c.base(), c.flags[0]|unix.O_CLOEXEC)
	if r.ok() {
		c.makes.fd, r.value = int(r.value), 0
	}
	return r
}

// attrSize is the length of struct file_attr that we know.
var attrSize = uintptr(prog.Structs["file_attr"].Size)

func fileGetattrOp(_ *actor, c *call) result {
	return sys(unix.SYS_FILE_GETATTR, atCWD, c.path(0), c.base(), attrSize, 0)
}

func fileSetattrOp(_ *actor, c *call) result {
	return sys(unix.SYS_FILE_SETATTR, atCWD, c.path(0), c.base(), attrSize, 0)
}

func statmountOp(_ *actor, c *call) result {
	return sys(unix.SYS_STATMOUNT, c.baseAt(0), c.baseAt(1), c.lengthAt(1), 0)
}

func listmountOp(_ *actor, c *call) result {
	return sys(unix.SYS_LISTMOUNT, c.baseAt(0), c.baseAt(1), c.lengthAt(1)/8, 0)
}

func quotactlOp(_ *actor, c *call) result {
	return sys(unix.SYS_QUOTACTL_FD, c.fd(), c.flags[0], uintptr(os.Geteuid()), c.base())
}
