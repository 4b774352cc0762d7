package usercopy

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
	"unsafe"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/targetfs/glock"
)

const smaps = `55d0a0000000-55d0a0001000 r--p 00000000 fe:00 13 /usr/bin/cat
Size:                  4 kB
VmFlags: rd mr mw me sd
7f0000000000-7f0000004000 rw-s 00000000 00:34 7 /mnt/a b
Size:                 16 kB
VmFlags: rd wr sh mr mw me ms
7f0000008000-7f000000a000 rw-p 00000000 00:00 0
VmFlags: rd wr mr mw me ac um
`

func TestParseArea(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(parseArea(smaps, 0x55d0a0000010)).To(gomega.Equal(area{dev: "254:0", path: "/usr/bin/cat"}))
	g.Expect(parseArea(smaps, 0x7f0000003fff)).To(gomega.Equal(area{dev: "0:52", path: "/mnt/a b"}))
	g.Expect(parseArea(smaps, 0x7f0000004000)).To(gomega.BeZero(), "between two mappings")
	g.Expect(parseArea(smaps, 0x7f0000008000)).To(gomega.Equal(area{dev: "0:0", userfault: true}))
	g.Expect(parseArea("no such text\n\n", 1)).To(gomega.BeZero())
}

// TestServing: of this process's own memory, only what is registered with a userfaultfd is served by anybody.
func TestServing(t *testing.T) {
	g := gomega.NewWithT(t)
	b, err := unix.Mmap(-1, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer unix.Munmap(b)
	what, pids := serving(os.Getpid(), uintptr(unsafe.Pointer(&b[0])))
	g.Expect(what).To(gomega.BeEmpty())
	g.Expect(pids).To(gomega.BeEmpty())
	g.Expect(process(unix.Gettid())).To(gomega.Equal(os.Getpid()))
	g.Expect(process(1 << 30)).To(gomega.BeZero())
	g.Expect(holders("no such link")).To(gomega.BeEmpty())
}

// TestExplain tells of a touch that is under way, and of a task that waits for what it holds.
func TestExplain(t *testing.T) {
	g := gomega.NewWithT(t)
	l := newLab(t, Faulting)
	m := l.memory(fileB)
	served := make(chan struct{})
	m.fault = func(context.Context) error { <-served; return nil }
	done := l.start(call(7, "pread", true, 1), fileA, glock.SH, m)
	g.Eventually(l.copier.Touches, patience).Should(gomega.HaveLen(1))
	g.Eventually(func() string { return l.copier.Explain(l.space) }, patience, 10*time.Millisecond).Should(gomega.MatchRegexp(
		`^No task waits for itself\.\npread of A by 7: thread \d+ touches ` + fmt.Sprintf("%#x", pageSize+100) + ` with its glock held, for \d+ms\.\n$`))
	h, err := l.node.Enqueue(t.Context(), glock.Request{Name: fileA, State: glock.EX, Owner: glock.Owner{PID: 8, Op: "pwrite of A"}})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(waiters(l.space, glock.Owner{PID: 7})).To(gomega.Equal([]glock.Owner{{PID: 8, Op: "pwrite of A"}}))
	g.Expect(waiters(l.space, glock.Owner{PID: 8})).To(gomega.BeEmpty())
	h.Unlock()
	close(served)
	l.passes(done)
	g.Expect(l.copier.Explain(l.space)).To(gomega.Equal("No task waits for itself.\n"))
}

func TestAllowed(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, c := range []struct {
		scope   string
		capable bool
		ok      bool
	}{{"0", false, true}, {"1", false, false}, {"1", true, true}, {"2", true, true}, {"2", false, false}, {"3", true, false}} {
		err := allowed(c.scope, c.capable)
		g.Expect(err == nil).To(gomega.Equal(c.ok), "%+v", c)
		if !c.ok {
			g.Expect(err).To(gomega.MatchError(ErrForbidden))
			g.Expect(err.Error()).To(gomega.HavePrefix("kernel.yama.ptrace_scope is " + c.scope))
		}
	}
}
