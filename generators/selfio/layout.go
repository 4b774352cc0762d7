package selfio

import (
	"faultline/generators/family"
	"faultline/generators/prog"
)

// layout says where source and destination lie in the file, and what the file is.
type layout struct {
	params
	// from and to are the offsets of source and destination, n is the length of both.
	src, dst, n prog.Size
	// eof is the size of the file.
	eof prog.Size
	// kinds are what the pages of the file hold: "data", "hole" or "unwritten".
	kinds []string
}

// stuffedSize is small enough to fit into the inode on gfs2, btrfs, ext4 and f2fs with inline data.
const stuffedSize = 300

// plan lays out the file for a point, or says why the point means nothing.
func plan(p family.Point) (*layout, string) {
	l := &layout{params: paramsOf(p)}
	if reason := l.refused(); reason != "" {
		return nil, reason
	}
	l.measure()
	switch {
	case l.mode == "append":
		l.layAppend()
	case l.place == "whole":
		l.layWhole()
	case l.from == "stuffed" || l.to == "stuffed":
		l.layStuffed()
	case l.place == "other-page":
		l.layApart()
	default:
		l.layTogether()
	}
	l.fillPages()
	return l, ""
}

// unit are the numbers of a shape: the distance from the page boundary, the length, the shift of an overlap, the pages a range reaches into.
type unit struct {
	in, n, shift prog.Size
	pages        int64
}

// unit depends on the place too: two overlapping ranges of whole pages need two pages each. Direct I/O moves multiples of 512 bytes. Shifts
// are large enough that a byte of an overlap can have come only a few ways, so that what it may be can still be told.
func (l *layout) unit() unit {
	switch l.shape {
	case "aligned":
		if l.overlaps() {
			return unit{n: prog.Pages(2), shift: prog.Pages(1), pages: 2}
		}
		return unit{n: prog.Pages(1), pages: 1}
	case "many-pages":
		return unit{n: prog.Pages(9), shift: prog.Pages(4), pages: 9}
	case "straddling":
		return unit{in: prog.Bytes(512), n: prog.Pages(1), shift: prog.Bytes(1024), pages: 2}
	}
	u := unit{in: prog.Bytes(100), n: prog.Bytes(100), shift: prog.Bytes(40), pages: 1}
	if l.mode == "direct" && l.from != "stuffed" {
		u = unit{in: prog.Bytes(512), n: prog.Bytes(1024), shift: prog.Bytes(512), pages: 1}
	}
	if l.place == "same-page" && l.mode != "append" {
		u.shift = u.n.Times(2)
	}
	return u
}

func (l *layout) measure() {
	u := l.unit()
	l.src, l.dst, l.n = u.in, u.in, u.n
}

// layTogether lays ranges that lie on the same pages: identical, overlapping, or both within one page.
func (l *layout) layTogether() {
	u := l.unit()
	first, last := l.from, l.to
	if l.place == "backwards" {
		l.src = l.src.Plus(u.shift)
		first, last = last, first
	} else {
		l.dst = l.dst.Plus(u.shift)
	}
	end := u.in.Plus(u.shift).Plus(u.n)
	switch {
	case first == "across":
		l.eof = l.cut(u.in.Plus(u.shift))
	case last == "across" && l.place == "same-page":
		l.eof = l.cut(u.in)
	case last == "across" && u.shift.Pages > 0:
		l.eof = end.Minus(u.shift).Plus(prog.Bytes(1000))
	case last == "across":
		l.eof = end.Minus(prog.Bytes(u.shift.Bytes / 2))
	default:
		l.eof = roundUp(end)
	}
}

// cut is the end of the file for a range across it: within the first page of short ranges, exactly at the page boundary of straddling ones, and
// in the fifth page of long ones.
func (l *layout) cut(start prog.Size) prog.Size {
	switch l.shape {
	case "aligned":
		return start.Plus(prog.Bytes(1000))
	case "many-pages":
		return start.Plus(prog.Pages(4)).Plus(prog.Bytes(1000))
	case "straddling":
		return prog.Pages(start.Pages + 1)
	}
	return start.Plus(prog.Bytes(l.n.Bytes / 2))
}

// layApart puts the ranges on pages of their own, with the one that meets the end of the file last; one beyond it leaves a page out.
func (l *layout) layApart() {
	u := l.unit()
	if l.from == "beyond" && l.to == "beyond" {
		l.eof = prog.Pages(1)
		l.dst = prog.Pages(2).Plus(u.in)
		l.src = l.dst.Plus(prog.Pages(u.pages))
		return
	}
	second, kind := &l.src, l.from
	if rank(l.to) > rank(l.from) {
		second, kind = &l.dst, l.to
	}
	*second = prog.Pages(u.pages).Plus(u.in)
	l.eof = prog.Pages(2 * u.pages)
	switch kind {
	case "across":
		l.eof = l.cut(*second)
	case "beyond":
		l.eof = prog.Pages(u.pages)
		if l.from == "across" || l.to == "across" {
			l.eof = l.cut(u.in)
		}
		*second = second.Plus(prog.Pages(1))
	}
}

