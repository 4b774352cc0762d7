package watch

import (
	"regexp"
	"slices"
)

// traceAfter is within how many lines of a complaint its stack begins: registers, code bytes and held locks come before it.
const traceAfter = 80

var (
	// traceFrame is a line of a stack in the kernel log: "gfs2_fault+0x4d/0xb0 [gfs2]", on some architectures with an address before it. A question mark
	// means that the address was found on the stack and need not be of a caller.
	traceFrame = regexp.MustCompile(`^\s*(?:\[<[0-9a-f]+>\] )?(\? )?([A-Za-z_][\w.]*)\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?(?: \[[\w ]+\])?\s*$`)
	// traceHead begins a stack: "Call Trace:", "Call trace:" (arm64).
	traceHead = regexp.MustCompile(`^\s*Call [Tt]race:`)
	// traceMark is a line within a stack: "<TASK>", "</IRQ>".
	traceMark = regexp.MustCompile(`^\s*</?[A-Z_0-9]+>\s*$`)
	// tracePlace says where the processor was, which is the innermost function: "RIP: 0010:drop_nlink+0x1/0x2", "pc : drop_nlink+0x1/0x2".
	tracePlace = regexp.MustCompile(`^(?:RIP: [0-9a-f]{4}:|pc : )([A-Za-z_][\w.]*)\+0x`)
)

// Trace is the kernel stack that the log shows for a finding, function names innermost first; nil if there is none. Signature groups by it.
func Trace(lines []Line, f Finding) []string {
	at := slices.Index(lines, f.Line)
	if at < 0 {
		return nil
	}
	var place []string
	for i, l := range lines[at:min(len(lines), at+traceAfter)] {
		if m := tracePlace.FindStringSubmatch(l.Text); m != nil && place == nil {
			place = []string{m[1]}
		}
		if traceHead.MatchString(l.Text) {
			return append(place, traceFrames(lines[at+i+1:])...)
		}
	}
	return place
}

// traceFrames are the functions of the stack that begins here.
func traceFrames(lines []Line) []string {
	var frames []string
	for _, l := range lines {
		m := traceFrame.FindStringSubmatch(l.Text)
		switch {
		case m != nil && m[1] == "":
			frames = append(frames, m[2])
		case m != nil, traceMark.MatchString(l.Text):
		default:
			return frames
		}
	}
	return frames
}
