package model

import (
	"slices"

	"faultline/generators/prog"
)

// place is a stretch of bytes that a copy reads or writes: within one page of an area, or in a file.
type place struct {
	a   *area
	pg  int64
	ino *inode
	// off is in bytes from the start of the page or of the file.
	off, n int64
}

// access says what happens when a page is touched.
type access struct {
	// sure: the touch succeeds; can: it may succeed. Neither: it fails with the signal.
	sure, can bool
	signal    string
}

// touch says whether a page of an area can be read or written. Pages wholly behind the end of the file fail with SIGBUS (mmap(2)).
func (m *model) touch(a *area, pg int64, write bool) access {
	a = m.viewArea(a)
	if pg < 0 || pg >= int64(len(a.pages)) || a.pages[pg].unmapped {
		return access{signal: "SIGSEGV"}
	}
	p := &a.pages[pg]
	barred := write && !p.write || !write && !p.read
	if barred && (!m.forcing || write && a.shared) {
		return access{signal: "SIGSEGV"}
	}
	if p.poisoned {
		return access{signal: "SIGBUS"}
	}
	acc := access{sure: !barred, can: true, signal: "SIGBUS"}
	if a.ino != nil && (p.own == nil || p.perhaps) {
		at := a.off + pg*m.page
		i := m.view(a.ino)
		acc.sure = !barred && at < i.minSize()
		acc.can = at < i.maxSize() || p.own != nil
	}
	if p.shaky {
		acc.sure, acc.signal = false, "SIGSEGV"
	}
	return acc
}

// span is a buffer looked up: its places in order as far as they may be touched, and how far that surely and perhaps is.
type span struct {
	places    []place
	n         int64
	sure, can int64
	// signals are what a processor's access may get at the first byte that fails.
	signals []string
	// unaligned is the largest power of two up to a page that all addresses and lengths are a multiple of.
	align int64
}

// lookup resolves a buffer for reading or writing.
func (m *model) lookup(st *prog.Step, b prog.Buf, write bool) *span {
	sp := &span{align: m.page}
	open, certain := true, true
	b.Each(func(r prog.Range) {
		a := m.scope(process(st)).areas[r.Of]
		lo, hi := r.From.In(m.page), r.To.In(m.page)
		if r.Whole && a != nil {
			hi = m.lengths[a.id].In(m.page)
		}
		n := hi - lo
		sp.n += n
		sp.aligned(n)
		if a == nil {
			if open && n > 0 {
				open, certain, sp.signals = false, false, append(sp.signals, "SIGSEGV")
			}
			return
		}
		sp.aligned(a.align + lo)
		for at := a.align + lo; at < a.align+hi && open; {
			pg := at / m.page
			piece := min((pg+1)*m.page, a.align+hi) - at
			acc := m.touch(a, pg, write)
			if !acc.sure {
				certain, sp.signals = false, append(sp.signals, acc.signal)
			}
			if open = acc.can; !open {
				break
			}
			sp.places = append(sp.places, place{a: a, pg: pg, off: at % m.page, n: piece})
			sp.can += piece
			if certain {
				sp.sure += piece
			}
			at += piece
		}
	})
	return sp
}

// faults are the signals as outcomes.
func (sp *span) faults() prog.Expect {
	var want prog.Expect
	for _, signal := range sp.signals {
		want = append(want, prog.Fails(signal))
	}
	return tidy(want)
}

func (sp *span) aligned(n int64) {
	for sp.align > 1 && n%sp.align != 0 {
		sp.align /= 2
	}
}

// readPlace is what the bytes of a place are.
func (m *model) readPlace(p place) content {
	if p.a == nil {
		return m.view(p.ino).data.slice(p.off, p.off+p.n)
	}
	return m.readPage(m.viewArea(p.a), p.pg).slice(p.off, p.off+p.n)
}

// readPage is what a page shows.
func (m *model) readPage(a *area, pg int64) content {
	p := &a.pages[pg]
	if p.own != nil && !p.perhaps {
		return p.own
	}
	below := zeros(m.page)
	if a.ino != nil {
		at := a.off + pg*m.page
		below = m.view(a.ino).data.slice(at, at+m.page)
	}
	if p.own == nil {
		return below
	}
	return mix(p.own, below)
}

// writePlace puts bytes into a place; with perhaps, each byte may also stay what it was.
func (m *model) writePlace(p place, with content, perhaps bool) {
	perhaps = perhaps || m.doubt
	m.mutations++
	if p.a == nil {
		m.writeFile(p.ino, p.off, with, perhaps)
		return
	}
	if p.a.shared {
		m.writeShared(p, with, perhaps)
		return
	}
	weak := m.writes(p.a, nil) || perhaps
	pg := &p.a.pages[p.pg]
	before := m.readPage(p.a, p.pg)
	if weak {
		with = mix(with, before.slice(p.off, p.off+p.n))
	}
	pg.perhaps = weak && (pg.own == nil || pg.perhaps)
	pg.own = before.overlay(p.off, with)
}

