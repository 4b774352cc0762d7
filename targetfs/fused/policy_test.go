package fused_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
	"faultline/targetfs/control"
	"faultline/targetfs/fused"
)

func init() { self.Register("fused-self", selfMain) }

// selfMain reads or writes a page of a file with a cold mapping of the next page of it as the buffer: arguments are the file, "read" or
// "write", and "direct" or "buffered". It says what the call returned, and the byte that its buffer begins with.
func selfMain(args []string) int {
	runtime.LockOSThread()
	flags := unix.O_RDWR
	if args[2] == "direct" {
		flags |= unix.O_DIRECT
	}
	page := os.Getpagesize()
	fd, err := unix.Open(args[0], flags, 0)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	m, err := unix.Mmap(fd, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	call := unix.Pread
	if args[1] == "write" {
		call = unix.Pwrite
	}
	n, err := call(fd, m[page:], 0)
	fmt.Println(n, err, string(m[page]))
	return 0
}

// ask asks the server of the mount.
func (m *mount) ask(command ...string) string {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	text, err := control.Ask(ctx, m.dir, command...)
	gomega.NewWithT(m.t).Expect(err).NotTo(gomega.HaveOccurred())
	return text
}

// TestPolicies: what each policy makes of a call whose buffer is a mapping of the same file.
func TestPolicies(t *testing.T) {
	for _, c := range []struct{ kind, op, state, again string }{
		// state is what the call holds, again what nofault counts
		{"buffered", "read", "SH", " Retries=1"},
		{"buffered", "write", "EX", ""}, // faults in before it takes the glock
		{"direct", "read", "DF", " Retries=1"},
		{"direct", "write", "DF", " Retries=1"},
	} {
		counters := map[string]string{
			"kernel":    "left to the kernel:\nglocks",
			"recursive": "recursive: Calls=2 Pages=3 FaultsUnderLock=1\n",
			"nofault":   "nofault: Calls=2 Pages=3" + c.again + " FaultsOutside=3\n",
		}
		if c.state == "DF" { // it doesn't cover a fault
			counters["recursive"] = "recursive: Calls=2 Pages=3 Retries=1 FaultsUnderLock=1 FaultsOutside=1 Weak="
		}
		for policy, counts := range counters {
			t.Run(policy+"/"+c.kind+"/"+c.op, func(t *testing.T) {
				g := gomega.NewWithT(t)
				m, user := selfCall(t, policy, c.kind, c.op)
				g.Eventually(user.ended, patience).Should(gomega.BeClosed())
				want := map[string]string{"read": "a", "write": "b"}[c.op]
				g.Expect(user.output.String()).To(gomega.Equal(fmt.Sprintf("%d <nil> %s\n", os.Getpagesize(), want)))
				g.Expect(m.ask("counters")).To(gomega.ContainSubstring(counts))
				g.Expect(m.ask("cycle")).To(gomega.Equal("No task waits for itself.\n"))
				m.unmount()
			})
		}
		t.Run("faulting/"+c.kind+"/"+c.op, func(t *testing.T) {
			g := gomega.NewWithT(t)
			m, user := selfCall(t, "faulting", c.kind, c.op)
			g.Eventually(func() string { return m.ask("cycle") }, patience, 20*time.Millisecond).Should(gomega.MatchRegexp(
				`^p%[1]s of A by (\d+) holds A \(%[2]s\) and waits for A \(SH\), which\np%[1]s of A by \d+ holds \(%[2]s\)\.\np%[1]s of A by \d+: thread \d+ touches 0x[0-9a-f]+ with its glock held`, c.op, c.state))
			g.Expect(m.ask("glocks")).To(gomega.MatchRegexp(` H: s:%s f:H e:0 p:(\d+) \[exe\] .*%s\n H: s:SH f:W e:0 p:\d+ \[exe\] page fault\n`, c.state, c.op))
			g.Expect(m.ask("counters")).To(gomega.ContainSubstring("faulting: Calls=2 Pages=2 FaultsUnderLock=1\n"))
			g.Consistently(user.ended, "300ms").ShouldNot(gomega.BeClosed())
			m.kill()
			g.Eventually(user.ended, patience).Should(gomega.BeClosed(), "killing the server frees who is stuck")
			m.start("copy=nofault") // replays the journal
			m.unmount()
		})
	}
}

// selfCall has a process make a call on a file of two pages, the first 'a' and the second 'b', with a mapping of the second as the buffer.
func selfCall(t *testing.T, policy, kind, op string) (*mount, *role) {
	g := gomega.NewWithT(t)
	m := mounted(t, "copy="+policy)
	page := os.Getpagesize()
	g.Expect(os.WriteFile(m.path("A"), []byte(strings.Repeat("a", page)+strings.Repeat("b", page)), 0o644)).To(gomega.Succeed())
	user, err := startRole("fused-self", m.path("A"), op, kind)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { user.Process.Kill() })
	return m, user
}

// kill ends the server without a word.
func (m *mount) kill() {
	m.server.Process.Kill()
	<-m.ended
	unix.Unmount(m.dir, unix.MNT_DETACH)
}

// TestSwitch changes the policy of a mount that allows it, and is told why one does not.
func TestSwitch(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "switchable")
	g.Expect(m.ask("policy")).To(gomega.Equal("kernel\n"))
	g.Expect(os.WriteFile(m.path("A"), []byte("a"), 0o644)).To(gomega.Succeed())
	g.Expect(m.ask("counters")).To(gomega.ContainSubstring("nofault:\n"))
	g.Expect(m.ask("policy", "nofault")).To(gomega.Equal("nofault\n"))
	g.Expect(os.WriteFile(m.path("B"), []byte("b"), 0o644)).To(gomega.Succeed())
	g.Expect(m.ask("counters")).To(gomega.ContainSubstring("nofault: Calls=1 Pages=1 FaultsOutside=1\n"))
	_, err := control.Ask(t.Context(), m.dir, "policy", "legacy")
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(`unknown user-copy policy "legacy"`)))
	_, err = control.Ask(t.Context(), m.dir, "policy", "kernel", "nofault")
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("want one name of a policy")))
	g.Expect(m.ask("sync")).To(gomega.BeEmpty())
	g.Expect(m.ask("withdraw")).To(gomega.Equal("Nothing is wrong: not withdrawn.\n"))
	m.unmount()

	m = mounted(t, "")
	_, err = control.Ask(t.Context(), m.dir, "policy", "nofault")
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(fused.ErrFixed.Error())))
	m.unmount()
}

// TestNoPolicy: several nodes have none, and say so.
func TestNoPolicy(t *testing.T) {
	g := gomega.NewWithT(t)
	const why = "with several nodes FUSE does not say when a read or a write begins"
	m := mounted(t, "copy=nofault,nodes=2")
	g.Expect(m.ask("policy")).To(gomega.Equal("kernel\n"))
	_, err := control.Ask(t.Context(), m.dirs[1], "policy", "nofault")
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(why)))
	m.unmount()
	g.Expect(m.output.String()).To(gomega.ContainSubstring("copy=nofault is not possible, and so copy=kernel is used: " + why))
}
