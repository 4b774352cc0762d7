package glock

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Dump writes the glocks of the node in the format of <debugfs>/gfs2/*/glocks, in the order of type and number. The counters
// of journal buffers, revokes, hold time and pages, which this lock layer doesn't have, are 0.
func (n *Node) Dump(w io.Writer) error {
	buf := bufio.NewWriter(w)
	n.space.mu.Lock()
	for _, name := range slices.SortedFunc(maps.Keys(n.glocks), Name.compare) {
		n.glocks[name].dump(buf)
	}
	n.space.mu.Unlock()
	return buf.Flush()
}

func (gl *Glock) dump(w io.Writer) {
	object := ""
	if describe := gl.node.Hooks.Describe; describe != nil && gl.state != UN {
		object = describe(gl.name)
	}
	refs := 1 + len(gl.holders)
	if object != "" {
		refs++
	}
	fmt.Fprintf(w, "G:  s:%v n:%v f:%s t:%v d:%v/0 a:0 v:0 r:%d m:0 p:0\n",
		gl.state, gl.name, gl.letters(object != ""), gl.target, gl.demoteState(), refs)
	for _, h := range gl.holders {
		fmt.Fprintf(w, " H: s:%v f:%s e:0 p:%d [%s] %s\n", h.State, h.letters(), h.pid(), h.comm(), h.Caller)
	}
	if object != "" {
		fmt.Fprintf(w, " %s\n", object)
	}
}

// demoteState is EX when there is no demote request.
func (gl *Glock) demoteState() State {
	if gl.demote {
		return gl.down
	}
	return EX
}

func (gl *Glock) letters(object bool) string {
	var b strings.Builder
	for _, l := range []struct {
		set  bool
		char byte
	}{
		{gl.busy, 'l'}, {gl.demote, 'D'}, {gl.busy && gl.target != EX, 'p'}, {len(gl.holders) > 0, 'q'}, {object, 'o'}, {gl.state != UN, 'b'},
	} {
		if l.set {
			b.WriteByte(l.char)
		}
	}
	return b.String()
}

func (h *Holder) letters() string {
	state := byte('W')
	if h.granted {
		state = 'H'
	}
	b := append(h.some(lettersBefore), state)
	return string(append(b, h.some(lettersAfter)...))
}

func (h *Holder) some(letters []letter) (b []byte) {
	for _, l := range letters {
		if h.has(l.flag) {
			b = append(b, l.char)
		}
	}
	return b
}

func (h *Holder) pid() int {
	if h.has(NoPID) {
		return 0
	}
	return h.Owner.PID
}

func (h *Holder) comm() string {
	if h.has(NoPID) || h.Owner.PID == 0 {
		return "(none)"
	}
	return h.Owner.Comm
}

// InodeLine is the dump's line for the object of an inode glock.
type InodeLine struct {
	FormalIno, Addr uint64
	Type            uint16 // d_type
	Flags           uint32 // in memory
	DiFlags         uint32
	Size            uint64 // bytes
	Pages           uint64 // cached
}

func (l InodeLine) String() string {
	return fmt.Sprintf("I: n:%d/%d t:%d f:0x%02x d:0x%08x s:%d p:%d", l.FormalIno, l.Addr, l.Type, l.Flags, l.DiFlags, l.Size, l.Pages)
}

// RgrpLine is the dump's line for the object of a resource group glock.
type RgrpLine struct {
	Addr              uint64
	Flags             uint32
	Free, FreeClone   uint32 // free blocks, and those that may be allocated before the next flush
	Dinodes           uint32
	Requested         uint32 // blocks asked for by reservations
	Reserved          uint32
	ExtentFailedAbove uint32
}

func (l RgrpLine) String() string {
	return fmt.Sprintf("R: n:%d f:%02x b:%d/%d i:%d q:%d r:%d e:%d",
		l.Addr, l.Flags, l.Free, l.FreeClone, l.Dinodes, l.Requested, l.Reserved, l.ExtentFailedAbove)
}
