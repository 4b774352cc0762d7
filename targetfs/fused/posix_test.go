package fused_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// step is one operation. It is done below a folder, and says what it saw.
type step struct {
	text string
	do   func(root string) (any, error)
}

// fold is the result of a step as text, the same wherever the folder is.
func (s step) fold(root string) string {
	saw, err := s.do(root)
	errno := error(nil)
	if e, is := errors.AsType[syscall.Errno](err); is {
		errno = e
	} else if err != nil {
		errno = err
	}
	return strings.ReplaceAll(fmt.Sprintf("%v, %v", saw, errno), root, "ROOT")
}

// maker makes random steps over a few names.
type maker struct{ *rand.Rand }

func (m maker) path() string {
	path := m.name()
	for range m.IntN(3) {
		path += "/" + m.name()
	}
	return path
}

func (m maker) name() string { return string(rune('a' + m.IntN(5))) }

func (m maker) offset() int64 {
	return []int64{0, 1, 100, 4095, 4096, 5000, 70_000, 1_000_000}[m.IntN(8)] + int64(m.IntN(3))
}

func (m maker) length() int { return []int{0, 1, 10, 512, 4096, 10_000, 300_000}[m.IntN(7)] }

// step is one of the operations of makers.
func (m maker) step() step { return makers[m.IntN(len(makers))](m) }

func stepOf(do func(root string) (any, error), text string, args ...any) step {
	return step{fmt.Sprintf(text, args...), do}
}

// only makes a step of what returns an error only.
func only(do func(root string) error) func(string) (any, error) {
	return func(root string) (any, error) { return nil, do(root) }
}

