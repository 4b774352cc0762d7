package uring_test

import (
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/uring"
)

func TestReadsAndWrites(t *testing.T) {
	g := gomega.NewWithT(t)
	r, err := uring.New()
	if err != nil {
		t.Skip(err)
	}
	defer r.Close()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	mem, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer unix.Munmap(mem)
	at := uintptr(unsafe.Pointer(&mem[0]))
	fd := int(f.Fd())
	for round := range 20 { // more than the ring has entries
		copy(mem, "hello")
		n, errno := r.Do(uring.Write, fd, at, 5, int64(round))
		g.Expect(errno).To(gomega.BeZero())
		g.Expect(n).To(gomega.BeEquivalentTo(5))
		iov := unix.Iovec{Base: &mem[100]}
		iov.SetLen(50)
		n, errno = r.Do(uring.Readv, fd, uintptr(unsafe.Pointer(&iov)), 1, int64(round)+1)
		g.Expect(errno).To(gomega.BeZero())
		g.Expect(string(mem[100 : 100+n])).To(gomega.Equal("ello"))
		n, errno = r.DoFixed(uring.ReadFixed, fd, &iov, int64(round)+3)
		g.Expect(errno).To(gomega.BeZero())
		g.Expect(string(mem[100 : 100+n])).To(gomega.Equal("lo"))
	}
	_, errno := r.Do(uring.Read, -1, at, 5, 0)
	g.Expect(errno).To(gomega.Equal(unix.EBADF))
	_, errno = r.Do(uring.Write, fd, 0, 5, 0)
	g.Expect(errno).To(gomega.Equal(unix.EFAULT))
	bad := unix.Iovec{}
	bad.SetLen(50)
	_, errno = r.DoFixed(uring.ReadFixed, fd, &bad, 0)
	g.Expect(errno).NotTo(gomega.BeZero())
}
