package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// folder is one that we made, as it was then.
type folder struct {
	Path     string
	Dev, Ino uint64
}

func makeFolder(base string) (folder, error) {
	path, err := os.MkdirTemp(base, "guest-")
	if err != nil {
		return folder{}, fmt.Errorf("make a folder for a guest: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return folder{}, fmt.Errorf("make a folder for a guest: %w", err)
	}
	return folder{path, st.Dev, st.Ino}, nil
}

// remove removes the folder if it is still the same, and everything in it that is on its own file system.
func (f folder) remove() {
	var st unix.Stat_t
	if err := unix.Lstat(f.Path, &st); err != nil || st.Dev != f.Dev || st.Ino != f.Ino {
		return
	}
	f.empty(f.Path)
	_ = os.Remove(f.Path)
}

// killUsers kills the processes that work in the folder: those of the guest, if its keeper cannot any more.
func (f folder) killUsers() {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if cwd, err := os.Readlink(link); err != nil || cwd != f.Path {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

func (f folder) empty(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		var st unix.Stat_t
		if unix.Lstat(path, &st) != nil || st.Dev != f.Dev {
			continue
		}
		if e.IsDir() {
			f.empty(path)
		}
		_ = os.Remove(path)
	}
}