// writeFile puts bytes into a file within its size.
func (m *model) writeFile(i *inode, at int64, with content, perhaps bool) {
	m.mutations++
	if m.writes(nil, i) || perhaps {
		with = mix(with, i.data.slice(at, at+with.len()))
	}
	i.data = i.data.overlay(at, with)
}

// writeShared is a store to a page of the file. What is stored behind the end of the file stays in the page until it is dropped, at any time.
func (m *model) writeShared(p place, with content, perhaps bool) {
	i := p.a.ino
	i.mapped = true
	at := p.a.off + p.pg*m.page + p.off
	inside := max(0, min(m.view(i).minSize()-at, p.n))
	if inside > 0 {
		if at+inside > p.a.born {
			m.prog.Need("mapped-store-keeps")
		}
		m.writeFile(i, at, with.slice(0, inside), perhaps)
	}
	if inside < p.n {
		m.writeFile(i, at+inside, with.slice(inside, p.n), true)
	}
}

// copyOnWrite notes that the pages of a private mapping may have been copied without a byte of theirs being changed, as when the kernel
// faults in a buffer it then does not fill.
func (m *model) copyOnWrite(sp *span) {
	for _, p := range sp.places {
		if p.a.ino == nil || p.a.shared {
			continue
		}
		// A copy that may be gone may be made anew, of what the file holds now.
		if pg := &p.a.pages[p.pg]; pg.own == nil || pg.perhaps {
			pg.own, pg.perhaps = m.readPage(p.a, p.pg), true
		}
	}
}

// read is what the first n bytes of the places are.
func (m *model) read(places []place, n int64) content {
	var c content
	for _, p := range places {
		if n <= 0 {
			break
		}
		p.n = min(p.n, n)
		c = append(c, m.readPlace(p)...)
		n -= p.n
	}
	return join(c)
}

// write puts bytes into the places in order: the first sure ones certainly, the others perhaps.
func (m *model) write(places []place, with content, sure int64) {
	at, n := int64(0), with.len()
	for _, p := range places {
		for done := int64(0); done < p.n && at < n; {
			piece := min(p.n-done, n-at)
			if at < sure {
				piece = min(piece, sure-at)
			}
			q := p
			q.off, q.n = p.off+done, piece
			m.writePlace(q, with.slice(at, at+piece), at >= sure)
			at, done = at+piece, done+piece
		}
	}
}

// transfer copies what was read from src to dst, the first sure bytes certainly. Where source and destination are the same bytes of one file, every
// destination byte may be what its source was at any moment of the copy (the closure rule): the copy is repeated on its own result, each write
// adding to what a byte may be, until nothing new appears.
func (m *model) transfer(dst, src []place, moved content, sure int64) {
	aliased := aliases(dst, src)
	if len(aliased) == 0 {
		m.write(dst, moved, sure)
		return
	}
	before := make([]content, len(aliased))
	for k, i := range aliased {
		before[k] = i.data
	}
	const rounds = 6
	n := moved.len()
	for round := 0; ; round++ {
		m.write(dst, moved, 0)
		again := mix(moved, m.read(src, n))
		for k, i := range aliased {
			i.data = before[k]
		}
		if equal(again, moved) {
			break
		}
		switch moved = again; round {
		case rounds:
			moved = giveUp(moved)
		case 2 * rounds:
			moved = unknown(n)
		}
	}
	m.write(dst, moved, sure)
}

// giveUp takes everything behind the first byte that may be several things as unknown: each chain of copies ends up there in time, but a chain
// may have as many links as there are bytes.
func giveUp(c content) content {
	first := slices.IndexFunc(c, func(r run) bool { return len(r.may) > 1 || r.may[0].kind == prog.Any })
	if first < 0 {
		return c
	}
	return join(c[:first], unknown(c[first:].len()))
}

// aliases lists the files whose bytes both lists reach.
func aliases(dst, src []place) []*inode {
	var list []*inode
	for _, d := range dst {
		i := d.file()
		if d.a != nil && !d.a.shared || i == nil {
			continue
		}
		for _, s := range src {
			if s.file() == i && !slices.Contains(list, i) {
				list = append(list, i)
			}
		}
	}
	return list
}

func (p place) file() *inode {
	if p.a != nil {
		return p.a.ino
	}
	return p.ino
}

// shared are the places of a span that are the file's own pages.
func (sp *span) shared() *span {
	only := &span{}
	for _, p := range sp.places {
		if p.a.shared {
			only.places = append(only.places, p)
		}
	}
	return only
}

// overlap reports whether memory of the span shows bytes [from, to) of the file.
func (m *model) overlap(sp *span, i *inode, from, to int64) bool {
	for _, p := range sp.places {
		if p.a.ino == i && p.a.off+p.pg*m.page < (to+m.page-1)/m.page*m.page && from/m.page*m.page < p.a.off+(p.pg+1)*m.page {
			return true
		}
	}
	return false
}

// chases reports whether a read of the file at from is to fill, through a shared mapping, a page that it has still to read then.
func (m *model) chases(sp *span, i *inode, from int64) bool {
	end := from + sp.n
	for _, p := range sp.places {
		if m.overlap(&span{places: []place{p}}, i, from, end) && p.a.shared {
			return true
		}
		from += p.n
	}
	return false
}
