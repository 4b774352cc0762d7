package watch

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc/PID/stat: USER_HZ, 100 per second on every architecture we run on (proc(5)).
const clockTick = 10 * time.Millisecond

// Task is what /proc says about one thread at one moment. Counters only grow, from the start of the thread.
type Task struct {
	TID   int
	Comm  string // raw: may hold spaces, parentheses, newlines
	State string // one letter of proc(5): R running or waiting for a CPU, S and D asleep, T stopped, Z dead
	Start uint64 // clock ticks after boot; with TID it names a thread for good

	Utime, Stime time.Duration // user and system CPU time, in steps of 10 ms
	Ran          time.Duration // CPU time in nanoseconds (schedstat)
	Waited       time.Duration // time spent ready but without a CPU (schedstat)

	Voluntary, Involuntary   uint64 // context switches
	MinorFaults, MajorFaults uint64

	Wchan       string   // the function it sleeps in; "0" or empty when running or not permitted
	Syscall     Syscall  // meaningless if Missing names it
	KernelStack []string // innermost frame first, as the kernel printed it: "[<0>] name+0x1/0x2 [module]"

	// Missing maps the name of a file under /proc/PID/task/TID that gave no answer to the reason.
	Missing map[string]string `json:",omitempty"`
}

// Syscall is /proc/PID/task/TID/syscall (proc_pid_syscall(5)).
type Syscall struct {
	Running bool      // the thread was on a CPU; nothing else is known
	Nr      int       // number of the system call, -1 if the thread sleeps in the kernel outside of one: a fault from user space
	Args    [6]uint64 // its arguments
	SP, PC  uint64    // user-space stack pointer and program counter
}

// CPU is the CPU time the thread has used: exact where the kernel keeps schedstat, else in steps of 10 ms.
func (t Task) CPU() time.Duration {
	if _, missing := t.Missing["schedstat"]; missing {
		return t.Utime + t.Stime
	}
	return t.Ran
}

// Switches is the number of context switches of both kinds.
func (t Task) Switches() uint64 { return t.Voluntary + t.Involuntary }

// Faults is the number of page faults of both kinds.
func (t Task) Faults() uint64 { return t.MinorFaults + t.MajorFaults }

// Dead reports a thread that has ended and only waits to be reaped.
func (t Task) Dead() bool { return t.State == "Z" || t.State == "X" || t.State == "x" }

// Stopped reports a thread stopped by a signal or a tracer.
func (t Task) Stopped() bool { return t.State == "T" || t.State == "t" }

// OutsideSyscall reports a thread that sleeps in the kernel without having made a system call, which is what a page
// fault from user space looks like. It needs no root, unlike the stack.
func (t Task) OutsideSyscall() bool {
	_, missing := t.Missing["syscall"]
	return !missing && !t.Syscall.Running && t.Syscall.Nr == -1
}

// asleep reports a thread in a sleep that only a wake-up can end.
func (t Task) asleep() bool { return t.State == "S" || t.State == "D" }

// counted reports whether the counters a verdict rests on could be read.
func (t Task) counted() bool { return t.Missing["stat"] == "" && t.Missing["status"] == "" }

// still reports that the thread has not moved at all since it was seen as before.
func (t Task) still(before Task) bool {
	return t.counted() && before.counted() && t.asleep() && t.State == before.State &&
		t.Switches() == before.Switches() && t.Faults() == before.Faults() &&
		t.CPU() == before.CPU() && t.Syscall == before.Syscall && t.Wchan == before.Wchan &&
		strings.Join(t.KernelStack, "\n") == strings.Join(before.KernelStack, "\n")
}

// takeTask reads the files of one thread. It fails if the thread is gone; any other file that cannot be read is Missing.
func takeTask(dir string, tid int) (Task, error) {
	t := Task{TID: tid}
	parsers := []struct {
		file  string
		parse func(*Task, []byte) error
	}{
		{"stat", parseStat},
		{"status", parseStatus},
		{"schedstat", parseSchedstat},
		{"wchan", parseWchan},
		{"syscall", parseSyscall},
		{"stack", parseStack},
	}
	for _, p := range parsers {
		text, err := ask(dir + "/" + p.file)
		if err == nil {
			err = p.parse(&t, text)
		}
		if gone(err) && p.file == "stat" {
			return t, fmt.Errorf("read %s/stat: %w", dir, ErrGone)
		}
		if err != nil {
			t.miss(p.file, err)
		}
	}
	return t, nil
}

