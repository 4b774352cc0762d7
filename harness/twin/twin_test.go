package twin

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// word is what copies have a copy of.
var word uint64

func peek(pid int, at unsafe.Pointer) (n uint64, errno unix.Errno) {
	_, _, errno = unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_PEEKDATA, uintptr(pid), uintptr(at), uintptr(unsafe.Pointer(&n)), 0, 0)
	return n, errno
}

func TestTheCopyHasOurMemory(t *testing.T) {
	g := gomega.NewWithT(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i := range uint64(20) {
		word = i
		var last int
		errno := Do(func(pid int) unix.Errno {
			last, word = pid, 100
			n, errno := peek(pid, unsafe.Pointer(&word))
			if errno == 0 {
				g.Expect(n).To(gomega.Equal(i), "what we write afterwards is our own")
			}
			return errno
		})
		if errno == unix.EPERM || errno == unix.ESRCH {
			t.Skip("needs ptrace(2): ", errno)
		}
		g.Expect(errno).To(gomega.BeZero())
		g.Expect(unix.Kill(last, 0)).To(gomega.Equal(unix.ESRCH), "it is gone")
	}
	g.Expect(Do(func(int) unix.Errno { return unix.EXDEV })).To(gomega.Equal(unix.EXDEV))
}
