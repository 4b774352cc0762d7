package twin

import (
	"bytes"
	"os"
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

func TestTheCoreHasOurMemory(t *testing.T) {
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil || string(pattern) != "core\n" {
		t.Skip("cores go elsewhere: ", string(pattern), err)
	}
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	file, err := os.Create(dir + "/mapped")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer file.Close()
	data := bytes.Repeat([]byte("twin"), os.Getpagesize())
	_, err = file.Write(data)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	for _, flags := range []int{unix.MAP_SHARED, unix.MAP_PRIVATE} {
		mapped, err := unix.Mmap(int(file.Fd()), 0, len(data), unix.PROT_READ|unix.PROT_WRITE, flags)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		at := uintptr(unsafe.Pointer(&mapped[0]))
		core, offset, err := Dump(dir, at+3, 5000)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		got := make([]byte, 5000)
		_, err = core.ReadAt(got, offset)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(bytes.Equal(got, data[3:5003])).To(gomega.BeTrue())
		info, err := core.Stat()
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(info.Size()).To(gomega.BeNumerically("<", 1<<20), "nothing else is in it")
		core.Close()
		_, _, err = Dump(dir, at+3, uintptr(len(data)))
		g.Expect(err).To(gomega.MatchError(unix.ENODATA), "that is more than there is")
		g.Expect(unix.Munmap(mapped)).To(gomega.Succeed())
	}
	left, err := os.ReadDir(dir)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(left).To(gomega.HaveLen(1), "the cores are gone")
	_, _, err = Dump(dir+"/nowhere", 0, 1)
	g.Expect(err).To(gomega.MatchError(os.ErrNotExist))
}
