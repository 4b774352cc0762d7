package worker

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"faultline/harness/self"
)

// roleThaw is the guardian of a file system that a step freezes: it thaws when that process has ended, and otherwise is told to go. Its standard input
// is a pipe from the process, its descriptor 3 one of the file system.
const roleThaw = "worker-thaw"

func init() { self.Register(roleThaw, thawMain) }

// FIFREEZE and FITHAW of linux/fs.h, on machines with the common encoding of ioctl numbers.
const (
	fiFreeze = 0xc0045877
	fiThaw   = 0xc0045878
)

// thawMain waits for the end of its input. A byte before it says that there is nothing to thaw.
func thawMain([]string) int {
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	if said, _ := io.ReadAll(os.Stdin); len(said) > 0 {
		return 0
	}
	if r := sys(unix.SYS_IOCTL, 3, fiThaw, 0); !r.ok() && r.errno != unix.EINVAL { // EINVAL: it is not frozen
		return complain(r.errno)
	}
	return 0
}

// freezeOp freezes and thaws. Who is killed while FIFREEZE waits for writers freezes all the same before it ends (freeze_super in fs/super.c does not
// look at signals in between), so that somebody else must be there to thaw.
func freezeOp(a *actor, c *call) result {
	if !a.prog.ours {
		return result{errno: unix.EPERM}
	}
	release, err := guardian(c.fd())
	if err != nil {
		return result{errno: unix.ECHILD}
	}
	defer release()
	r := sys(unix.SYS_IOCTL, c.fd(), fiFreeze, 0)
	if !r.ok() {
		return r
	}
	return sys(unix.SYS_IOCTL, c.fd(), fiThaw, 0)
}

// guardian starts one. It is in a session of its own: what kills our process group does not reach it.
func guardian(fd uintptr) (release func(), err error) {
	mine, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(mine), "frozen")
	defer file.Close()
	cmd := self.Command(roleThaw)
	cmd.ExtraFiles = []*os.File{file}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a guardian: %w", err)
	}
	return func() { dismiss(cmd, pipe) }, nil
}

// dismiss does not wait for its end: that would look as if the step slept.
func dismiss(cmd *exec.Cmd, pipe io.WriteCloser) {
	_, _ = pipe.Write([]byte{'.'}) // if it is gone already, so much the better
	pipe.Close()
	go cmd.Wait()
}

// umountOp tries to unmount what the descriptor is on, which the descriptor itself forbids. The mount point is looked up without touching the file
// system: a stat could wait for a lock that is not the unmount's.
func umountOp(a *actor, c *call) result {
	if !a.prog.ours {
		return result{errno: unix.EPERM}
	}
	point := mountPoint(c.fd())
	if point == "" {
		return result{errno: unix.EINVAL}
	}
	path := append([]byte(point), 0)
	return sys(unix.SYS_UMOUNT2, uintptr(unsafe.Pointer(&path[0])), unix.UMOUNT_NOFOLLOW)
}

// mountPoint is where the mount of a descriptor is, "" if /proc does not say (proc_pid_fdinfo(5), proc_pid_mountinfo(5)).
func mountPoint(fd uintptr) string {
	info, _ := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	_, rest, _ := strings.Cut(string(info), "mnt_id:")
	words := strings.Fields(rest)
	for line := range bytes.Lines(mounts) {
		fields := strings.Fields(string(line))
		if len(words) > 0 && len(fields) > 4 && fields[0] == words[0] {
			return unescaped(fields[4])
		}
	}
	return ""
}

// unescaped reads a path of mountinfo, where blanks are three octal digits behind a backslash.
func unescaped(path string) string {
	head, rest, found := strings.Cut(path, `\`)
	if !found || len(rest) < 3 {
		return path
	}
	n, err := strconv.ParseUint(rest[:3], 8, 8)
	if err != nil {
		return path
	}
	return head + string([]byte{byte(n)}) + unescaped(rest[3:])
}

// syncOp is sync(2), which never fails.
func syncOp(*actor, *call) result { return sys(unix.SYS_SYNC) }
