package target

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	mounts "github.com/moby/sys/mountinfo"
)

// mountinfo is one line of /proc/self/mountinfo (proc_pid_mountinfo(5)), as a child tells it. Reading it does not touch the mounts.
type mountinfo struct {
	ID      int
	Number  string // major:minor
	Root    string
	Point   string
	Type    string
	Source  string
	Options string // per mount
	Super   string // per superblock
}

// has reports whether the mount or its superblock carries the option, with or without a value.
func (m mountinfo) has(option string) bool {
	for _, o := range strings.Split(m.Options+","+m.Super, ",") {
		name, _, _ := strings.Cut(o, "=")
		if o == option || name == option {
			return true
		}
	}
	return false
}

// options are those of the mount and of the superblock, each once.
func (m mountinfo) options() string {
	var all []string
	for _, o := range strings.Split(m.Options+","+m.Super, ",") {
		if !slices.Contains(all, o) {
			all = append(all, o)
		}
	}
	return strings.Join(all, ",")
}

// readOnly is the option that says that nothing can be written any more, or empty. After an error or FS_IOC_SHUTDOWN ext4 says
// "emergency_ro" or "shutdown" without "ro" (seen on 6.18; fs/ext4/super.c).
func (m mountinfo) readOnly() string {
	for _, o := range []string{"ro", "emergency_ro", "shutdown"} {
		if m.has(o) {
			return o
		}
	}
	return ""
}

// readMounts runs in the child: it touches no mount, but the kernel lets each print its options, under a lock of all mounts.
func readMounts() ([]mountinfo, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	defer f.Close()
	return parseMounts(f)
}

func parseMounts(text io.Reader) ([]mountinfo, error) {
	infos, err := mounts.GetMountsFromReader(text, nil)
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	var all []mountinfo
	for _, i := range infos {
		all = append(all, mountinfo{
			ID:      i.ID,
			Number:  fmt.Sprintf("%d:%d", i.Major, i.Minor),
			Root:    i.Root,
			Point:   i.Mountpoint,
			Type:    i.FSType,
			Source:  i.Source,
			Options: i.Options,
			Super:   i.VFSOptions,
		})
	}
	return all, nil
}

// mountAt finds what is mounted exactly at point; the last one hides the others.
func mountAt(mounts []mountinfo, point string) (mountinfo, bool) {
	for i := len(mounts) - 1; i >= 0; i-- {
		if mounts[i].Point == point {
			return mounts[i], true
		}
	}
	return mountinfo{}, false
}

// mountWithID finds a mount by its id.
func mountWithID(mounts []mountinfo, id int) (mountinfo, bool) {
	for _, m := range mounts {
		if m.ID == id {
			return m, true
		}
	}
	return mountinfo{}, false
}

// mountsBelow lists the mounts at dir or below, the innermost last. A file can be a mount point too.
func mountsBelow(mounts []mountinfo, dir string) []mountinfo {
	var below []mountinfo
	for _, m := range mounts {
		if m.Point == dir || strings.HasPrefix(m.Point, strings.TrimSuffix(dir, "/")+"/") {
			below = append(below, m)
		}
	}
	return below
}

// realPath is the absolute path without symbolic links, which is how mountinfo names mount points.
func realPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}
