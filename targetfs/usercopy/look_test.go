package usercopy

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
)

// Descriptors of the child, where the Go runtime has none.
const (
	plainFD  = 100
	directFD = 101
	appendFD = 102
	at       = 8192 // the file position, and half the offset of positioned calls
)

// callsMain is a child that makes every call once. Its buffers begin at an address that it passes as the arguments of a marker.
func callsMain(args []string) int {
	runtime.LockOSThread()
	for fd, flags := range map[int]int{plainFD: 0, directFD: unix.O_DIRECT, appendFD: unix.O_APPEND} {
		f, err := unix.Open(args[0], unix.O_RDWR|flags, 0)
		if err != nil || unix.Dup3(f, fd, 0) != nil {
			return 1
		}
	}
	b, err := unix.Mmap(-1, 0, 2*pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return 1
	}
	iov := []unix.Iovec{{Base: &b[1], Len: 3}, {Base: nil, Len: 0}, {Base: &b[pageSize], Len: 5}}
	vec, buf := uintptr(unsafe.Pointer(&iov[0])), uintptr(unsafe.Pointer(&b[0]))
	call := func(nr, a1, a2, a3, a4, a5, a6 uintptr) { unix.RawSyscall6(nr, a1, a2, a3, a4, a5, a6) }
	call(unix.SYS_READ, plainFD, buf, 7, 0, 0, 0)
	seek(plainFD)
	call(unix.SYS_WRITE, plainFD, buf, 7, 0, 0, 0)
	seek(plainFD)
	for _, nr := range []uintptr{unix.SYS_PREAD64, unix.SYS_PWRITE64} {
		call(nr, directFD, buf, 512, 2*at, 0, 0)
	}
	for _, nr := range []uintptr{unix.SYS_READV, unix.SYS_WRITEV} {
		call(nr, plainFD, vec, 3, 0, 0, 0)
		seek(plainFD)
	}
	for _, nr := range []uintptr{unix.SYS_PREADV, unix.SYS_PWRITEV} {
		call(nr, plainFD, vec, 3, 2*at, 0, 0)
	}
	for _, nr := range []uintptr{unix.SYS_PREADV2, unix.SYS_PWRITEV2} {
		call(nr, plainFD, vec, 3, 2*at, 0, unix.RWF_DSYNC)
		call(nr, plainFD, vec, 3, ^uintptr(0), ^uintptr(0), 0)
		seek(plainFD)
	}
	call(unix.SYS_WRITE, appendFD, buf, 7, 0, 0, 0)
	call(unix.SYS_PWRITEV2, plainFD, vec, 3, 0, 0, unix.RWF_APPEND)
	call(unix.SYS_READ, plainFD, buf, 1<<40, 0, 0, 0)
	seek(plainFD)
	long := []unix.Iovec{{Base: &b[0], Len: 1 << 30}, {Base: &b[0], Len: 1 << 30}}
	call(unix.SYS_READV, plainFD, uintptr(unsafe.Pointer(&long[0])), 2, 0, 0, 0)
	return 0
}

func seek(fd int) { unix.Seek(fd, at, unix.SEEK_SET) }

// traced runs a role under ptrace and calls visit at every entry into a system call of its main thread.
func traced(t *testing.T, visit func(tid int), role string, args ...string) {
	g := gomega.NewWithT(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := self.Command(role, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	cmd.Stderr = os.Stderr
	g.Expect(cmd.Start()).To(gomega.Succeed())
	pid := cmd.Process.Pid
	var status unix.WaitStatus
	_, err := unix.Wait4(pid, &status, 0, nil)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_EXITKILL)).To(gomega.Succeed())
	inside := false
	for signal := 0; ; {
		g.Expect(unix.PtraceSyscall(pid, signal)).To(gomega.Succeed())
		_, err := unix.Wait4(pid, &status, 0, nil)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		if status.Exited() || status.Signaled() {
			g.Expect(status.ExitStatus()).To(gomega.BeZero())
			return
		}
		signal = int(status.StopSignal())
		if status.StopSignal() == unix.SIGTRAP|0x80 {
			signal = 0
			if inside = !inside; inside {
				visit(pid)
			}
		}
	}
}

