package watch_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/watch"
)

// liveRules are short, so that a test is; the tests below state what a verdict is and never when it comes.
var liveRules = watch.Rules{Deadline: 300 * time.Millisecond, Confirm: 300 * time.Millisecond, Interval: 60 * time.Millisecond}

// noDisks keeps what else goes on on this machine out of a test.
func noDisks() (map[string]watch.Disk, error) { return nil, nil }

// judge watches the thread that a child started with until the answer is final.
func judge(t *testing.T, rules watch.Rules, c *child, servers ...int) watch.Motion {
	t.Helper()
	judge := watch.NewJudge(rules, c.tid, time.Now())
	sampler := watch.Sampler{PID: c.pid, Servers: servers, Disks: noDisks}
	for until := time.Now().Add(2 * time.Minute); time.Now().Before(until); time.Sleep(rules.Interval) {
		if m := judge.Observe(sampler.Sample()); m.Final() {
			return m
		}
	}
	t.Fatal("no answer within two minutes")
	return watch.Motion{}
}

var liveStep = watch.Step{Actor: "t1", Text: "pread(d, m[0:1p])", Buffer: "maps A"}

const stallsNeedRoot = "userfaultfd for faults of the kernel (userfaultfd(2))"

func TestBlockedChildren(t *testing.T) {
	for _, row := range []struct{ part, signature, explanation string }{
		{"pipe", "pipe_read", "waiting for the other end of a pipe or its lock in "},
		{"futex", "futex", "waiting for a futex in "},
		{"uffdread", "handle_userfault < copy to user", "page fault in its own buffer, which maps A, waiting for a userfaultfd handler in handle_userfault"},
		{"uffdload", "handle_userfault < user space", "page fault from user space in its memory, which maps A, waiting for a userfaultfd handler in handle_userfault"},
	} {
		t.Run(row.part, func(t *testing.T) {
			g := gomega.NewWithT(t)
			if strings.HasPrefix(row.part, "uffd") {
				needRoot(t, stallsNeedRoot)
			}
			m := judge(t, liveRules, start(t, row.part))
			g.Expect(m.Kind).To(gomega.Equal(watch.Blocked), m.Why)
			if m.Task.Missing["stack"] == "" {
				g.Expect(watch.Signature(m.Task.KernelStack)).To(gomega.ContainSubstring(row.signature))
			}
			g.Expect(watch.Explain(liveStep, m)).To(gomega.And(
				gomega.HavePrefix("t1 is blocked in pread(d, m[0:1p]) for "), gomega.ContainSubstring(row.explanation)))
		})
	}
}

func TestFaultFromUserSpaceIsSeenWithoutTheStack(t *testing.T) {
	needRoot(t, stallsNeedRoot)
	g := gomega.NewWithT(t)
	c := start(t, "uffdload")
	m := judge(t, liveRules, c)
	g.Expect(m.Task.OutsideSyscall()).To(gomega.BeTrue())
	m.Task.KernelStack, m.Task.Wchan = nil, "0"
	g.Expect(watch.Explain(liveStep, m)).To(gomega.ContainSubstring("in a page fault from user space, which maps A"))
	maps, err := watch.Maps(c.pid)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	code := watch.Touching(maps, m.Task.Syscall.PC, 1)
	g.Expect(code).To(gomega.HaveLen(1))
	g.Expect(code[0].Perms).To(gomega.Equal("r-xp"))
}

func TestSpinningChildren(t *testing.T) {
	for _, part := range []string{"syscalls", "user"} {
		t.Run(part, func(t *testing.T) {
			g := gomega.NewWithT(t)
			rules := liveRules
			rules.Limit = time.Minute // a loaded machine gives it little time
			m := judge(t, rules, start(t, part))
			g.Expect(m.Kind).To(gomega.Equal(watch.Spinning), m.Why)
			g.Expect(m.Livelock).To(gomega.BeFalse())
			g.Expect(watch.Explain(liveStep, m)).To(gomega.HavePrefix("t1 is spinning in pread(d, m[0:1p]) for "))
		})
	}
}

