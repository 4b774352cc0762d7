package usercopy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"

	"faultline/targetfs/glock"
)

// overdue is how old a touch must be before Explain asks who keeps it.
const overdue = 100 * time.Millisecond

// Explain says in words which tasks wait for each other in a circle, and which touches are under way. A fault that we don't serve ourselves is
// somebody's whom the glocks know only when that one wants a glock too: the handler of a userfaultfd, or the server of another FUSE file
// system, whose files lie on ours. Explain looks for them in /proc; it waits for nobody.
func (c *Copier) Explain(space *glock.Space) string {
	touches := c.Touches()
	for _, t := range touches {
		if !t.Locked || time.Since(t.Since) < overdue {
			continue
		}
		what, servers := serving(t.Owner.PID, t.Addr)
		for _, waiter := range waiters(space, t.Owner) {
			if slices.Contains(servers, process(waiter.PID)) {
				defer space.AddWait(t.Owner, waiter, what)()
			}
		}
	}
	text := space.Explain(space.Cycle())
	for _, t := range touches {
		with := "without a glock"
		if t.Locked {
			with = "with its glock held"
		}
		text += fmt.Sprintf("%v: thread %d touches %#x %s, for %v.\n", t.Owner, t.Thread, t.Addr, with, time.Since(t.Since).Round(time.Millisecond))
	}
	return text
}

// waiters are the tasks but one that wait for a glock.
func waiters(space *glock.Space, but glock.Owner) (all []glock.Owner) {
	for _, e := range space.Edges() {
		known := func(o glock.Owner) bool { return o.PID == e.Waiter.PID }
		if e.Waiter.PID != 0 && e.Waiter.PID != but.PID && !slices.ContainsFunc(all, known) {
			all = append(all, e.Waiter)
		}
	}
	return all
}

// glimpse is how long a look at a task's mappings may take: it may wait for the lock of its address space.
const glimpse = time.Second

// serving is which processes may serve a fault at an address of a task, and what the fault is, in words. None when it is served by the kernel
// or by ourselves.
func serving(tid int, addr uintptr) (what string, pids []int) {
	found := make(chan area, 1)
	go func() {
		a, _ := areaOf(tid, addr)
		found <- a
	}()
	timer := time.NewTimer(glimpse)
	defer timer.Stop()
	var a area
	select {
	case a = <-found:
	case <-timer.C:
		return "", nil
	}
	switch {
	case a.userfault:
		return fmt.Sprintf("the fault at %#x, which a userfaultfd gets", addr), holders("anon_inode:[userfaultfd]")
	case fuse(a.dev):
		return fmt.Sprintf("the fault at %#x, in a mapping of %s", addr, a.path), holders("/dev/fuse")
	}
	return "", nil
}

// area is a mapping of a task.
type area struct {
	dev       string // of its file, as in mountinfo: "0:52"
	path      string // of its file
	userfault bool   // faults on missing pages go to a userfaultfd
}

// areaOf finds the mapping of an address in /proc/TID/smaps (proc_pid_smaps(5)).
func areaOf(tid int, addr uintptr) (area, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", tid))
	if err != nil {
		return area{}, err
	}
	return parseArea(string(text), addr), nil
}

func parseArea(smaps string, addr uintptr) (a area) {
	inside := false
	for line := range strings.Lines(smaps) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if flags, is := strings.CutPrefix(line, "VmFlags:"); is && inside {
			a.userfault = slices.ContainsFunc(strings.Fields(flags), func(f string) bool { return f == "um" || f == "ui" || f == "uw" })
			return a
		}
		var start, end uintptr
		if n, _ := fmt.Sscanf(fields[0], "%x-%x", &start, &end); n != 2 || len(fields) < 5 {
			continue
		}
		if inside = start <= addr && addr < end; inside {
			a = area{dev: device(fields[3]), path: strings.Join(fields[5:], " ")}
		}
	}
	return a
}

// device turns the number of /proc/PID/maps, "00:34" in hexadecimal, into that of mountinfo, "0:52".
func device(hex string) string {
	var major, minor int
	if n, _ := fmt.Sscanf(hex, "%x:%x", &major, &minor); n != 2 {
		return ""
	}
	return fmt.Sprintf("%d:%d", major, minor)
}

// fuse tells whether a device number is that of a FUSE file system.
func fuse(dev string) bool {
	mounts, _ := mountinfo.GetMounts(nil)
	return slices.ContainsFunc(mounts, func(m *mountinfo.Info) bool {
		return fmt.Sprintf("%d:%d", m.Major, m.Minor) == dev && strings.HasPrefix(m.FSType, "fuse")
	})
}

// holders are the processes but ours that have a descriptor of what link says: /proc/PID/fd tells no more.
func holders(link string) (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, l := range links {
		if to, err := os.Readlink(l); err != nil || to != link {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(l, "/")[2])
		if pid != os.Getpid() && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// process is the process that a thread belongs to; 0 when it is gone.
func process(tid int) (pid int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	_, rest, _ := strings.Cut(string(status), "\nTgid:")
	fmt.Sscan(rest, &pid)
	return pid
}
