package worker_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/generators/prog"
	"faultline/harness/worker"
)

const examples = "../../generators/prog/examples"

// places are directories on the file systems that every test machine has.
func places(t *testing.T) map[string]string {
	t.Helper()
	dirs := map[string]string{"temp": t.TempDir()}
	if dir, err := os.MkdirTemp("/dev/shm", "faultline-"); err == nil {
		t.Cleanup(func() { os.Remove(dir) })
		dirs["tmpfs"] = dir
	}
	return dirs
}

// lacks says which of the program's needs the directory does not meet, by asking its file system.
func lacks(t *testing.T, p *prog.Prog, dir string) string {
	t.Helper()
	f, err := os.CreateTemp(dir, "probe-")
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	defer os.Remove(f.Name())
	defer f.Close()
	_, err = f.Write(make([]byte, 4*os.Getpagesize()))
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	for _, need := range prog.Requires(p) {
		if err := probe(int(f.Fd()), need); err != nil {
			return need + ": " + err.Error()
		}
	}
	return ""
}

func probe(fd int, need string) error {
	page := int64(os.Getpagesize())
	modes := map[string]uint32{
		"unwritten": 0, "punch": unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE, "zero-range": unix.FALLOC_FL_ZERO_RANGE,
		"collapse": unix.FALLOC_FL_COLLAPSE_RANGE, "insert": unix.FALLOC_FL_INSERT_RANGE,
	}
	if mode, known := modes[need]; known {
		return unix.Fallocate(fd, mode, page, page)
	}
	one := [][]byte{make([]byte, 1)}
	ioctls := map[string]string{"fiemap": "fiemap", "getflags": "getflags", "reflink": "clonerange", "dedupe": "dedupe"}
	if name, known := ioctls[need]; known {
		arg := make([]byte, 4096)
		arg[0] = byte(fd) // a source for clonerange
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(prog.Requests[name].Number), uintptr(unsafe.Pointer(&arg[0])))
		if errno == unix.ENOTTY || errno == unix.EOPNOTSUPP {
			return errno
		}
	}
	for _, own := range []string{"xfs-", "btrfs-", "f2fs-", "ocfs2-", "ext4-"} {
		if strings.HasPrefix(need, own) {
			return unix.ENOTTY // see TestStepsOfSingleTypes
		}
	}
	switch need {
	case "nowait":
		if _, err := unix.Preadv2(fd, one, 0, unix.RWF_NOWAIT); err != unix.EAGAIN {
			return err
		}
	case "sync-flag":
		_, err := unix.Pwritev2(fd, one, 0, unix.RWF_DSYNC)
		return err
	case "file-handle":
		handle, _, err := unix.NameToHandleAt(fd, "", unix.AT_EMPTY_PATH)
		if err != nil {
			return err
		}
		again, err := unix.OpenByHandleAt(fd, handle, unix.O_RDONLY)
		if err == nil {
			err = unix.Close(again)
		}
		return err
	case "file-attr", "statmount", "quota":
		return metadata(fd, need)
	case "rseq":
		return registers()
	case "own-mount":
		return unix.EPERM // it is the machine's
	case "drop-caches":
		return unix.Access("/proc/sys/vm/drop_caches", unix.W_OK)
	}
	return nil
}

// registers reports whether our threads have no area of rseq(2): a C library, which is there with cgo, registers one for each.
func registers() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	area, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	defer unix.Munmap(area)
	for flags := range uintptr(2) {
		if _, _, errno := unix.Syscall6(unix.SYS_RSEQ, uintptr(unsafe.Pointer(&area[0])), 32, flags, 1, 0, 0); errno != 0 {
			return errno
		}
	}
	return nil
}

// metadata makes the calls of a need on memory of zeros, which is what is given back.
func metadata(fd int, need string) error {
	arg, empty := make([]byte, 512), make([]byte, 1)
	at, name := uintptr(unsafe.Pointer(&arg[0])), uintptr(unsafe.Pointer(&empty[0]))
	var errno unix.Errno
	switch need {
	case "quota":
		_, _, errno = unix.Syscall6(unix.SYS_QUOTACTL_FD, uintptr(fd), 0x80000700, uintptr(os.Geteuid()), at, 0, 0)
	case "statmount": // without a size it is refused where it is known
		if _, _, errno = unix.Syscall6(unix.SYS_STATMOUNT, at, at, 512, 0, 0, 0); errno == unix.EINVAL {
			return nil
		}
	case "file-attr":
		for _, number := range []uintptr{unix.SYS_FILE_GETATTR, unix.SYS_FILE_SETATTR} {
			if _, _, errno = unix.Syscall6(number, uintptr(fd), name, at, 24, unix.AT_EMPTY_PATH, 0); errno != 0 {
				return errno
			}
		}
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// TestExamples runs the example of every operation. They hold on any file system of Linux.
func TestExamples(t *testing.T) {
	for place, dir := range places(t) {
		t.Run(place, func(t *testing.T) {
			w := start(t, worker.Config{Dir: dir})
			seq := uint64(0)
			for _, op := range prog.OpNames() {
				seq++
				t.Run(op, func(t *testing.T) { example(t, w, seq, op, dir) })
			}
			left, err := os.ReadDir(dir)
			g := gomega.NewWithT(t)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(left).To(gomega.BeEmpty(), "every program removes its directory")
		})
	}
}

func example(t *testing.T, w *worker.Proc, seq uint64, op, dir string) {
	g := gomega.NewWithT(t)
	text, err := os.ReadFile(filepath.Join(examples, op+".prog"))
	g.Expect(err).NotTo(gomega.HaveOccurred(), "every operation has an example")
	p, err := prog.Parse(string(text))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(p.Name).To(gomega.Equal("example/" + op))
	g.Expect(p.String()).To(gomega.Equal(string(text)), "the example is written as programs are printed")
	for _, need := range prog.Requires(p) {
		if need != "odirect" {
			g.Expect(p.Needs).To(gomega.ContainElement(need))
		}
	}
	g.Expect(uses(p, op)).To(gomega.BeTrue())
	if lack := lacks(t, p, dir); lack != "" {
		t.Skip(lack)
	}
	r := run(t, w, seq, string(text))
	if r.Failure != nil {
		t.Fatalf("step %d, %s: %s", r.Failure.Step, p.Steps[r.Failure.Step].String(), r.Failure.Text)
	}
	g.Expect(r.Passed()).To(gomega.BeTrue(), "%+v", r)
	g.Expect(r.Ran).To(gomega.Equal(len(p.Steps)))
}

func uses(p *prog.Prog, op string) bool {
	for _, s := range p.Steps {
		if s.Op == op {
			return true
		}
	}
	return false
}
