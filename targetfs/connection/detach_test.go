package connection_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/targetfs/connection"
)

// asNobody calls f in a thread without rights, which ends with it.
func asNobody(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is of no use to others
		const nobody = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			result <- errno
			return
		}
		result <- f()
	}()
	return <-result
}

// Whom the kernel does not let unmount, it does not tell either that nothing is mounted.
func TestDetachWithoutRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount what others may not unmount")
	}
	g := gomega.NewWithT(t)
	temp := t.TempDir()
	g.Expect(os.Chmod(filepath.Dir(temp), 0o755)).To(gomega.Succeed(), "it is of our own making, and nobody else may look into it")
	dir := filepath.Join(temp, "mount")
	g.Expect(os.Mkdir(dir, 0o755)).To(gomega.Succeed())
	detach := func() error { return connection.Detach(dir) }
	g.Expect(asNobody(detach)).To(gomega.Succeed(), "somebody else was first")
	g.Expect(unix.Mount("none", dir, "tmpfs", 0, "")).To(gomega.Succeed())
	t.Cleanup(func() { _ = unix.Unmount(dir, 0) }) // it is gone at the end of the test
	g.Expect(asNobody(detach)).To(gomega.MatchError(gomega.ContainSubstring("detach " + dir + ": operation not permitted")))
	g.Expect(detach()).To(gomega.Succeed())
	g.Expect(detach()).To(gomega.Succeed(), "it is away already")
}
