package target

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

func TestEveryPromiseHasAReasonAndASource(t *testing.T) {
	g := gomega.NewWithT(t)
	seen := map[string]bool{}
	for _, p := range promises {
		g.Expect(p.why).NotTo(gomega.BeEmpty(), "%+v", p)
		g.Expect(p.source).To(gomega.MatchRegexp(`(fs|mm)/\S+\.c: |seen on \d+\.\d+`), "%+v", p)
		g.Expect(p.without == "" || p.from != version{}).To(gomega.BeTrue())
		for _, name := range p.types {
			g.Expect(seen[p.need+name]).To(gomega.BeFalse(), "%s of %s is decided twice", p.need, name)
			seen[p.need+name] = true
		}
	}
}

func TestPromises(t *testing.T) {
	for _, c := range []struct{ need, fs, options, kernel, why string }{
		{"atomic-read", "xfs", "", "6.18.44-1", ""},
		{"atomic-read", "xfs", "", "5.10.0", ""},
		{"atomic-read", "xfs", "", "4.19.0", "kernels before 5.10 were not looked at"},
		{"atomic-read", "ext4", "", "6.18", "buffered reads take no inode lock, so a read may see a write half done"},
		{"atomic-read", "zfs", "", "6.18", "nothing is known about zfs"},
		{"exact-short-write", "ext4", "", "6.1.0-13-amd64", ""},
		{"exact-short-write", "ext4", "", "5.10.0", "before 6.1 a chunk of the write was all or nothing"},
		{"exact-short-write", "btrfs", "", "7.2", "btrfs faults in the whole chunk first"},
		{"exact-short-write", "fuse.sshfs", "", "7.2", "the whole page must be readable first"},
		{"eof-first", "fuse.gfs2", "", "6.18", ""},
		{"eof-first", "fuse.sshfs", "", "6.18", "a server may have its files read past the page cache, and then the kernel takes the pages of the buffer before it asks"},
		{"whole-dio", "ext4", "", "10.0", ""},
		{"whole-dio", "ext4", "rw,data=journal", "6.18", "with data=journal direct I/O goes through the page cache"},
		{"whole-dio", "ext4", "", "", "with data=journal direct I/O goes through the page cache"},
	} {
		t.Run(c.need+" of "+c.fs+" "+c.options+" "+c.kernel, func(t *testing.T) {
			g := gomega.NewWithT(t)
			m := mountinfo{Type: c.fs, Super: c.options}
			g.Expect(unpromised(m, parseVersion(c.kernel), c.need)).To(gomega.Equal(c.why))
		})
	}
}

// badTail is memory whose last page cannot be read or written.
func badTail(t *testing.T, pages int) []byte {
	t.Helper()
	page := os.Getpagesize()
	m, err := unix.Mmap(-1, 0, pages*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(m) })
	fill(m, 'w')
	if err := unix.Mprotect(m[(pages-1)*page:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return m
}

// The promises that a few calls can break are tried on the kernel that runs the test.
func TestPromisesAreKeptHere(t *testing.T) {
	tries := map[string]func(t *testing.T, dir string){
		"exact-short-write": tryExactShortWrite,
		"whole-dio":         tryWholeDIO,
		"clean-efault":      tryCleanEFAULT,
		"sub-block-efault":  trySubBlockEFAULT,
		"short-dio-keeps":   tryShortDIOKeeps,
		"eof-first":         tryEOFFirst,
		"dirty-seek":        tryDirtySeek,
		"clean-tail":        tryCleanTail,
		"clean-tail-direct": tryCleanTailDirect,
	}
	for _, spec := range []string{
		"loop:ext4", "loop:ext3", "loop:ext2", "loop:xfs", "loop:btrfs", "loop:f2fs", "loop:gfs2",
		"tmpfs:", "overlay:loop:ext4", "overlay:tmpfs:", "planted:none", "fuse", "fuse:copy=kernel",
	} {
		t.Run(spec, func(t *testing.T) {
			tg := open(t, spec)
			for need, try := range tries {
				if tg.Lacks(need) != "" || tg.Lacks("odirect") != "" {
					continue // not promised: nothing to hold the type to
				}
				t.Run(need, func(t *testing.T) { try(t, tg.Dir()) })
			}
		})
	}
}

// Where several nodes share an image, a read at the end of a file does look at its buffer, and the target says so.
func TestSeveralNodesLookAtTheBufferFirst(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "fuse:nodes=2")
	g.Expect(tg.Lacks("eof-first")).To(gomega.ContainSubstring("several nodes"))
	_, err := unix.Pread(create(t, tg.Dir(), 0), badTail(t, 1), 0)
	g.Expect(err).To(gomega.Equal(unix.EFAULT))
}

