package model

import (
	"fmt"

	"faultline/generators/prog"
)

func (m *model) mmapStep(s *prog.Step) (prog.Expect, error) {
	fd, flags, prot := m.fd(s), s.Args[1].(prog.Words), s.Args[2].(prog.Words)
	shared := flags.Has("shared")
	if fd.ino.dir {
		return nil, fmt.Errorf("the model does not map directories")
	}
	read, write := prot.Has("r") || prot.Has("rw"), prot.Has("w") || prot.Has("rw")
	if !fd.read || shared && write && !fd.write {
		return fails("EACCES"), nil
	}
	length := s.Args[4].(prog.Size)
	a := m.makeArea(s, fd.ino, length)
	a.off, a.shared, a.born = s.Args[3].(prog.Size).In(m.page), shared, fd.ino.maxSize()
	for k := range a.pages {
		a.pages[k].write = write
		a.pages[k].read = read || write
	}
	if flags.Has("populate") {
		for k := range a.pages {
			m.copyPage(a, int64(k))
		}
	}
	return nil, nil
}

// copyPage notes that populating or locking a page of a private writable mapping may copy it at once (populate_vma_page_range breaks COW).
func (m *model) copyPage(a *area, k int64) {
	if a.ino != nil && !a.shared && m.touch(a, k, true).can {
		m.copyOnWrite(&span{places: []place{{a: a, pg: k, n: m.page}}})
	}
}

// makeArea gives the step's name to a new area. While actors run, the steps are walked through several times: then the area is the one of the first time.
func (m *model) makeArea(s *prog.Step, ino *inode, length prog.Size) *area {
	sc := m.scope(process(s))
	if old := sc.areas[s.Makes]; old != nil && m.sec != nil {
		if m.sec.during != nil {
			old.gone = false
			old.pages = make([]page, len(old.pages))
		}
		return old
	}
	a := m.newArea(ino, length.In(m.page))
	m.lengths[a.id] = length
	sc.areas[s.Makes] = a
	return a
}

func (m *model) anonStep(s *prog.Step) (prog.Expect, error) {
	data := s.Args[0].(prog.Data)
	align := int64(0)
	if len(s.Args) > 1 {
		align = s.Args[1].(prog.Size).In(m.page)
	}
	c := fromData(data, m.page)
	length := data.Len()
	a := m.makeArea(s, nil, length.Plus(prog.Bytes(align)))
	m.lengths[a.id] = length
	a.align = align
	c = join(zeros(align), c)
	for k := range a.pages {
		p := &a.pages[k]
		p.read, p.write = true, true
		if p.own == nil {
			p.own = c.slice(int64(k)*m.page, int64(k+1)*m.page)
		}
	}
	return nil, nil
}

// pageRange is the pages of a memory call's range.
func (m *model) pageRange(s *prog.Step) (a *area, from, to int64) {
	r := s.Args[0].(prog.Buf).Ranges[0]
	a = m.scope(process(s)).areas[r.Of]
	if a == nil {
		return nil, 0, 0
	}
	if r.Whole {
		return a, 0, int64(len(a.pages))
	}
	return a, r.From.In(m.page) / m.page, m.pagesOf(r.To.In(m.page) + a.align)
}

// eachPage calls f for the pages of the step's range that exist, and reports whether all are mapped.
func (m *model) eachPage(s *prog.Step, f func(a *area, k int64, p *page)) (mapped bool) {
	a, from, to := m.pageRange(s)
	mapped = a != nil && to <= int64(len(a.pages))
	if a == nil {
		return false
	}
	for k := from; k < min(to, int64(len(a.pages))); k++ {
		p := &a.pages[k]
		mapped = mapped && !p.unmapped
		if f != nil && !p.unmapped {
			f(a, k, p)
		}
	}
	return mapped
}

// firstHole is the first page of the step's range that is not mapped, or one behind all pages.
func (m *model) firstHole(s *prog.Step) int64 {
	a, from, _ := m.pageRange(s)
	for k := from; k < int64(len(a.pages)); k++ {
		if a.pages[k].unmapped {
			return k
		}
	}
	return int64(len(a.pages))
}

// unsettled marks a page that another actor changes while it may be in use.
func (m *model) unsettled(a *area, p *page) bool {
	if m.sec == nil {
		return false
	}
	weak := m.writes(a, nil)
	if m.sec.during == nil {
		p.shaky = true
	} else if !weak {
		p.shaky = false
	}
	return weak
}

func (m *model) munmapStep(s *prog.Step) (prog.Expect, error) {
	a, from, to := m.pageRange(s)
	m.eachPage(s, func(a *area, _ int64, p *page) {
		if !m.unsettled(a, p) {
			p.unmapped = true
		}
	})
	if m.sec == nil && from == 0 && to >= int64(len(a.pages)) {
		a.gone = true
		delete(m.scope(process(s)).areas, s.Args[0].(prog.Buf).Ranges[0].Of)
	}
	return nil, nil
}

