package worker

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Operations on files by descriptor and by name. Calls are used in their *at form, the only one that newer architectures have; the
// kernel's code behind them is the same.

// atCWD is AT_FDCWD; all our paths are absolute.
var atCWD = func() uintptr { at := unix.AT_FDCWD; return uintptr(at) }()

func openOp(_ *actor, c *call) result {
	r := sys(unix.SYS_OPENAT, atCWD, c.path(0), c.flags[0]|unix.O_CLOEXEC, 0o644)
	if r.ok() {
		c.makes.fd, r.value = int(r.value), 0
	}
	return r
}

// closeOp gives the descriptor up even on an error: on Linux close(2) has always freed it by then.
func closeOp(_ *actor, c *call) result {
	fd := c.fd()
	c.uses[0].fd = -1
	return sys(unix.SYS_CLOSE, fd)
}

func lseekOp(_ *actor, c *call) result { return sys(unix.SYS_LSEEK, c.fd(), c.off(0), c.flags[0]) }
func fsyncOp(_ *actor, c *call) result { return sys(unix.SYS_FSYNC, c.fd()) }
func fdatasyncOp(_ *actor, c *call) result {
	return sys(unix.SYS_FDATASYNC, c.fd())
}

func syncfsOp(_ *actor, c *call) result { return sys(unix.SYS_SYNCFS, c.fd()) }

func syncFileRangeOp(_ *actor, c *call) result {
	const flags = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	return sys(unix.SYS_SYNC_FILE_RANGE, c.fd(), c.off(0), c.off(1), flags)
}

func fadviseOp(_ *actor, c *call) result {
	r := sys(unix.SYS_FADVISE64, c.fd(), c.off(0), c.off(1), c.flags[0])
	return r
}

func truncateOp(_ *actor, c *call) result  { return sys(unix.SYS_TRUNCATE, c.path(0), c.off(0)) }
func ftruncateOp(_ *actor, c *call) result { return sys(unix.SYS_FTRUNCATE, c.fd(), c.off(0)) }

func fallocateOp(_ *actor, c *call) result {
	return sys(unix.SYS_FALLOCATE, c.fd(), c.flags[0], c.off(0), c.off(1))
}

func statOp(a *actor, c *call) result {
	r := a.statx(atCWD, c.path(0), 0)
	switch {
	case !r.ok():
	case c.flags[0] == statSize:
		r.value = int64(a.stat.Size)
	default:
		r.value = int64(a.stat.Blocks)
	}
	return r
}

// noName makes a *at call work on the descriptor itself (AT_EMPTY_PATH).
var noName = []byte{0}

// statx asks for what stat(2) gives, into a.stat.
func (a *actor) statx(fd, path, flags uintptr) result {
	return sys(unix.SYS_STATX, fd, path, flags, unix.STATX_BASIC_STATS, uintptr(unsafe.Pointer(&a.stat)))
}

func (a *actor) fstat(fd uintptr) result {
	return a.statx(fd, uintptr(unsafe.Pointer(&noName[0])), unix.AT_EMPTY_PATH)
}

func renameOp(_ *actor, c *call) result {
	return sys(unix.SYS_RENAMEAT2, atCWD, c.path(0), atCWD, c.path(1), 0)
}

func linkOp(_ *actor, c *call) result {
	return sys(unix.SYS_LINKAT, atCWD, c.path(0), atCWD, c.path(1), 0)
}

func unlinkOp(_ *actor, c *call) result { return sys(unix.SYS_UNLINKAT, atCWD, c.path(0), 0) }
func mkdirOp(_ *actor, c *call) result  { return sys(unix.SYS_MKDIRAT, atCWD, c.path(0), 0o755) }

var (
	dropCachesPath = []byte("/proc/sys/vm/drop_caches\x00")
	dropCachesText = []byte("3")
)

// dropCachesOp writes everything back first: the kernel drops only what is clean (proc_sys_vm(5)).
func dropCachesOp(_ *actor, _ *call) result {
	sys(unix.SYS_SYNC)
	r := sys(unix.SYS_OPENAT, atCWD, uintptr(unsafe.Pointer(&dropCachesPath[0])), unix.O_WRONLY|unix.O_CLOEXEC)
	if !r.ok() {
		return r
	}
	fd := uintptr(r.value)
	r = done(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(&dropCachesText[0])), 1)
	sys(unix.SYS_CLOSE, fd)
	return r
}
