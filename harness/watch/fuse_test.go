package watch_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/watch"
)

func itoa(n int) string { return strconv.Itoa(n) }

// mountSilence starts the server of files that never answer, and mounts fusectl in a place of our own.
func mountSilence(t *testing.T) (server *child, dir string, connection watch.Connection) {
	t.Helper()
	needRoot(t, "mounts")
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("needs /dev/fuse: ", err)
	}
	control := t.TempDir()
	if err := unix.Mount("none", control, "fusectl", 0, ""); err != nil {
		t.Skip("needs the fusectl file system: ", err)
	}
	t.Cleanup(func() { unix.Unmount(control, unix.MNT_DETACH) })
	dir = t.TempDir()
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	server = start(t, "fuse", dir)
	connection, err := watch.FuseConnection(dir)
	if err != nil {
		t.Fatal(err)
	}
	return server, dir, connection
}

// startReader starts a reader that only the end of the connection can free.
func startReader(t *testing.T, connection watch.Connection, path string) *child {
	t.Helper()
	reader := start(t, "read", path)
	t.Cleanup(func() { connection.Abort() })
	return reader
}

func TestUnansweredRequestBlocksAndSurvivesSIGKILLUntilAbort(t *testing.T) {
	g := gomega.NewWithT(t)
	server, dir, connection := mountSilence(t)
	reader := startReader(t, connection, filepath.Join(dir, "direct"))

	m := judge(t, liveRules, reader, server.pid)
	g.Expect(m.Kind).To(gomega.Equal(watch.Blocked), m.Why)
	g.Expect(watch.Explain(liveStep, m)).To(gomega.ContainSubstring("waiting for the answer to a FUSE request in request_wait_answer"))
	g.Expect(connection.Waiting()).To(gomega.Equal(1))

	// The server has taken the request, so the kernel waits for its answer even when the caller is killed.
	err := watch.Kill(reader.pid, 200*time.Millisecond)
	var alive *watch.StillAlive
	g.Expect(errors.As(err, &alive)).To(gomega.BeTrue(), "%v", err)
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("state D) is waiting for the answer to a FUSE request in request_wait_answer")))

	g.Expect(connection.Abort()).To(gomega.Succeed())
	g.Expect(watch.Kill(reader.pid, 30*time.Second)).To(gomega.Succeed())
	g.Expect(watch.Kill(server.pid, 30*time.Second)).To(gomega.Succeed())
	unix.Unmount(dir, unix.MNT_DETACH)
	g.Expect(connection.Abort()).To(gomega.Succeed(), "a connection that has gone is no error")
	_, err = connection.Waiting()
	g.Expect(err).To(gomega.HaveOccurred())
}

func TestPageCacheReadOfASilentServerIsAPageLock(t *testing.T) {
	g := gomega.NewWithT(t)
	server, dir, connection := mountSilence(t)
	m := judge(t, liveRules, startReader(t, connection, filepath.Join(dir, "cached")), server.pid)
	g.Expect(m.Kind).To(gomega.Equal(watch.Blocked), m.Why)
	g.Expect(watch.Explain(liveStep, m)).To(gomega.ContainSubstring("waiting for a page to be unlocked in folio_wait_bit_common"))
}

func TestSpinningServerIsNamed(t *testing.T) {
	g := gomega.NewWithT(t)
	server, dir, connection := mountSilence(t)
	rules := liveRules
	rules.Limit = time.Minute
	m := judge(t, rules, startReader(t, connection, filepath.Join(dir, "spin")), server.pid)
	g.Expect(m.Kind).To(gomega.Equal(watch.Spinning), m.Why)
	g.Expect(m.Server).To(gomega.Equal(server.pid))
	g.Expect(watch.Explain(liveStep, m)).To(gomega.ContainSubstring("while its server, process " + itoa(server.pid) + ", spins: "))
}

// The number of a connection is used again by the next mount; what we did not mount is not ours to abort.
func TestAbortSparesAnotherConnectionOfTheSameNumber(t *testing.T) {
	g := gomega.NewWithT(t)
	_, dir, connection := mountSilence(t)
	stranger := connection
	stranger.Inode++
	g.Expect(stranger.Abort()).To(gomega.MatchError(watch.ErrOtherConnection))
	reader := startReader(t, connection, filepath.Join(dir, "direct"))
	g.Eventually(connection.Waiting).WithTimeout(20*time.Second).Should(gomega.Equal(1), "it still works")
	g.Expect(stateOf(reader)).NotTo(gomega.BeEmpty())
}

func TestAbortFindsFusectlWhereItIsMountedNow(t *testing.T) {
	g := gomega.NewWithT(t)
	_, dir, connection := mountSilence(t)
	reader := startReader(t, connection, filepath.Join(dir, "direct"))
	connection.Dir = filepath.Join(t.TempDir(), "not", "mounted", "here")
	g.Eventually(connection.Waiting).WithTimeout(20 * time.Second).Should(gomega.Equal(1))
	g.Expect(connection.Abort()).To(gomega.Succeed())
	g.Expect(watch.Kill(reader.pid, 30*time.Second)).To(gomega.Succeed())
}

func TestFuseConnectionWantsAFuseMount(t *testing.T) {
	g := gomega.NewWithT(t)
	_, err := watch.FuseConnection("/proc")
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("a proc file system is mounted there")))
	_, err = watch.FuseConnection("/proc/self")
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("nothing is mounted there")))
}

func TestKill(t *testing.T) {
	g := gomega.NewWithT(t)
	c := start(t, "user")
	g.Expect(watch.Kill(c.pid, 30*time.Second)).To(gomega.Succeed())
	<-c.reaped
	g.Expect(watch.Kill(c.pid, time.Second)).To(gomega.Succeed(), "a process that is gone is no error")
}
