package watch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Evidence is all that /proc says about a process that hangs, for the bundle of a failure.
type Evidence struct {
	Snapshot Snapshot
	Cmdline  string
	Maps     []Mapping
	Notes    []string // what could not be had, and what that means
}

// Collect takes the evidence. It always returns, within seconds; what does not answer is a note.
func Collect(pid int) Evidence {
	var e Evidence
	var err error
	if e.Snapshot, err = Take(pid); err != nil {
		e.Notes = append(e.Notes, err.Error())
	}
	if e.Maps, err = Maps(pid); err != nil {
		e.Notes = append(e.Notes, err.Error())
	}
	cmdline, err := ask(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		e.Notes = append(e.Notes, err.Error())
	}
	e.Cmdline = strings.TrimSpace(strings.ReplaceAll(string(cmdline), "\x00", " "))
	return e
}

// String is the evidence as a text for people: threads with their stacks, mappings, notes.
func (e Evidence) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "process %d: %s\n", e.Snapshot.PID, e.Cmdline)
	for _, note := range e.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	for _, t := range e.Snapshot.Tasks {
		t.write(&b)
	}
	if len(e.Maps) > 0 {
		b.WriteString("\nmappings:\n")
	}
	for _, m := range e.Maps {
		fmt.Fprintf(&b, "  %012x-%012x %s %08x %s %d %s\n", m.Start, m.End, m.Perms, m.Offset, m.Dev, m.Inode, m.Path)
	}
	return b.String()
}

func (t Task) write(b *strings.Builder) {
	fmt.Fprintf(b, "\nthread %d %q state %s wchan %s user %s system %s switches %d+%d faults %d+%d\n", t.TID, t.Comm, t.State,
		t.Wchan, seconds(t.Utime), seconds(t.Stime), t.Voluntary, t.Involuntary, t.MinorFaults, t.MajorFaults)
	for _, file := range slices.Sorted(maps.Keys(t.Missing)) {
		fmt.Fprintf(b, "  no %s: %s\n", file, t.Missing[file])
	}
	switch {
	case t.Missing["syscall"] != "":
	case t.Syscall.Running:
		b.WriteString("  running\n")
	case t.Syscall.Nr == -1:
		fmt.Fprintf(b, "  outside of system calls, sp %#x pc %#x\n", t.Syscall.SP, t.Syscall.PC)
	default:
		fmt.Fprintf(b, "  system call %d%#x sp %#x pc %#x\n", t.Syscall.Nr, t.Syscall.Args, t.Syscall.SP, t.Syscall.PC)
	}
	for _, frame := range t.KernelStack {
		fmt.Fprintf(b, "  %s\n", frame)
	}
}
