package target

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// What this machine lacks is said here once, for Open and for Doctor.

// lack is one thing that is missing, and how to get it.
type lack struct{ what, mend string }

func (l lack) String() string {
	if l.mend == "" {
		return l.what
	}
	return l.what + " (" + l.mend + ")"
}

// missing is the error of a target that lacks something, or nil.
func missing(spec string, lists ...[]lack) error {
	m := &Missing{Spec: spec}
	for _, l := range slices.Concat(lists...) {
		m.What = append(m.What, l.String())
	}
	if len(m.What) == 0 {
		return nil
	}
	return m
}

func lacksRoot() []lack {
	if os.Geteuid() == 0 {
		return nil
	}
	return []lack{{"it needs root to mount", "dir:PATH does not"}}
}

func lacksLoop() []lack {
	if _, err := os.Stat("/dev/loop-control"); err == nil {
		return nil
	}
	return []lack{{"there is no /dev/loop-control", "modprobe loop; in a container --privileged, or --device of it and of the loop devices"}}
}

func lacksFuse() []lack {
	var lacks []lack
	if err := unix.Access("/dev/fuse", unix.R_OK|unix.W_OK); err != nil {
		mend := "modprobe fuse; in a container --device /dev/fuse"
		if errors.Is(err, unix.EACCES) {
			mend = "root, or chmod a+rw /dev/fuse"
		}
		lacks = append(lacks, lack{fmt.Sprintf("/dev/fuse cannot be opened: %v", err), mend})
	}
	if _, err := exec.LookPath("fusermount3"); err != nil && os.Geteuid() != 0 {
		lacks = append(lacks, lack{"fusermount3 is not installed", "package fuse3, or root"})
	}
	return lacks
}

// lacksType tells whether the running kernel can mount a type: it is in /proc/filesystems now, or there is a module, which
// mount(2) loads by itself.
func lacksType(fs string) []lack {
	if registered(fs) {
		return nil
	}
	modules, err := os.ReadFile(filepath.Join("/lib/modules", kernelRelease(), "modules.dep"))
	if err == nil && strings.Contains(string(modules), "/"+fs+".ko") {
		return nil
	}
	return []lack{{fmt.Sprintf("%s is not in this kernel, %s, nor a module of it", fs, kernelRelease()), ""}}
}

func registered(fs string) bool {
	f, err := os.Open("/proc/filesystems")
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 0 && fields[len(fields)-1] == fs {
			return true
		}
	}
	return false
}

// lacksRoom tells whether a folder has room for an image.
func lacksRoom(dir string, size int64) []lack {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return []lack{{fmt.Sprintf("%s cannot be used: %v", dir, err), "set TMPDIR"}}
	}
	free := st.Bavail * uint64(st.Bsize)
	if free >= uint64(size) {
		return nil
	}
	return []lack{{fmt.Sprintf("the image needs %s, but %s has only %d MiB left", sizeText(size), dir, free>>20), "set TMPDIR, or size="}}
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
