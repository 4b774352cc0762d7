package fused_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// Tags of entries of an access control list (include/uapi/linux/posix_acl.h).
const (
	userObj, user, groupObj, group, mask, other = 1, 2, 4, 8, 16, 32
)

// list is a list in the format of the attribute, from triples of tag, permissions and ID.
func list(entries ...[3]uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, uint16(e[0]))
		b = binary.LittleEndian.AppendUint16(b, uint16(e[1]))
		b = binary.LittleEndian.AppendUint32(b, e[2])
	}
	return b
}

const none = ^uint32(0)

var (
	plainACL = list([3]uint32{userObj, 6, none}, [3]uint32{groupObj, 4, none}, [3]uint32{other, 0, none})
	namedACL = list([3]uint32{userObj, 7, none}, [3]uint32{user, 6, 1000}, [3]uint32{user, 0, 1001}, [3]uint32{groupObj, 5, none},
		[3]uint32{group, 7, 1002}, [3]uint32{mask, 6, none}, [3]uint32{other, 4, none})
)

// lists is the mode and both lists of a file.
func lists(path string) string {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	text := fmt.Sprintf("%o %v", st.Mode, err)
	for _, name := range []string{"system.posix_acl_access", "system.posix_acl_default"} {
		buf := make([]byte, 1024)
		n, err := unix.Getxattr(path, name, buf)
		text += fmt.Sprintf(", %x %v", buf[:max(n, 0)], err)
	}
	return text
}

// What a local file system with access control lists does is what ours must do.
func TestAccessControlListsBehaveAsOnALocalFileSystem(t *testing.T) {
	for _, options := range []string{"allow_other", ""} {
		t.Run(options, func(t *testing.T) { compareLists(t, options) })
	}
}

func compareLists(t *testing.T, options string) {
	g := gomega.NewWithT(t)
	m := mounted(t, options)
	local := t.TempDir()
	if err := unix.Setxattr(local, "system.posix_acl_default", namedACL, 0); err != nil {
		t.Skipf("needs a folder for temporary files on a file system with access control lists: %v", err)
	}
	must(t, unix.Removexattr(local, "system.posix_acl_default"))
	old := unix.Umask(0o027)
	defer unix.Umask(old)
	steps := []struct {
		what string
		do   func(root string) error
	}{
		{"plain list", func(root string) error {
			return firstOf(os.WriteFile(filepath.Join(root, "f"), nil, 0o666), unix.Setxattr(filepath.Join(root, "f"), "system.posix_acl_access", plainACL, 0))
		}},
		{"named list", func(root string) error {
			return unix.Setxattr(filepath.Join(root, "f"), "system.posix_acl_access", namedACL, 0)
		}},
		{"chmod", func(root string) error { return unix.Chmod(filepath.Join(root, "f"), 0o741) }},
		{"remove", func(root string) error { return unix.Removexattr(filepath.Join(root, "f"), "system.posix_acl_access") }},
		{"bad version", func(root string) error {
			return unix.Setxattr(filepath.Join(root, "f"), "system.posix_acl_access", append([]byte{1}, plainACL[1:]...), 0)
		}},
		{"no mask", func(root string) error {
			return unix.Setxattr(filepath.Join(root, "f"), "system.posix_acl_access", namedACL[:len(namedACL)-16], 0)
		}},
		{"default list of a file", func(root string) error {
			return unix.Setxattr(filepath.Join(root, "f"), "system.posix_acl_default", namedACL, 0)
		}},
		{"default list", func(root string) error {
			return firstOf(os.Mkdir(filepath.Join(root, "d"), 0o777), unix.Setxattr(filepath.Join(root, "d"), "system.posix_acl_default", namedACL, 0))
		}},
		{"file in it", func(root string) error { return os.WriteFile(filepath.Join(root, "d/f"), nil, 0o666) }},
		{"narrow file in it", func(root string) error { return os.WriteFile(filepath.Join(root, "d/g"), nil, 0o600) }},
		{"directory in it", func(root string) error { return os.MkdirAll(filepath.Join(root, "d/e/deeper"), 0o750) }},
		{"fifo in it", func(root string) error { return unix.Mkfifo(filepath.Join(root, "d/fifo"), 0o660) }},
		{"link in it", func(root string) error { return os.Symlink("nothing", filepath.Join(root, "d/link")) }},
		{"plain default list", func(root string) error {
			return unix.Setxattr(filepath.Join(root, "d"), "system.posix_acl_default", plainACL, 0)
		}},
		{"file under it", func(root string) error { return os.WriteFile(filepath.Join(root, "d/plain"), nil, 0o666) }},
		{"remove the default list", func(root string) error { return unix.Removexattr(filepath.Join(root, "d"), "system.posix_acl_default") }},
		{"file without", func(root string) error { return os.WriteFile(filepath.Join(root, "d/without"), nil, 0o666) }},
		{"unnamed file", func(root string) error {
			fd, err := unix.Open(filepath.Join(root, "d"), unix.O_TMPFILE|unix.O_RDWR, 0o666)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, filepath.Join(root, "d/named"), unix.AT_SYMLINK_FOLLOW)
		}},
	}
	for _, s := range steps {
		g.Expect(fmt.Sprint(s.do(m.dir))).To(gomega.Equal(fmt.Sprint(s.do(local))), s.what)
		for _, name := range []string{"f", "d", "d/f", "d/g", "d/e", "d/e/deeper", "d/fifo", "d/plain", "d/without", "d/named"} {
			g.Expect(lists(m.path(name))).To(gomega.Equal(lists(filepath.Join(local, name))), "%s after %s", name, s.what)
		}
	}
	m.unmount()
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestAccessControlListsAreEnforced(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "allow_other")
	must(t, os.Chmod(m.dir, 0o755), os.WriteFile(m.path("f"), []byte("x"), 0o600))
	must(t, unix.Setxattr(m.path("f"), "system.posix_acl_access", namedACL, 0))
	for _, c := range []struct {
		uid     uint32
		command string
		may     bool
	}{{1000, "cat f", true}, {1000, "echo y >> f", true}, {1001, "cat f", false}, {1002, "echo y >> f", true}, {1003, "cat f", true}, {1003, "echo y >> f", false}} {
		out, err := as(t, c.uid, m.dir, c.command)
		g.Expect(err == nil).To(gomega.Equal(c.may), "%s as %d: %s", c.command, c.uid, out)
	}
	m.unmount()
}
