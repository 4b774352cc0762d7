package twin

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dying is what a copy needs to die: it may not allocate.
type dying struct {
	// dir is where the core goes, filter the name of the file that says which kinds of mappings are in it.
	dir, filter []byte
	// left are those that are not in it all the same.
	left []area
	// limit is that of the core, handler what becomes of the signal.
	limit   [2]uint64
	handler [4]uint64
	status  int32
}

// area is memory from one address to another.
type area struct{ from, to uintptr }

// everything says that mappings of all kinds are dumped (core(5)).
var everything = []byte("0xff")

// Dump forks a copy that dies with a core, in a folder of its own in dir, and returns the core and where in it n bytes of our memory stand. Of our mappings
// only the one at that address is in it. The core has no name any more.
func Dump(dir string, at, n uintptr) (core *os.File, offset int64, err error) {
	own, err := os.MkdirTemp(dir, "core-")
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(own)
	d := &dying{dir: append([]byte(own), 0), filter: []byte("/proc/self/coredump_filter\x00"), limit: [2]uint64{1 << 40, 1 << 40}}
	if d.left, err = others(at); err != nil {
		return nil, 0, err
	}
	if errno := d.die(); errno != 0 {
		return nil, 0, fmt.Errorf("fork a copy that dies: %w", errno)
	}
	names, err := filepath.Glob(own + "/core*")
	if err != nil || len(names) != 1 || !unix.WaitStatus(d.status).CoreDump() {
		return nil, 0, fmt.Errorf("the copy has ended (status %#x) with %d cores: %w", d.status, len(names), unix.ENOENT)
	}
	if core, err = os.Open(names[0]); err != nil {
		return nil, 0, err
	}
	if offset, err = find(core, uint64(at), uint64(n)); err != nil {
		core.Close()
		return nil, 0, err
	}
	return core, offset, nil
}

// others are all mappings but the one at an address (proc_pid_maps(5)).
func others(at uintptr) (list []area, err error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(maps)) {
		bounds, _, _ := strings.Cut(line, " ")
		from, to, _ := strings.Cut(bounds, "-")
		a, err := strconv.ParseUint(from, 16, 64)
		b, err2 := strconv.ParseUint(to, 16, 64)
		if err = errors.Join(err, err2); err != nil {
			return nil, err
		}
		if at < uintptr(a) || at >= uintptr(b) {
			list = append(list, area{uintptr(a), uintptr(b)})
		}
	}
	return list, nil
}

// die forks, and waits for the end of the copy.
func (d *dying) die() unix.Errno {
	pid, errno := d.fork()
	if errno != 0 {
		return errno
	}
	return waitFor(pid, uintptr(unsafe.Pointer(&d.status)), 0)
}

// fork returns in the parent only. The copy does system calls, of which those that fail are left.
//
//go:nosplit
//go:norace
func (d *dying) fork() (pid uintptr, errno unix.Errno) {
	pid, _, errno = unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if pid != 0 || errno != 0 {
		return pid, errno
	}
	_, _, _ = unix.RawSyscall(unix.SYS_CHDIR, uintptr(unsafe.Pointer(unsafe.SliceData(d.dir))), 0, 0)
	_, _, _ = unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_CORE, uintptr(unsafe.Pointer(&d.limit)), 0, 0, 0)
	cwd := unix.AT_FDCWD
	fd, _, _ := unix.RawSyscall6(unix.SYS_OPENAT, uintptr(cwd), uintptr(unsafe.Pointer(unsafe.SliceData(d.filter))), unix.O_WRONLY, 0, 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(everything))), uintptr(len(everything)))
	for i := range d.left {
		_, _, _ = unix.RawSyscall(unix.SYS_MADVISE, d.left[i].from, d.left[i].to-d.left[i].from, unix.MADV_DONTDUMP)
	}
	const maskBytes = 8
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGABRT), uintptr(unsafe.Pointer(&d.handler)), 0, maskBytes, 0, 0)
	self, _, _ := unix.RawSyscall(unix.SYS_GETPID, 0, 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_KILL, self, uintptr(unix.SIGABRT), 0)
	for {
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

// find is where in a core n bytes from an address on stand.
func find(core *os.File, at, n uint64) (int64, error) {
	f, err := elf.NewFile(core)
	if err != nil {
		return 0, fmt.Errorf("read a core: %w", err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Vaddr <= at && at+n <= p.Vaddr+p.Filesz {
			return int64(p.Off + at - p.Vaddr), nil
		}
	}
	return 0, fmt.Errorf("%d bytes from %#x on are not in the core: %w", n, at, unix.ENODATA)
}
