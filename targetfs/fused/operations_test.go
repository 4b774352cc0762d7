package fused_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/targetfs/image"
)

// as runs a shell command in the folder as a user, and returns what it prints.
func as(t *testing.T, uid uint32, dir, command string) (string, error) {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestPositionsInADirectorySurviveChanges(t *testing.T) {
	for _, options := range []string{"", "copy=nofault"} {
		t.Run(options, func(t *testing.T) {
			g := gomega.NewWithT(t)
			m := mounted(t, options)
			const files = 3000
			for i := range files {
				must(t, os.WriteFile(m.path(fmt.Sprintf("keep%d", i)), nil, 0o600))
			}
			fd, err := unix.Open(m.dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
			must(t, err)
			seen := map[string]int{}
			buf := make([]byte, 2048)
			for round := 0; ; round++ {
				n, err := unix.Getdents(fd, buf)
				must(t, err)
				if n == 0 {
					must(t, unix.Close(fd))
					break
				}
				_, _, names := unix.ParseDirent(buf[:n], -1, nil)
				for _, name := range names {
					seen[name]++
				}
				must(t, os.WriteFile(m.path(fmt.Sprintf("new%d", round)), nil, 0o600))
				if round%2 == 1 {
					must(t, os.Remove(m.path(fmt.Sprintf("new%d", round-1))))
				}
			}
			for i := range files {
				g.Expect(seen[fmt.Sprintf("keep%d", i)]).To(gomega.Equal(1), "keep%d", i)
			}
			m.unmount()
		})
	}
}

// A directory that stays as it is costs no requests after a while; one that changes shows it at once.
func TestListingsAreRemembered(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	must(t, os.Mkdir(m.path("d"), 0o755))
	want := map[string]bool{}
	add := func(name string) {
		must(t, os.WriteFile(m.path("d/"+name), nil, 0o600))
		want[name] = true
	}
	list := func() {
		t.Helper()
		d, err := os.Open(m.path("d"))
		must(t, err)
		names, err := d.Readdirnames(-1)
		must(t, err, d.Close())
		got := map[string]bool{}
		for _, name := range names {
			got[name] = true
		}
		g.Expect(got).To(gomega.Equal(want))
	}
	glocks := func() string {
		_, after, _ := strings.Cut(m.ask("counters"), "glocks of node0:")
		line, _, _ := strings.Cut(after, "\n")
		return line
	}
	for i := range 500 {
		add(fmt.Sprint("first", i))
	}
	list()
	before := glocks()
	list()
	g.Expect(glocks()).NotTo(gomega.Equal(before), "a second listing asks")
	g.Eventually(func() bool {
		before := glocks()
		list()
		return glocks() == before
	}, patience).Should(gomega.BeTrue(), "later ones do not")
	for i := range 5 {
		add(fmt.Sprint("more", i))
		must(t, os.Remove(m.path(fmt.Sprint("d/first", i))))
		delete(want, fmt.Sprint("first", i))
		for range 4 {
			list()
		}
	}
	m.unmount()
}

func TestUnlinkedFilesLiveUntilTheLastClose(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	free := func() uint64 {
		var st unix.Statfs_t
		must(t, unix.Statfs(m.dir, &st))
		return st.Bfree
	}
	before := free()
	f, err := os.Create(m.path("a"))
	must(t, err, os.Remove(m.path("a")))
	data := bytes.Repeat([]byte("x"), 3<<20)
	_, err = f.Write(data)
	must(t, err)
	got := make([]byte, len(data))
	_, err = f.ReadAt(got, 0)
	must(t, err)
	g.Expect(bytes.Equal(got, data)).To(gomega.BeTrue())
	g.Expect(free()).To(gomega.BeNumerically("<", before))
	must(t, f.Close())
	g.Eventually(free, patience).Should(gomega.Equal(before))
	m.unmount()
}

func TestFsyncedDataSurvivesTheServer(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	want := map[string][]byte{}
	must(t, os.Mkdir(m.path("d"), 0o755))
	for i := range 50 {
		name := fmt.Sprintf("d/f%d", i)
		want[name] = bytes.Repeat([]byte{byte(i)}, i*1000)
		f, err := os.Create(m.path(name))
		must(t, err)
		_, err = f.Write(want[name])
		must(t, err, f.Sync(), f.Close())
	}
	must(t, os.WriteFile(m.path("d/unsynced"), []byte("x"), 0o600))
	m.end()
	m.start("")
	for name, data := range want {
		g.Expect(os.ReadFile(m.path(name))).To(gomega.Equal(data), name)
	}
	m.unmount()
}

func TestChangesAreFlushedAfterAWhile(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	must(t, os.WriteFile(m.path("a"), []byte("x"), 0o600))
	g.Eventually(func() error { return found(m.image, t.TempDir(), "a") }, patience, time.Second).Should(gomega.Succeed())
	m.end()
	m.start("")
	g.Expect(os.ReadFile(m.path("a"))).To(gomega.Equal([]byte("x")))
	m.unmount()
}

// found looks for a name in what a crash would leave now.
func found(from, scratch, name string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(scratch, "crashed"))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	im, err := image.Open(f, int64(len(data)), image.Options{})
	if err != nil {
		return err
	}
	return im.View(func(tx *image.Tx) error {
		_, err := tx.Lookup(im.Root(), name)
		return err
	})
}

func TestASecondMountIsRefused(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	other := &mount{t: t, image: m.image, dirs: []string{scratch(t)}}
	g.Expect(other.tryStart("")).To(gomega.MatchError(gomega.ContainSubstring("the image is mounted already")))
	must(t, os.WriteFile(m.path("a"), nil, 0o600))
	m.unmount()
}

// flags gets the flags of a file with FS_IOC_GETFLAGS, and sets them when set is not negative.
func flags(t *testing.T, path string, set int) (int, error) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	if set >= 0 {
		if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, set); err != nil {
			return 0, err
		}
	}
	return unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
}