// rank orders kinds by how far at the end of the file they lie.
func rank(kind string) int {
	switch kind {
	case "across":
		return 1
	case "beyond":
		return 2
	}
	return 0
}

// layWhole takes the whole file for both; across, the last page of the range lies partly behind the end.
func (l *layout) layWhole() {
	l.src, l.dst = prog.Size{}, prog.Size{}
	switch {
	case l.from == "stuffed":
		l.n = prog.Bytes(stuffedSize)
	case l.shape == "aligned":
		l.n = prog.Pages(2)
	case l.shape == "straddling":
		l.n = prog.Pages(1).Plus(prog.Bytes(512))
	}
	l.eof = l.n
	if l.from == "across" {
		l.eof = l.n.Minus(prog.Pages(1)).Plus(prog.Bytes(1000))
	}
}

// layStuffed is a small file. Within one page it is the file of xfstests generic/248: five bytes, the third moves to the fourth.
func (l *layout) layStuffed() {
	l.eof = prog.Bytes(stuffedSize)
	switch {
	case l.shape == "aligned":
		l.src, l.dst, l.n = prog.Size{}, prog.Size{}, prog.Pages(1)
	case l.place == "same-page":
		l.src, l.dst, l.n, l.eof = prog.Bytes(2), prog.Bytes(3), prog.Bytes(1), prog.Bytes(5)
	case l.place == "forwards":
		l.dst = l.dst.Plus(prog.Bytes(40))
	case l.place == "backwards":
		l.src = l.src.Plus(prog.Bytes(40))
	}
	if l.from == "beyond" {
		l.src = l.src.Plus(prog.Pages(1))
	}
	if l.to == "beyond" {
		l.dst = l.dst.Plus(prog.Pages(1))
	}
}

// layAppend lets the file end behind the source (in the same page or at a page boundary), within it, or takes all of it for the source.
func (l *layout) layAppend() {
	u := l.unit()
	switch {
	case l.place == "whole":
		l.layWhole()
	case l.place == "forwards" && l.from == "stuffed":
		l.src, l.eof = prog.Bytes(stuffedSize-50), prog.Bytes(stuffedSize)
	case l.from == "stuffed":
		l.eof = prog.Bytes(stuffedSize)
	case l.place == "forwards":
		l.eof = l.cut(l.src)
	case l.place == "same-page":
		l.eof = u.in.Plus(u.n)
	default:
		l.eof = prog.Pages(u.pages)
	}
	if l.from == "beyond" {
		l.src = l.eof.Plus(prog.Pages(1)).Plus(u.in)
	}
	l.dst = l.eof
}

// fillPages gives the pages of source and destination what they are; all others hold data.
func (l *layout) fillPages() {
	l.kinds = make([]string, roundUp(l.eof).Pages)
	l.fill(l.dst, l.to)
	l.fill(l.src, l.from)
	for i, kind := range l.kinds {
		if kind != "hole" && kind != "unwritten" {
			l.kinds[i] = "data"
		}
	}
}

func (l *layout) fill(at prog.Size, kind string) {
	for i := at.Pages; i < min(roundUp(at.Plus(l.n)).Pages, int64(len(l.kinds))); i++ {
		l.kinds[i] = kind
	}
}

// roundUp is the next page boundary. The sizes of this family have fewer bytes than a page beside their pages.
func roundUp(s prog.Size) prog.Size {
	if s.Bytes > 0 {
		return prog.Pages(s.Pages + 1)
	}
	return s
}

// data is the file's content: pattern 1, each byte at its own offset, with holes and unwritten extents.
func (l *layout) data() prog.Data {
	var d prog.Data
	for i := 0; i < len(l.kinds); {
		k := i
		for k < len(l.kinds) && l.kinds[k] == l.kinds[i] {
			k++
		}
		from, to := prog.Pages(int64(i)), prog.Pages(int64(k))
		if k == len(l.kinds) {
			to = l.eof
		}
		d = append(d, run(l.kinds[i], from, to))
		i = k
	}
	return d
}

func run(kind string, from, to prog.Size) prog.Run {
	s := prog.Source{Kind: prog.Pattern, ID: 1, From: from}
	switch kind {
	case "hole":
		s = prog.Source{Kind: prog.Hole}
	case "unwritten":
		s = prog.Source{Kind: prog.Unwritten}
	}
	return prog.Run{Len: to.Minus(from), May: []prog.Source{s}}
}

// buffer is where the user buffer starts in the mapping, target where the call reads or writes the file.
func (l *layout) buffer() prog.Size {
	if l.reads {
		return l.dst
	}
	return l.src
}

func (l *layout) target() prog.Size {
	if l.reads {
		return l.src
	}
	return l.dst
}

// reach is the length of the mapping: up to the last page of file, source and destination.
func (l *layout) reach() prog.Size {
	last := roundUp(l.eof)
	for _, end := range []prog.Size{roundUp(l.src.Plus(l.n)), roundUp(l.dst.Plus(l.n))} {
		if last.AtMost(end) {
			last = end
		}
	}
	return last
}
