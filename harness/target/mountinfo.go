package target

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mountinfo is one line of /proc/self/mountinfo (proc_pid_mountinfo(5)). Reading it does not touch the mounts.
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
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	var mounts []mountinfo
	for line := range strings.Lines(string(text)) {
		m, err := parseMount(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, err
		}
		mounts = append(mounts, m)
	}
	return mounts, nil
}

// parseMount reads "36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw,errors=continue"; there are zero or more
// fields like master:1.
func parseMount(line string) (mountinfo, error) {
	fields := strings.Split(line, " ")
	const optional = 6
	dash := optional
	for dash < len(fields) && fields[dash] != "-" {
		dash++
	}
	if len(fields) < dash+4 {
		return mountinfo{}, fmt.Errorf("parse mountinfo %q: too few fields", line)
	}
	id, err := strconv.Atoi(fields[0])
	if err != nil {
		return mountinfo{}, fmt.Errorf("parse mountinfo %q: %w", line, err)
	}
	return mountinfo{
		ID:      id,
		Number:  fields[2],
		Root:    unescape(fields[3]),
		Point:   unescape(fields[4]),
		Options: fields[5],
		Type:    fields[dash+1],
		Source:  unescape(fields[dash+2]),
		Super:   fields[dash+3],
	}, nil
}

// unescape undoes the octal escapes of blanks and backslashes in mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
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
