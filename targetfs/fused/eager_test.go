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

// eagerFile is an eager whose dirty pages can be counted.
func eagerFile(t *testing.T) (*eager, func() (uint64, error)) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		t.Fatal(err)
	}
	if _, err := dirtyPages(f); fs.Type == unix.TMPFS_MAGIC || errors.Is(err, unix.ENOSYS) {
		t.Skipf("needs cachestat(2) and a folder for temporary files on a disk: %v", err)
	}
	return newEager(f), func() (uint64, error) { return dirtyPages(f) }
}

// The kernel thinks of dirty pages after 30 s (/proc/sys/vm/dirty_expire_centisecs), so who finds none before has seen them leave by themselves.
const longBeforeTheKernel = 15 * time.Second

// Large writes leave for the disk by themselves.
func TestLargeWritesBeginAtOnce(t *testing.T) {
	g := gomega.NewWithT(t)
	e, dirty := eagerFile(t)
	const writes = 16
	for i := range int64(writes) {
		n, err := e.WriteAt(make([]byte, eagerBytes), i*eagerBytes)
		g.Expect(n, err).To(gomega.Equal(eagerBytes))
	}
	g.Eventually(dirty, longBeforeTheKernel, 5*time.Millisecond).Should(gomega.BeZero())
	info, err := e.Stat()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(info.Size()).To(gomega.Equal(int64(writes * eagerBytes)))
	g.Expect(e.Close()).To(gomega.Succeed())
	_, err = e.WriteAt(make([]byte, eagerBytes), 0)
	g.Expect(err).To(gomega.MatchError(os.ErrClosed))
}

// Small writes, here and there, leave for the disk by themselves when they are many.
func TestManySmallWritesBegin(t *testing.T) {
	g := gomega.NewWithT(t)
	e, dirty := eagerFile(t)
	page := make([]byte, os.Getpagesize())
	many := eagerSmall / len(page)
	for i := range many {
		n, err := e.WriteAt(page, int64(i*7%many*2*len(page)))
		g.Expect(n, err).To(gomega.Equal(len(page)))
	}
	g.Eventually(dirty, longBeforeTheKernel, 5*time.Millisecond).Should(gomega.BeZero())
	g.Expect(e.Close()).To(gomega.Succeed())
}

// They are forgotten when they are begun, and not before they are many.
func TestSmallWritesGather(t *testing.T) {
	g := gomega.NewWithT(t)
	var s small
	for _, w := range []span{{5000, 6000}, {100, 200}, {5500, 7000}} {
		_, many := s.add(w)
		g.Expect(many).To(gomega.BeFalse())
	}
	where, many := s.add(span{300, eagerSmall})
	g.Expect(many).To(gomega.BeTrue())
	g.Expect(where).To(gomega.Equal(span{100, eagerSmall}))
	where, many = s.add(span{9000, 9001})
	g.Expect(many).To(gomega.BeFalse())
	g.Expect(where).To(gomega.Equal(span{9000, 9001}), "the others were begun")
}
