package control

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	if dev := deviceOf(string(mounts), absolute); dev != "" {
		return dev, nil
	}
	return "", fmt.Errorf("nothing is mounted there: %w", ErrNoServer)
}

// deviceOf finds the mount point, the last one if there are several on top of each other.
func deviceOf(mountinfo, dir string) (dev string) {
	for line := range strings.Lines(mountinfo) {
		if fields := strings.Fields(line); len(fields) > 4 && unescape(fields[4]) == dir {
			dev = fields[2]
		}
	}
	return dev
}

// unescape undoes the octal escapes of mountinfo: \040 is a space.
func unescape(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if n, err := strconv.ParseUint(after[:min(3, len(after))], 8, 8); err == nil && len(after) >= 3 {
			b.WriteByte(byte(n))
			s = after[3:]
		} else {
			b.WriteByte('\\')
			s = after
		}
	}
}
