package usercopy

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"unsafe"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
)

// around is more pages than a read fault maps at a time (fault_around_bytes, 64 KiB).
const around = 32

const filePages = 4 * around

// memoryMain is a child: "async" makes calls of asynchronous I/O, "look PID" looks at a process, and "map FILE" maps a file of
// filePages and then answers questions about its memory.
func memoryMain(args []string) int {
	switch args[0] {
	case "async":
		unix.RawSyscall6(unix.SYS_IO_SUBMIT, 0, 1, 0, 0, 0, 0)
		unix.RawSyscall6(unix.SYS_IO_URING_ENTER, ^uintptr(0), 1, 0, 0, 0, 0)
		return 0
	case "look":
		pid, _ := strconv.Atoi(args[1])
		_, err := Look(pid)
		if errors.Is(err, ErrForbidden) {
			fmt.Println("forbidden:", err)
		} else {
			fmt.Println(err)
		}
		return 0
	}
	f, err := os.OpenFile(args[1], os.O_RDWR, 0)
	if err != nil {
		return 1
	}
	in := bufio.NewScanner(os.Stdin)
	maps := map[string][]byte{}
	for _, m := range []struct {
		name  string
		fd    int
		prot  int
		flags int
		pages int
	}{
		{"shared", int(f.Fd()), unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED, filePages + 1}, // the last page is behind the end of the file
		{"private", int(f.Fd()), unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE, filePages},
		{"anon", -1, unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANON, filePages},
		{"readonly", int(f.Fd()), unix.PROT_READ, unix.MAP_SHARED, filePages},
		{"none", -1, unix.PROT_NONE, unix.MAP_PRIVATE | unix.MAP_ANON, filePages},
	} {
		b, err := unix.Mmap(m.fd, 0, m.pages*pageSize, m.prot, m.flags)
		if err != nil {
			return 1
		}
		maps[m.name] = b
		fmt.Println(m.name, uintptr(unsafe.Pointer(&b[0])))
	}
	fmt.Println("end 0")
	for in.Scan() {
		var name string
		var i int
		fmt.Sscan(in.Text(), &name, &i)
		fmt.Println(maps[name][i])
	}
	return 0
}

// child is the process of memoryMain, and where its mappings are.
type child struct {
	task
	at  map[string]uintptr
	ask func(name string, i int) byte
}

// mapped starts a child that maps a file; each page holds its number, from one.
func mapped(t *testing.T) (c child, file string) {
	g := gomega.NewWithT(t)
	file = t.TempDir() + "/file"
	data := make([]byte, filePages*pageSize)
	for i := range data {
		data[i] = byte(1 + i/pageSize)
	}
	g.Expect(os.WriteFile(file, data, 0o600)).To(gomega.Succeed())
	cmd := self.Command("usercopy-memory", "map", file)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	out, err := cmd.StdoutPipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(cmd.Start()).To(gomega.Succeed())
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	lines := bufio.NewScanner(out)
	c = child{task: task(cmd.Process.Pid), at: map[string]uintptr{}}
	for lines.Scan() {
		var name string
		var addr uintptr
		fmt.Sscan(lines.Text(), &name, &addr)
		if name == "end" {
			break
		}
		c.at[name] = addr
	}
	c.ask = func(name string, i int) byte {
		fmt.Fprintln(in, name, i)
		g.Expect(lines.Scan()).To(gomega.BeTrue())
		b, err := strconv.Atoi(lines.Text())
		g.Expect(err).NotTo(gomega.HaveOccurred())
		return byte(b)
	}
	return c, file
}

// there is how many bytes of n are resident, from page p of a mapping on.
func (c child) there(t *testing.T, name string, offset, n int) int {
	got, err := c.resident(Range{c.at[name] + uintptr(offset), n})
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	return got
}

