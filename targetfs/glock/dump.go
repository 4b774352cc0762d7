package glock

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// jiffy is the unit of the dump's hold time: that of a kernel with 250 HZ.
const jiffy = time.Second / 250

// Dump writes the glocks of the node in the format of <debugfs>/gfs2/*/glocks, in the order of type and number. Glocks in UN that nobody
// asks for are not kept, so they are not in it.
func (n *Node) Dump(w io.Writer) error {
	buf := bufio.NewWriter(w)
	all := n.snapshot()
	slices.SortFunc(all, func(a, b glock) int { return a.name.compare(b.name) })
	for i := range all {
		all[i].dump(buf)
	}
	return buf.Flush()
}

// snapshot is a copy of all glocks and holders, so that neither sorting, the writer nor Describe keeps anybody waiting.
func (n *Node) snapshot() []glock {
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	all := make([]glock, 0, len(n.glocks))
	for _, original := range n.glocks {
		gl := *original
		gl.holders = slices.Clone(gl.holders)
		for i, h := range gl.holders {
			h := *h
			gl.holders[i] = &h
		}
		if gl.waitsForOthers() {
			gl.work = &change{h: gl.waiter()}
		}
		if gl.work != nil && gl.work.h == nil {
			gl.due, gl.demote = true, gl.work.to // as long as the demotion is under way
		}
		all = append(all, gl)
	}
	return all
}

// waitsForOthers tells whether the node stands in line for another state. The kernel counts that as a change under way.
func (gl *glock) waitsForOthers() bool {
	l := gl.node.space.lines[gl.name]
	return gl.work == nil && l != nil && gl.wants() != nil && slices.Contains(l.glocks, gl.node.glocks[gl.name])
}

func (gl *glock) dump(w io.Writer) {
	var o Object
	if describe := gl.node.options.Hooks.Describe; describe != nil {
		o = describe(gl.name)
	}
	var since time.Duration
	if gl.due {
		since = time.Since(gl.asked)
	}
	fmt.Fprintf(w, "G:  s:%v n:%v f:%s t:%v d:%v/%d a:%d v:%d r:%d m:%d p:%d\n", gl.state, gl.name, gl.letters(o), gl.target,
		gl.demote, since.Microseconds(), o.AIL, o.Revokes, gl.references(o), gl.node.options.HoldTime/jiffy, o.MetadataPages)
	for _, h := range gl.holders {
		pid, comm := h.task()
		fmt.Fprintf(w, " H: s:%v f:%s e:0 p:%d [%s] %s\n", h.State, h.letters(), pid, comm, h.Caller)
	}
	if o.Line != nil && gl.state != UN {
		fmt.Fprint(w, o.Line)
	}
}

// references counts as the kernel does: every holder has one, the cached lock, the object (of an iopen glock its holder has it), and
// who writes the dump.
func (gl *glock) references(o Object) int {
	count := 1 + len(gl.holders)
	if gl.state != UN {
		count++
	}
	if o.Line != nil && gl.name.Type != Iopen {
		count++
	}
	return count
}

// letters are the flags of the glock, in the order of the kernel's gflags2str.
func (gl *glock) letters(o Object) string {
	c := gl.work
	if c == nil {
		c = &change{h: &Holder{}}
	}
	return spell([]mark{
		{gl.work != nil, 'l'}, {gl.due, 'D'}, {gl.timer != nil, 'd'}, {c.h == nil, 'p'}, {o.Dirty, 'y'}, {o.LogFlush, 'f'},
		{c.drops, 'i'}, {len(gl.holders) > 0, 'q'}, {o.Line != nil, 'o'}, {gl.blocking, 'b'},
		{gl.stale && gl.node.options.Hooks.Instantiate != nil, 'n'}, {gl.reading != nil, 'N'},
	})
}

type mark struct {
	set  bool
	char byte
}

func spell(flags []mark) string {
	var b strings.Builder
	for _, f := range flags {
		if f.set {
			b.WriteByte(f.char)
		}
	}
	return b.String()
}

// letters are the flags of the holder, in the order of the kernel's hflags2str.
func (h *Holder) letters() string {
	var flags []mark
	for _, l := range lettersBefore {
		flags = append(flags, mark{h.has(l.flag), l.char})
	}
	flags = append(flags, mark{h.granted, 'H'}, mark{!h.granted, 'W'})
	for _, l := range lettersAfter {
		flags = append(flags, mark{h.has(l.flag), l.char})
	}
	return spell(flags)
}

// task is what the dump says of the holder's owner.
func (h *Holder) task() (pid int, comm string) {
	if h.has(NoPID) {
		return 0, "(none)"
	}
	return h.Owner.PID, h.Owner.Comm
}
