// Package connection watches the FUSE connections of this process, whose descriptors go-fuse keeps to itself. It imports nothing
// of ours.
//
//	before, err := connection.Devices()
//	server, err := fuse.NewServer(...)
//	fd, err := connection.New(before)
//	connection.Wait(ctx, fd) // unmounted, or aborted
//
// go-fuse's own Wait is no substitute: it waits for requests that are stuck as well, that is for ever.
package connection

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

const descriptors = "/proc/self/fd"

// Devices are the descriptors of /dev/fuse that this process has open.
func Devices() ([]int, error) {
	entries, err := os.ReadDir(descriptors)
	if err != nil {
		return nil, fmt.Errorf("look for /dev/fuse: %w", err)
	}
	var all []int
	for _, entry := range entries {
		if path, err := os.Readlink(descriptors + "/" + entry.Name()); err != nil || path != "/dev/fuse" {
			continue
		}
		if fd, err := strconv.Atoi(entry.Name()); err == nil {
			all = append(all, fd)
		}
	}
	return all, nil
}

// New is the descriptor that has come since Devices returned before. Mounts of one process must not overlap in between.
func New(before []int) (int, error) {
	now, err := Devices()
	if err != nil {
		return 0, err
	}
	for _, fd := range now {
		if !slices.Contains(before, fd) {
			return fd, nil
		}
	}
	return 0, fmt.Errorf("look for /dev/fuse in %s: not there", descriptors)
}

// interval is how often Wait looks. A server that looks often is taken for one that is awake, and not for one that hangs.
const interval = time.Second

// Wait returns when the kernel has ended the connection, by umount or abort, or when ctx ends. It looks at intervals: who waits in
// poll(2) is woken by every request (fs/fuse/dev.c, fuse_dev_wake_and_unlock), which would double the switches between threads.
func Wait(ctx context.Context, fd int) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for !ended(fd) {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// ended tells whether the connection is gone. No event is asked for; what comes is POLLERR (fuse_dev_poll in fs/fuse/dev.c), or
// POLLNVAL, when go-fuse has noticed the end and closed the descriptor.
func ended(fd int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, 0)
	return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
}

// Detach takes the mount on dir away, whoever uses it, as root or with fusermount3. That it is away already is no error.
func Detach(dir string) error {
	err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err == nil || errors.Is(err, unix.EINVAL) { // EINVAL: not mounted any more
		return nil
	}
	out, fallback := exec.Command("fusermount3", "-u", "-z", dir).CombinedOutput()
	if fallback == nil || !mounted(dir) { // to those who may not unmount the kernel says EPERM for what is not mounted, too
		return nil
	}
	return fmt.Errorf("detach %s: %w; fusermount3: %w: %s", dir, err, fallback, out)
}

// Abort is Detach, and where we may it ends the connection first, as MNT_FORCE does (fs/fuse/inode.c, fuse_umount_begin): requests that hang
// fail.
func Abort(dir string) error {
	if unix.Unmount(dir, unix.MNT_FORCE|unix.UMOUNT_NOFOLLOW) == nil {
		return nil
	}
	return Detach(dir) // EBUSY: somebody uses it, and it is aborted all the same
}

// mounted tells whether anything is mounted on dir, as far as can be known without touching it.
func mounted(dir string) bool {
	parent, err := filepath.EvalSymlinks(filepath.Dir(dir))
	if err != nil {
		return true
	}
	path, err := filepath.Abs(filepath.Join(parent, filepath.Base(dir)))
	if err != nil {
		return true
	}
	on, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(path))
	return err != nil || len(on) > 0
}
