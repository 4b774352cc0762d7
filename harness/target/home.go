package target

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// homePrefix begins the name of every folder that we make.
const homePrefix = "faultline-"

// home is a folder of ours: it was made by us, carries our sentinel, and may be deleted.
type home struct {
	Path string
	Mark mark
	Dev  uint64 // st_dev, which everything inside shares
	Ino  uint64
}

// makeHome makes a folder with a sentinel in base. It is readable by others, because the worker may run as another user.
func makeHome(base string, o owner) (home, error) {
	h := home{Mark: newMark(o)}
	h.Path = filepath.Join(base, homePrefix+h.Mark.ID[:8])
	if err := os.Mkdir(h.Path, 0o755); err != nil {
		return home{}, fmt.Errorf("make a folder of ours: %w", err)
	}
	if err := os.WriteFile(filepath.Join(h.Path, sentinelName), []byte(h.Mark.text()), 0o644); err != nil {
		os.RemoveAll(h.Path) // just made, holds at most the sentinel
		return home{}, fmt.Errorf("mark a folder as ours: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(h.Path, &st); err != nil {
		return home{}, &os.PathError{Op: "lstat", Path: h.Path, Err: err}
	}
	h.Dev, h.Ino = st.Dev, st.Ino
	return h, nil
}

// openHome finds the folder at path if it is ours, whichever run made it. A folder of another user is not: anybody can write a
// sentinel in /tmp.
func openHome(path string) (home, error) {
	dir, err := openDir(unix.AT_FDCWD, path)
	if err != nil {
		return home{}, err
	}
	defer dir.Close()
	m, err := readMark(dir)
	if err != nil {
		return home{}, fmt.Errorf("%s: %w", path, err)
	}
	st, err := statFile(dir)
	if err != nil {
		return home{}, err
	}
	if int(st.Uid) != os.Geteuid() {
		return home{}, fmt.Errorf("%s belongs to user %d", path, st.Uid)
	}
	return home{Path: path, Mark: m, Dev: st.Dev, Ino: st.Ino}, nil
}

// removeOurs deletes a folder that we made, and refuses anything else: the folder must be the same one (st_dev, inode), hold the
// sentinel that we wrote, and have no mount inside. It follows no symbolic link and leaves the file system at no point. The
// sentinel goes last, so that a half-deleted folder is still known as ours. A folder that is gone is not an error.
func removeOurs(h home) error {
	dir, err := openDir(unix.AT_FDCWD, h.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", h.Path, err)
	}
	defer dir.Close()
	if err := h.mayRemove(dir); err != nil {
		return fmt.Errorf("%s is left alone: %w", h.Path, err)
	}
	if err := emptyDir(dir, h.Dev, sentinelName); err != nil {
		return fmt.Errorf("remove %s: %w", h.Path, err)
	}
	if err := unlinkAt(dir, sentinelName, 0); err != nil {
		return fmt.Errorf("remove %s: %w", h.Path, err)
	}
	if err := unix.Rmdir(h.Path); err != nil {
		return fmt.Errorf("remove %s: %w", h.Path, err)
	}
	return nil
}

// mayRemove gives the reason not to delete the folder.
func (h home) mayRemove(dir *os.File) error {
	st, err := statFile(dir)
	if err != nil {
		return err
	}
	if st.Dev != h.Dev || st.Ino != h.Ino {
		return errors.New("it is not the folder that we made")
	}
	m, err := readMark(dir)
	if err != nil {
		return err
	}
	if m != h.Mark {
		return fmt.Errorf("its sentinel names another owner (process %d, id %s)", m.Owner.PID, m.ID)
	}
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	path, err := realPath(h.Path)
	if err != nil {
		return err
	}
	if below := mountsBelow(mounts, path); len(below) > 0 {
		return fmt.Errorf("%s is mounted on %s", below[0].Type, below[0].Point)
	}
	return nil
}

// emptyDir deletes what is in dir except keep, depth first, through descriptors, and refuses to enter another file system.
func emptyDir(dir *os.File, dev uint64, keep string) error {
	for {
		names, err := dir.Readdirnames(256)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if name == keep {
				continue
			}
			if err := removeEntry(dir, name, dev); err != nil {
				return err
			}
		}
		// Where deleting moves the other entries, a listing that goes on may miss some: begin again.
		if _, err := dir.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if done, err := onlyHolds(dir, keep); done || err != nil {
			return err
		}
	}
}

// onlyHolds reports whether nothing but keep is left, and rewinds dir.
func onlyHolds(dir *os.File, keep string) (bool, error) {
	names, err := dir.Readdirnames(2)
	if err != nil && err != io.EOF {
		return false, err
	}
	if _, err := dir.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	return len(names) == 0 || len(names) == 1 && names[0] == keep, nil
}

func removeEntry(dir *os.File, name string, dev uint64) error {
	err := unlinkAt(dir, name, 0)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	// unlink(2) of a directory gives EISDIR on Linux and EPERM by POSIX.
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return err
	}
	sub, openErr := openDir(int(dir.Fd()), name)
	if openErr != nil {
		return err
	}
	defer sub.Close()
	st, err := statFile(sub)
	if err != nil {
		return err
	}
	if st.Dev != dev {
		return fmt.Errorf("%s/%s is on another file system", dir.Name(), name)
	}
	if err := emptyDir(sub, dev, ""); err != nil {
		return err
	}
	return unlinkAt(dir, name, unix.AT_REMOVEDIR)
}

// openDir opens a directory relative to at, never through a symbolic link.
func openDir(at int, name string) (*os.File, error) {
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

func unlinkAt(dir *os.File, name string, flags int) error {
	if err := unix.Unlinkat(int(dir.Fd()), name, flags); err != nil {
		return &os.PathError{Op: "unlink", Path: filepath.Join(dir.Name(), name), Err: err}
	}
	return nil
}

func statFile(f *os.File) (unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return st, &os.PathError{Op: "fstat", Path: f.Name(), Err: err}
	}
	return st, nil
}

// readMark reads the sentinel of a folder; it must be a plain file, not a link to one.
func readMark(dir *os.File) (mark, error) {
	fd, err := unix.Openat(int(dir.Fd()), sentinelName, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return mark{}, errors.New("it has no sentinel of ours")
	}
	if err != nil {
		return mark{}, fmt.Errorf("open its sentinel: %w", err)
	}
	f := os.NewFile(uintptr(fd), sentinelName)
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return mark{}, fmt.Errorf("read its sentinel: %w", err)
	}
	return parseMark(string(text))
}
