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
	"slices"
	"strconv"
	"time"

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

// Detach takes the mount on dir away, whoever uses it, as root or with fusermount3.
func Detach(dir string) error {
	err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err == nil || errors.Is(err, unix.EINVAL) { // EINVAL: not mounted any more
		return nil
	}
	if out, fallback := exec.Command("fusermount3", "-u", "-z", dir).CombinedOutput(); fallback != nil {
		return fmt.Errorf("unmount %s: %w; fusermount3: %w: %s", dir, err, fallback, out)
	}
	return nil
}
