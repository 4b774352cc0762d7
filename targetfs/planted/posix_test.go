package planted_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// The programs here check the rules of POSIX and Linux on a mount without a fault.

func userFlags(g gomega.Gomega, dir string, _ []string) string {
	name := filepath.Join(dir, "file")
	stored(g, dir, []byte("hello"), unix.O_RDONLY)

	_, err := unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0644)
	g.Expect(err).To(gomega.Equal(unix.EEXIST))

	fd := opened(g, name, unix.O_WRONLY|unix.O_APPEND)
	g.Expect(unix.Write(fd, []byte(" world"))).To(gomega.Equal(6))
	_, err = unix.Pread(fd, make([]byte, 1), 0)
	g.Expect(err).To(gomega.Equal(unix.EBADF))
	g.Expect(string(fresh(g, dir))).To(gomega.Equal("hello world"))

	fd = opened(g, name, unix.O_RDWR|unix.O_SYNC)
	g.Expect(unix.Write(fd, []byte("H"))).To(gomega.Equal(1))
	g.Expect(unix.Fsync(fd)).To(gomega.Succeed())
	g.Expect(unix.Fdatasync(fd)).To(gomega.Succeed())
	g.Expect(string(fresh(g, dir))).To(gomega.Equal("Hello world"))

	fd = opened(g, name, unix.O_RDWR|unix.O_TRUNC)
	g.Expect(unix.Pread(fd, make([]byte, 1), 0)).To(gomega.Equal(0))
	g.Expect(fresh(g, dir)).To(gomega.BeEmpty())

	fd = opened(g, name, unix.O_RDWR|unix.O_DIRECT)
	g.Expect(unix.Pwrite(fd, pattern(2*page), page)).To(gomega.Equal(2 * page))
	want := append(make([]byte, page), pattern(2*page)...)
	g.Expect(readIn(fd, want)).To(gomega.Equal("right"))
	g.Expect(fresh(g, dir)).To(gomega.Equal(want))
	return "right"
}

func userVectors(g gomega.Gomega, dir string, _ []string) string {
	fd := stored(g, dir, nil, unix.O_RDWR)
	content := pattern(3 * page)
	pieces := func(b []byte) [][]byte { return [][]byte{b[:10], b[10:10], b[10:page], b[page:]} }
	g.Expect(unix.Writev(fd, pieces(content))).To(gomega.Equal(3 * page))
	g.Expect(unix.Pwritev(fd, pieces(content), 3*page)).To(gomega.Equal(3 * page))
	got := make([]byte, 3*page)
	g.Expect(unix.Readv(fd, pieces(got))).To(gomega.Equal(3 * page))
	g.Expect(got).To(gomega.Equal(content))
	g.Expect(unix.Preadv(fd, pieces(got), 4*page)).To(gomega.Equal(2 * page)) // short at the end of the file
	g.Expect(got[:2*page]).To(gomega.Equal(content[page:]))
	return compared(fresh(g, dir), append(content, content...))
}

