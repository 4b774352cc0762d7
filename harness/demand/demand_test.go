package demand_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/demand"
	"faultline/harness/demand/demandtest"
	"faultline/harness/self"
)

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

// patience is for a loaded machine.
const patience = 20 * time.Second

var pageSize = os.Getpagesize()

// volume is a mount with one space.
type volume struct {
	dir           string
	lease         io.Closer
	stops, orders *os.File
}

func mounted(t *testing.T) *volume {
	t.Helper()
	v := &volume{}
	v.dir, v.lease = demandtest.Mount(t)
	gomega.NewWithT(t).Expect(os.Mkdir(filepath.Join(v.dir, "1"), 0o700)).To(gomega.Succeed())
	v.stops, v.orders = v.open(t, demand.StopsName, unix.O_RDONLY), v.open(t, demand.OrdersName, unix.O_WRONLY)
	return v
}

func (v *volume) open(t *testing.T, name string, flags int) *os.File {
	t.Helper()
	fd, err := unix.Open(filepath.Join(v.dir, "1", name), flags|unix.O_CLOEXEC, 0o600)
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	f := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { f.Close() })
	return f
}

// file maps a file of so many pages.
func (v *volume) file(t *testing.T, number, n int) []byte {
	t.Helper()
	g := gomega.NewWithT(t)
	f := v.open(t, fmt.Sprint(number), unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
	defer f.Close()
	g.Expect(unix.Ftruncate(int(f.Fd()), int64(n*pageSize))).To(gomega.Succeed())
	m, err := unix.Mmap(int(f.Fd()), 0, n*pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { unix.Munmap(m) })
	g.Expect(os.Remove(filepath.Join(v.dir, "1", fmt.Sprint(number)))).To(gomega.Succeed())
	return m
}

func (v *volume) order(o demand.Order) error {
	_, err := v.orders.Write(o.Append(nil))
	return err
}

// next is the next stop.
func (v *volume) next(t *testing.T) demand.Stop {
	t.Helper()
	g := gomega.NewWithT(t)
	stop := make(chan demand.Stop, 1)
	go func() {
		b := make([]byte, demand.StopBytes)
		n, _ := v.stops.Read(b)
		if s, err := demand.ParseStop(b[:max(n, 0)]); err == nil {
			stop <- s
		}
	}()
	var s demand.Stop
	g.Eventually(stop, patience).Should(gomega.Receive(&s))
	return s
}

// touch has the kernel touch memory in a system call, and returns its thread and, later, its error.
func touch(at []byte, write bool) (tid int32, errno <-chan unix.Errno) {
	began, ended := make(chan int32), make(chan unix.Errno, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		// A read of zeros writes to the memory, a write to a pipe reads it.
		var pipe [2]int
		_ = unix.Pipe2(pipe[:], unix.O_CLOEXEC)
		defer unix.Close(pipe[0])
		fd, nr := pipe[1], uintptr(unix.SYS_WRITE)
		if write {
			unix.Close(fd)
			fd, _ = unix.Open("/dev/zero", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			nr = unix.SYS_READ
		}
		defer unix.Close(fd)
		began <- int32(unix.Gettid())
		_, _, e := unix.Syscall(nr, uintptr(fd), uintptr(unsafe.Pointer(&at[0])), uintptr(len(at)))
		ended <- e
	}()
	return <-began, ended
}

// Who touches a page is told and waits, and then finds its bytes; the pages beside it are nobody's affair.
func TestPagesArriveOnDemand(t *testing.T) {
	for _, write := range []bool{false, true} {
		t.Run(fmt.Sprint("write=", write), func(t *testing.T) {
			g := gomega.NewWithT(t)
			v := mounted(t)
			m := v.file(t, 7, 3)
			for _, page := range []int{1, 0, 2} {
				tid, errno := touch(m[page*pageSize+100:page*pageSize+101], write)
				g.Expect(v.next(t)).To(gomega.Equal(demand.Stop{File: 7, Page: uint32(page), TID: tid}))
				g.Consistently(errno, 50*time.Millisecond).ShouldNot(gomega.Receive())
				data := bytes.Repeat([]byte{byte('a' + page)}, pageSize)
				g.Expect(v.order(demand.Order{Do: demand.Serve, File: 7, From: uint32(page), To: uint32(page + 1), Data: data})).To(gomega.Succeed())
				g.Eventually(errno, patience).Should(gomega.Receive(gomega.BeZero()))
				if write {
					data[100] = 0
				}
				g.Expect(m[page*pageSize : (page+1)*pageSize]).To(gomega.Equal(data))
			}
		})
	}
}

func TestPagesServedBeforeStopNobody(t *testing.T) {
	g := gomega.NewWithT(t)
	v := mounted(t)
	m := v.file(t, 1, 2)
	g.Expect(v.order(demand.Order{Do: demand.Serve, File: 1, From: 0, To: 2, Data: append(bytes.Repeat([]byte("x"), pageSize), bytes.Repeat([]byte("y"), pageSize)...)})).To(gomega.Succeed())
	g.Expect([]byte{m[pageSize-1], m[pageSize]}).To(gomega.Equal([]byte("xy")))
	m[0] = 'z' // a copy of its own
	g.Expect(m[:2]).To(gomega.Equal([]byte("zx")))
}

func TestBadAndFreePages(t *testing.T) {
	g := gomega.NewWithT(t)
	v := mounted(t)
	m := v.file(t, 2, 3)
	_, errno := touch(m[:1], true)
	g.Expect(v.next(t).Page).To(gomega.BeZero())
	g.Expect(v.order(demand.Order{Do: demand.Spoil, File: 2, From: 0, To: 1})).To(gomega.Succeed())
	g.Eventually(errno, patience).Should(gomega.Receive(gomega.Equal(unix.EFAULT)))
	_, errno = touch(m[:1], true) // and for ever
	g.Eventually(errno, patience).Should(gomega.Receive(gomega.Equal(unix.EFAULT)))
	_, errno = touch(m[pageSize:pageSize+1], true)
	g.Expect(v.next(t).Page).To(gomega.BeEquivalentTo(1))
	g.Expect(v.order(demand.Order{Do: demand.Free, File: 2, From: 0, To: 3})).To(gomega.Succeed())
	g.Eventually(errno, patience).Should(gomega.Receive(gomega.BeZero()))
	g.Expect(m[pageSize:]).To(gomega.Equal(make([]byte, 2*pageSize)))
}

func TestWrongOrdersAreRefused(t *testing.T) {
	v := mounted(t)
	v.file(t, 3, 2)
	for _, row := range []struct {
		o    demand.Order
		want error
	}{
		{demand.Order{Do: demand.Serve, File: 3, From: 0, To: 1}, nil},
		{demand.Order{Do: demand.Serve, File: 3, From: 0, To: 1}, unix.EEXIST},
		{demand.Order{Do: demand.Spoil, File: 3, From: 0, To: 1}, unix.EEXIST},
		{demand.Order{Do: demand.Free, File: 3, From: 0, To: 2}, nil},
		{demand.Order{Do: demand.Serve, File: 4, From: 0, To: 1}, unix.ENOENT},
		{demand.Order{Do: demand.Serve, File: 3, From: 1, To: 3}, unix.EINVAL},
		{demand.Order{Do: demand.Serve, File: 3, From: 1, To: 0}, unix.EINVAL},
		{demand.Order{Do: demand.Serve, File: 3, From: 0, To: 1, Data: []byte("short")}, unix.EINVAL},
		{demand.Order{Do: 9, File: 3, From: 0, To: 0}, nil},
	} {
		if err := v.order(row.o); row.want == nil {
			gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred(), "%+v", row.o)
		} else {
			gomega.NewWithT(t).Expect(err).To(gomega.MatchError(row.want), "%+v", row.o)
		}
	}
	_, err := v.orders.Write([]byte("?"))
	gomega.NewWithT(t).Expect(err).To(gomega.MatchError(unix.EINVAL))
}

// A signal that kills nobody lets nobody go; when the mount's owner is gone everybody gets an error.
func TestWhoWaitsIsNotLetGoByASignal(t *testing.T) {
	g := gomega.NewWithT(t)
	v := mounted(t)
	m := v.file(t, 1, 1)
	tid, errno := touch(m[:1], true)
	v.next(t)
	g.Expect(unix.Tgkill(os.Getpid(), int(tid), unix.SIGURG)).To(gomega.Succeed()) // Go's runtime takes it and does nothing
	g.Consistently(errno, 100*time.Millisecond).ShouldNot(gomega.Receive())
	v.lease.Close()
	g.Eventually(errno, patience).Should(gomega.Receive(gomega.Equal(unix.EFAULT)))
}

// toucherRole maps the file that it has inherited and touches it.
const toucherRole = "demand-test-toucher"

func init() {
	self.Register(toucherRole, func([]string) int {
		m, err := unix.Mmap(3, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
		if err != nil {
			return 1
		}
		m[0] = 'x'
		return 0
	})
}

func TestWhoWaitsCanBeKilled(t *testing.T) {
	g := gomega.NewWithT(t)
	v := mounted(t)
	f := v.open(t, "5", unix.O_RDWR|unix.O_CREAT)
	g.Expect(f.Truncate(int64(pageSize))).To(gomega.Succeed())
	for _, before := range []unix.Signal{0, unix.SIGURG} { // of signals after the first the kernel tells nothing
		cmd := self.Command(toucherRole)
		cmd.ExtraFiles = []*os.File{f}
		g.Expect(cmd.Start()).To(gomega.Succeed())
		stop := v.next(t)
		if before != 0 {
			g.Expect(unix.Tgkill(cmd.Process.Pid, int(stop.TID), before)).To(gomega.Succeed())
			time.Sleep(50 * time.Millisecond) // for the kernel to tell; if it has not yet, the test shows less
		}
		g.Expect(cmd.Process.Kill()).To(gomega.Succeed())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		var err error
		g.Eventually(ended, patience).Should(gomega.Receive(&err))
		g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("signal: killed")))
	}
}

