package usercopy

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Allowed tells whether we may look at other tasks of our user: ErrForbidden, with the reason, where the sysctl kernel.yama.ptrace_scope
// keeps it for parents or for root (Documentation/admin-guide/LSM/Yama.rst). A single task may still refuse: one of another
// user, or one that is not dumpable.
//
// Kernels without HAVE_ARCH_TRACEHOOK, such as User Mode Linux, have no /proc/PID/syscall, which says where the buffer is (fs/proc/base.c).
func Allowed() error {
	const calls = "/proc/self/syscall"
	if _, err := os.ReadFile(calls); err != nil {
		return fmt.Errorf("the kernel does not tell the system calls of tasks: %w: %w", err, ErrForbidden)
	}
	text, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if err != nil {
		return nil // a kernel without Yama
	}
	return allowed(strings.TrimSpace(string(text)), mayTraceAll())
}

func allowed(scope string, capable bool) error {
	if scope == "0" || capable && (scope == "1" || scope == "2") {
		return nil
	}
	return fmt.Errorf("kernel.yama.ptrace_scope is %s: %w", scope, ErrForbidden)
}

// mayTraceAll tells whether we have CAP_SYS_PTRACE.
func mayTraceAll() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[unix.CAP_SYS_PTRACE/32].Effective&(1<<(unix.CAP_SYS_PTRACE%32)) != 0
}
