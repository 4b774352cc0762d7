package model

import (
	"slices"

	"faultline/generators/prog"
)

// content is a string of bytes, each known as the set of sources it may come from. Contents are values: no function changes its
// arguments, so that a state can be copied by copying the headers.
type content []run

// run is a stretch of n bytes whose sources advance together. The set is sorted and has no duplicates.
type run struct {
	n   int64
	may []source
}

// source is prog.Source with its offset in bytes; holes, unwritten and written zeros are all Zero here.
type source struct {
	kind prog.SourceKind
	id   int
	from int64
}

// valued is the kind of bytes that only values knows: source.id is their key there, source.from their place in what it made. To a
// program they are Any.
const valued = prog.Any + 1

var (
	zeroSet = []source{{kind: prog.Zero}}
	anySet  = []source{{kind: prog.Any}}
)

// maxMay bounds a set: a byte that may be more is taken as unknown.
const maxMay = 8

func zeros(n int64) content { return uniform(n, zeroSet) }

func unknown(n int64) content { return uniform(n, anySet) }

func uniform(n int64, may []source) content {
	if n <= 0 {
		return nil
	}
	return content{{n, may}}
}

// fromData is what a file or buffer laid out with the data reads as.
func fromData(d prog.Data, page int64) content {
	var c content
	for _, r := range d {
		s := r.May[0]
		may := zeroSet
		if s.Kind == prog.Fill && s.ID != 0 || s.Kind == prog.Pattern {
			may = []source{{s.Kind, s.ID, s.From.In(page)}}
		}
		c = join(c, uniform(r.Len.In(page), may))
	}
	return c
}

func (c content) len() int64 {
	n := int64(0)
	for _, r := range c {
		n += r.n
	}
	return n
}

// solid reports whether no byte can be one of a hole.
func (c content) solid() bool {
	return !slices.ContainsFunc(c, func(r run) bool {
		return slices.ContainsFunc(r.may, func(s source) bool { return s.kind == prog.Zero || s.kind == prog.Any })
	})
}

// advance is the set k bytes further on.
func advance(may []source, k int64) []source {
	if k == 0 || !slices.ContainsFunc(may, source.moves) {
		return may
	}
	next := slices.Clone(may)
	for i := range next {
		if next[i].moves() {
			next[i].from += k
		}
	}
	return next
}

// moves reports whether the bytes differ along the source.
func (s source) moves() bool { return s.kind == prog.Pattern || s.kind == valued }

// join lays contents end to end and merges runs that continue each other.
func join(parts ...content) content {
	var all content
	for _, c := range parts {
		for _, r := range c {
			if r.n == 0 {
				continue
			}
			if last := len(all) - 1; last >= 0 && slices.Equal(advance(all[last].may, all[last].n), r.may) {
				all[last].n += r.n
				continue
			}
			all = append(all, r)
		}
	}
	return all
}

// slice is bytes from to to; what lies behind the end is zero.
func (c content) slice(from, to int64) content {
	var part content
	at := int64(0)
	for _, r := range c {
		lo, hi := max(from, at), min(to, at+r.n)
		if lo < hi {
			part = append(part, run{hi - lo, advance(r.may, lo-at)})
		}
		if at += r.n; at >= to {
			break
		}
	}
	if missing := to - max(from, at); missing > 0 {
		part = join(part, zeros(missing))
	}
	return part
}

// overlay replaces the bytes from at on with the new ones.
func (c content) overlay(at int64, with content) content {
	end := at + with.len()
	if end == at {
		return c
	}
	head, tail := c.slice(0, at), content(nil)
	if n := c.len(); n > end {
		tail = c.slice(end, n)
	}
	return join(head, with, tail)
}

// mix is the content whose every byte may be that of a or that of b; both have one length.
func mix(a, b content) content {
	var out content
	var i, k int
	var usedA, usedB int64
	for i < len(a) && k < len(b) {
		n := min(a[i].n-usedA, b[k].n-usedB)
		out = append(out, run{n, union(advance(a[i].may, usedA), advance(b[k].may, usedB))})
		if usedA += n; usedA == a[i].n {
			i, usedA = i+1, 0
		}
		if usedB += n; usedB == b[k].n {
			k, usedB = k+1, 0
		}
	}
	return join(out)
}

func union(a, b []source) []source {
	if slices.Equal(a, b) {
		return a
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, compare)
	all = slices.Compact(all)
	if len(all) > maxMay || slices.Contains(all, anySet[0]) {
		return anySet
	}
	return all
}

func compare(a, b source) int {
	switch {
	case a.kind != b.kind:
		return int(a.kind) - int(b.kind)
	case a.id != b.id:
		return a.id - b.id
	case a.from < b.from:
		return -1
	case a.from > b.from:
		return 1
	}
	return 0
}

func equal(a, b content) bool {
	return slices.EqualFunc(a, b, func(x, y run) bool { return x.n == y.n && slices.Equal(x.may, y.may) })
}

// data writes the content as a program does. Lengths are differences of positions in pages, and the last position is given, so that they
// add up to the total whatever the page size.
func (c content) data(total prog.Size, page int64) prog.Data {
	d := make(prog.Data, 0, len(c))
	var at prog.Size
	pos := int64(0)
	for i, r := range c {
		pos += r.n
		end := prog.SizeOf(pos, page)
		if i == len(c)-1 {
			end = total
		}
		if slices.ContainsFunc(r.may, func(s source) bool { return s.kind == valued }) {
			r.may = anySet
		}
		may := make([]prog.Source, len(r.may))
		for k, s := range r.may {
			may[k] = prog.Source{Kind: s.kind, ID: s.id, From: prog.SizeOf(s.from, page)}
		}
		d = append(d, prog.Run{Len: end.Minus(at), May: may})
		at = end
	}
	return d
}