var makers = []func(m maker) step{
	func(m maker) step {
		p, data := m.path(), bytes.Repeat([]byte{byte('a' + m.IntN(26))}, m.length())
		flags := []int{os.O_TRUNC, os.O_APPEND, 0, os.O_EXCL}[m.IntN(4)]
		mode := fs.FileMode([]uint32{0o644, 0o600, 0o777, 0o4755}[m.IntN(4)])
		return stepOf(only(func(root string) error {
			if err := plain(filepath.Join(root, p)); err != nil {
				return err
			}
			f, err := os.OpenFile(filepath.Join(root, p), os.O_WRONLY|os.O_CREATE|flags, mode)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.Write(data)
			return err
		}), "write %s flags %#x mode %v, %d bytes", p, flags, mode, len(data))
	},
	func(m maker) step {
		p, data, off := m.path(), bytes.Repeat([]byte{byte('A' + m.IntN(26))}, m.length()), m.offset()
		return stepOf(only(func(root string) error {
			return withFile(filepath.Join(root, p), func(f *os.File) error {
				_, err := f.WriteAt(data, off)
				return err
			})
		}), "pwrite %s at %d, %d bytes", p, off, len(data))
	},
	func(m maker) step {
		p, off, n, mode := m.path(), m.offset(), int64(m.length()), []uint32{0, 1, 3, 0x10, 0x11}[m.IntN(5)]
		return stepOf(only(func(root string) error {
			return withFile(filepath.Join(root, p), func(f *os.File) error { return unix.Fallocate(int(f.Fd()), mode, off, n) })
		}), "fallocate %s mode %#x at %d, %d bytes", p, mode, off, n)
	},
	func(m maker) step {
		p, off := m.path(), m.offset()
		return stepOf(only(func(root string) error {
			return withFile(filepath.Join(root, p), func(f *os.File) error { return mapStore(f, off) })
		}), "store through a mapping of %s near %d", p, off)
	},
	func(m maker) step {
		from, to, off, at, n := m.path(), m.path(), m.offset(), m.offset(), m.length()
		return stepOf(only(func(root string) error {
			return withFile(filepath.Join(root, from), func(in *os.File) error {
				return withFile(filepath.Join(root, to), func(out *os.File) error { return copyRange(in, out, off, at, n) })
			})
		}), "copy_file_range %s %d to %s %d, %d bytes", from, off, to, at, n)
	},
	func(m maker) step {
		p, size := m.path(), m.offset()
		return stepOf(only(func(root string) error { return os.Truncate(filepath.Join(root, p), size) }), "truncate %s to %d", p, size)
	},
	func(m maker) step {
		p := m.path()
		return stepOf(func(root string) (any, error) {
			if err := plain(filepath.Join(root, p)); err != nil {
				return nil, err
			}
			data, err := os.ReadFile(filepath.Join(root, p))
			return fmt.Sprintf("%d bytes %x", len(data), sum(data)), err
		}, "read %s", p)
	},
	func(m maker) step {
		p, mode := m.path(), []uint32{0o755, 0o700, 0o2775, 0o1777}[m.IntN(4)]
		return stepOf(only(func(root string) error { return unix.Mkdir(filepath.Join(root, p), mode) }), "mkdir %s %o", p, mode)
	},
	func(m maker) step {
		p := m.path()
		return stepOf(only(func(root string) error { return unix.Rmdir(filepath.Join(root, p)) }), "rmdir %s", p)
	},
	func(m maker) step {
		p := m.path()
		return stepOf(only(func(root string) error { return unix.Unlink(filepath.Join(root, p)) }), "unlink %s", p)
	},
	func(m maker) step {
		from, to, flags := m.path(), m.path(), uint([]int{0, 0, 1, 2, 3}[m.IntN(5)])
		return stepOf(only(func(root string) error {
			return unix.Renameat2(unix.AT_FDCWD, filepath.Join(root, from), unix.AT_FDCWD, filepath.Join(root, to), flags)
		}), "rename %s to %s flags %d", from, to, flags)
	},
	func(m maker) step {
		from, to := m.path(), m.path()
		return stepOf(only(func(root string) error { return unix.Link(filepath.Join(root, from), filepath.Join(root, to)) }), "link %s to %s", from, to)
	},
	func(m maker) step {
		target, p := m.path(), m.path()
		return stepOf(func(root string) (any, error) {
			err := unix.Symlink(target, filepath.Join(root, p))
			got, _ := os.Readlink(filepath.Join(root, p))
			return got, err
		}, "symlink %s to %s", p, target)
	},
	func(m maker) step {
		p, mode := m.path(), []uint32{unix.S_IFIFO | 0o600, unix.S_IFCHR | 0o644, unix.S_IFSOCK | 0o666, unix.S_IFREG | 0o640}[m.IntN(4)]
		return stepOf(only(func(root string) error { return unix.Mknod(filepath.Join(root, p), mode, 0x1234567) }), "mknod %s %o", p, mode)
	},
	func(m maker) step {
		p, mode := m.path(), []uint32{0o644, 0o4755, 0o2711, 0, 0o777}[m.IntN(5)]
		return stepOf(only(func(root string) error { return unix.Chmod(filepath.Join(root, p), mode) }), "chmod %s %o", p, mode)
	},
	func(m maker) step {
		p, uid, gid := m.path(), []int{0, 1000, -1}[m.IntN(3)], []int{0, 1000, -1}[m.IntN(3)]
		return stepOf(only(func(root string) error { return unix.Lchown(filepath.Join(root, p), uid, gid) }), "chown %s %d:%d", p, uid, gid)
	},
	func(m maker) step {
		p, at := m.path(), time.Unix(int64(m.IntN(1<<30)), int64(m.IntN(1e9)))
		return stepOf(only(func(root string) error { return os.Chtimes(filepath.Join(root, p), at, at) }), "utimes %s %v", p, at)
	},
	func(m maker) step {
		p, name, value := m.path(), "user."+m.name(), bytes.Repeat([]byte("x"), m.IntN(300)) // ext4 has one block for all
		flags := m.IntN(3)
		return stepOf(func(root string) (any, error) {
			err := unix.Setxattr(filepath.Join(root, p), name, value, flags)
			buf := make([]byte, 4096)
			n, _ := unix.Getxattr(filepath.Join(root, p), name, buf)
			return n, err
		}, "setxattr %s %s, %d bytes, flags %d", p, name, len(value), flags)
	},
	func(m maker) step {
		p, name := m.path(), "user."+m.name()
		return stepOf(only(func(root string) error { return unix.Removexattr(filepath.Join(root, p), name) }), "removexattr %s %s", p, name)
	},
	func(m maker) step {
		p := m.path()
		return stepOf(func(root string) (any, error) { return describe(filepath.Join(root, p)) }, "stat %s", p)
	},
}

