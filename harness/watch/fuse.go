package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// abortPatience is how long an abort may take; it wakes waiters and does not wait for the server.
const abortPatience = 5 * time.Second

// ErrNoFusectl means that the fusectl file system is not mounted, so that no FUSE connection can be aborted from here.
var ErrNoFusectl = errors.New("no fusectl file system is mounted; mount it with: mount -t fusectl none /sys/fs/fuse/connections")

// Connection is one FUSE connection of the kernel. It is plain data and stays valid when the mount hangs.
type Connection struct {
	ID  uint32 // st_dev of the mount, as the kernel keeps it: major<<20 | minor, and the major is 0 unless it is fuseblk
	Dir string // the connection's directory in fusectl; empty if fusectl is not mounted
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
	return Connection{ID: id, Dir: controlDir(all, id)}, nil
}

// connectionOf takes the newest mount on the path: it is the one in sight.
func connectionOf(all []mount, path string) (uint32, error) {
	for i := len(all) - 1; i >= 0; i-- {
		m := all[i]
		if m.point != path {
			continue
		}
		if m.fstype != "fuse" && m.fstype != "fuseblk" && !strings.HasPrefix(m.fstype, "fuse.") && !strings.HasPrefix(m.fstype, "fuseblk.") {
			return 0, fmt.Errorf("find the FUSE connection of %s: a %s file system is mounted there", path, m.fstype)
		}
		return m.major<<20 | m.minor, nil
	}
	return 0, fmt.Errorf("find the FUSE connection of %s: nothing is mounted there", path)
}

func controlDir(all []mount, id uint32) string {
	for _, m := range all {
		if m.fstype == "fusectl" {
			return filepath.Join(m.point, strconv.FormatUint(uint64(id), 10))
		}
	}
	return ""
}

// Abort ends the connection: all requests fail, those who wait for an answer wake, and the file system is dead. Aborting a
// connection that has already gone is not an error. Without fusectl the error wraps ErrNoFusectl.
func (c Connection) Abort() error {
	dir, err := c.dir()
	if err != nil {
		return fmt.Errorf("abort FUSE connection %d: %w", c.ID, err)
	}
	path := filepath.Join(dir, "abort")
	_, err = within(abortPatience, path, func() (struct{}, error) {
		return struct{}{}, os.WriteFile(path, []byte("1"), 0)
	})
	if err != nil && !gone(err) {
		return fmt.Errorf("abort FUSE connection %d: %w", c.ID, err)
	}
	return nil
}

// Waiting is the number of requests that wait to be taken or answered by the server.
func (c Connection) Waiting() (int, error) {
	dir, err := c.dir()
	if err != nil {
		return 0, fmt.Errorf("ask FUSE connection %d for its requests: %w", c.ID, err)
	}
	text, err := ask(filepath.Join(dir, "waiting"))
	if err != nil {
		return 0, fmt.Errorf("ask FUSE connection %d for its requests: %w", c.ID, err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// dir is where fusectl shows the connection; if it was not mounted at mount time, it may be now.
func (c Connection) dir() (string, error) {
	if c.Dir != "" {
		return c.Dir, nil
	}
	all, err := mounts()
	if err != nil {
		return "", err
	}
	if dir := controlDir(all, c.ID); dir != "" {
		return dir, nil
	}
	return "", ErrNoFusectl
}
