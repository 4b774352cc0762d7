package watch

import (
	"fmt"
	"strings"
	"time"
)

// Step is what the caller knows about the step that is overdue.
type Step struct {
	Actor   string        // "t1"
	Text    string        // "pread(d, m[0:1p])"
	Elapsed time.Duration // zero: take it from the Motion
	Buffer  string        // what the step's buffer is: "maps A"; empty if unknown
}

// Explain says in one sentence, without a full stop, what was seen: who, in which step, for how long, on what. It works on any
// Motion, and without a stack (not root) it says less.
func Explain(step Step, m Motion) string {
	elapsed := step.Elapsed
	if elapsed == 0 {
		elapsed = m.Elapsed
	}
	in := fmt.Sprintf("in %s for %s", step.Text, seconds(elapsed))
	switch {
	case m.Kind == Gone:
		return fmt.Sprintf("%s is gone, %s: %s", step.Actor, in, m.Why)
	case m.Kind == Blocked:
		text := fmt.Sprintf("%s is blocked %s: %s%s", step.Actor, in, describe(m.Task, step.Buffer), serversOf(m))
		if m.Although != "" {
			text += ", although " + m.Although
		}
		return text
	case m.Kind == Spinning && m.Server != 0:
		return fmt.Sprintf("%s waits %s while its server, process %d, spins: %s; %s", step.Actor, in, m.Server, m.Why,
			describe(m.Task, step.Buffer))
	case m.Livelock:
		return fmt.Sprintf("%s is in a livelock with sleeps in between, %s: %s%s", step.Actor, in, m.Why, placeOf(m.Common))
	case m.Kind == Spinning:
		return fmt.Sprintf("%s is spinning %s: %s%s", step.Actor, in, m.Why, placeOf(m.Common))
	case m.Exhausted:
		return fmt.Sprintf("%s is still %s, which is a timeout and no proven hang: %s", step.Actor, in, m.Why)
	}
	return fmt.Sprintf("%s is %s: %s", step.Actor, in, m.Why)
}

// describe says how a sleeping thread got to where it sleeps, and for what it waits.
func describe(t Task, buffer string) string {
	var parts []string
	if how := pathWords(t, buffer); how != "" {
		parts = append(parts, how)
	}
	return strings.Join(append(parts, "waiting "+waitWords(t)), ", ")
}

// how a thread came to a page fault.
type how int

const (
	noFault        how = iota
	faultFromUser      // a load or store of the program
	faultInCopy        // a system call copies to or from the caller's memory
	faultInPin         // a system call pins the caller's memory, for direct I/O
	faultInSyscall     // a system call touches user memory in a way that the tables do not know
	faultRemote        // a system call touches another process's memory
)

// faultPath finds the page fault in a stack: its outermost frame there, and how the thread came to it. Functions further
// out have higher indices.
func faultPath(stack []string) (at int, path how) {
	at = -1
	var pinned, copied, inSyscall, isRemote bool
	for i, name := range names(stack) {
		switch lookUp(name).role {
		case fault:
			at, copied = i, false // only what is outside of the fault has caused it
		case pin:
			at, pinned = i, true
		case class:
			copied = true
		case remote:
			isRemote = true
		case entry:
			inSyscall = true
		}
	}
	switch {
	case at < 0:
		return at, noFault
	case isRemote:
		return at, faultRemote
	case pinned:
		return at, faultInPin
	case copied:
		return at, faultInCopy
	case inSyscall:
		return at, faultInSyscall
	}
	return at, faultFromUser
}

func pathWords(t Task, buffer string) string {
	_, path := faultPath(t.KernelStack)
	if buffer != "" {
		buffer = ", which " + buffer
	}
	switch path {
	case faultFromUser:
		return "page fault from user space in its memory" + buffer
	case faultInCopy:
		return "page fault in its own buffer" + buffer
	case faultInPin:
		return "pinning the pages of its own buffer" + buffer
	case faultInSyscall:
		return "page fault under the system call" + buffer
	case faultRemote:
		return "page fault in another process's memory"
	}
	if len(t.KernelStack) == 0 && t.OutsideSyscall() {
		return "outside of any system call, so in a page fault from user space" + buffer
	}
	return ""
}

// waitWords says what a thread sleeps for, and where.
func waitWords(t Task) string {
	all := names(t.KernelStack)
	for i, name := range all {
		if lookUp(name).role == noise {
			continue
		}
		return whatFor(all[i:])
	}
	if t.Wchan != "" && t.Wchan != "0" {
		return whatFor([]string{t.Wchan})
	}
	if why := t.Missing["stack"]; why != "" {
		return "in the kernel (its stack cannot be read: " + why + ")"
	}
	return "in the kernel"
}

// whatFor reads a stack that begins with the function a thread sleeps in, and says what for and where.
func whatFor(stack []string) string {
	what, where := waits(stack)
	if what == "" {
		return "in " + where
	}
	return fmt.Sprintf("for %s in %s", what, where)
}

// waits reads a stack that begins with the function a thread sleeps in. That function names the place, and the outermost
// of an unbroken row of known ones knows best what for: folio_wait_bit_common is a page lock, but under folio_wait_writeback
// it is writeback.
func waits(stack []string) (what, where string) {
	name, known := stack[0], lookUp(stack[0])
	switch known.role {
	case wait:
		return chain(stack, known.words), name
	case lock:
		return lockWords(stack[1:], known.words), name
	}
	return lockOf[name].words, name
}

func chain(rest []string, words string) string {
	for _, name := range rest {
		known := lookUp(name)
		if known.role == wait {
			words = known.words
		}
		if known.role != wait && known.role != noise {
			break
		}
	}
	return words
}

// lockWords asks the first function outside of the primitive which lock it takes; anything further out would be a guess.
func lockWords(callers []string, words string) string {
	for _, name := range callers {
		known, ok := lockOf[name]
		if ok {
			return known.words + " (" + words + ")"
		}
		if r := lookUp(name).role; r != noise && r != lock {
			return words + " of " + name
		}
	}
	return words
}

// placeOf names the innermost place that a running thread did not leave.
func placeOf(common []string) string {
	if signature := Signature(common); signature != "" {
		place, _, _ := strings.Cut(signature, " < ")
		return ", in " + place
	}
	return ""
}

// serversOf adds what the servers of the target do, if they hang as well: a fault or a FUSE request inside a server is the
// far end of a deadlock. A server at rest waits for work and is not worth a word.
func serversOf(m Motion) string {
	var text strings.Builder
	for _, server := range m.Servers {
		if len(server.Tasks) == 0 {
			fmt.Fprintf(&text, "; its server, process %d, is gone", server.PID)
		}
		for _, t := range server.Tasks {
			_, path := faultPath(t.KernelStack)
			if path == noFault && !strings.Contains(Signature(t.KernelStack), "request_wait_answer") {
				continue
			}
			fmt.Fprintf(&text, "; thread %d of its server is in: %s", t.TID, describe(t, ""))
		}
	}
	return text.String()
}
