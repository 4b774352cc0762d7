package sequence

import (
	"fmt"
	"slices"
	"strings"

	"faultline/generators/prog"
)

// transfer is a read or a write that is being put together.
type transfer struct {
	fd   *fd
	read bool
	// at is the range of the file.
	at extent
	// pieces are the buffer; mapped are the files whose mappings are among them, bad says that it goes bad in the end.
	pieces []string
	mapped []*file
	bad    bool
}

// readOrWrite transfers through one buffer.
func (s *state) readOrWrite() bool { return s.transfer(1) }

// vector transfers through some.
func (s *state) vector() bool { return s.transfer(2 + s.r.IntN(4)) }

func (s *state) transfer(pieces int) bool {
	if len(s.fds) == 0 {
		return false
	}
	t := &transfer{fd: pick(s, s.fds), read: s.one(2)}
	positional := t.fd.direct || s.one(2)
	t.at = s.extent(filePages, t.fd.direct)
	if !positional || t.fd.append && !t.read {
		t.at = s.atPosition(t)
	}
	rest := t.at
	for k := range pieces {
		cut := rest.to
		if k < pieces-1 {
			cut = s.cut(rest, t.fd.direct)
		}
		if cut != rest.from {
			s.piece(t, extent{rest.from, cut})
		}
		rest.from = cut
	}
	if positional && s.one(12) {
		s.spoil(t)
	}
	s.call(t, positional, pieces > 1)
	return true
}

// atPosition is the range that a transfer without offset reaches: at the file position, or at the end of the file. Now and then, and where the
// position has gone far or is not known, it is set before.
func (s *state) atPosition(t *transfer) extent {
	d := t.fd
	n := s.extent(4, d.direct).length()
	if d.append && !t.read {
		if !d.known {
			s.seek(d, prog.Size{})
		}
		if !near(d.of.size) || d.direct && d.of.size.Bytes != 0 || d.of.size.Pages >= filePages-4 {
			s.truncate(d, s.position(filePages-4, d.direct))
		}
		return extent{d.of.size, d.of.size.Plus(n)}
	}
	if !d.known || s.one(2) || d.pos.Pages >= filePages-4 || !near(d.pos) {
		s.seek(d, s.position(filePages-4, d.direct))
	}
	return extent{d.pos, d.pos.Plus(n)}
}

func (s *state) seek(d *fd, to prog.Size) {
	s.Line("lseek(%s, %v, set)", d.name, to)
	d.pos, d.known = to, true
}

// cut is a position within a range, at a page boundary for direct I/O.
func (s *state) cut(e extent, direct bool) prog.Size {
	pages := pagesOf(e.length())
	to := e.from.Plus(s.position(pages, direct))
	if !near(to) || less(e.to, to) {
		return e.from
	}
	return to
}

// piece adds a buffer for a part of the transfer: new anonymous memory or, where there is one that fits, a range of a mapping.
func (s *state) piece(t *transfer, at extent) {
	if !s.one(4) && len(s.maps) > 0 {
		for range 4 {
			if m := pick(s, s.maps); s.fits(t, m, at) {
				return
			}
		}
	}
	data := s.fillOrData(t, at.length())
	if t.fd.direct || s.one(2) {
		t.pieces = append(t.pieces, s.anon(data))
		return
	}
	name := s.fresh("b")
	s.Line("%s = anon(%s, %d)", name, data, 1+s.r.IntN(4095))
	t.pieces = append(t.pieces, name)
}

// fillOrData is what new memory holds: something to write, or for a read half of the time nothing, so that its pages are not there.
func (s *state) fillOrData(t *transfer, n prog.Size) string {
	if t.read && s.one(2) {
		return fmt.Sprintf("hole*%v", n)
	}
	return s.newData(n)
}

// fits adds a range of the mapping if it can serve. The pages of the file that it shows must not be those that are transferred, unless they are exactly
// the same bytes: what overlapping copies do to each other is for other families, where not everything depends on it. The same goes for direct
// reads across the end of a file, which may leave anything behind their count. And a file is in a vector once.
func (s *state) fits(t *transfer, m *mapping, at extent) bool {
	for _, f := range t.mapped {
		if f == m.of {
			return false
		}
	}
	room := prog.Pages(m.usable())
	if t.read && !m.writable || less(room, at.length()) {
		return false
	}
	if t.read && t.fd.direct && less(t.fd.of.size, t.at.to) {
		return false
	}
	from := s.position(m.usable(), t.fd.direct)
	mem := extent{from, from.Plus(at.length())}
	if m.of == t.fd.of && s.one(3) {
		shift := prog.Pages(m.from)
		mem = extent{at.from.Minus(shift), at.to.Minus(shift)}
	}
	if less(mem.from, prog.Size{}) || less(room, mem.to) {
		return false
	}
	if m.of == t.fd.of && m.inFile(mem) != at && touching(m.inFile(mem), t.at) {
		return false
	}
	t.mapped = append(t.mapped, m.of)
	t.pieces = append(t.pieces, m.name+mem.String())
	return true
}

// spoil makes the buffer go bad in the end. A write must then not move the end of the file, for nobody knows where to.
func (s *state) spoil(t *transfer) {
	if !t.read && less(t.fd.of.size, t.at.to) || t.fd.append {
		return
	}
	t.bad = true
}

// call writes the system call and notes what it moves.
func (s *state) call(t *transfer, positional, vector bool) {
	name := map[bool]string{true: "read", false: "write"}[t.read]
	pieces := t.pieces
	if t.bad {
		pieces = append(slices.Clone(pieces), "bad[0:1p]!")
	}
	buf := strings.Join(pieces, ", ")
	if vector || len(pieces) > 1 {
		name, buf = name+"v", "{"+buf+"}"
	}
	if !positional {
		s.Line("%s(%s, %s)", name, t.fd.name, buf)
	} else {
		flags := s.rwFlags(t, vector)
		s.Line("p%s(%s, %s, %v%s)", name+map[bool]string{true: "2"}[flags != ""], t.fd.name, buf, t.at.from, flags)
	}
	s.moved(t, positional)
	if t.read && s.one(2) {
		for _, piece := range t.pieces {
			s.Line("check(%s)", piece)
		}
	}
}

// rwFlags are now and then flags of pwritev2.
func (s *state) rwFlags(t *transfer, vector bool) string {
	if t.read || !vector || !s.one(3) {
		return ""
	}
	return ", " + pick(s, []string{"dsync", "sync", "dsync|sync"})
}

// moved notes file size and position behind a transfer that did everything it was asked for.
func (s *state) moved(t *transfer, positional bool) {
	f := t.fd.of
	end := t.at.to
	if t.read {
		end = larger(t.at.from, smaller(end, f.size))
	} else if !t.bad {
		f.size = larger(f.size, end)
	}
	if !positional {
		t.fd.pos = end
		t.fd.known = !t.fd.direct
	}
}
