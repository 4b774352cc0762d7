package policy_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
	"faultline/harness/watch"
	"faultline/targetfs/usercopy"
)

func init() {
	self.Register("policy-loopback", loopbackMain)
	self.Register("policy-user", userMain)
}

// loopbackMain shows a folder on another one.
func loopbackMain(args []string) int {
	root, err := fs.NewLoopbackRoot(args[0])
	var server *fuse.Server
	if err == nil {
		server, err = fs.Mount(args[1], root, &fs.Options{MountOptions: fuse.MountOptions{Name: "loopback", DirectMount: true}})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("mounted")
	server.Wait()
	return 0
}

// userMain makes a call on the first page of a file whose buffer is the second page of a mapping: arguments are "read" or "write", the file
// and the file that is mapped. It says which thread it is, and then what the call returned and what its buffer begins with.
func userMain(args []string) int {
	runtime.LockOSThread()
	flags, call, prot := unix.O_RDONLY, unix.Pread, unix.PROT_READ|unix.PROT_WRITE
	if args[0] == "write" {
		flags, call, prot = unix.O_WRONLY, unix.Pwrite, unix.PROT_READ
	}
	page := os.Getpagesize()
	file, err := unix.Open(args[1], flags, 0)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	mapped, err := unix.Open(args[2], unix.O_RDONLY, 0)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	m, err := unix.Mmap(mapped, 0, 2*page, prot, unix.MAP_PRIVATE)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(unix.Gettid())
	n, err := call(file, m[page:], 0)
	fmt.Println(n, err, string(m[page]))
	return 0
}

// layers are rows whose files are reached through another file system, which Faultline's language can't say.
var layers = []struct {
	name, op string
	// lay puts the other file system over the mount and tells how to take it away, whatever hangs. Its folder is over.
	lay func(m *mount, over string) (away func())
	// file and mapped are where the call's file and the mapping's lie.
	file, mapped func(m *mount, over string) string
	hangs        map[usercopy.Policy]string
	says         string // of who passes
}{
	// To complete the fault, the loopback server reads the file: it is not the task that holds the glock, and so recursive doesn't know it.
	{"a mapping through a stacked server", "write", layLoopback, lower, upper, map[usercopy.Policy]string{faulting: stacked, recursive: stacked}, "b"},
	// Overlayfs is no task: its read_iter calls ours in the caller's own system call, and the mapping is one of our file. So the server sees
	// the system call that the caller made, on a descriptor of overlayfs, and a fault of its own touch: this is a read into a mapping of the
	// same file, and what passes there passes here.
	{"a file and its mapping through overlayfs", "read", layOverlay, upper, upper, map[usercopy.Policy]string{faulting: itself}, "a"},
}

const stacked = `^pwrite of A by \d+ holds A \(EX\) and waits for the fault at 0x[0-9a-f]+, in a mapping of \S*/over/A, which\n.* of A by \d+ serves, and waits for A \(SH\), which\npwrite of A by \d+ holds \(EX\)\.\n`

func lower(m *mount, _ string) string    { return filepath.Join(m.dir, "A") }
func upper(_ *mount, over string) string { return filepath.Join(over, "A") }

func layLoopback(m *mount, over string) func() {
	GinkgoHelper()
	p, line, err := start("policy-loopback", m.dir, over)
	Expect(err).NotTo(HaveOccurred())
	Expect(line).To(Equal("mounted"))
	return func() {
		p.Process.Kill()
		Eventually(p.ended, patience).Should(BeClosed())
		unix.Unmount(over, unix.MNT_DETACH)
	}
}

// layOverlay has the mount as the only lower layer of two, for overlayfs wants two where nothing is written; FUSE can't be an upper one.
func layOverlay(m *mount, over string) func() {
	GinkgoHelper()
	empty := filepath.Join(m.home, "empty")
	Expect(os.Mkdir(empty, 0o755)).To(Succeed())
	Expect(unix.Mount("policy", over, "overlay", 0, "lowerdir="+m.dir+":"+empty)).To(Succeed())
	return func() {
		unix.Unmount(over, unix.MNT_DETACH)
		Expect(os.Remove(empty)).To(Succeed())
	}
}

var _ = Describe("layers", func() {
	for _, l := range layers {
		for _, p := range usercopy.Policies() {
			circle, hangs := l.hangs[p]
			what := "passes"
			if hangs {
				what = "hangs"
			}
			It(l.name+" "+what+" under "+p.String(), func() {
				m, err := newMount(p)
				Expect(err).NotTo(HaveOccurred())
				DeferCleanup(m.scrap)
				over := filepath.Join(m.home, "over")
				page := os.Getpagesize()
				Expect(os.WriteFile(lower(m, over), []byte(strings.Repeat("a", page)+strings.Repeat("b", page)), 0o644)).To(Succeed())
				Expect(os.Mkdir(over, 0o755)).To(Succeed())
				away := l.lay(m, over)

				user, line, err := start("policy-user", l.op, l.file(m, over), l.mapped(m, over))
				Expect(err).NotTo(HaveOccurred())
				tid, err := strconv.Atoi(line)
				Expect(err).NotTo(HaveOccurred(), line)
				verdict := judge(user, tid, m.server.Process.Pid)
				m.witness()
				AddReportEntry("what the server says", m.seen.cycle+m.seen.counters)
				if hangs {
					m.kill()
				}
				Eventually(user.ended, patience).Should(BeClosed(), "who hung is free")
				said, _ := io.ReadAll(user.stdout)
				away()
				Expect(os.Remove(over)).To(Succeed())
				if hangs {
					m.recover()
				} else {
					m.unmount()
				}
				m.clean()
				if !hangs {
					Expect(verdict).To(BeEmpty())
					Expect(string(said)).To(Equal(fmt.Sprintf("%d <nil> %s\n", page, l.says)))
					Expect(m.seen.counters).To(MatchRegexp(count(p, "")))
					return
				}
				Expect(verdict).To(ContainSubstring("blocked"))
				Expect(m.seen.cycle).To(MatchRegexp(circle))
			})
		}
	}
})

// judge watches the thread in its call until it has ended, or the watcher knows that it never will, and says so.
func judge(user *process, tid, server int) string {
	GinkgoHelper()
	j := watch.NewJudge(watch.Rules{Deadline: time.Second}, tid, time.Now())
	sampler := watch.Sampler{PID: user.Process.Pid, Servers: []int{server}}
	for {
		select {
		case <-user.ended:
			return ""
		case <-time.After(j.Rules().Interval):
		}
		if motion := j.Observe(sampler.Sample()); motion.Final() {
			Expect(motion.Hang()).To(BeTrue(), motion.Why)
			return watch.Explain(watch.Step{Text: "the call"}, motion)
		}
	}
}
