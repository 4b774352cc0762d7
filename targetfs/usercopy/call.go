package usercopy

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"faultline/targetfs/glock"
)

// Why Look found no call to copy for.
var (
	// ErrForbidden: ptrace(2)'s rules keep us from looking at the task: "Ptrace access mode checking", or the sysctl
	// kernel.yama.ptrace_scope. PTRACE_MODE_ATTACH is needed.
	ErrForbidden = errors.New("looking at the task is not permitted")
	// ErrGone: there is no such task any more, or it is in another PID namespace.
	ErrGone = errors.New("the task is gone")
	// ErrRunning: the task is not stopped in a system call.
	ErrRunning = errors.New("the task is running")
	// ErrAsync: the task submits asynchronous I/O, whose buffers cannot be seen.
	ErrAsync = errors.New("asynchronous I/O")
	// ErrNoBuffer: the task is in another system call, or in none.
	ErrNoBuffer = errors.New("no system call that copies to or from a user buffer")
)

// Range is a part of a task's memory.
type Range struct {
	Addr uintptr
	Len  int // bytes
}

// Call is a system call that copies between a file and a user buffer.
type Call struct {
	TID     int // of the thread that is in it
	Comm    string
	Name    string // as in its manual page: "pread"
	Read    bool   // the kernel stores into the buffers
	FD      int
	Direct  bool    // the descriptor has O_DIRECT
	Append  bool    // it has O_APPEND, or the call has RWF_APPEND: a write goes to the end of the file
	Offset  int64   // bytes; the file position where the call gives none
	Flags   int     // RWF_ flags
	Buffers []Range // never longer than the kernel's limit on one call together, 2 GiB less a page

	// Interrupt is closed when a signal has come for the caller. Nothing is waited for then but a glock. Nil never is.
	Interrupt <-chan struct{}
}

// Bytes is the length of the buffers.
func (c *Call) Bytes() (n int64) {
	for _, b := range c.Buffers {
		n += int64(b.Len)
	}
	return n
}

// Clip shortens the buffers to n bytes: a read touches nothing behind what it returns.
func (c *Call) Clip(n int64) {
	n = max(n, 0)
	for i := range c.Buffers {
		b := &c.Buffers[i]
		b.Len = int(min(int64(b.Len), n))
		n -= int64(b.Len)
	}
}

// Owner is the task as the owner of glocks; file is the name of the file for people.
func (c *Call) Owner(file string) glock.Owner {
	return glock.Owner{PID: c.TID, Comm: c.Comm, Op: c.Name + " of " + file}
}

// Look finds out which system call a thread is stopped in. The thread waits for our answer to one of its requests; if it
// is still on its way to sleep, Look waits for that. The errors are, or wrap, those above.
func Look(tid int) (*Call, error) {
	if tid <= 0 {
		return nil, fmt.Errorf("look at task %d: %w", tid, ErrGone)
	}
	nr, args, err := current(tid)
	if err != nil {
		return nil, fmt.Errorf("look at task %d: %w", tid, err)
	}
	f, known := forms[nr]
	if !known {
		if name, is := asynchronous[nr]; is {
			return nil, fmt.Errorf("look at task %d: %s: %w", tid, name, ErrAsync)
		}
		return nil, fmt.Errorf("look at task %d: system call %d: %w", tid, nr, ErrNoBuffer)
	}
	c, err := f.call(tid, args)
	if err != nil {
		return nil, fmt.Errorf("look at %s of task %d: %w", f.name, tid, err)
	}
	return c, nil
}

// call fills in what the arguments say, and what the descriptor does.
func (f form) call(tid int, args [6]uint64) (*Call, error) {
	c := &Call{TID: tid, Comm: comm(tid), Name: f.name, Read: f.read, FD: int(int32(args[0]))}
	position, flags, err := descriptor(tid, c.FD)
	if err != nil {
		return nil, err
	}
	c.Direct = flags&unix.O_DIRECT != 0
	c.Append = flags&unix.O_APPEND != 0
	c.Offset = position
	if f.offset {
		c.Offset = int64(args[3])
	}
	if f.flags {
		c.Flags = int(int32(args[5]))
		c.Append = c.Append || c.Flags&unix.RWF_APPEND != 0
		if c.Offset == -1 {
			c.Offset = position
		}
	}
	c.Buffers = []Range{{uintptr(args[1]), int(min(args[2], uint64(maxCount)))}}
	if f.vector {
		if c.Buffers, err = vector(tid, uintptr(args[1]), args[2]); err != nil {
			return nil, err
		}
	}
	c.Clip(maxCount)
	return c, nil
}

// maxCount is the most bytes of one call, MAX_RW_COUNT in include/linux/fs.h.
var maxCount = int64(0x7fffffff &^ (os.Getpagesize() - 1))

// asleep is how long a thread may take from its request to its sleep.
const asleep = time.Second

// current reads /proc/TID/syscall (proc_pid_syscall(5)).
func current(tid int) (nr int64, args [6]uint64, err error) {
	deadline := time.Now().Add(asleep)
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", tid))
		if err != nil {
			return 0, args, refusal(err)
		}
		fields := strings.Fields(string(text))
		if len(fields) > 0 && fields[0] != "running" {
			return parseSyscall(fields)
		}
		if time.Now().After(deadline) {
			return 0, args, ErrRunning
		}
		time.Sleep(pause)
	}
}

// parseSyscall reads the number, the six arguments, and leaves the stack pointer and program counter. A task that is stopped elsewhere
// has -1, and no arguments.
func parseSyscall(fields []string) (nr int64, args [6]uint64, err error) {
	if nr, err = strconv.ParseInt(fields[0], 10, 64); err != nil {
		return 0, args, err
	}
	for i := 0; i < len(args) && len(fields) >= 7; i++ {
		if args[i], err = strconv.ParseUint(fields[i+1], 0, 64); err != nil {
			return 0, args, err
		}
	}
	return nr, args, nil
}

// descriptor reads the file position and the open flags from /proc/TID/fdinfo (proc_pid_fdinfo(5)). It asks no file system anything.
func descriptor(tid, fd int) (position int64, flags int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", tid, fd))
	if err != nil {
		return 0, 0, refusal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		switch name {
		case "pos":
			position, err = strconv.ParseInt(value, 10, 64)
		case "flags":
			var f uint64
			f, err = strconv.ParseUint(value, 8, 32)
			flags = int(f)
		}
		if err != nil {
			return 0, 0, fmt.Errorf("descriptor %d: %w", fd, err)
		}
	}
	return position, flags, nil
}

func comm(tid int) string {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", tid))
	return cmp.Or(strings.TrimSpace(string(name)), "(ended)")
}

// refusal sorts the errors of /proc and process_vm_readv(2).
func refusal(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH):
		return fmt.Errorf("%w: %w", ErrGone, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	return err
}
