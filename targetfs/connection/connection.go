// Package connection watches the FUSE connections of this process, whose descriptors go-fuse keeps to itself. It imports nothing
// of ours.
//
//	before, err := connection.Devices()
//	server, err := fuse.NewServer(...)
//	fd, err := connection.New(before)
//	<-connection.Ended(fd) // unmounted, or aborted
//
// go-fuse's own Wait is no substitute: it waits for requests that are stuck as well, that is for ever.
package connection

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

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

// Ended is closed when the kernel has ended the connection, by umount or abort.
func Ended(fd int) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// No event is asked for; what comes is POLLERR, when the connection is gone (fuse_dev_poll in fs/fuse/dev.c), or
		// POLLNVAL, when go-fuse has noticed that and closed it.
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, -1)
			if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return ended
}
