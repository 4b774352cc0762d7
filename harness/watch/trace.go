package watch

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// traceAfter is within how many lines of a complaint its stack begins: registers, code bytes and held locks come before it.
const traceAfter = 80

var (
	// traceFrame is a line of a stack in the kernel log: "gfs2_fault+0x4d/0xb0 [gfs2]", on some architectures with an address before it. A question mark
	// means that the address was found on the stack and need not be of a caller.
	traceFrame = regexp.MustCompile(`^\s*(?:\[<[0-9a-f]+>\] )?(\? )?([A-Za-z_][\w.]*)\+0x([0-9a-f]+)(?:/0x[0-9a-f]+)?(?: \[[\w ]+\])?\s*$`)
	// traceHead begins a stack: "Call Trace:", "Call trace:" (arm64).
	traceHead = regexp.MustCompile(`^\s*Call [Tt]race:`)
	// traceMark is a line within a stack: "<TASK>", "</IRQ>".
	traceMark = regexp.MustCompile(`^\s*</?[A-Z_0-9]+>\s*$`)
	// tracePlace says where the processor was, which is the innermost function: "RIP: 0010:drop_nlink+0x1/0x2", "pc : drop_nlink+0x1/0x2".
	tracePlace = regexp.MustCompile(`^(?:RIP: [0-9a-f]{4}:|pc : )([A-Za-z_][\w.]*)\+0x`)
	// traceRegisters are those of an x86 kernel that was interrupted by an exception, which are in the middle of a stack: a user copy that has faulted.
	// Those of user space, whose code segment is 0x33, end the stack.
	traceRegisters = regexp.MustCompile(`^(?:RIP: 0010:|RSP: 0018:|(?:Code|RAX|RDX|RBP|R10|R13|FS|CS|CR2|DR0|DR3|PKRU): )`)
)

// Trace is the kernel stack that the log shows for a finding, function names innermost first; nil if there is none. Signature groups by it.
func Trace(lines []Line, f Finding) []string {
	at := slices.Index(lines, f.Line)
	if at < 0 {
		return nil
	}
	var place []string
	for i, l := range lines[at:min(len(lines), at+traceAfter)] {
		if f.another(l) {
			return place
		}
		if m := tracePlace.FindStringSubmatch(l.Text); m != nil && place == nil {
			place = []string{m[1]}
		}
		if traceHead.MatchString(l.Text) {
			return append(place, traceFrames(lines[at+i+1:])...)
		}
	}
	return place
}

// taskOf is how complaints name the task that they are about: "PID: 4712", "CPU#0: tool/743", "task dd:132 blocked for", "[dd:125]".
var taskOf = regexp.MustCompile(`\bPID: (\d+)\b|CPU#\d+: \S.*/(\d+)$|^INFO: task .*:(\d+) (?:is )?blocked|\[[^\[\]]*:(\d+)\]$`)

// TaskOf is the number of the thread that a finding is about, as its own namespace counts; 0 if the log does not say.
func TaskOf(lines []Line, f Finding) int {
	at := slices.Index(lines, f.Line)
	if at < 0 {
		return 0
	}
	for _, l := range lines[at:min(len(lines), at+traceAfter)] {
		if m := taskOf.FindStringSubmatch(l.Text); m != nil {
			tid, _ := strconv.Atoi(strings.Join(m[1:], "")) // digits
			return tid
		}
	}
	return 0
}

// another reports that a line is the complaint of another file system or device. One of them mostly says something without a stack, and what comes behind
// the other's line is not its own.
func (f Finding) another(l Line) bool {
	said := func(text string) string { return text[:max(strings.IndexAny(text, " :,"), 0)] }
	kind := kindOf(l.Text)
	return (f.Kind == fsError || f.Kind == ioError) && (kind == fsError || kind == ioError) && said(l.Text) != said(f.Line.Text)
}

// traceFrames are the functions of the stack that begins here: those that are callers for certain, and only where there is none, as behind a jump to
// nowhere, those that may be. Among these may be left-overs of earlier calls: a copy to user memory is left out, because a signature that has one says
// what the failure is about.
func traceFrames(lines []Line) []string {
	var sure, guessed []string
	for _, l := range lines {
		m := traceFrame.FindStringSubmatch(l.Text)
		within := traceMark.MatchString(l.Text) || traceRegisters.MatchString(l.Text)
		if m == nil && !within {
			break
		}
		place := tracePlace.FindStringSubmatch(l.Text)
		switch {
		case place != nil:
			sure = append(sure, place[1])
		case m == nil:
		case m[3] == "0":
			// The beginning of a function is nothing to return to. The function before it has called one that never returns, as
			// sysrq_handle_crash calls panic, and has no name in the stacks of User Mode Linux.
		case m[1] == "":
			sure = append(sure, m[2])
		case lookUp(frameName(m[2])).role != class:
			guessed = append(guessed, m[2])
		}
	}
	if len(sure) > 0 {
		return sure
	}
	return guessed
}