func TestLivelockChild(t *testing.T) {
	g := gomega.NewWithT(t)
	c := start(t, "livelock")
	rules := liveRules
	rules.Limit = 4 * time.Second
	m := judge(t, rules, c)
	if m.Exhausted {
		rules.Limit = time.Minute // a loaded machine lets it wake and sleep less often
		m = judge(t, rules, c)
	}
	g.Expect(m.Kind).To(gomega.Equal(watch.Spinning), m.Why)
	g.Expect(m.Livelock).To(gomega.BeTrue())
}

func TestNappingChildIsATimeout(t *testing.T) {
	g := gomega.NewWithT(t)
	m := judge(t, liveRules, start(t, "naps"))
	g.Expect(m.Kind).To(gomega.Equal(watch.Slow), m.Why)
	g.Expect(m.Exhausted).To(gomega.BeTrue())
	g.Expect(watch.Explain(liveStep, m)).To(gomega.ContainSubstring("no proven hang: "))
}

func TestStoppedChildIsNotBlocked(t *testing.T) {
	g := gomega.NewWithT(t)
	c := start(t, "pipe")
	g.Expect(unix.Kill(c.pid, unix.SIGSTOP)).To(gomega.Succeed())
	g.Eventually(func() string { return stateOf(c) }).WithTimeout(20 * time.Second).Should(gomega.Equal("T"))
	m := judge(t, liveRules, c)
	g.Expect(m.Kind).To(gomega.Equal(watch.Slow), m.Why)
	g.Expect(m.Why).To(gomega.ContainSubstring("stopped or frozen"))
	g.Expect(unix.Kill(c.pid, unix.SIGCONT)).To(gomega.Succeed())
	g.Expect(judge(t, liveRules, c).Kind).To(gomega.Equal(watch.Blocked))
}

func stateOf(c *child) string {
	s, _ := watch.Take(c.pid)
	task, _ := s.Task(c.tid)
	return task.State
}

func TestFrozenChildIsNotBlocked(t *testing.T) {
	g := gomega.NewWithT(t)
	group, freeze, thaw := freezer(t)
	c := start(t, "pipe")
	g.Expect(os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(itoa(c.pid)), 0)).To(gomega.Succeed())
	freeze()
	g.Eventually(func() bool { s, _ := watch.Take(c.pid); return s.Frozen }).WithTimeout(20 * time.Second).Should(gomega.BeTrue())
	m := judge(t, liveRules, c)
	thaw()
	g.Expect(m.Kind).To(gomega.Equal(watch.Slow), m.Why)
	g.Expect(judge(t, liveRules, c).Kind).To(gomega.Equal(watch.Blocked))
	c.end(t)
}

