// Package entry is the table of the entry points, besides reads and writes, that copy structs, names, lists and offsets between the kernel and memory
// of their caller: what lies in that memory, the steps before, the call, and the steps that look at its result. Families lay it out in the memory that
// they are about: a mapping of a file, a stall. It imports prog.
//
//	c := entry.Find("fiemap")
//	line := entry.In(c.Do, func(from, to int) string { return fmt.Sprintf("m[%d:%d]", from, to) }, c.Room) // ioctl(a, fiemap, m[0:200])
package entry

import (
	"regexp"
	"strconv"
)

// Call is an entry point with what lies in the memory. In its lines a is a descriptor of the file A that the call is about, n memory of
// its own, and $ the memory, of which $[4:8] is a part.
type Call struct {
	// Name is a word, Doc a few words: the call as kernel developers know it.
	Name, Doc string
	// Room is the length of the memory in bytes. It begins with Arg, a struct, or is Text; with neither the kernel reads none of it.
	Room      int
	Arg, Text string
	// Out says that the kernel writes there.
	Out bool
	// Copied says that there is a file C, of which the lines make the descriptor c themselves.
	Copied bool
	// Plain says that nothing is known to be held over the copy, and that few programs are enough.
	Plain bool
	// Handed says that a thread of the kernel may do the copy in the caller's place.
	Handed bool
	// Sure says that the memory must be there: if it is not, a signal ends the process.
	Sure bool
	// From is memory that holds the bytes instead, once the steps Before are done.
	From string
	// Before are steps that are done before the memory is filled, Ready those when it is, Own those that only the thread can do that makes the
	// call. Do makes it, After looks at what it left.
	Before, Ready, Own []string
	Do                 string
	After              []string
	// Request is where an asynchronous request lies whose event has to be fetched after the call: "n" or "$"; "" if there is none.
	Request string
}

// ReadsMemory reports whether the kernel reads something there.
func (c *Call) ReadsMemory() bool { return c.Arg != "" || c.Text != "" || c.From != "" }

// Find is the call of that name, or nil.
func Find(name string) *Call {
	for i := range Calls {
		if Calls[i].Name == name {
			return &Calls[i]
		}
	}
	return nil
}

// Names are those of all calls, in the order of the table.
func Names() []string {
	names := make([]string, len(Calls))
	for i := range Calls {
		names[i] = Calls[i].Name
	}
	return names
}

var memory = regexp.MustCompile(`\$(?:\[(\d+):(\d+)\])?`)

// In is a line whose memory lies where piece says: room bytes, of which it is asked for parts.
func In(line string, piece func(from, to int) string, room int) string {
	return memory.ReplaceAllStringFunc(line, func(found string) string {
		if found == "$" {
			return piece(0, room)
		}
		bounds := memory.FindStringSubmatch(found)
		from, _ := strconv.Atoi(bounds[1]) // the expression admits digits only
		to, _ := strconv.Atoi(bounds[2])
		return piece(from, to)
	})
}

// Events are the steps that fetch and look at the event of a request, whose data is n[100:200].
var Events = []string{"io_getevents(n[200:232])", "look(n[200:232], io_event{})", "check(n[100:200])"}
