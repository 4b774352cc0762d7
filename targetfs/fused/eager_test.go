package fused

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// cacheStat is struct cachestat of cachestat(2), in pages.
type cacheStat struct{ Cache, Dirty, Writeback, Evicted, RecentlyEvicted uint64 }

// sysCachestat is the number of the system call, the same on all architectures. It exists since Linux 6.5.
const sysCachestat = 451

func dirtyPages(f *os.File) (uint64, error) {
	var whole [2]uint64
	var st cacheStat
	_, _, errno := unix.Syscall6(sysCachestat, f.Fd(), uintptr(unsafe.Pointer(&whole)), uintptr(unsafe.Pointer(&st)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return st.Dirty, nil
}

// Large writes leave for the disk by themselves, long before the kernel thinks of it (30 s, /proc/sys/vm/dirty_expire_centisecs).
func TestLargeWritesBeginAtOnce(t *testing.T) {
	g := gomega.NewWithT(t)
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	var fs unix.Statfs_t
	g.Expect(unix.Fstatfs(int(f.Fd()), &fs)).To(gomega.Succeed())
	if _, err := dirtyPages(f); fs.Type == unix.TMPFS_MAGIC || errors.Is(err, unix.ENOSYS) {
		t.Skipf("needs cachestat(2) and a folder for temporary files on a disk: %v", err)
	}
	e := newEager(f)
	const writes = 16
	for i := range int64(writes) {
		n, err := e.WriteAt(make([]byte, eagerBytes), i*eagerBytes)
		g.Expect(n, err).To(gomega.Equal(eagerBytes))
	}
	g.Eventually(func() (uint64, error) { return dirtyPages(f) }, 15*time.Second, 5*time.Millisecond).Should(gomega.BeZero())
	info, err := e.Stat()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(info.Size()).To(gomega.Equal(int64(writes * eagerBytes)))
	g.Expect(e.Close()).To(gomega.Succeed())
	_, err = e.WriteAt(make([]byte, eagerBytes), 0)
	g.Expect(err).To(gomega.MatchError(os.ErrClosed))
}