// freezer makes a cgroup that can be frozen, of version 2 or 1.
func freezer(t *testing.T) (dir string, freeze, thaw func()) {
	t.Helper()
	for _, v := range []struct{ root, file, freeze, thaw string }{
		{"/sys/fs/cgroup", "cgroup.freeze", "1", "0"},
		{"/sys/fs/cgroup/unified", "cgroup.freeze", "1", "0"},
		{"/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED"},
	} {
		if _, err := os.Stat(filepath.Join(v.root, "cgroup.procs")); err != nil {
			continue
		}
		dir, err := os.MkdirTemp(v.root, "watch-test-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { unix.Rmdir(dir) })
		file := filepath.Join(dir, v.file)
		write := func(text string) func() { return func() { os.WriteFile(file, []byte(text), 0) } }
		t.Cleanup(write(v.thaw))
		return dir, write(v.freeze), write(v.thaw)
	}
	t.Skip("needs a cgroup freezer that we may use")
	return "", nil, nil
}

func TestVanishedChild(t *testing.T) {
	g := gomega.NewWithT(t)
	c := start(t, "naps")
	judge := watch.NewJudge(liveRules, c.tid, time.Now())
	sampler := watch.Sampler{PID: c.pid, Disks: noDisks}
	g.Expect(judge.Observe(sampler.Sample()).Kind).To(gomega.Equal(watch.Slow))
	c.end(t)
	m := judge.Observe(sampler.Sample())
	g.Expect(m.Kind).To(gomega.Equal(watch.Gone))
	_, err := watch.Take(c.pid)
	g.Expect(err).To(gomega.MatchError(watch.ErrGone))
	_, err = watch.Maps(c.pid)
	g.Expect(err).To(gomega.MatchError(watch.ErrGone))
}

// A process that makes progress at the lowest priority, beside eight that burn all CPUs, is never called hung, however
// often one looks and however short the deadline is.
func TestStarvedProgressIsNeverAHang(t *testing.T) {
	if testing.Short() {
		t.Skip("burns all CPUs for some seconds")
	}
	g := gomega.NewWithT(t)
	c := start(t, "steps")
	g.Expect(unix.Setpriority(unix.PRIO_PROCESS, c.tid, 19)).To(gomega.Succeed())
	for range 8 {
		start(t, "user")
	}
	var steps atomic.Int64
	go func() {
		for {
			if _, err := c.out.ReadString('\n'); err != nil {
				return
			}
			steps.Add(1)
		}
	}()
	rules := watch.Rules{Deadline: 50 * time.Millisecond, Confirm: 50 * time.Millisecond, Interval: 10 * time.Millisecond}
	sampler := watch.Sampler{PID: c.pid, Disks: noDisks}
	var overdue, step int64
	judge := watch.NewJudge(rules, c.tid, time.Now())
	for until := time.Now().Add(6 * time.Second); time.Now().Before(until); time.Sleep(rules.Interval) {
		if now := steps.Load(); now != step {
			step, judge = now, watch.NewJudge(rules, c.tid, time.Now())
		}
		m := judge.Observe(sampler.Sample())
		if m.Elapsed >= rules.Deadline {
			overdue++
		}
		// A step that ended while we looked is not judged any more.
		if steps.Load() == step {
			g.Expect(m.Hang()).To(gomega.BeFalse(), watch.Explain(liveStep, m))
		}
	}
	t.Logf("%d steps, %d looks at one that was overdue", steps.Load(), overdue)
	g.Expect(overdue).To(gomega.BeNumerically(">", 0), "the child was not starved")
}

func TestCollectShowsTheWholeProcess(t *testing.T) {
	g := gomega.NewWithT(t)
	c := start(t, "pipe", "an argument")
	e := watch.Collect(c.pid)
	g.Expect(e.Notes).To(gomega.BeEmpty())
	g.Expect(e.Cmdline).To(gomega.HaveSuffix("an argument"))
	g.Expect(e.String()).To(gomega.And(
		gomega.HavePrefix("process "+itoa(c.pid)+": "),
		gomega.ContainSubstring("thread "+itoa(c.tid)+" "),
		gomega.ContainSubstring("mappings:\n"),
		gomega.ContainSubstring("[stack]")))
	c.end(t)
	g.Expect(strings.Join(watch.Collect(c.pid).Notes, "\n")).To(gomega.ContainSubstring("no such process"))
}

// mountExt4 makes a small ext4 of our own and returns the device it is on.
func mountExt4(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	image, point := filepath.Join(dir, "image"), filepath.Join(dir, "mnt")
	for _, argv := range [][]string{
		{"truncate", "-s", "16M", image}, {"mkfs.ext4", "-q", image}, {"mkdir", point}, {"mount", "-o", "loop,errors=continue", image, point},
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Skipf("needs ext4 on a loop device: %v: %v: %s", argv, err, out)
		}
	}
	t.Cleanup(func() { unix.Unmount(point, 0) })
	device, err := exec.Command("findmnt", "-n", "-o", "SOURCE", point).Output()
	if err != nil {
		t.Skip("needs findmnt: ", err)
	}
	return strings.TrimSpace(string(device))
}