// TestLook has a child make every call that there is, and looks at each.
func TestLook(t *testing.T) {
	g := gomega.NewWithT(t)
	file := t.TempDir() + "/file"
	g.Expect(os.WriteFile(file, make([]byte, 4*at), 0o600)).To(gomega.Succeed())
	var seen []string
	var buf uintptr
	traced(t, func(tid int) {
		c, err := Look(tid)
		if err != nil || c.FD < plainFD || c.FD > appendFD {
			return
		}
		if buf == 0 {
			buf = c.Buffers[0].Addr
		}
		text := fmt.Sprintf("%s %d:", c.Name, c.FD)
		for _, b := range c.Buffers {
			switch {
			case b.Addr == 0:
				text += " null"
			default:
				text += fmt.Sprintf(" +%d", b.Addr-buf)
			}
			text += fmt.Sprintf(",%d", b.Len)
		}
		text += fmt.Sprintf(" at %d", c.Offset)
		for _, flag := range []struct {
			is   bool
			name string
		}{{c.Read, "read"}, {c.Direct, "direct"}, {c.Append, "append"}} {
			if flag.is {
				text += " " + flag.name
			}
		}
		if c.Flags != 0 {
			text += fmt.Sprintf(" %#x", c.Flags)
		}
		g.Expect(c.TID).To(gomega.Equal(tid))
		g.Expect(c.Comm).NotTo(gomega.BeEmpty())
		seen = append(seen, text)
	}, "usercopy-calls", file)
	page := pageSize
	vector := fmt.Sprintf("+1,3 null,0 +%d,5", page)
	g.Expect(seen).To(gomega.Equal([]string{
		"read 100: +0,7 at 0 read",
		"write 100: +0,7 at 8192",
		"pread 101: +0,512 at 16384 read direct",
		"pwrite 101: +0,512 at 16384 direct",
		"readv 100: " + vector + " at 8192 read",
		"writev 100: " + vector + " at 8192",
		"preadv 100: " + vector + " at 16384 read",
		"pwritev 100: " + vector + " at 16384",
		"preadv2 100: " + vector + " at 16384 read 0x2",
		"preadv2 100: " + vector + " at 8192 read",
		"pwritev2 100: " + vector + " at 16384 0x2",
		"pwritev2 100: " + vector + " at 8192",
		"write 102: +0,7 at 0 append",
		"pwritev2 100: " + vector + " at 0 append 0x10",
		fmt.Sprintf("read 100: +0,%d at 8192 read", maxCount),
		fmt.Sprintf("readv 100: +0,%d +0,%d at 8192 read", 1<<30, maxCount-1<<30),
	}))
}

// TestLookElsewhere: each reason why there is nothing to copy has its own error.
func TestLookElsewhere(t *testing.T) {
	g := gomega.NewWithT(t)
	nothing, err := Look(0)
	g.Expect(nothing).To(gomega.BeNil())
	g.Expect(err).To(gomega.MatchError(ErrGone))
	_, err = Look(1 << 30)
	g.Expect(err).To(gomega.MatchError(ErrGone))

	sleeper := exec.Command("sleep", "1000")
	g.Expect(sleeper.Start()).To(gomega.Succeed())
	defer func() { sleeper.Process.Kill(); sleeper.Wait() }()
	g.Eventually(func() error { _, err := Look(sleeper.Process.Pid); return err }, patience).Should(gomega.MatchError(ErrNoBuffer))

	spinner := exec.Command("sh", "-c", "while :; do :; done")
	g.Expect(spinner.Start()).To(gomega.Succeed())
	defer func() { spinner.Process.Kill(); spinner.Wait() }()
	g.Eventually(func() error { _, err := Look(spinner.Process.Pid); return err }, patience).Should(gomega.MatchError(ErrRunning))
}

// TestLookAsync: the calls are made with arguments that fail at once; what counts is their number.
func TestLookAsync(t *testing.T) {
	g := gomega.NewWithT(t)
	var seen []string
	traced(t, func(tid int) {
		if _, err := Look(tid); errors.Is(err, ErrAsync) {
			seen = append(seen, err.Error())
			g.Expect(err.Error()).To(gomega.ContainSubstring(fmt.Sprintf("look at task %d: ", tid)))
		}
	}, "usercopy-memory", "async")
	g.Expect(seen).To(gomega.HaveLen(2))
	g.Expect(seen[0]).To(gomega.HaveSuffix(": io_submit: asynchronous I/O"))
	g.Expect(seen[1]).To(gomega.HaveSuffix(": io_uring_enter: asynchronous I/O"))
}

// TestLookForbidden looks as somebody else at a process of root's.
func TestLookForbidden(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become somebody else")
	}
	g := gomega.NewWithT(t)
	cmd := self.Command("usercopy-memory", "look", fmt.Sprint(os.Getpid()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	g.Expect(err).NotTo(gomega.HaveOccurred(), string(out))
	g.Expect(string(out)).To(gomega.HavePrefix("forbidden: look at task"))
}

func TestParsePolicy(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, p := range Policies() {
		again, err := Parse(p.String())
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(again).To(gomega.Equal(p))
	}
	_, err := Parse("legacy")
	g.Expect(err).To(gomega.MatchError(`unknown user-copy policy "legacy"; there are kernel, faulting, recursive, nofault`))
}
