package fused_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// TestTaskWithSeveralRequests: the kernel reads ahead in the name of a task, and lets the task go on at once. What the task does next to the same
// file is no recursion, whatever it is.
func TestTaskWithSeveralRequests(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "copy=kernel")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	page := os.Getpagesize()
	const pages, rounds = 64, 200
	for round := range rounds {
		name := fmt.Sprint(m.path("A"), round)
		fd, err := unix.Open(name, unix.O_RDWR|unix.O_CREAT, 0o600)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(unix.Ftruncate(fd, int64(pages*page))).To(gomega.Succeed())
		next := name + "'"
		for _, step := range []struct {
			op string
			do func() error
		}{
			{"chmod", func() error { return unix.Fchmod(fd, 0o640) }},
			{"link", func() error { return unix.Link(name, next) }},
			{"rename", func() error { return unix.Rename(next, next+"'") }},
			{"setxattr", func() error { return unix.Fsetxattr(fd, "user.a", []byte("b"), 0) }},
			{"fallocate", func() error { return unix.Fallocate(fd, 0, 0, int64(pages*page)) }},
			{"unlink", func() error { return unix.Unlink(next + "'") }},
			{"last unlink", func() error { return unix.Unlink(name) }},
		} {
			g.Expect(unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED)).To(gomega.Succeed())
			g.Expect(unix.Fadvise(fd, 0, 0, unix.FADV_WILLNEED)).To(gomega.Succeed())
			g.Expect(step.do()).To(gomega.Succeed(), "%s while pages are read ahead, round %d", step.op, round)
		}
		g.Expect(unix.Close(fd)).To(gomega.Succeed())
	}
	m.unmount()
}
