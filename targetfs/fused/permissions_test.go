package fused_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// Whether the kernel checks permissions is seen in the mount's own options.
func TestWhoChecksPermissions(t *testing.T) {
	for options, kernel := range map[string]bool{"": false, "allow_other": true, "default_permissions": true, "switchable": true, "nodes=2": true} {
		t.Run(options, func(t *testing.T) {
			g := gomega.NewWithT(t)
			m := mounted(t, options)
			mounts, err := os.ReadFile("/proc/self/mountinfo")
			must(t, err)
			for line := range strings.Lines(string(mounts)) {
				if strings.Contains(line, " "+m.dir+" ") {
					g.Expect(strings.Contains(line, "default_permissions")).To(gomega.Equal(kernel), line)
				}
			}
			m.unmount()
		})
	}
}

// Root may do the same whoever checks, and what it does on a local file system.
func TestRightsOfRoot(t *testing.T) {
	local := t.TempDir()
	for _, options := range []string{"", "default_permissions"} {
		t.Run(options, func(t *testing.T) {
			g := gomega.NewWithT(t)
			m := mounted(t, options)
			for _, mode := range []uint32{0, 0o600, 0o100, 0o010, 0o001, 0o666, 0o4755} {
				name := fmt.Sprintf("%o", mode)
				for _, root := range []string{m.dir, local} {
					file, dir := filepath.Join(root, name), filepath.Join(root, "d"+name)
					must(t, os.WriteFile(file, []byte("#!/bin/sh\nexit 0\n"), 0o600), unix.Chmod(file, mode))
					if err := os.Mkdir(dir, 0o700); !os.IsExist(err) {
						must(t, err)
					}
					must(t, unix.Chmod(dir, mode))
				}
				g.Expect(rights(m.dir, name)).To(gomega.Equal(rights(local, name)), name)
			}
			m.unmount()
		})
	}
}

// rights is what a file and a directory of one mode let the caller do.
func rights(root, name string) string {
	var all []string
	note := func(what string, err error) { all = append(all, fmt.Sprint(what, ": ", err)) }
	file, dir := filepath.Join(root, name), filepath.Join(root, "d"+name)
	for mask := range uint32(8) {
		note(fmt.Sprint("access file ", mask), unix.Access(file, mask))
		note(fmt.Sprint("access directory ", mask), unix.Access(dir, mask))
	}
	run := exec.Command(file)
	note("execute", strip(run.Run(), root))
	in := exec.Command("/bin/true")
	in.Dir = dir
	note("enter", strip(in.Run(), root))
	for _, flags := range []int{unix.O_RDONLY, unix.O_WRONLY, unix.O_RDWR | unix.O_TRUNC} {
		fd, err := unix.Open(file, flags, 0)
		note(fmt.Sprint("open ", flags), err)
		unix.Close(fd)
	}
	fd, err := unix.Openat(unix.AT_FDCWD, filepath.Join(dir, "new"), unix.O_CREAT|unix.O_WRONLY, 0o600)
	note("create", err)
	unix.Close(fd)
	note("remove", unix.Unlink(filepath.Join(dir, "new")))
	return strings.Join(all, "\n")
}

// strip is an error without the name of the folder.
func strip(err error, root string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s", strings.ReplaceAll(err.Error(), root, ""))
}