func (m *model) mprotectStep(s *prog.Step) (prog.Expect, error) {
	prot := s.Args[1].(prog.Words)
	read, write := prot.Has("r") || prot.Has("rw") || prot.Has("w"), prot.Has("w") || prot.Has("rw")
	a, _, _ := m.pageRange(s)
	// A shared mapping may be made writable if its descriptor was open for writing when it was mapped.
	if write && a.ino != nil && a.shared && m.readOnly[a.id] {
		return fails("EACCES"), nil
	}
	hole := m.firstHole(s)
	mapped := m.eachPage(s, func(a *area, k int64, p *page) {
		// The pages behind a hole stay as they are.
		if k < hole && !m.unsettled(a, p) {
			p.read, p.write = read, write
		}
	})
	if !mapped {
		return fails("ENOMEM"), nil
	}
	return nil, nil
}

func (m *model) mremapStep(s *prog.Step) (prog.Expect, error) {
	old, _, _ := m.pageRange(s)
	length := s.Args[1].(prog.Size)
	if m.sec != nil {
		return nil, fmt.Errorf("the model cannot follow mremap beside other actors")
	}
	a := m.makeArea(s, old.ino, length)
	a.off, a.shared = old.off, old.shared
	m.readOnly[a.id] = m.readOnly[old.id]
	for k := range a.pages {
		a.pages[k] = page{read: old.pages[0].read, write: old.pages[0].write, locked: old.pages[0].locked}
		if k < len(old.pages) {
			a.pages[k] = old.pages[k]
		}
	}
	old.gone = true
	delete(m.scope(process(s)).areas, s.Args[0].(prog.Buf).Ranges[0].Of)
	return nil, nil
}

func (m *model) madviseStep(s *prog.Step) (prog.Expect, error) {
	advice := s.Args[1].(prog.Words)[0]
	locked, touchable := false, true
	mapped := m.eachPage(s, func(a *area, k int64, p *page) {
		locked = locked || p.locked
		touchable = touchable && m.touch(a, k, advice == "populate_write").sure
		switch advice {
		case "dontneed":
			// A locked page ends the call there.
			m.dropPage(a, p, locked)
		case "populate_write":
			m.copyPage(a, k)
		}
	})
	switch {
	case !mapped:
		return append(fails("ENOMEM"), prog.Fails("EFAULT"), prog.Fails("EINVAL")), nil
	case locked && (advice == "dontneed" || advice == "pageout"):
		return prog.Expect{prog.Succeeds, prog.Fails("EINVAL")}, nil
	case !touchable && (advice == "populate_read" || advice == "populate_write"):
		return prog.Expect{prog.Succeeds, prog.Fails("EFAULT"), prog.Fails("EINVAL"), prog.Fails("ENOMEM"), prog.Fails("EHWPOISON")}, nil
	}
	return nil, nil
}

// dropPage is MADV_DONTNEED: a private copy is gone, anonymous memory is zero again; or perhaps not.
func (m *model) dropPage(a *area, p *page, perhaps bool) {
	if p.own == nil || a.shared {
		return
	}
	weak := m.writes(a, nil) || perhaps
	switch {
	case a.ino == nil && weak:
		p.own = mix(p.own, zeros(m.page))
	case a.ino == nil:
		p.own = zeros(m.page)
	case weak:
		p.perhaps = true
	default:
		p.own = nil
	}
}

func (m *model) mlockStep(s *prog.Step) (prog.Expect, error) {
	sure := true
	mapped := m.eachPage(s, func(a *area, k int64, p *page) {
		p.locked = true
		sure = sure && m.touch(a, k, p.write && !a.shared).sure
		m.copyPage(a, k)
	})
	switch {
	case !mapped:
		return fails("ENOMEM"), nil
	case !sure:
		return prog.Expect{prog.Anything}, nil
	}
	return nil, nil
}

func (m *model) msyncStep(s *prog.Step) (prog.Expect, error) {
	locked := false
	var file *inode
	mapped := m.eachPage(s, func(a *area, _ int64, p *page) {
		locked = locked || p.locked
		if a.shared {
			file = a.ino
		}
	})
	switch flags := s.Args[1].(prog.Words); {
	case flags.Has("sync") && flags.Has("async"):
		return fails("EINVAL"), nil
	case flags.Has("invalidate") && locked:
		return prog.Expect{prog.Succeeds, prog.Fails("EBUSY")}, nil
	case !mapped:
		return fails("ENOMEM"), nil
	}
	return syncResults(file), nil
}

// loadStep and storeStep are accesses of the processor: byte by byte upwards, a signal at the first page that cannot be touched.
func (m *model) loadStep(s *prog.Step) (prog.Expect, error) {
	return m.accessResults(m.lookup(s, s.Args[0].(prog.Buf), false)), nil
}

func (m *model) storeStep(s *prog.Step) (prog.Expect, error) {
	sp := m.lookup(s, s.Args[0].(prog.Buf), true)
	want := m.accessResults(sp)
	m.write(sp.places, fromData(s.Args[1].(prog.Data), m.page).slice(0, sp.can), sp.sure)
	return want, nil
}

func (m *model) accessResults(sp *span) prog.Expect {
	var want prog.Expect
	if sp.can == sp.n {
		want = m.counts(sp.n, sp.n)
	}
	switch {
	case sp.sure == sp.n:
	case m.sec != nil:
		want = append(want, prog.Fails("SIGBUS"), prog.Fails("SIGSEGV"))
	default:
		want = append(want, sp.faults()...)
	}
	return want
}
