package worker

import (
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls that copy memory and are about no file. What the kernel reads of ours is in the data of the binary: it neither moves nor faults.

func processVMReadvOp(_ *actor, c *call) result { return processVM(unix.SYS_PROCESS_VM_READV, c) }

func processVMWritevOp(_ *actor, c *call) result { return processVM(unix.SYS_PROCESS_VM_WRITEV, c) }

// processVM has the remote memory behind the pieces of the local one.
func processVM(nr uintptr, c *call) result {
	local := len(c.iov) - 1
	iov, _ := c.vector()
	return sys(nr, uintptr(unix.Getpid()), iov, uintptr(local), uintptr(unsafe.Pointer(&c.iov[local])), 1, 0)
}

var memPath = []byte("/proc/self/mem\x00")

func memReadOp(_ *actor, c *call) result { return throughMem(unix.SYS_PREAD64, unix.O_RDONLY, c) }

func memWriteOp(_ *actor, c *call) result { return throughMem(unix.SYS_PWRITE64, unix.O_WRONLY, c) }

// throughMem transfers to or from the second range by its address.
func throughMem(nr, mode uintptr, c *call) result {
	mem := sys(unix.SYS_OPENAT, atCWD, address(memPath), mode|unix.O_CLOEXEC)
	if !mem.ok() {
		return mem
	}
	r := sys(nr, uintptr(mem.value), c.baseAt(0), c.lengthAt(0), c.baseAt(1))
	sys(unix.SYS_CLOSE, uintptr(mem.value))
	return r
}

// futexPrivateFlag is FUTEX_PRIVATE_FLAG (linux/futex.h).
const futexPrivateFlag = 128

func futexWaitOp(_ *actor, c *call) result {
	return sys(unix.SYS_FUTEX, c.base(), futexWaitCommand|c.flags[0], c.off(0), uintptr(unsafe.Pointer(&aTick)))
}

func futexWakeOp(_ *actor, c *call) result {
	return sys(unix.SYS_FUTEX, c.base(), futexWakeCommand, 1)
}

func mountOp(_ *actor, c *call) result {
	return sys(unix.SYS_MOUNT, c.baseAt(0), address(noName), c.baseAt(1), 0, c.baseAt(2))
}

var tmpfsName = []byte("tmpfs\x00")

// fsconfigOp begins a file system, and gives it up.
func fsconfigOp(_ *actor, c *call) result {
	begun := sys(unix.SYS_FSOPEN, address(tmpfsName), unix.FSOPEN_CLOEXEC)
	if !begun.ok() {
		return begun
	}
	r := sys(unix.SYS_FSCONFIG, uintptr(begun.value), unix.FSCONFIG_SET_STRING, c.baseAt(0), c.baseAt(1), 0)
	sys(unix.SYS_CLOSE, uintptr(begun.value))
	return r
}

var noProgram = []byte("This file is no program.\n\x00")

// execveOp tries to execute a memory file of text. What is open for writing is not executed, so it is opened once more.
func execveOp(a *actor, c *call) result {
	made := sys(unix.SYS_MEMFD_CREATE, address(noProgram), unix.MFD_CLOEXEC)
	if !made.ok() {
		return made
	}
	r := sys(unix.SYS_WRITE, uintptr(made.value), address(noProgram), uintptr(len(noProgram)))
	text := a.reopened(made.value, unix.O_RDONLY)
	sys(unix.SYS_CLOSE, uintptr(made.value))
	if !r.ok() || !text.ok() {
		return r.or(text)
	}
	r = sys(unix.SYS_EXECVE, a.link(text.value), c.base(), 0)
	sys(unix.SYS_CLOSE, uintptr(text.value))
	return r
}

// or is the first of two results that is a failure, or the second.
func (r result) or(other result) result {
	if !r.ok() {
		return r
	}
	return other
}

// reopened opens what a descriptor is open for once more.
func (a *actor) reopened(fd int64, flags uintptr) result {
	return sys(unix.SYS_OPENAT, atCWD, a.link(fd), flags|unix.O_CLOEXEC)
}

// link is the address of the name that /proc has for a descriptor of ours, until the scratch is used for something else.
func (a *actor) link(fd int64) uintptr {
	a.reserve(64)
	return address(append(strconv.AppendInt(append(a.scratch[:0], "/proc/self/fd/"...), fd, 10), 0))
}