// TestTouch: a touch makes a page present and changes nothing, neither in memory nor in the file.
func TestTouch(t *testing.T) {
	for name, want := range map[string]byte{"shared": around + 1, "private": around + 1, "anon": 0} {
		for _, write := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%t", name, write), func(t *testing.T) {
				g := gomega.NewWithT(t)
				c, file := mapped(t)
				before, _ := os.ReadFile(file)
				at := around*pageSize + 17
				g.Expect(c.there(t, name, at, 1)).To(gomega.BeZero())
				g.Expect(c.touch(c.at[name]+uintptr(at), write)).To(gomega.Succeed())
				g.Expect(c.there(t, name, at, 1)).To(gomega.Equal(1))
				g.Expect(c.ask(name, at)).To(gomega.Equal(want))
				g.Expect(os.ReadFile(file)).To(gomega.Equal(before))
			})
		}
	}
}

// TestTouchForWriting breaks the sharing of a private page: what is stored in the file afterwards is not seen through it any more,
// while a page that was touched for reading shows it.
func TestTouchForWriting(t *testing.T) {
	g := gomega.NewWithT(t)
	c, file := mapped(t)
	g.Expect(c.touch(c.at["private"], true)).To(gomega.Succeed())
	g.Expect(c.touch(c.at["private"]+uintptr(around*pageSize), false)).To(gomega.Succeed())
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	for _, page := range []int64{0, around} {
		_, err = f.WriteAt([]byte{99}, page*int64(pageSize))
		g.Expect(err).NotTo(gomega.HaveOccurred())
	}
	g.Expect(c.ask("private", 0)).To(gomega.Equal(byte(1)))
	g.Expect(c.ask("private", around*pageSize)).To(gomega.Equal(byte(99)))
}

func TestTouchFails(t *testing.T) {
	g := gomega.NewWithT(t)
	c, _ := mapped(t)
	for _, write := range []bool{false, true} {
		g.Expect(c.touch(c.at["none"], write)).To(gomega.MatchError(unix.EFAULT))
		g.Expect(c.touch(c.at["shared"]+uintptr(filePages*pageSize), write)).To(gomega.MatchError(unix.EFAULT), "behind the end of the file")
		g.Expect(c.touch(0, write)).To(gomega.MatchError(unix.EFAULT))
		g.Expect(c.touch(^uintptr(0), write)).To(gomega.MatchError(unix.EFAULT))
		g.Expect(task(1<<30).touch(0, write)).To(gomega.MatchError(ErrGone))
	}
	g.Expect(c.touch(c.at["readonly"], true)).To(gomega.Succeed(), "there is a page; that it can't be written, the kernel will find")
}

func TestResident(t *testing.T) {
	g := gomega.NewWithT(t)
	c, _ := mapped(t)
	at := func(offset int) uintptr { return c.at["anon"] + uintptr(offset) }
	g.Expect(c.touch(at(0), false)).To(gomega.Succeed())
	g.Expect(c.touch(at(pageSize), false)).To(gomega.Succeed())
	g.Expect(c.there(t, "anon", 0, 4*pageSize)).To(gomega.Equal(2 * pageSize))
	g.Expect(c.there(t, "anon", 100, 4*pageSize)).To(gomega.Equal(2*pageSize - 100))
	g.Expect(c.there(t, "anon", 100, 200)).To(gomega.Equal(200))
	g.Expect(c.there(t, "anon", 2*pageSize-1, 1)).To(gomega.Equal(1))
	g.Expect(c.there(t, "anon", 2*pageSize, 1)).To(gomega.BeZero())
	g.Expect(c.there(t, "anon", 0, 0)).To(gomega.BeZero())
	_, err := task(1 << 30).resident(Range{0, 1})
	g.Expect(err).To(gomega.MatchError(ErrGone))
	n, err := c.resident(Range{^uintptr(0) &^ uintptr(pageSize-1), pageSize / 2})
	g.Expect(err).NotTo(gomega.HaveOccurred(), "no such part of the address space")
	g.Expect(n).To(gomega.BeZero())
}
