package fused_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
)

func init() {
	self.Register("fused-stuck", stuckMain)
	self.Register("fused-aio", aioMain)
}

// Numbers of userfaultfd(2): ioctl_userfaultfd(2) and include/uapi/linux/userfaultfd.h.
const (
	uffdAPI      = 0xaa
	ioctlAPI     = 0xc018aa3f
	ioctlReg     = 0xc020aa00
	regMissing   = 1
	uffdUserMode = 0
)

// stuckMain reads into memory whose fault nobody will ever serve: the argument is the file.
func stuckMain(args []string) int {
	runtime.LockOSThread()
	uffd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|uffdUserMode, 0, 0)
	api := [3]uint64{uffdAPI}
	if errno == 0 {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, uffd, ioctlAPI, uintptr(unsafe.Pointer(&api)))
	}
	page := os.Getpagesize()
	m, err := unix.Mmap(-1, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if errno == 0 && err == nil {
		reg := [4]uint64{uint64(uintptr(unsafe.Pointer(&m[0]))), uint64(page), regMissing}
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, uffd, ioctlReg, uintptr(unsafe.Pointer(&reg)))
	}
	fd, openErr := unix.Open(args[0], unix.O_RDONLY, 0)
	if errno != 0 || err != nil || openErr != nil {
		fmt.Println(errno, err, openErr)
		return 1
	}
	unix.Pread(fd, m, 0)
	return 0
}

// TestKilledCaller: under nofault, who waits for a fault that nobody serves can be killed, as on any file system, and leaves nothing behind.
func TestKilledCaller(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "copy=nofault")
	g.Expect(os.WriteFile(m.path("A"), []byte("a"), 0o644)).To(gomega.Succeed())
	user, err := startRole("fused-stuck", m.path("A"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { user.Process.Kill() })
	g.Eventually(func() string { return m.ask("cycle") }, patience, 10*time.Millisecond).Should(gomega.MatchRegexp(
		`^No task waits for itself\.\npread of A by \d+: thread \d+ touches 0x[0-9a-f]+ without a glock`))
	user.Process.Signal(syscall.SIGKILL)
	g.Eventually(user.ended, patience).Should(gomega.BeClosed())
	g.Eventually(func() string { return m.ask("cycle") }, patience, 10*time.Millisecond).Should(gomega.Equal("No task waits for itself.\n"))
	m.unmount()
}

// aioMain reads a page with io_submit(2) into a cold mapping of the next page of the same file: the argument is the file.
func aioMain(args []string) int {
	runtime.LockOSThread()
	page := os.Getpagesize()
	fd, err := unix.Open(args[0], unix.O_RDWR, 0)
	var m []byte
	if err == nil {
		m, err = unix.Mmap(fd, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	const pread = 0 // IOCB_CMD_PREAD
	cb := struct {  // struct iocb of include/uapi/linux/aio_abi.h
		data          uint64
		key, flags    uint32
		opcode        uint16
		prio          int16
		fd            uint32
		buf, n        uint64
		offset        int64
		_             uint64
		moreFlags, ev uint32
	}{opcode: pread, fd: uint32(fd), buf: uint64(uintptr(unsafe.Pointer(&m[page]))), n: uint64(page)}
	all := [1]uintptr{uintptr(unsafe.Pointer(&cb))}
	var ctx uintptr
	var event [4]uint64
	_, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&ctx)), 0)
	if errno == 0 {
		_, _, errno = unix.Syscall(unix.SYS_IO_SUBMIT, ctx, 1, uintptr(unsafe.Pointer(&all)))
	}
	if errno == 0 {
		_, _, errno = unix.Syscall6(unix.SYS_IO_GETEVENTS, ctx, 1, 1, uintptr(unsafe.Pointer(&event)), 0, 0)
	}
	runtime.KeepAlive(&cb)
	fmt.Println(int64(event[2]), errno, string(m[page]))
	return 0
}

// TestAsync: asynchronous I/O is left to the kernel, which does not hang, and is counted.
func TestAsync(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "copy=faulting")
	page := os.Getpagesize()
	g.Expect(os.WriteFile(m.path("A"), []byte(strings.Repeat("a", page)+strings.Repeat("b", page)), 0o644)).To(gomega.Succeed())
	user, err := startRole("fused-aio", m.path("A"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { user.Process.Kill() })
	g.Eventually(user.ended, patience).Should(gomega.BeClosed())
	g.Expect(user.output.String()).To(gomega.Equal(fmt.Sprintf("%d errno 0 a\n", page)))
	g.Expect(m.ask("counters")).To(gomega.MatchRegexp(`left to the kernel: Async=1 `))
	m.unmount()
}
