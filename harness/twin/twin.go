// Package twin forks copies of this process: some stand still, so that their memory can be read and written by ptrace(2), others die with a core. A copy has
// the mappings that we have, without their pages: who touches its memory takes the faults. It imports nothing of ours.
//
//	errno := twin.Do(func(pid int) unix.Errno { return peek(pid, address) })
package twin

import "golang.org/x/sys/unix"

// Do forks a copy, which the calling thread traces, calls use while the copy is stopped, and ends it. The caller has locked its goroutine to its thread.
// The error is that of fork(2), wait4(2), or what use returns.
func Do(use func(pid int) unix.Errno) unix.Errno {
	pid, errno := fork()
	if errno != 0 {
		return errno
	}
	// A copy that could not be traced is stopped as well: then use gets ESRCH.
	errno = wait(pid, unix.WUNTRACED)
	if errno == 0 {
		errno = use(int(pid))
	}
	_, _, _ = unix.RawSyscall(unix.SYS_KILL, pid, uintptr(unix.SIGKILL), 0)
	if ended := wait(pid, 0); errno == 0 {
		errno = ended
	}
	return errno
}

// fork returns in the parent only: of the copy's threads none but the calling one exists, so that it may do nothing but system calls.
//
//go:nosplit
//go:norace
func fork() (pid uintptr, errno unix.Errno) {
	pid, _, errno = unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if pid != 0 || errno != 0 {
		return pid, errno
	}
	_, _, _ = unix.RawSyscall(unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0)
	self, _, _ := unix.RawSyscall(unix.SYS_GETPID, 0, 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_KILL, self, uintptr(unix.SIGSTOP), 0)
	for {
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

// wait waits until the state of the copy changes.
func wait(pid, options uintptr) unix.Errno { return waitFor(pid, 0, options) }

// waitFor writes the state to an address as well, if there is one.
func waitFor(pid, status, options uintptr) unix.Errno {
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_WAIT4, pid, status, options, 0, 0, 0)
		if errno != unix.EINTR {
			return errno
		}
	}
}
