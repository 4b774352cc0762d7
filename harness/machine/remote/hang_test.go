package remote_test

import (
	"bufio"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/machine"
	"faultline/harness/machine/remote"
	"faultline/harness/self"
	"faultline/harness/watch"
)

func init() {
	// What gfs2 does in a livelock: a page is faulted in and thrown out again, with a short sleep in between, and it never ends.
	self.Register("remote-test-livelock", func([]string) int {
		for page := announced(); ; {
			touchOften(page, 100)
		}
	})
	// The same, but it comes to an end, some deadlines late.
	self.Register("remote-test-slow", func([]string) int {
		page := announced()
		for range 100 {
			touchOften(page, 10)
			time.Sleep(20 * time.Millisecond)
		}
		return 0
	})
}

// announced tells the host which thread to watch, and returns a page of memory.
func announced() []byte {
	runtime.LockOSThread()
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		panic(err)
	}
	fmt.Println(unix.Gettid())
	return page
}

func touchOften(page []byte, times int) {
	for range times {
		page[0]++
		_ = unix.Madvise(page, unix.MADV_DONTNEED) // the address is right
	}
	_ = unix.Nanosleep(&unix.Timespec{Nsec: 1000}, nil) // a signal is as good
}

// judged is what the judge says at last of a role that runs in a guest.
func judged(t *testing.T, role string) watch.Motion {
	t.Helper()
	g := gomega.NewWithT(t)
	m := guest(t, remote.Options{}).Machine
	p, err := m.Spawn(role)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { p.Kill(); <-p.Exited() })
	line, err := bufio.NewReader(p.Stdout()).ReadString('\n')
	g.Expect(err).NotTo(gomega.HaveOccurred())
	tid, err := strconv.Atoi(strings.TrimSpace(line))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	judge := watch.NewJudge(watch.Rules{Deadline: 300 * time.Millisecond, Limit: time.Minute}, tid, time.Now())
	for until := time.Now().Add(2 * time.Minute); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if m := judge.Observe(m.Sample(machine.Subject{PID: p.PID(), NoDisks: true})); m.Final() {
			return m
		}
	}
	t.Fatal("no answer within two minutes")
	return watch.Motion{}
}

func TestALivelockInAGuestIsTold(t *testing.T) {
	g := gomega.NewWithT(t)
	m := judged(t, "remote-test-livelock")
	g.Expect(m.Kind).To(gomega.Equal(watch.Spinning), m.Why)
	g.Expect(m.Why).To(gomega.ContainSubstring("page faults"))
}

func TestASlowStepInAGuestIsNoHang(t *testing.T) {
	g := gomega.NewWithT(t)
	m := judged(t, "remote-test-slow")
	g.Expect(m.Hang()).To(gomega.BeFalse(), m.Why)
}