func create(t *testing.T, dir string, flags int) int {
	t.Helper()
	fd, err := unix.Open(filepath.Join(dir, "file"), unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC|flags, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func tryExactShortWrite(t *testing.T, dir string) {
	g := gomega.NewWithT(t)
	page := os.Getpagesize()
	fd := create(t, dir, 0)
	for _, pages := range []int{2, 3, 9, 65, 300} {
		buf := badTail(t, pages)
		for _, skip := range []int{0, 1, 17, page - 1} { // where the buffer begins in its page
			for _, at := range []int64{0, 1, 511, int64(page) - 1, int64(page)} { // where the write begins in the file
				n, err := unix.Pwrite(fd, buf[skip:], at)
				g.Expect(err).NotTo(gomega.HaveOccurred())
				g.Expect(n).To(gomega.Equal((pages-1)*page-skip), "buffer of %d pages from %d, file from %d", pages, skip, at)
			}
		}
	}
}

func tryWholeDIO(t *testing.T, dir string) {
	g := gomega.NewWithT(t)
	fd := create(t, dir, unix.O_DIRECT)
	g.Expect(unix.Fallocate(fd, 0, 0, 2<<20)).To(gomega.Succeed())
	for _, pages := range []int{2, 3, 9, 300} {
		buf := badTail(t, pages)
		_, err := unix.Pwrite(fd, buf, 0)
		g.Expect(err).To(gomega.Equal(unix.EFAULT), "write of %d pages", pages)
		_, err = unix.Pread(fd, buf, 0)
		g.Expect(err).To(gomega.Equal(unix.EFAULT), "read of %d pages", pages)
	}
}

func tryCleanEFAULT(t *testing.T, dir string) {
	g := gomega.NewWithT(t)
	page := os.Getpagesize()
	fd := create(t, dir, 0)
	for _, at := range []int64{1, int64(page), int64(3*page) + 5} {
		_, err := unix.Pwrite(fd, badTail(t, 1), at)
		g.Expect(err).To(gomega.Equal(unix.EFAULT))
		g.Expect(unix.Seek(fd, 0, unix.SEEK_END)).To(gomega.BeZero(), "write at %d", at)
	}
}

// tryShortDIOKeeps writes over data, from a buffer whose last page cannot be read.
func tryShortDIOKeeps(t *testing.T, dir string) {
	g := gomega.NewWithT(t)
	page := os.Getpagesize()
	fd := create(t, dir, unix.O_DIRECT)
	old := badTail(t, 4)[:3*page] // aligned, and filled with 'w'
	fill(old, 'o')
	g.Expect(unix.Pwrite(fd, old, 0)).To(gomega.Equal(3 * page))
	n, err := unix.Pwrite(fd, badTail(t, 2), 0)
	g.Expect(err == nil && n <= page || err == unix.EFAULT).To(gomega.BeTrue(), "%d %v", n, err)
	g.Expect(unix.Pread(fd, old, 0)).To(gomega.Equal(3 * page))
	g.Expect(allBytes(old[page:], 'o')).To(gomega.BeTrue(), "what is behind the end of the write")
}

// tryEOFFirst reads into memory that cannot be written.
func tryEOFFirst(t *testing.T, dir string) {
	g := gomega.NewWithT(t)
	page := os.Getpagesize()
	fd := create(t, dir, 0)
	g.Expect(unix.Ftruncate(fd, int64(page)+5)).To(gomega.Succeed())
	for _, at := range []int64{int64(page) + 5, int64(2 * page), 1 << 30} {
		n, err := unix.Pread(fd, badTail(t, 1), at)
		g.Expect(err).NotTo(gomega.HaveOccurred(), "read at %d", at)
		g.Expect(n).To(gomega.BeZero())
	}
}

func trySubBlockEFAULT(t *testing.T, dir string) {
	g := gomega.NewWithT(t)
	page := os.Getpagesize()
	fd := create(t, dir, unix.O_DIRECT)
	for _, at := range []int64{0, 512, int64(page) - 512} {
		_, err := unix.Pwrite(fd, badTail(t, 1)[:512], at)
		g.Expect(err).To(gomega.Or(gomega.Equal(unix.EFAULT), gomega.Equal(unix.EINVAL)), "write at %d", at) // EINVAL: 512 is not aligned enough
	}
}

// storeBehindEnd makes a file of half a page and stores behind its end through a mapping.
func storeBehindEnd(t *testing.T, fd int) {
	t.Helper()
	g := gomega.NewWithT(t)
	page := os.Getpagesize()
	g.Expect(unix.Pwrite(fd, make([]byte, page/2), 0)).To(gomega.Equal(page / 2))
	m, err := unix.Mmap(fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { unix.Munmap(m) })
	fill(m[page/2:], 'x')
}

func expectZeros(t *testing.T, fd int) {
	t.Helper()
	g := gomega.NewWithT(t)
	page := os.Getpagesize()
	buf := make([]byte, page)
	g.Expect(unix.Pread(fd, buf, 0)).To(gomega.Equal(page))
	g.Expect(allBytes(buf, 0)).To(gomega.BeTrue(), "what was stored behind the end is in the file")
}

func tryCleanTail(t *testing.T, dir string) {
	g := gomega.NewWithT(t)
	page := os.Getpagesize()
	for name, grow := range map[string]func(fd int) error{
		"ftruncate": func(fd int) error { return unix.Ftruncate(fd, int64(2*page)) },
		"pwrite":    func(fd int) error { _, err := unix.Pwrite(fd, []byte{'y'}, int64(2*page)); return err },
	} {
		fd := create(t, dir, 0)
		storeBehindEnd(t, fd)
		g.Expect(grow(fd)).To(gomega.Succeed(), name)
		expectZeros(t, fd)
	}
}

func tryCleanTailDirect(t *testing.T, dir string) {
	g := gomega.NewWithT(t)
	page := os.Getpagesize()
	fd := create(t, dir, 0)
	storeBehindEnd(t, fd)
	direct, err := unix.Open(filepath.Join(dir, "file"), unix.O_RDWR|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer unix.Close(direct)
	buf, err := unix.Mmap(-1, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer unix.Munmap(buf)
	g.Expect(unix.Pwrite(direct, buf, int64(2*page))).To(gomega.Equal(page))
	expectZeros(t, fd)
}

func tryDirtySeek(t *testing.T, dir string) {
	g := gomega.NewWithT(t)
	page := os.Getpagesize()
	fd := create(t, dir, 0)
	g.Expect(unix.Ftruncate(fd, int64(5*page))).To(gomega.Succeed())
	m, err := unix.Mmap(fd, 0, 5*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer unix.Munmap(m)
	for k := 4; k >= 0; k-- { // so that one page of data is behind each hole
		m[k*page+1] = 'x'
		g.Expect(unix.Seek(fd, 0, unix.SEEK_DATA)).To(gomega.BeNumerically("<=", k*page+1))
	}
}