// Many may be stopped at once.
func TestManyStops(t *testing.T) {
	g := gomega.NewWithT(t)
	v := mounted(t)
	const n = 40
	m := v.file(t, 1, n)
	var ends []<-chan unix.Errno
	for page := range n {
		_, errno := touch(m[page*pageSize:page*pageSize+1], page%2 == 0)
		ends = append(ends, errno)
	}
	seen := map[uint32]bool{}
	for range n {
		seen[v.next(t).Page] = true
	}
	g.Expect(seen).To(gomega.HaveLen(n))
	g.Expect(v.order(demand.Order{Do: demand.Serve, File: 1, From: 0, To: n})).To(gomega.Succeed())
	for _, errno := range ends {
		g.Eventually(errno, patience).Should(gomega.Receive(gomega.BeZero()))
	}
}

func TestServerSaysWhatIsWrong(t *testing.T) {
	g := gomega.NewWithT(t)
	out, err := self.Command(demand.Role, filepath.Join(t.TempDir(), "none")).CombinedOutput()
	g.Expect(err).To(gomega.HaveOccurred())
	g.Expect(strings.Split(string(out), "\n")[0]).NotTo(gomega.BeEmpty())
	g.Expect(string(out)).To(gomega.ContainSubstring("mount files with pages on demand on "))
}
