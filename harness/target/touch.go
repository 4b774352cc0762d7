package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The functions of this file run in the child: they touch the file system under test.

// makeArgs ask for a folder of ours in Base.
type makeArgs struct {
	Base  string
	Owner owner
	Plain bool // no sentinel: on a mount of our own, which is never deleted from, and where writing would set off planted faults
}

// made is the new folder and what it is on.
type made struct {
	Home  home
	Mount mountinfo
	Free  uint64 // bytes for us; meaningless if Total is 0
	Total uint64 // bytes; 0 if the file system does not count
	Block int    // bytes; f_bsize
}

// makeOn also sweeps what dead owners left in base.
func makeOn(a makeArgs) (made, error) {
	base, err := realPath(a.Base)
	if err != nil {
		return made{}, err
	}
	sweep(base) // what cannot be swept does not stop us; Sweep reports it
	h, err := makeFolder(base, a)
	if errors.Is(err, unix.ENOENT) {
		// base is there, but takes no folders, like /proc: not the ENOENT of a base that is missing.
		return made{}, errors.New(err.Error())
	}
	if err != nil {
		return made{}, err
	}
	m, err := describe(h)
	if err != nil && !a.Plain {
		err = errors.Join(err, removeOurs(h))
	}
	return m, err
}

func makeFolder(base string, a makeArgs) (home, error) {
	if !a.Plain {
		return makeHome(base, a.Owner)
	}
	h := home{Path: filepath.Join(base, "work")}
	if err := os.Mkdir(h.Path, 0o755); err != nil {
		return home{}, err
	}
	var st unix.Stat_t
	if err := unix.Lstat(h.Path, &st); err != nil {
		return home{}, &os.PathError{Op: "lstat", Path: h.Path, Err: err}
	}
	h.Dev, h.Ino = st.Dev, st.Ino
	return h, nil
}

func describe(h home) (made, error) {
	dir, err := openDir(unix.AT_FDCWD, h.Path)
	if err != nil {
		return made{}, err
	}
	defer dir.Close()
	mount, err := mountOf(dir)
	if err != nil {
		return made{}, err
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &st); err != nil {
		return made{}, &os.PathError{Op: "statfs", Path: h.Path, Err: err}
	}
	return made{h, mount, st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize), int(st.Bsize)}, nil
}

// mountOf finds the mount that an open file is on: its id is in fdinfo (proc_pid_fdinfo(5), since Linux 3.15).
func mountOf(f *os.File) (mountinfo, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", f.Fd()))
	if err != nil {
		return mountinfo{}, fmt.Errorf("find the mount of %s: %w", f.Name(), err)
	}
	mounts, err := readMounts()
	if err != nil {
		return mountinfo{}, fmt.Errorf("find the mount of %s: %w", f.Name(), err)
	}
	for line := range strings.Lines(string(text)) {
		var id int
		if n, _ := fmt.Sscanf(line, "mnt_id: %d", &id); n == 0 {
			continue
		}
		if m, found := mountWithID(mounts, id); found {
			return m, nil
		}
	}
	return mountinfo{}, fmt.Errorf("find the mount of %s: it is not in /proc/self/mountinfo", f.Name())
}

type lookArgs struct {
	Home  home
	Mount mountinfo
	Quiet bool // no more than a statfs: that sets off no planted fault
}

// sight is what look saw.
type sight struct {
	Mounted  bool      // the same mount is still there
	Mount    mountinfo // as it is now
	SameHome bool      // our folder is still the one that we made
	Free     uint64    // bytes for us; meaningless if Total is 0
	Total    uint64
	Inodes   bool // an inode is free, as far as the file system counts them
}

// look sees whether the mount and our folder are still there, and that a file can be made.
func look(a lookArgs) (sight, error) {
	mounts, err := readMounts()
	if err != nil {
		return sight{}, err
	}
	var s sight
	s.Mount, s.Mounted = mountWithID(mounts, a.Mount.ID)
	s.Mounted = s.Mounted && s.Mount.Number == a.Mount.Number && s.Mount.Point == a.Mount.Point
	if !s.Mounted || s.Mount.readOnly() != "" {
		return s, nil
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(a.Home.Path, &fs); err != nil {
		return s, &os.PathError{Op: "statfs", Path: a.Home.Path, Err: err}
	}
	s.Free, s.Total = fs.Bavail*uint64(fs.Bsize), fs.Blocks*uint64(fs.Bsize)
	s.Inodes = fs.Files == 0 || fs.Ffree > 0
	if !a.Quiet {
		err = s.lookInside(a.Home)
	}
	return s, err
}

// lookInside sees whether our folder is the one that we made, and makes and removes a file in it.
func (s *sight) lookInside(h home) error {
	var st unix.Stat_t
	if err := unix.Lstat(h.Path, &st); err != nil {
		return &os.PathError{Op: "lstat", Path: h.Path, Err: err}
	}
	s.SameHome = st.Dev == h.Dev && st.Ino == h.Ino
	if !s.SameHome {
		return nil
	}
	alive := filepath.Join(h.Path, ".alive")
	fd, err := unix.Open(alive, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &os.PathError{Op: "create", Path: alive, Err: err}
	}
	unix.Close(fd)
	if err := unix.Unlink(alive); err != nil {
		return &os.PathError{Op: "unlink", Path: alive, Err: err}
	}
	return nil
}

type unmountArgs struct {
	Point string
	Lazy  bool // it disappears at once, and for good with its last user
	Force bool // end the FUSE connection first; in use it stays mounted, which is no error
}

// unmountPoint unmounts and reports whether anything was mounted there.
func unmountPoint(a unmountArgs) (bool, error) {
	mounts, err := readMounts()
	if err != nil {
		return false, err
	}
	if _, mounted := mountAt(mounts, a.Point); !mounted {
		return false, nil
	}
	flags := unix.UMOUNT_NOFOLLOW
	if a.Lazy {
		flags |= unix.MNT_DETACH
	}
	if a.Force {
		err := unix.Unmount(a.Point, flags|unix.MNT_FORCE)
		if errors.Is(err, unix.EBUSY) {
			err = nil
		}
		return true, err
	}
	err = unix.Unmount(a.Point, flags)
	if errors.Is(err, unix.EPERM) {
		return true, fusermount(a)
	}
	if err != nil {
		return true, fmt.Errorf("unmount %s: %w", a.Point, err)
	}
	return true, nil
}

// fusermount unmounts for a user who is not root; only FUSE mounts of the same user can be.
func fusermount(a unmountArgs) error {
	args := []string{"-u", "-q"}
	if a.Lazy {
		args = append(args, "-z")
	}
	_, err := runTool(context.Background(), "fusermount3", append(args, a.Point)...)
	var failed *toolError
	if errors.As(err, &failed) && strings.Contains(failed.Output, "busy") {
		return fmt.Errorf("unmount %s: %w", a.Point, unix.EBUSY)
	}
	return err
}
