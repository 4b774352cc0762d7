package target

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// expectUnfit checks the cause and the whole message; a %s in it is where the target is mounted.
func expectUnfit(t *testing.T, tg Target, cause Cause, message string) {
	t.Helper()
	g := gomega.NewWithT(t)
	err := tg.Check(t.Context())
	var unfit *Unfit
	g.Expect(errors.As(err, &unfit)).To(gomega.BeTrue(), "%v", err)
	g.Expect(unfit.Cause).To(gomega.Equal(cause))
	g.Expect(err).To(gomega.MatchError(gomega.MatchRegexp("^" + tg.Spec() + ": " + message + "$")))
}

func TestCheckSeesAnUnmount(t *testing.T) {
	g := gomega.NewWithT(t)
	temp := t.TempDir()
	tg := openUnclosed(t, "loop:ext4", temp)
	point := tg.Mount().Point
	g.Expect(unix.Unmount(point, 0)).To(gomega.Succeed())
	expectUnfit(t, tg, Vanished, "ext4 is not mounted on "+point+" any more")
	g.Expect(tg.Close(t.Context())).To(gomega.MatchError("close loop:ext4: unmount: somebody else has unmounted it; it was not checked"))
	expectNothingLeft(t, temp)
}

// openUnclosed is for tests that close the target themselves.
func openUnclosed(t *testing.T, spec, temp string) Target {
	t.Helper()
	tg, err := Open(t.Context(), spec, Options{Temp: temp})
	skipMissing(t, err)
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	return tg
}

func TestCheckSeesAnotherMountInItsPlace(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "tmpfs:")
	point := tg.Mount().Point
	g.Expect(unix.Mount("none", point, "tmpfs", 0, "")).To(gomega.Succeed())
	expectUnfit(t, tg, Vanished, "our folder "+tg.Dir()+" is gone")
	g.Expect(unix.Unmount(point, 0)).To(gomega.Succeed())
	g.Expect(tg.Check(t.Context())).To(gomega.Succeed())
}

func TestCheckSeesOurFolderGo(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "dir:"+t.TempDir())
	moved := filepath.Join(filepath.Dir(tg.Dir()), "moved")
	g.Expect(os.Rename(tg.Dir(), moved)).To(gomega.Succeed())
	expectUnfit(t, tg, Vanished, "our folder "+tg.Dir()+" is gone")
	g.Expect(os.Mkdir(tg.Dir(), 0o700)).To(gomega.Succeed())
	expectUnfit(t, tg, Vanished, tg.Dir()+" is not the folder that we made")
	g.Expect(os.Remove(tg.Dir())).To(gomega.Succeed())
	g.Expect(os.Rename(moved, tg.Dir())).To(gomega.Succeed())
}

func TestCheckSeesReadOnly(t *testing.T) {
	tg := open(t, "loop:xfs")
	remount(t, tg, "ro")
	expectUnfit(t, tg, ReadOnly, "xfs on "+tg.Mount().Point+` has become read-only \(ro\)`)
}

// An error that ext4 finds makes it read-only without the flag.
func TestCheckSeesAnErrorOfExt4(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "loop:ext4,mount=errors=remount-ro")
	trigger := "/sys/fs/ext4/" + filepath.Base(tg.Mount().Device) + "/trigger_fs_error"
	if _, err := os.Stat(trigger); err != nil {
		t.Skip(err)
	}
	g.Expect(os.WriteFile(trigger, []byte("planted by a test"), 0)).To(gomega.Succeed())
	expectUnfit(t, tg, ReadOnly, "ext4 on "+tg.Mount().Point+` has become read-only \((emergency_)?ro\)`)
}

// A file system that was shut down has no flag, except on ext4; nothing works any more. Its log is left dirty, which is no
// damage: Close finds none.
func TestCheckSeesAShutdown(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "loop:xfs")
	shutDown(g, tg.Dir())
	expectUnfit(t, tg, Failing, "xfs on "+tg.Mount().Point+` fails: .*: input/output error`)
}

// shutDown is FS_IOC_SHUTDOWN, _IOR('X', 125, __u32) of include/uapi/linux/fs.h, with "no log flush" (2).
func shutDown(g *gomega.WithT, path string) {
	const fsIocShutdown = 2<<30 | 4<<16 | 'X'<<8 | 125
	dir, err := os.Open(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer dir.Close()
	how := uint32(2)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), fsIocShutdown, uintptr(unsafe.Pointer(&how)))
	g.Expect(errno).To(gomega.BeZero())
}

func TestCheckSeesAFullDisk(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "tmpfs:size=20M")
	big := filepath.Join(tg.Dir(), "big")
	g.Expect(os.WriteFile(big, make([]byte, 10<<20), 0o600)).To(gomega.Succeed())
	expectUnfit(t, tg, Full, tg.Mount().Point+" has only 9 MiB left; 16 MiB are needed")
	g.Expect(os.Remove(big)).To(gomega.Succeed())
	g.Expect(tg.Check(t.Context())).To(gomega.Succeed())
}