func userMappings(g gomega.Gomega, dir string, _ []string) string {
	content := pattern(3*page + 100)
	for _, flags := range []int{unix.O_RDWR, unix.O_RDWR | unix.O_DIRECT} {
		fd := stored(g, dir, content, flags)
		shared := mapped(g, fd, 4*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		private := mapped(g, fd, 4*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
		want := bytes.Clone(content)
		g.Expect(shared[3*page+100:]).To(gomega.Equal(make([]byte, page-100)), "beyond the end")

		private[page] = 0xff // a copy of its own from here on
		shared[page+1], want[page+1] = 0xee, 0xee
		g.Expect(private[page+1]).To(gomega.Equal(content[page+1]))
		shared[0], want[0] = 0xdd, 0xdd
		g.Expect(private[0]).To(gomega.Equal(byte(0xdd)), "an untouched private page follows the file")
		g.Expect(readIn(fd, want)).To(gomega.Equal("right"), "stores seen by read")
		g.Expect(unix.Pwrite(fd, []byte{0xcc}, 2*page)).To(gomega.Equal(1))
		want[2*page] = 0xcc
		g.Expect(shared[:len(want)]).To(gomega.Equal(want), "writes seen by loads")
		g.Expect(unix.Msync(shared, unix.MS_SYNC)).To(gomega.Succeed())
		g.Expect(fresh(g, dir)).To(gomega.Equal(want))

		shared[7], want[7] = 0xbb, 0xbb
		g.Expect(unix.Munmap(shared)).To(gomega.Succeed())
		g.Expect(unix.Munmap(private)).To(gomega.Succeed())
		g.Expect(unix.Close(fd)).To(gomega.Succeed())
		g.Expect(fresh(g, dir)).To(gomega.Equal(want), "stores written back by munmap")
	}
	return "right"
}

// userSelf makes system calls whose buffer is a cold mapping of the file that they read or write.
func userSelf(g gomega.Gomega, dir string, _ []string) string {
	for _, flags := range []int{unix.O_RDWR, unix.O_RDWR | unix.O_DIRECT} {
		content := pattern(4 * page)
		fd := stored(g, dir, content, flags)
		m := mapped(g, fd, 4*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		g.Expect(unix.Pread(fd, m[:page], 2*page)).To(gomega.Equal(page))
		copy(content, content[2*page:3*page])
		g.Expect(unix.Pwrite(fd, m[3*page:], page)).To(gomega.Equal(page))
		copy(content[page:], content[3*page:])
		g.Expect(unix.Msync(m, unix.MS_SYNC)).To(gomega.Succeed())
		g.Expect(compared(fresh(g, dir), content)).To(gomega.Equal("right"), "shared, open flags %#x", flags)

		p := mapped(g, fd, 4*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
		g.Expect(unix.Pread(fd, p[:page], page)).To(gomega.Equal(page))
		g.Expect(p[:page]).To(gomega.Equal(content[page : 2*page]))
		g.Expect(compared(fresh(g, dir), content)).To(gomega.Equal("right"), "a private mapping changes nothing")
	}
	return "right"
}

// far is an offset that no memory holds all bytes below of.
const far = 1 << 40

func userSparse(g gomega.Gomega, dir string, _ []string) string {
	fd := stored(g, dir, nil, unix.O_RDWR)
	g.Expect(unix.Pwrite(fd, []byte("far"), far)).To(gomega.Equal(3))
	g.Expect(unix.Pwrite(fd, []byte("x"), 10*page)).To(gomega.Equal(1))
	var st unix.Stat_t
	g.Expect(unix.Fstat(fd, &st)).To(gomega.Succeed())
	g.Expect([]int64{st.Size, st.Blocks}).To(gomega.Equal([]int64{far + 3, 16}))

	got := pattern(page)
	g.Expect(unix.Pread(fd, got, far-page+3)).To(gomega.Equal(page))
	g.Expect(got).To(gomega.Equal(append(make([]byte, page-3), "far"...)))

	m := mapped(g, fd, 30*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	m[20*page] = 1
	for _, seek := range []struct {
		off    int64
		whence int
		want   int64
	}{
		{0, unix.SEEK_HOLE, 0}, {0, unix.SEEK_DATA, 10 * page}, {10*page + 5, unix.SEEK_DATA, 10*page + 5},
		{10 * page, unix.SEEK_HOLE, 11 * page}, {11 * page, unix.SEEK_DATA, 20 * page}, {21 * page, unix.SEEK_DATA, far},
		{far, unix.SEEK_HOLE, far + 3},
	} {
		g.Expect(unix.Seek(fd, seek.off, seek.whence)).To(gomega.Equal(seek.want), "%+v", seek)
	}
	_, err := unix.Seek(fd, far+3, unix.SEEK_DATA)
	g.Expect(err).To(gomega.Equal(unix.ENXIO))
	_, err = unix.Seek(fd, far+3, unix.SEEK_HOLE)
	g.Expect(err).To(gomega.Equal(unix.ENXIO))

	g.Expect(unix.Ftruncate(fd, 2*far)).To(gomega.Succeed())
	g.Expect(unix.Ftruncate(fd, 10*page)).To(gomega.Succeed())
	g.Expect(unix.Fstat(fd, &st)).To(gomega.Succeed())
	g.Expect([]int64{st.Size, st.Blocks}).To(gomega.Equal([]int64{10 * page, 0}))
	return "right"
}

func userAllocate(g gomega.Gomega, dir string, _ []string) string {
	content := pattern(4 * page)
	fd := stored(g, dir, content, unix.O_RDWR)
	var st unix.Stat_t
	step := func(mode uint32, off, n, size, blocks int64) {
		g.Expect(unix.Fallocate(fd, mode, off, n)).To(gomega.Succeed(), "mode %#x", mode)
		g.Expect(unix.Fstat(fd, &st)).To(gomega.Succeed())
		g.Expect([]int64{st.Size, st.Blocks / 8}).To(gomega.Equal([]int64{size, blocks}), "mode %#x: size, pages", mode)
	}
	m := mapped(g, fd, 4*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	g.Expect(m[100]).To(gomega.Equal(content[100]))
	step(unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 100, page, 4*page, 4)
	clear(content[100 : page+100])
	step(unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, page, page, 4*page, 3)
	clear(content[page : 2*page])
	step(unix.FALLOC_FL_ZERO_RANGE, 3*page-1, 2, 4*page, 3)
	clear(content[3*page-1 : 3*page+1])
	g.Expect(compared(bytes.Clone(m), content)).To(gomega.Equal("right"), "the mapping sees it")
	step(unix.FALLOC_FL_KEEP_SIZE, 4*page, 2*page, 4*page, 5)
	step(0, 5*page, 2*page-5, 7*page-5, 6)
	g.Expect(compared(fresh(g, dir), append(content, make([]byte, 3*page-5)...))).To(gomega.Equal("right"))
	for _, mode := range []uint32{unix.FALLOC_FL_COLLAPSE_RANGE, unix.FALLOC_FL_INSERT_RANGE} {
		g.Expect(unix.Fallocate(fd, mode, 0, page)).To(gomega.Equal(unix.EOPNOTSUPP))
	}
	g.Expect(unix.Fallocate(fd, 0, 0, far)).To(gomega.Equal(unix.ENOSPC))
	g.Expect(unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, far)).To(gomega.Succeed())
	return compared(fresh(g, dir), make([]byte, 7*page-5))
}

func userNames(g gomega.Gomega, dir string, _ []string) string {
	at := func(name string) string { return filepath.Join(dir, name) }
	nlink := func(fd int) uint64 {
		var st unix.Stat_t
		g.Expect(unix.Fstat(fd, &st)).To(gomega.Succeed())
		return uint64(st.Nlink)
	}
	free := func() uint64 {
		var st unix.Statfs_t
		g.Expect(unix.Statfs(dir, &st)).To(gomega.Succeed())
		return st.Bfree
	}
	before := free()
	fd := stored(g, dir, pattern(2*page), unix.O_RDWR)
	g.Expect(before - free()).To(gomega.BeEquivalentTo(2))
	g.Expect(os.Link(at("file"), at("link"))).To(gomega.Succeed())
	g.Expect(nlink(fd)).To(gomega.BeEquivalentTo(2))
	g.Expect(os.Link(at("file"), at("link"))).To(gomega.MatchError(unix.EEXIST))

	g.Expect(os.Mkdir(at("sub"), 0755)).To(gomega.Succeed())
	g.Expect(os.Rename(at("file"), at("sub/moved"))).To(gomega.Succeed())
	g.Expect(unix.Rmdir(at("sub"))).To(gomega.Equal(unix.ENOTEMPTY))
	g.Expect(os.WriteFile(at("other"), []byte("other"), 0644)).To(gomega.Succeed())
	g.Expect(unix.Renameat2(-1, at("other"), -1, at("link"), unix.RENAME_NOREPLACE)).To(gomega.Equal(unix.EEXIST))
	g.Expect(unix.Renameat2(-1, at("other"), -1, at("link"), unix.RENAME_EXCHANGE)).To(gomega.Succeed())
	g.Expect(os.ReadFile(at("link"))).To(gomega.BeEquivalentTo("other"))
	g.Expect(os.Rename(at("link"), at("other"))).To(gomega.Succeed())
	g.Expect(nlink(fd)).To(gomega.BeEquivalentTo(1), "one name was overwritten")

	entries, err := os.ReadDir(dir)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(fmt.Sprint(entries)).To(gomega.Equal("[- other d sub/]"))
	g.Expect(unix.Unlink(at("sub/moved"))).To(gomega.Succeed())
	g.Expect(unix.Unlink(at("other"))).To(gomega.Succeed())
	g.Expect(unix.Rmdir(at("sub"))).To(gomega.Succeed())
	g.Expect(nlink(fd)).To(gomega.BeEquivalentTo(0))
	g.Expect(readIn(fd, pattern(2*page))).To(gomega.Equal("right"), "unlinked and open")
	g.Expect(unix.Close(fd)).To(gomega.Succeed())
	g.Eventually(free, patience).Should(gomega.Equal(before), "closed and gone")
	return "right"
}

// userRandom makes random calls on one file and compares it with a slice of bytes. The argument is the seed.
func userRandom(g gomega.Gomega, dir string, args []string) string {
	seed, err := strconv.ParseUint(args[0], 10, 64)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	const most = 8 * page
	random := rand.New(rand.NewPCG(seed, 1))
	name := filepath.Join(dir, "file")
	fds := []int{stored(g, dir, nil, unix.O_RDWR), opened(g, name, unix.O_RDWR|unix.O_DIRECT)}
	g.Expect(unix.Ftruncate(fds[0], most)).To(gomega.Succeed())
	m := mapped(g, fds[0], most, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	want := make([]byte, most)
	for step := range 500 {
		fd := fds[random.IntN(2)]
		off := random.IntN(most)
		n := 1 + random.IntN(most-off)
		end := min(off+n, len(want))
		bytesHere := bytes.Repeat([]byte{byte(1 + step%255)}, n)
		context := fmt.Sprintf("seed %d, step %d, [%d, %d) of %d", seed, step, off, off+n, len(want))
		switch op := random.IntN(8); {
		case op == 0: // up or down
			g.Expect(unix.Ftruncate(fd, int64(off))).To(gomega.Succeed(), context)
			want = append(want, make([]byte, max(0, off-len(want)))...)[:off]
		case op == 1:
			g.Expect(unix.Pwrite(fd, bytesHere, int64(off))).To(gomega.Equal(n), context)
			want = append(want, make([]byte, max(0, off+n-len(want)))...)
			copy(want[off:], bytesHere)
		case op == 2:
			got := make([]byte, n)
			g.Expect(unix.Pread(fd, got, int64(off))).To(gomega.Equal(max(0, end-off)), context)
			if off < end {
				g.Expect(compared(got[:end-off], want[off:end])).To(gomega.Equal("right"), "pread: "+context)
			}
		case op == 3 && off < end:
			copy(m[off:end], bytesHere)
			copy(want[off:end], bytesHere)
		case op == 4 && off < end:
			g.Expect(compared(bytes.Clone(m[off:end]), want[off:end])).To(gomega.Equal("right"), "load: "+context)
		case op == 5 && off < end:
			mode := uint32(unix.FALLOC_FL_PUNCH_HOLE)
			if step%2 == 0 {
				mode = unix.FALLOC_FL_ZERO_RANGE
			}
			g.Expect(unix.Fallocate(fd, mode|unix.FALLOC_FL_KEEP_SIZE, int64(off), int64(n))).To(gomega.Succeed(), context)
			clear(want[off:end])
		case op == 6:
			g.Expect(unix.Fsync(fd)).To(gomega.Succeed(), context)
		case op == 7:
			g.Expect(compared(fresh(g, dir), want)).To(gomega.Equal("right"), "fresh: "+context)
		}
	}
	return compared(fresh(g, dir), want)
}
