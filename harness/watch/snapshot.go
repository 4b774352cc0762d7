package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrGone means that there is no such process or thread any more.
var ErrGone = errors.New("no such process")

// gone reports the errors with which /proc says that a process or thread has ended: it depends on how far it got.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, ErrGone)
}

// Snapshot is what /proc says about one process. The threads are read one after the other, so it is not one instant.
type Snapshot struct {
	At     time.Time
	PID    int
	Tasks  []Task // in the order of /proc; empty when the process is gone
	Frozen bool   // its cgroup is frozen
}

// Task finds a thread by its id.
func (s Snapshot) Task(tid int) (Task, bool) {
	for _, t := range s.Tasks {
		if t.TID == tid {
			return t, true
		}
	}
	return Task{}, false
}

// suspended reports a process that does not run because somebody outside said so. One stopped thread is enough: a
// signal stops the others when they come by.
func (s Snapshot) suspended() bool {
	if s.Frozen {
		return true
	}
	for _, t := range s.Tasks {
		if t.Stopped() {
			return true
		}
	}
	return false
}

// Take reads all threads of a process. Threads that end meanwhile are left out, files that cannot be read are named in
// Task.Missing, and a process that is gone is an error that wraps ErrGone, together with an empty Snapshot.
func Take(pid int) (Snapshot, error) {
	s := Snapshot{At: time.Now(), PID: pid}
	dir := fmt.Sprintf("/proc/%d/task", pid)
	entries, err := within(patience, dir, func() ([]os.DirEntry, error) { return os.ReadDir(dir) })
	if gone(err) {
		return s, fmt.Errorf("take a snapshot of process %d: %w", pid, ErrGone)
	}
	if err != nil {
		return s, fmt.Errorf("take a snapshot of process %d: %w", pid, err)
	}
	for _, entry := range entries {
		tid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		task, err := takeTask(dir+"/"+entry.Name(), tid)
		if err != nil {
			continue // it ended between the listing and now
		}
		s.Tasks = append(s.Tasks, task)
	}
	if len(s.Tasks) == 0 {
		return s, fmt.Errorf("take a snapshot of process %d: %w", pid, ErrGone)
	}
	s.Frozen = frozen(pid)
	return s, nil
}

// cgroupRoots are the places where cgroup file systems are mounted by convention (systemd, and every container runtime):
// the freezer's file of version 2, the same on a hybrid machine, and version 1.
var cgroupRoots = []struct {
	controller, root, file, frozen string
}{
	{"", "/sys/fs/cgroup", "cgroup.events", "frozen 1"},
	{"", "/sys/fs/cgroup/unified", "cgroup.events", "frozen 1"},
	{"freezer", "/sys/fs/cgroup/freezer", "freezer.state", "FROZEN"},
}

// frozen reports whether a cgroup freezer holds the process. What cannot be read is taken as not frozen.
func frozen(pid int) bool {
	text, err := ask(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // hierarchy:controllers:path
		if len(fields) != 3 || fields[2] == "/" {
			continue // the root cgroup cannot be frozen
		}
		for _, at := range cgroupRoots {
			if at.controller != fields[1] {
				continue
			}
			state, err := ask(at.root + fields[2] + "/" + at.file)
			if err == nil && strings.Contains(string(state), at.frozen) {
				return true
			}
		}
	}
	return false
}
