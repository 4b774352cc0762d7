package planted_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

const page = 4096

// userPrograms run in a process of their own, for they may hang. They print what they saw: "right" if nothing was wrong.
var userPrograms = map[string]func(g gomega.Gomega, dir string, args []string) string{
	"read":          userRead,
	"direct":        userDirect,
	"load":          userLoad,
	"write":         userWrite,
	"write-only":    userWriteOnly,
	"names-only":    userNamesOnly,
	"overwrite":     userOverwrite,
	"grow":          growing(func(fd int) error { return unix.Ftruncate(fd, 3*page) }),
	"grow-write":    growing(func(fd int) error { _, err := unix.Pwrite(fd, make([]byte, 1), 3*page-1); return err }),
	"grow-allocate": growing(func(fd int) error { return unix.Fallocate(fd, 0, page, 2*page) }),
	"stat":          userStat,
	"flags":         userFlags,
	"vectors":       userVectors,
	"mappings":      userMappings,
	"self":          userSelf,
	"sparse":        userSparse,
	"allocate":      userAllocate,
	"names":         userNames,
	"random":        userRandom,
}

func userMain(args []string) int {
	g := gomega.NewGomega(func(message string, _ ...int) {
		fmt.Println(message)
		os.Exit(1)
	})
	fmt.Print(userPrograms[args[0]](g, args[1], args[2:]))
	return 0
}

// pattern is n bytes, each telling its place, none of them zero.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(1 + (i+i/page)%255)
	}
	return p
}

// stored is an open file with the content, and an empty page cache. Its name is the first argument, if there is one.
func stored(g gomega.Gomega, dir string, content []byte, flags int, args ...string) int {
	name := filepath.Join(dir, append(args, "file")[0])
	g.Expect(os.WriteFile(name, content, 0644)).To(gomega.Succeed())
	return opened(g, name, flags)
}

func opened(g gomega.Gomega, name string, flags int) int {
	fd, err := unix.Open(name, flags|unix.O_CLOEXEC, 0644)
	g.Expect(err).NotTo(gomega.HaveOccurred(), "open %s", name)
	return fd
}

// mapped maps n bytes of fd from its start.
func mapped(g gomega.Gomega, fd, n, prot, flags int) []byte {
	m, err := unix.Mmap(fd, 0, n, prot, flags)
	g.Expect(err).NotTo(gomega.HaveOccurred(), "mmap")
	return m
}

// fresh is the content of the file as a new descriptor sees it, from the server and not from the cache.
func fresh(g gomega.Gomega, dir string) []byte {
	content, err := os.ReadFile(filepath.Join(dir, "file"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	return content
}

// compared says in what pages got differs from want.
func compared(got, want []byte) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d bytes, not %d", len(got), len(want))
	}
	var wrong []int
	for i := 0; i < len(want); i += page {
		end := min(i+page, len(want))
		if !bytes.Equal(got[i:end], want[i:end]) {
			wrong = append(wrong, i/page)
		}
	}
	if wrong != nil {
		return fmt.Sprintf("wrong pages %v", wrong)
	}
	return "right"
}

// readIn compares a pread of the whole content with it.
func readIn(fd int, content []byte) string {
	got := make([]byte, len(content))
	n, err := unix.Pread(fd, got, 0)
	if err != nil {
		return unix.ErrnoName(err.(unix.Errno))
	}
	return compared(got[:n], content)
}

func userRead(g gomega.Gomega, dir string, args []string) string {
	content := pattern(8 * page)
	return readIn(stored(g, dir, content, unix.O_RDONLY, args...), content)
}

func userDirect(g gomega.Gomega, dir string, args []string) string {
	content := pattern(8 * page)
	return readIn(stored(g, dir, content, unix.O_RDONLY|unix.O_DIRECT, args...), content)
}

func userLoad(g gomega.Gomega, dir string, _ []string) string {
	content := pattern(8 * page)
	fd := stored(g, dir, content, unix.O_RDONLY)
	m := mapped(g, fd, len(content), unix.PROT_READ, unix.MAP_SHARED)
	got := make([]byte, len(m))
	for i := range m { // in order, which copy is not
		got[i] = m[i]
	}
	return compared(got, content)
}

func userWrite(g gomega.Gomega, dir string, _ []string) string {
	fd := stored(g, dir, nil, unix.O_RDWR)
	content := pattern(2 * page)
	n, err := unix.Pwrite(fd, content, 0)
	if err != nil {
		return unix.ErrnoName(err.(unix.Errno))
	}
	g.Expect(n).To(gomega.Equal(len(content)), "pwrite")
	return compared(fresh(g, dir), content)
}

// userWriteOnly reads nothing.
func userWriteOnly(g gomega.Gomega, dir string, _ []string) string {
	fd := opened(g, filepath.Join(dir, "written"), unix.O_WRONLY|unix.O_CREAT)
	g.Expect(unix.Pwrite(fd, pattern(2*page), 0)).To(gomega.Equal(2 * page))
	return "right"
}

// userNamesOnly neither reads nor writes.
func userNamesOnly(g gomega.Gomega, dir string, _ []string) string {
	fd := opened(g, filepath.Join(dir, "empty"), unix.O_WRONLY|unix.O_CREAT)
	g.Expect(unix.Close(fd)).To(gomega.Succeed())
	g.Expect(os.Rename(filepath.Join(dir, "empty"), filepath.Join(dir, "renamed"))).To(gomega.Succeed())
	return "right"
}

func userOverwrite(g gomega.Gomega, dir string, _ []string) string {
	content := pattern(2 * page)
	fd := stored(g, dir, content, unix.O_RDWR)
	over := bytes.Repeat([]byte{0xff}, page)
	g.Expect(unix.Pwrite(fd, over, page/2)).To(gomega.Equal(page))
	copy(content[page/2:], over)
	return compared(fresh(g, dir), content)
}

// growing cuts a file in its first page, lets grow make it three pages long, and looks for what the zeros should be.
func growing(grow func(fd int) error) func(gomega.Gomega, string, []string) string {
	return func(g gomega.Gomega, dir string, _ []string) string {
		content := pattern(page + 100)
		fd := stored(g, dir, content, unix.O_RDWR)
		g.Expect(unix.Ftruncate(fd, 100)).To(gomega.Succeed())
		g.Expect(grow(fd)).To(gomega.Succeed())
		return compared(fresh(g, dir), append(content[:100], make([]byte, 3*page-100)...))
	}
}

func userStat(g gomega.Gomega, dir string, _ []string) string {
	fd := stored(g, dir, pattern(5000), unix.O_RDONLY)
	var st unix.Stat_t
	g.Expect(unix.Fstat(fd, &st)).To(gomega.Succeed())
	if st.Size != 5000 {
		return fmt.Sprintf("size %d, not 5000", st.Size)
	}
	g.Expect(st.Blocks).To(gomega.BeEquivalentTo(16))
	return "right"
}