func TestCheckSeesThatNoInodeIsLeft(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "tmpfs:mount=nr_inodes=8")
	var err error
	for i := 0; err == nil; i++ {
		err = os.WriteFile(filepath.Join(tg.Dir(), fmt.Sprint(i)), nil, 0o600)
	}
	g.Expect(err).To(gomega.MatchError(unix.ENOSPC))
	expectUnfit(t, tg, Full, tg.Mount().Point+" is full: create .*: no space left on device")
}

func TestCheckSeesTroubleBelowAnOverlay(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "overlay:loop:xfs")
	g.Expect(tg.Check(t.Context())).To(gomega.Succeed())
	remount(t, tg.(*local).base, "ro")
	g.Expect(tg.Check(t.Context())).To(gomega.MatchError(gomega.ContainSubstring("read-only")))
}

func TestCheckSeesADeadServer(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "planted:none")
	g.Expect(unix.Kill(tg.Servers()[0], unix.SIGKILL)).To(gomega.Succeed())
	g.Eventually(func() error { return tg.Check(t.Context()) }, 10*time.Second, time.Millisecond).ShouldNot(gomega.Succeed())
	expectUnfit(t, tg, Died, "its server has ended: signal: killed")
}

func TestCheckSeesAServerThatEndedByItself(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "planted:die")
	path := filepath.Join(tg.Dir(), "file")
	g.Expect(os.WriteFile(path, []byte("text"), 0o600)).To(gomega.Succeed())
	_, err := os.ReadFile(path)
	g.Expect(err).To(gomega.HaveOccurred())
	// At once: the program that got the error and our own news of the server's end race.
	expectUnfit(t, tg, Died, `its server has ended: exit status \d+.*`)
}

func TestAbortFreesAndEndsTheTarget(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "planted:block-read")
	path := filepath.Join(tg.Dir(), "file")
	g.Expect(os.WriteFile(path, []byte("text"), 0o600)).To(gomega.Succeed())
	// cat is in a process of its own and stays in its read until the abort.
	done := make(chan error, 1)
	go func() {
		_, err := runTool(t.Context(), "cat", path)
		done <- err
	}()
	g.Consistently(done, 200*time.Millisecond).ShouldNot(gomega.Receive())
	g.Expect(tg.Check(t.Context())).To(gomega.Succeed(), "Check does not read")
	g.Expect(tg.Abort()).To(gomega.Succeed())
	g.Eventually(done, 10*time.Second).Should(gomega.Receive(gomega.HaveOccurred()))
	expectUnfit(t, tg, Died, "it was aborted")
	g.Expect(tg.Abort()).To(gomega.Succeed(), "once more does no harm")
}

// A server that is stopped answers nothing: the first Check finds out, the next ones do not wait again, and Close comes back.
func TestCheckOfWhatHangs(t *testing.T) {
	g := gomega.NewWithT(t)
	temp := t.TempDir()
	tg, err := Open(t.Context(), "planted:none", Options{Temp: temp, Patience: 3 * time.Second})
	skipMissing(t, err)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(unix.Kill(tg.Servers()[0], unix.SIGSTOP)).To(gomega.Succeed())
	err = tg.Check(t.Context())
	var hung *Hung
	g.Expect(errors.As(err, &hung)).To(gomega.BeTrue(), "%v", err)
	g.Expect(err).To(gomega.MatchError(gomega.MatchRegexp(
		`^check planted:none: check /.*/mnt/work has not come back for 3s: the file system hangs \(in process \d+\)$`)))
	expectUnfit(t, tg, Hanging, "it hangs")
	g.Expect(tg.Close(t.Context())).To(gomega.Succeed())
	expectNothingLeft(t, temp)
}

// What hangs under our hands is reported, and the child that hangs is left behind until the abort.
func TestHangsAreReported(t *testing.T) {
	g := gomega.NewWithT(t)
	fuse := open(t, "planted:block-read")
	temp := t.TempDir()
	_, err := Open(t.Context(), "dir:"+fuse.Dir(), Options{Temp: temp, Patience: 3 * time.Second})
	var hung *Hung
	g.Expect(errors.As(err, &hung)).To(gomega.BeTrue(), "%v", err)
	g.Expect(hung.PID).To(gomega.BeNumerically(">", 1))
	g.Expect(err).To(gomega.MatchError(gomega.MatchRegexp(
		`^open target dir:\S+: probe odirect in \S+/faultline-\w+ has not come back for 3s: the file system hangs \(in process \d+\); ` +
			`and it could not be put back: close .*: remove .*: it is left behind: it hangs$`)))
	g.Expect(fuse.Abort()).To(gomega.Succeed())
}