// plain refuses what can't be opened without more ado: a fifo waits, and a mount may have no devices.
func plain(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return syscall.EINVAL
	}
	return nil
}

func withFile(path string, do func(*os.File) error) error {
	if err := plain(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(do(f), f.Close())
}

func mapStore(f *os.File, off int64) error {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	m, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	m[off%info.Size()] ^= 0x55
	return unix.Munmap(m)
}

func copyRange(in, out *os.File, from, to int64, n int) error {
	for n > 0 {
		got, err := unix.CopyFileRange(int(in.Fd()), &from, int(out.Fd()), &to, n, 0)
		if err != nil || got == 0 {
			return err
		}
		n -= got
	}
	return nil
}

func sum(data []byte) (h uint64) {
	for _, b := range data {
		h = h*1099511628211 + uint64(b)
	}
	return h
}

// describe is what stat(2), listxattr(2) and getdents(2) show of a file that every file system must agree on.
func describe(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", err
	}
	text := fmt.Sprintf("mode %o links %d owner %d:%d rdev %x", st.Mode, st.Nlink, st.Uid, st.Gid, st.Rdev)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		entries, err := os.ReadDir(path)
		return fmt.Sprintf("%s entries %v", text, entries), err
	}
	list := make([]byte, 4096)
	n, _ := unix.Llistxattr(path, list)
	names := strings.Split(string(list[:max(n, 0)]), "\x00")
	slices.Sort(names)
	if st.Mtim.Sec < time.Now().Add(-time.Hour).Unix() {
		text += fmt.Sprintf(" mtime %v", st.Mtim)
	}
	return fmt.Sprintf("%s size %d attributes %v", text, st.Size, names), nil
}

// tree describes all files below root.
func tree(t *testing.T, root string) string {
	t.Helper()
	var all strings.Builder
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		text, err := describe(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		fmt.Fprintf(&all, "%s: %s", rel, text)
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&all, " content %x", sum(data))
		}
		all.WriteByte('\n')
		return nil
	}))
	return all.String()
}

func TestRandomOperationsBehaveAsOnALocalDirectory(t *testing.T) {
	for _, options := range []string{"", "default_permissions", "copy=nofault"} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("options %q seed %d", options, seed), func(t *testing.T) { compare(t, options, seed) })
		}
	}
}

func compare(t *testing.T, options string, seed uint64) {
	g := gomega.NewWithT(t)
	m := mounted(t, options)
	local := t.TempDir()
	must(t, os.Mkdir(filepath.Join(local, "root"), 0o755), os.Mkdir(m.path("root"), 0o755))
	ours, theirs := m.path("root"), filepath.Join(local, "root")
	random := maker{rand.New(rand.NewPCG(seed, 1))}
	var log []string
	for range 1500 {
		s := random.step()
		a, b := s.fold(ours), s.fold(theirs)
		log = append(log, s.text+": "+b)
		g.Expect(a).To(gomega.Equal(b), "%s\nafter\n%s", s.text, strings.Join(log[max(0, len(log)-12):], "\n"))
	}
	want := tree(t, theirs)
	g.Expect(tree(t, ours)).To(gomega.Equal(want))
	m.unmount()
	m.start(options)
	g.Expect(tree(t, ours)).To(gomega.Equal(want), "after unmount and mount")
	m.unmount()
}