func (t *Task) miss(file string, err error) {
	if t.Missing == nil {
		t.Missing = map[string]string{}
	}
	t.Missing[file] = reason(err)
}

// reason is the innermost cause of err, without the path, which differs from thread to thread.
func reason(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// parseStat reads "TID (comm) S ppid ...". The comm may hold anything, so its end is the last ") " of the text.
func parseStat(t *Task, text []byte) error {
	left, right := bytes.IndexByte(text, '('), bytes.LastIndex(text, []byte(") "))
	if left < 0 || right < left {
		return fmt.Errorf("parse stat %q: no comm in parentheses", text)
	}
	fields := strings.Fields(string(text[right+2:]))
	// fields[0] is field 3 of proc_pid_stat(5).
	const first, minflt, majflt, utime, stime, starttime = 3, 10, 12, 14, 15, 22
	if len(fields) <= starttime-first || len(fields[0]) != 1 {
		return fmt.Errorf("parse stat %q: too few fields", text)
	}
	var user, system uint64
	for _, n := range []struct {
		field int
		to    *uint64
	}{{minflt, &t.MinorFaults}, {majflt, &t.MajorFaults}, {utime, &user}, {stime, &system}, {starttime, &t.Start}} {
		value, err := strconv.ParseUint(fields[n.field-first], 10, 64)
		if err != nil {
			return fmt.Errorf("parse field %d of stat: %w", n.field, err)
		}
		*n.to = value
	}
	t.Comm, t.State = string(text[left+1:right]), fields[0]
	t.Utime, t.Stime = time.Duration(user)*clockTick, time.Duration(system)*clockTick
	return nil
}

// parseStatus takes the two lines that stat lacks. The name in status is escaped, so a line is what it seems.
func parseStatus(t *Task, text []byte) error {
	found := 0
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		to := map[string]*uint64{"voluntary_ctxt_switches": &t.Voluntary, "nonvoluntary_ctxt_switches": &t.Involuntary}[key]
		if to == nil {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		if err != nil {
			return fmt.Errorf("parse %s of status: %w", key, err)
		}
		*to = n
		found++
	}
	if found != 2 {
		return errors.New("no context switches in status")
	}
	return nil
}

// parseSchedstat reads "ran waited timeslices", nanoseconds (Documentation/scheduler/sched-stats.rst).
func parseSchedstat(t *Task, text []byte) error {
	var ran, waited, slices uint64
	if _, err := fmt.Sscan(string(text), &ran, &waited, &slices); err != nil {
		return fmt.Errorf("parse schedstat %q: %w", text, err)
	}
	if slices == 0 {
		return errors.New("the kernel does not count") // all zero: CONFIG_SCHED_INFO without its accounting
	}
	t.Ran, t.Waited = time.Duration(ran), time.Duration(waited)
	return nil
}

func parseWchan(t *Task, text []byte) error {
	t.Wchan = strings.TrimSpace(string(text))
	return nil
}

// parseSyscall reads "running", "-1 SP PC" or "NR ARG*6 SP PC".
func parseSyscall(t *Task, text []byte) error {
	fields := strings.Fields(string(text))
	if len(fields) == 1 && fields[0] == "running" {
		t.Syscall = Syscall{Running: true}
		return nil
	}
	if len(fields) != 3 && len(fields) != 9 {
		return fmt.Errorf("parse syscall %q: %d fields", text, len(fields))
	}
	nr, err := strconv.Atoi(fields[0])
	if err != nil {
		return fmt.Errorf("parse syscall number: %w", err)
	}
	values := make([]uint64, len(fields)-1)
	for i, field := range fields[1:] {
		if values[i], err = strconv.ParseUint(field, 0, 64); err != nil {
			return fmt.Errorf("parse syscall argument: %w", err)
		}
	}
	last := len(values) - 2
	t.Syscall = Syscall{Nr: nr, SP: values[last], PC: values[last+1]}
	copy(t.Syscall.Args[:], values[:last])
	return nil
}

func parseStack(t *Task, text []byte) error {
	t.KernelStack = nil
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			t.KernelStack = append(t.KernelStack, line)
		}
	}
	return nil
}