func TestInodeFlags(t *testing.T) {
	const immutable, appendOnly, noatime, journaled = 0x10, 0x20, 0x80, 0x4000
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	p := m.path("a")
	must(t, os.WriteFile(p, []byte("x"), 0o600), os.Mkdir(m.path("d"), 0o755))
	g.Expect(flags(t, p, noatime|appendOnly)).To(gomega.Equal(noatime | appendOnly))
	g.Expect(os.WriteFile(p, nil, 0o600)).To(gomega.MatchError(syscall.EPERM))
	g.Expect(os.Truncate(p, 0)).To(gomega.MatchError(syscall.EPERM))
	g.Expect(os.Remove(p)).To(gomega.MatchError(syscall.EPERM))
	f, err := os.OpenFile(p, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.WriteString("y")
	must(t, err, f.Close())
	g.Expect(os.ReadFile(p)).To(gomega.Equal([]byte("xy")))

	g.Expect(flags(t, p, immutable)).To(gomega.Equal(immutable))
	for _, err := range []error{os.Remove(p), os.Rename(p, m.path("b")), os.Link(p, m.path("b")), os.Chmod(p, 0o644),
		unix.Setxattr(p, "user.a", nil, 0), unix.Access(p, unix.F_OK)} {
		if err != nil {
			g.Expect(err).To(gomega.MatchError(syscall.EPERM))
		}
	}
	g.Expect(m.path("b")).NotTo(gomega.BeAnExistingFile())
	g.Expect(flags(t, m.path("d"), immutable)).To(gomega.Equal(immutable))
	g.Expect(os.WriteFile(m.path("d/x"), nil, 0o600)).To(gomega.MatchError(syscall.EPERM))
	g.Expect(flags(t, m.path("d"), journaled)).To(gomega.Equal(journaled))
	must(t, os.WriteFile(m.path("d/x"), []byte("journal me"), 0o600))
	g.Expect(flags(t, m.path("d/x"), -1)).To(gomega.Equal(journaled))
	g.Expect(flags(t, m.path("d/x"), 0)).To(gomega.Equal(0))
	g.Expect(os.ReadFile(m.path("d/x"))).To(gomega.Equal([]byte("journal me")))
	g.Expect(flags(t, p, 0)).To(gomega.Equal(0))
	_, err = flags(t, p, 4) // FS_COMPR_FL
	g.Expect(err).To(gomega.MatchError(syscall.EOPNOTSUPP))
	m.unmount()
}

func TestWritingByOthersTakesPrivilegesAway(t *testing.T) {
	for _, options := range []string{"allow_other", "allow_other,switchable"} {
		t.Run(options, func(t *testing.T) {
			g := gomega.NewWithT(t)
			m := mounted(t, options)
			p := m.path("a")
			for _, command := range []string{"echo y >> a", "truncate -s 100 a", ": > a", "chown :1000 a"} {
				must(t, os.RemoveAll(p), os.WriteFile(p, []byte("x"), 0o600), os.Chown(p, 1000, 1000), unix.Chmod(p, 0o6777))
				if !strings.HasPrefix(command, "chown") {
					must(t, unix.Setxattr(p, "security.capability", []byte("\x00\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 0))
				}
				out, err := as(t, 1000, m.dir, command)
				g.Expect(err).NotTo(gomega.HaveOccurred(), out)
				var st unix.Stat_t
				must(t, unix.Stat(p, &st))
				g.Expect(st.Mode&0o7777).To(gomega.Equal(uint32(0o777)), "%s leaves %o", command, st.Mode)
				_, err = unix.Getxattr(p, "security.capability", nil)
				g.Expect(err).To(gomega.MatchError(syscall.ENODATA), command)
			}
			m.unmount()
		})
	}
}

func TestPermissions(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "allow_other")
	must(t, os.WriteFile(m.path("secret"), []byte("x"), 0o600), os.Chmod(m.dir, 0o755), os.Mkdir(m.path("tmp"), 0o777), unix.Chmod(m.path("tmp"), 0o1777))
	for _, command := range []string{"cat secret", "echo > new", "rm -f secret", "chmod 777 secret", "chown 1000 secret", "touch -d @1 secret"} {
		_, err := as(t, 1000, m.dir, command)
		g.Expect(err).To(gomega.HaveOccurred(), command)
	}
	_, err := as(t, 1000, m.dir, "echo mine > tmp/mine")
	must(t, err)
	_, err = as(t, 1001, m.dir, "rm -f tmp/mine")
	g.Expect(err).To(gomega.HaveOccurred(), "the sticky bit")
	must(t, unix.Mkdir(m.path("group"), 0), os.Chown(m.path("group"), 0, 1001), unix.Chmod(m.path("group"), 0o2777))
	_, err = as(t, 1000, m.dir, "mkdir group/d; echo > group/f")
	must(t, err)
	for name, mode := range map[string]uint32{"group/d": 0o42755, "group/f": 0o100644} {
		var st unix.Stat_t
		must(t, unix.Stat(m.path(name), &st))
		g.Expect([]uint32{st.Uid, st.Gid, st.Mode}).To(gomega.Equal([]uint32{1000, 1001, mode}), "%s %o", name, st.Mode)
	}
	m.unmount()
}

func TestAnUnnamedFileGetsAName(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	fd, err := unix.Open(m.dir, unix.O_TMPFILE|unix.O_RDWR, 0o640)
	must(t, err)
	_, err = unix.Write(fd, []byte("hello"))
	must(t, err)
	left, err := unix.Open(m.dir, unix.O_TMPFILE|unix.O_RDWR, 0o640)
	must(t, err)
	_, err = unix.Write(left, []byte("never seen"))
	must(t, err, unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, m.path("a"), unix.AT_SYMLINK_FOLLOW))
	must(t, unix.Close(fd), unix.Close(left))
	g.Expect(os.ReadFile(m.path("a"))).To(gomega.Equal([]byte("hello")))
	m.unmount()
	m.start("")
	g.Expect(os.ReadFile(m.path("a"))).To(gomega.Equal([]byte("hello")))
	m.unmount()
}

func TestTimesOfAccess(t *testing.T) {
	atime := func(path string) time.Time {
		var st unix.Stat_t
		must(t, unix.Stat(path, &st))
		return time.Unix(st.Atim.Unix())
	}
	old := time.Unix(1_000_000_000, 0)
	for options, moves := range map[string]bool{"": true, "noatime": false} {
		g := gomega.NewWithT(t)
		m := mounted(t, "")
		must(t, os.WriteFile(m.path("a"), []byte("x"), 0o600), os.Chtimes(m.path("a"), old, old))
		m.unmount()
		m.start(options)
		_, err := os.ReadFile(m.path("a"))
		must(t, err)
		g.Expect(atime(m.path("a")).After(old)).To(gomega.Equal(moves), options)
		before := atime(m.path("a"))
		_, err = os.ReadFile(m.path("a"))
		must(t, err)
		g.Expect(atime(m.path("a"))).To(gomega.Equal(before), options)
		m.unmount()
	}
}

func TestAFullImage(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	f, err := os.Create(m.path("a"))
	must(t, err)
	defer f.Close()
	piece := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Write(piece)
	}
	g.Expect(err).To(gomega.MatchError(syscall.ENOSPC))
	for i := 0; ; i++ {
		if err = os.WriteFile(m.path(fmt.Sprintf("f%d", i)), nil, 0o600); err != nil {
			break
		}
	}
	g.Expect(err).To(gomega.MatchError(syscall.ENOSPC))
	must(t, f.Close(), os.Remove(m.path("a")))
	g.Eventually(func() error { return os.WriteFile(m.path("b"), piece, 0o600) }, patience).Should(gomega.Succeed())
	m.unmount()
}

func TestMappingsOfDirectFiles(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	p := m.path("a")
	must(t, os.WriteFile(p, bytes.Repeat([]byte("a"), 8192), 0o600))
	fd, err := unix.Open(p, unix.O_RDWR|unix.O_DIRECT, 0)
	must(t, err)
	shared, err := unix.Mmap(fd, 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	g.Expect(shared[0]).To(gomega.Equal(byte('a')))
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	must(t, err)
	defer unix.Munmap(page)
	copy(page, bytes.Repeat([]byte("b"), 4096))
	_, err = unix.Pwrite(fd, page, 0)
	must(t, err)
	g.Expect(shared[0]).To(gomega.Equal(byte('b')), "a direct write is seen through the mapping")
	shared[4096] = 'c'
	_, err = unix.Pread(fd, page, 4096)
	must(t, err)
	g.Expect(page[0]).To(gomega.Equal(byte('c')), "a store is seen by a direct read")
	must(t, unix.Munmap(shared), unix.Close(fd))
	m.unmount()
}

func TestHolesAndData(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	f, err := os.Create(m.path("a"))
	must(t, err)
	_, err = f.WriteAt([]byte("x"), 1<<20)
	must(t, err)
	g.Expect(f.Seek(0, unix.SEEK_DATA)).To(gomega.Equal(int64(1 << 20)))
	g.Expect(f.Seek(0, unix.SEEK_HOLE)).To(gomega.Equal(int64(0)))
	g.Expect(f.Seek(1<<20, unix.SEEK_HOLE)).To(gomega.Equal(int64(1<<20 + 1)))
	_, err = f.Seek(2<<20, unix.SEEK_DATA)
	g.Expect(err).To(gomega.MatchError(syscall.ENXIO))
	must(t, f.Close())
	m.unmount()
}

func TestTheKernelForgetsInodesWhenThereAreMany(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "inodes=100")
	known := func() (n int) {
		_, after, _ := strings.Cut(m.ask("counters"), "inodes of node0: ")
		fmt.Sscan(after, &n)
		return n
	}
	open, err := os.Create(m.path("open"))
	must(t, err)
	for i := range 2000 {
		must(t, os.WriteFile(m.path(fmt.Sprintf("f%d", i)), nil, 0o600))
	}
	if known() > 2000 {
		t.Skip("needs a kernel that forgets inodes when asked to: 6.18")
	}
	g.Expect(known()).To(gomega.BeNumerically("<", 1000))
	_, err = open.WriteString("still there")
	must(t, err, open.Close())
	g.Expect(os.ReadFile(m.path("open"))).To(gomega.Equal([]byte("still there")))
	m.unmount()
}
