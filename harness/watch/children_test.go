package watch_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// childEnv names the part that this test binary plays when it is started again as a process to be watched.
const childEnv = "WATCH_TEST_CHILD"

// parts are the children. Each gets its arguments, and calls ready once it is about to do what it is for, from the thread
// that does it.
var parts = map[string]func(args []string, ready func()){
	"pipe":     readPipe,
	"futex":    waitFutex,
	"naps":     takeNaps,
	"syscalls": spinInSyscalls,
	"user":     spinInUserSpace,
	"livelock": wakeAndSleep,
	"steps":    makeSteps,
	"uffdread": readIntoStall,
	"uffdload": loadFromStall,
	"fuse":     serveSilence,
	"read":     readFile,
}

func TestMain(m *testing.M) {
	part := os.Getenv(childEnv)
	if part == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	// A Go process with a thread in a page fault freezes at its next collection.
	debug.SetGCPercent(-1)
	parts[part](os.Args[1:], func() { fmt.Println("ready", unix.Gettid()) })
}

func readPipe(_ []string, ready func()) {
	var ends [2]int
	must(unix.Pipe(ends[:]))
	ready()
	unix.Read(ends[0], make([]byte, 1))
}

func waitFutex(_ []string, ready func()) {
	var word uint32
	ready()
	const futexWait = 0
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), futexWait, 0, 0, 0, 0)
}

func takeNaps(_ []string, ready func()) {
	ready()
	for {
		nap(5 * time.Millisecond)
	}
}

func spinInSyscalls(_ []string, ready func()) {
	ready()
	for {
		syscall.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
	}
}

var sink uint64

func spinInUserSpace(_ []string, ready func()) {
	ready()
	for {
		sink++
	}
}

func wakeAndSleep(_ []string, ready func()) {
	ready()
	for {
		nap(time.Microsecond)
	}
}

// makeSteps works a little, sleeps a little, and says so, again and again: normal progress.
func makeSteps(_ []string, ready func()) {
	ready()
	for {
		for i := range uint64(1_000_000) {
			sink += i
		}
		nap(time.Millisecond)
		fmt.Println("step")
	}
}

func readIntoStall(_ []string, ready func()) {
	buf := stall()
	file, err := os.Open("/proc/self/exe")
	must(err)
	ready()
	unix.Read(int(file.Fd()), buf)
}

func loadFromStall(_ []string, ready func()) {
	buf := stall()
	ready()
	sink += uint64(buf[0])
}

// stall is memory whose first touch waits for a userfaultfd handler, and nobody is one (ioctl_userfaultfd(2)).
func stall() []byte {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	if errno != 0 {
		must(errno)
	}
	api := struct{ api, features, ioctls uint64 }{api: 0xAA}
	ioctl(fd, 0xc018aa3f, unsafe.Pointer(&api)) // UFFDIO_API
	size := unix.Getpagesize()
	buf, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	must(err)
	register := struct{ start, length, mode, ioctls uint64 }{
		start: uint64(uintptr(unsafe.Pointer(&buf[0]))), length: uint64(size), mode: 1, // UFFDIO_REGISTER_MODE_MISSING
	}
	ioctl(fd, 0xc020aa00, unsafe.Pointer(&register)) // UFFDIO_REGISTER
	return buf
}

func ioctl(fd, request uintptr, arg unsafe.Pointer) {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg)); errno != 0 {
		must(fmt.Errorf("ioctl %#x: %w", request, errno))
	}
}

// silentFile is a file whose content never comes. Its server either sleeps or spins meanwhile.
type silentFile struct {
	fs.Inode
	open uint32 // flags of the answer to an open
	spin bool
}

func (f *silentFile) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Size = 4096
	return 0
}

func (f *silentFile) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, f.open, 0
}

func (f *silentFile) Read(context.Context, fs.FileHandle, []byte, int64) (fuse.ReadResult, syscall.Errno) {
	for f.spin {
		sink++
	}
	time.Sleep(time.Hour) // unlike an empty select, it is no deadlock that Go's runtime would report
	return nil, syscall.EIO
}

// serveSilence mounts a file system on args[0] with files that never answer a read.
func serveSilence(args []string, ready func()) {
	root := &fs.Inode{}
	server, err := fs.Mount(args[0], root, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMount: true},
		OnAdd: func(ctx context.Context) {
			for name, file := range map[string]*silentFile{
				"direct": {open: fuse.FOPEN_DIRECT_IO}, "cached": {}, "cached2": {}, "cached3": {}, "spin": {open: fuse.FOPEN_DIRECT_IO, spin: true},
			} {
				root.AddChild(name, root.NewPersistentInode(ctx, file, fs.StableAttr{}), false)
			}
		},
	})
	must(err)
	ready()
	server.Wait()
}

func readFile(args []string, ready func()) {
	file, err := os.Open(args[0])
	must(err)
	ready()
	unix.Read(int(file.Fd()), make([]byte, 1))
}

func nap(d time.Duration) {
	ts := unix.NsecToTimespec(d.Nanoseconds())
	unix.Nanosleep(&ts, nil)
}

// must ends a child that cannot play its part; the test sees that it is never ready.
func must(err error) {
	if err != nil {
		fmt.Println("child:", err)
		os.Exit(1)
	}
}

// child is a running part.
type child struct {
	pid, tid int
	out      *bufio.Reader
	process  *os.Process
	reaped   chan struct{}
}

// start runs a part and waits until it is ready. It is killed when the test ends.
func start(t *testing.T, part string, args ...string) *child {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), childEnv+"="+part, "GODEBUG=asyncpreemptoff=1")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // no child outlives a killed test
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = writer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	c := &child{pid: cmd.Process.Pid, out: bufio.NewReader(reader), process: cmd.Process, reaped: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(c.reaped)
	}()
	t.Cleanup(func() {
		c.end(t)
		reader.Close()
	})
	line, err := c.out.ReadString('\n')
	tid, found := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !found {
		t.Fatalf("child %s is not ready: %q %v", part, line, err)
	}
	if c.tid, err = strconv.Atoi(tid); err != nil {
		t.Fatal(err)
	}
	return c
}

// end kills the child and waits until it is gone. It may be called again.
func (c *child) end(t *testing.T) {
	c.process.Kill()
	select {
	case <-c.reaped:
	case <-time.After(30 * time.Second):
		t.Errorf("child %d does not die", c.pid)
	}
}

func needRoot(t *testing.T, why string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: " + why)
	}
}
