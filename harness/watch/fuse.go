package watch

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// abortPatience is how long an abort may take; it wakes waiters and does not wait for the server.
const abortPatience = 5 * time.Second

// ErrNoFusectl means that the fusectl file system is not mounted, so that no FUSE connection can be aborted from here.
var ErrNoFusectl = errors.New("no fusectl file system is mounted; mount it with: mount -t fusectl none /sys/fs/fuse/connections")

// ErrOtherConnection means that the kernel has given the number of the connection to another one since.
var ErrOtherConnection = errors.New("the number now belongs to another connection, or fusectl was mounted anew")

// Connection is one FUSE connection of the kernel. It is plain data and stays valid when the mount hangs.
type Connection struct {
	ID    uint32 // st_dev of the mount, as the kernel keeps it: major<<20 | minor, and the major is 0 unless it is fuseblk
	Dir   string // the connection's directory in fusectl; empty if fusectl is not mounted
	Inode uint64 // of that directory: the kernel uses the numbers of connections again and again, but not this one
}

// FuseConnection finds the connection of the FUSE file system mounted on path, which must be absolute and without
// symbolic links. It is for mount time: it reads /proc/self/mountinfo and touches nothing of the mount, but once a mount
// hangs even mountinfo may not answer.
func FuseConnection(path string) (Connection, error) {
	all, err := mounts()
	if err != nil {
		return Connection{}, fmt.Errorf("find the FUSE connection of %s: %w", path, err)
	}
	id, err := connectionOf(all, filepath.Clean(path))
	if err != nil {
		return Connection{}, err
	}
	c := Connection{ID: id, Dir: controlDir(all, id)}
	if c.Dir == "" {
		return c, nil
	}
	if c.Inode, err = inode(c.Dir); err != nil {
		return c, fmt.Errorf("find the FUSE connection of %s: %w", path, err)
	}
	return c, nil
}

// connectionOf takes the newest mount on the path: it is the one in sight.
func connectionOf(all []*mountinfo.Info, path string) (uint32, error) {
	for i := len(all) - 1; i >= 0; i-- {
		m := all[i]
		if m.Mountpoint != path {
			continue
		}
		if m.FSType != "fuse" && m.FSType != "fuseblk" && !strings.HasPrefix(m.FSType, "fuse.") && !strings.HasPrefix(m.FSType, "fuseblk.") {
			return 0, fmt.Errorf("find the FUSE connection of %s: a %s file system is mounted there", path, m.FSType)
		}
		return uint32(m.Major<<20 | m.Minor), nil
	}
	return 0, fmt.Errorf("find the FUSE connection of %s: nothing is mounted there", path)
}

func controlDir(all []*mountinfo.Info, id uint32) string {
	for _, m := range all {
		if m.FSType == "fusectl" {
			return filepath.Join(m.Mountpoint, strconv.FormatUint(uint64(id), 10))
		}
	}
	return ""
}

// Abort ends the connection: all requests fail, those who wait for an answer wake, and the file system is dead. Aborting a
// connection that has already gone is not an error. Without fusectl the error wraps ErrNoFusectl.
func (c Connection) Abort() error {
	err := c.control("abort", func(path string) error {
		_, err := within(abortPatience, path, func() (struct{}, error) {
			return struct{}{}, os.WriteFile(path, []byte("1"), 0)
		})
		return err
	})
	if err != nil && !gone(err) {
		return fmt.Errorf("abort FUSE connection %d: %w", c.ID, err)
	}
	return nil
}

// Waiting is the number of requests that wait to be taken or answered by the server.
func (c Connection) Waiting() (n int, err error) {
	err = c.control("waiting", func(path string) error {
		text, err := ask(path)
		if err != nil {
			return err
		}
		n, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("ask FUSE connection %d for its requests: %w", c.ID, err)
	}
	return n, nil
}

// control runs use on a file of the connection in fusectl: where it was at mount time, or if it is not there, where
// fusectl is mounted now.
func (c Connection) control(file string, use func(path string) error) error {
	dir := c.Dir
	found, err := inode(dir)
	if gone(err) {
		if dir, err = c.findDir(); err != nil {
			return err
		}
		found, err = inode(dir)
	}
	if err != nil {
		return err
	}
	if c.Inode != 0 && found != c.Inode {
		return ErrOtherConnection
	}
	return use(filepath.Join(dir, file))
}

func (c Connection) findDir() (string, error) {
	all, err := mounts()
	if err != nil {
		return "", err
	}
	dir := controlDir(all, c.ID)
	if dir == "" {
		return "", ErrNoFusectl
	}
	return dir, nil
}

// mounts reads our mounts, oldest first. Reading them touches no file system, but takes a lock that a hung mount(2) holds.
func mounts() ([]*mountinfo.Info, error) {
	text, err := ask("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return mountinfo.GetMountsFromReader(bytes.NewReader(text), nil)
}

// inode is the number of a directory of fusectl, which is in memory and never hangs.
func inode(dir string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	return st.Ino, nil
}
