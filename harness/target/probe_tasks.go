package target

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"faultline/harness/devfuse"
	"faultline/harness/twin"
)

// taskProbes are rows of the table probes: calls that copy memory and are about no file.
var taskProbes = []probeRow{
	{"task-memory", (*prober).taskMemory},
	{"fsopen", (*prober).fsopen},
	{"execve", (*prober).execve},
	{"ptrace", (*prober).ptrace},
	{"coredump", (*prober).coredump},
	{"rseq", (*prober).rseq},
	{"fuse-device", (*prober).fuseDevice},
}

// taskMemory copies a byte of our memory in both ways.
func (p *prober) taskMemory() error {
	local, remote := unix.Iovec{Base: &p.mem[0]}, unix.RemoteIovec{Base: p.at(1), Len: 1}
	local.SetLen(1)
	p.mem[1] = 't'
	if _, err := unix.ProcessVMReadv(os.Getpid(), []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0); err != nil {
		return fmt.Errorf("process_vm_readv: %w", err)
	}
	mem, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer mem.Close()
	if _, err := unix.Pwrite(int(mem.Fd()), p.mem[:1], int64(p.at(2))); err != nil {
		return fmt.Errorf("pwrite to /proc/self/mem: %w", err)
	}
	if p.mem[2] != 't' {
		return errors.New("process_vm_readv and /proc/self/mem did not bring the bytes of the source")
	}
	return nil
}

// fsopen begins a tmpfs and sets an option.
func (p *prober) fsopen() error {
	return p.begun("tmpfs", func(fs int) error {
		if err := unix.FsconfigSetString(fs, "source", "nowhere"); err != nil {
			return fmt.Errorf("fsconfig(FSCONFIG_SET_STRING): %w", err)
		}
		return nil
	})
}

// begun begins a file system that is given up afterwards.
func (p *prober) begun(name string, use func(fs int) error) error {
	fs, err := unix.Fsopen(name, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("fsopen(%s): %w", name, err)
	}
	defer unix.Close(fs)
	return use(fs)
}

// execve hands over arguments that cannot be read, to a file that is no program.
func (p *prober) execve() error {
	made, err := unix.MemfdCreate("text", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("memfd_create: %w", err)
	}
	defer unix.Close(made)
	text, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", made))
	if err != nil {
		return err
	}
	defer text.Close()
	path := fmt.Appendf(nil, "/proc/self/fd/%d\x00", text.Fd())
	const unmapped = 1
	err = call("execve", unix.SYS_EXECVE, uintptr(unsafe.Pointer(&path[0])), unmapped, 0)
	if errors.Is(err, unix.EFAULT) {
		return nil
	}
	return err
}

// ptrace reads a word of a copy of ours.
func (p *prober) ptrace() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.mem[wordAt] = 'p'
	errno := twin.Do(func(pid int) unix.Errno {
		_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_PEEKDATA, uintptr(pid), p.at(wordAt), p.at(0), 0, 0)
		return errno
	})
	switch {
	case errno != 0:
		return fmt.Errorf("ptrace(PTRACE_PEEKDATA) of a forked copy: %w", errno)
	case p.mem[0] != 'p':
		return errors.New("ptrace(PTRACE_PEEKDATA) did not bring the bytes of the copy")
	}
	return nil
}

// coredump dumps a byte of the file, where it is mapped. Where cores are given to a program, or put into a folder of the machine's, none is made.
func (p *prober) coredump() error {
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil {
		return err
	}
	if name := strings.TrimSpace(string(pattern)); name != "core" {
		return fmt.Errorf("kernel.core_pattern is %q", name)
	}
	mapped, err := unix.Mmap(p.fd(), 0, p.page, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	defer unix.Munmap(mapped)
	core, offset, err := twin.Dump(p.dir, uintptr(unsafe.Pointer(&mapped[0])), 1)
	if err != nil {
		return err
	}
	defer core.Close()
	var b [1]byte
	if _, err := core.ReadAt(b[:], offset); err != nil {
		return err
	}
	if b[0] != 'd' {
		return errors.New("a core does not have the bytes of the file")
	}
	return nil
}

// wordAt is where in our memory a word lies that is read, and an area of rseq(2).
const wordAt = 64

// rseq registers an area for this thread, and gives it up.
func (p *prober) rseq() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const length, unregister, signature = 32, 1, 0x53053053
	clear(p.mem[wordAt : wordAt+length])
	for _, flags := range []uintptr{0, unregister} {
		if err := call("rseq", unix.SYS_RSEQ, p.at(wordAt), length, flags, signature); err != nil {
			return err
		}
	}
	return nil
}

// fuseDevice reads the first request, and answers it.
func (p *prober) fuseDevice() error {
	conn, err := devfuse.New()
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Init()
}
