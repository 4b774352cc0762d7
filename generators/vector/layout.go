package vector

import (
	"fmt"
	"strings"

	"faultline/generators/prog"
)

// layout says where the pieces lie and where the call reads or writes the file.
type layout struct {
	params
	// in is where a piece begins in its slot, size its length, stride the distance of slots.
	in, length, stride prog.Size
	// reach is the length in pages of each piece of memory that pieces are taken from.
	reach prog.Size
	// base is where the memory begins in file A when it is mapped from it: behind what the call reads or writes.
	base prog.Size
	// off is where the call reads or writes.
	off prog.Size
}

// smallestPage is the smallest page of any machine.
const smallestPage = 4096

func newLayout(c params) *layout {
	l := &layout{params: c}
	l.measure()
	l.reach = pagesOf(l.stride.Times(int64(c.pieces)))
	total := l.length.Times(int64(c.pieces)).Plus(prog.Pages(1))
	if !l.appends {
		l.base = pagesOf(total)
	}
	if !l.direct && !l.appends {
		l.off = prog.Bytes(100)
	}
	switch c.memory {
	case "tail-other":
		l.off = prog.Size{}
	case "overlap":
		l.base = prog.Size{}
		l.off = l.reach.Minus(l.length.Times(int64(c.pieces)))
	}
	return l
}

// measure sets the numbers of a size. Pieces lie on pages of their own, except where a thousand of them would be a thousand pages of a file.
func (l *layout) measure() {
	l.stride = prog.Pages(2)
	switch l.size {
	case "byte":
		l.length, l.stride = prog.Bytes(1), prog.Pages(1)
	case "dozen":
		l.length, l.stride = prog.Bytes(12), prog.Pages(1)
	case "block":
		l.length, l.stride = prog.Bytes(512), prog.Pages(1)
	case "page":
		l.length = prog.Pages(1)
	case "straddling":
		l.in, l.length = prog.Bytes(512), prog.Pages(1)
	case "pages":
		l.length, l.stride = prog.Pages(2), prog.Pages(3)
	case "large":
		l.length, l.stride = prog.Pages(512), prog.Pages(512)
	}
	switch {
	case l.many() && l.size == "block":
		l.stride = prog.Bytes(512)
	case l.many() && l.memory != "anon" && l.memory != "untouched":
		l.stride = prog.Bytes(64)
	}
}

// pagesOf is a whole number of pages that a size fits into, on machines with pages of any size.
func pagesOf(s prog.Size) prog.Size {
	return prog.Pages(s.Pages + (s.Bytes+smallestPage-1)/smallestPage)
}

// objects are the names of the memory that pieces are taken from, piece i from the i-th in turn.
func (l *layout) objects() []string {
	switch l.memory {
	case "shared", "shared-warm", "private", "private-warm", "overlap":
		return []string{"m"}
	case "other", "other-private":
		return []string{"o"}
	case "mixed":
		return []string{"b", "m", "q", "o"}
	}
	return []string{"b"}
}

// iov writes the vector.
func (l *layout) iov() string {
	fault := l.faultIndex()
	parts := l.run(0, fault)
	if fault < l.pieces {
		parts = append(parts, l.faultPiece())
		parts = append(parts, l.run(fault+1, l.pieces)...)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// faultIndex is the index of the piece that faults, or the number of pieces.
func (l *layout) faultIndex() int {
	switch l.at {
	case "first":
		return 0
	case "second":
		return 1
	case "middle":
		return l.pieces / 2
	case "last", "inside":
		return l.pieces - 1
	}
	return l.pieces
}

// run writes the good pieces from index i up to k.
func (l *layout) run(i, k int) []string {
	names := l.objects()
	switch {
	case i >= k:
		return nil
	case l.memory == "tail-other":
		return []string{l.repeat("b", i, k-1), l.repeat("o", k-1, k)}
	case len(names) == 1:
		return []string{l.repeat(names[0], i, k)}
	case !l.many():
		parts := make([]string, 0, k-i)
		for ; i < k; i++ {
			parts = append(parts, l.repeat(names[i%len(names)], i, i+1))
		}
		return parts
	}
	parts := make([]string, 0, len(names))
	for n, name := range names {
		if from, to := i+(k-i)*n/len(names), i+(k-i)*(n+1)/len(names); from < to {
			parts = append(parts, l.repeat(name, from, to))
		}
	}
	return parts
}

// repeat writes pieces i to k of one object.
func (l *layout) repeat(name string, i, k int) string {
	from := l.stride.Times(int64(i)).Plus(l.in)
	text := fmt.Sprintf("%s[%v:%v]", name, from, from.Plus(l.length))
	if k-i > 1 {
		text += fmt.Sprintf("*%d@%v", k-i, l.stride)
	}
	return text
}

// faultPiece is the piece that cannot be touched. The memory f has a good page, a bad one, and a good one.
func (l *layout) faultPiece() string {
	n := l.length
	bad := prog.Pages(1)
	switch {
	case l.fault == "unmapped":
		return fmt.Sprintf("bad[0:%v]!", n)
	case l.at != "inside":
		return fmt.Sprintf("f[%v:%v]!", bad, bad.Plus(n))
	}
	half := prog.Bytes(1)
	switch l.size {
	case "block", "straddling":
		half = prog.Bytes(512)
	case "page":
		half = prog.Pages(1)
	}
	return fmt.Sprintf("f[%v:%v]!", bad.Minus(half), bad.Plus(half))
}

// fileData is the content of file A: what is read or overwritten, then what is mapped.
func (l *layout) fileData() string {
	var parts []string
	switch {
	case l.base != prog.Size{}:
		parts = append(parts, fmt.Sprintf("pat1*%v", l.base))
	case l.mode == "append" && !l.mapsA():
		parts = append(parts, "pat1*100")
	case l.direct && (l.size == "block" || l.size == "straddling") && !l.mapsA():
		// The append begins in the middle of a block.
		parts = append(parts, "pat1*512")
	}
	if l.mapsA() {
		parts = append(parts, l.fill(2))
	}
	if len(parts) == 0 {
		return "empty"
	}
	return strings.Join(parts, " + ")
}

// mapsA reports whether pieces are taken from a mapping of file A.
func (l *layout) mapsA() bool {
	return strings.Contains(strings.Join(l.objects(), ""), "m")
}

// fill is what memory holds: a pattern, or one byte repeated where there are many pieces.
func (l *layout) fill(pattern int) string {
	if l.many() {
		return fmt.Sprintf("'%c'*%v", 'l'+pattern, l.reach)
	}
	return fmt.Sprintf("pat%d*%v", pattern, l.reach)
}
