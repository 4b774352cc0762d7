package control

import (
	"fmt"
	"path/filepath"

	"github.com/moby/sys/mountinfo"
)

// Device is the device number, "0:52", of what is mounted on dir, from mountinfo (proc_pid_mountinfo(5)). dir itself is never touched; its
// parents are.
func Device(dir string) (string, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if parent, err := filepath.EvalSymlinks(filepath.Dir(absolute)); err == nil {
		absolute = filepath.Join(parent, filepath.Base(absolute))
	}
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		return "", fmt.Errorf("find the mount on %s: %w", dir, err)
	}
	if dev := deviceOf(mounts, absolute); dev != "" {
		return dev, nil
	}
	return "", fmt.Errorf("nothing is mounted there: %w", ErrNoServer)
}

// deviceOf finds the mount point, the last one if there are several on top of each other.
func deviceOf(mounts []*mountinfo.Info, dir string) (dev string) {
	for _, m := range mounts {
		if m.Mountpoint == dir {
			dev = fmt.Sprintf("%d:%d", m.Major, m.Minor)
		}
	}
	return dev
}
