package model

import (
	"fmt"
	"slices"

	"faultline/generators/prog"
)

// A page of a stall shows nobody anything before it is served, so it may be taken for memory that always had the bytes it is served with. What is
// left to say of stalls is who can be stopped, and that somebody lets him go.

// stall is the stall or guard that a step makes.
type stall struct {
	made  int
	guard bool
	pages []ending
}

// ending is how a page is let go.
type ending struct {
	// step ends the page; -1 if none does.
	step int
	// with are the bytes that the page has then.
	with content
	// contested says that another actor may unmap the page before.
	contested bool
}

// stallOf is the stall that a step's first argument names: one of its own address space, or the only one of that name in another.
func (m *model) stallOf(s *prog.Step) *stall {
	name := s.Args[0].(prog.Buf).Ranges[0].Of
	if st := m.stalls[process(s)+"/"+name]; st != nil || !prog.OnStall(s.Op) {
		return st
	}
	for _, key := range sortedKeys(m.stalls) {
		if m.prog.Steps[m.stalls[key].made].Makes == name {
			return m.stalls[key]
		}
	}
	return nil
}

// findStalls looks through the whole program: a page's bytes are those that a later step gives it.
func (m *model) findStalls() error {
	m.stalls = map[string]*stall{}
	for k := range m.prog.Steps {
		switch s := &m.prog.Steps[k]; {
		case prog.Ops[s.Op].Makes == prog.KindStall:
			m.stalls[process(s)+"/"+s.Makes] = m.newStall(k)
		case prog.EndsStall(s.Op):
			if err := m.end(k); err != nil {
				return fmt.Errorf("step %d, %s: %w", k+1, s.Call(), err)
			}
		}
	}
	for _, key := range sortedKeys(m.stalls) {
		st := m.stalls[key]
		if i := slices.IndexFunc(st.pages, func(e ending) bool { return e.step < 0 }); i >= 0 {
			return fmt.Errorf("step %d, %s: nobody lets go who is stopped at page %d", st.made+1, m.prog.Steps[st.made].Call(), i)
		}
	}
	for k := range m.prog.Steps {
		if err := m.freed(k); err != nil {
			return fmt.Errorf("step %d, %s: %w", k+1, m.prog.Steps[k].Call(), err)
		}
	}
	return nil
}

func (m *model) newStall(k int) *stall {
	s := &m.prog.Steps[k]
	st := &stall{made: k, guard: prog.IsGuard(s.Op)}
	var length prog.Size
	var bytes content
	switch s.Op {
	case "guard":
		length, bytes = s.Args[0].(prog.Data).Len(), fromData(s.Args[0].(prog.Data), m.page)
	case "guard_struct":
		length = s.Args[0].(prog.Size)
		bytes = m.withStruct(k, length.In(m.page))
	default:
		length = s.Args[0].(prog.Size)
		bytes = zeros(length.In(m.page))
	}
	for i := range length.Pages {
		st.pages = append(st.pages, ending{step: -1, with: bytes.slice(i*m.page, (i+1)*m.page)})
	}
	return st
}

// withStruct are n zeros with the struct that step k puts at its second argument. The step leaves nothing else, so the value is its first.
func (m *model) withStruct(k int, n int64) content {
	s := &m.prog.Steps[k]
	at, arg := s.Args[1].(prog.Size).In(m.page), s.Args[2].(prog.Value)
	id := k * maxLeft
	m.values[id] = valueOf(s, arg)
	return zeros(n).overlay(at, uniform(prog.Structs[arg.Struct].Size, []source{{kind: valued, id: id}}))
}

// pagesOfRange are the pages of a step's range, of n.
func pagesOfRange(r prog.Range, n, page int64) (from, to int64) {
	if r.Whole {
		return 0, n
	}
	return r.From.In(page) / page, min((r.To.In(page)+page-1)/page, n)
}

// end notes what step k does to the pages of a stall. Each page is let go once; only unmapping may come after.
func (m *model) end(k int) error {
	s := &m.prog.Steps[k]
	st := m.stallOf(s)
	if st == nil {
		return nil
	}
	from, to := pagesOfRange(s.Args[0].(prog.Buf).Ranges[0], int64(len(st.pages)), m.page)
	var data content
	if s.Op == "serve" && len(s.Args) > 1 {
		data = fromData(s.Args[1].(prog.Data), m.page)
	} else if s.Op == "serve_struct" {
		data = m.withStruct(k, int64(len(st.pages))*m.page).slice(from*m.page, to*m.page)
	}
	for i := from; i < to; i++ {
		e := &st.pages[i]
		switch {
		case e.step < 0:
			e.step = k
		case s.Op != "munmap":
			return fmt.Errorf("page %d was let go by step %d", i, e.step+1)
		case m.prog.Steps[e.step].Actor != s.Actor:
			e.contested = true
		}
		if data != nil {
			e.with = data.slice((i-from)*m.page, (i-from+1)*m.page)
		}
	}
	return nil
}

// freed refuses a step that would be stopped for ever: what lets it go would have to be done by its own actor, or comes behind a wait for it.
func (m *model) freed(k int) error {
	s := &m.prog.Steps[k]
	if prog.OnStall(s.Op) || s.Op == "munmap" {
		return nil
	}
	for _, a := range s.Args {
		b, _ := a.(prog.Buf)
		for _, r := range b.Ranges {
			st := m.stalls[process(s)+"/"+r.Of]
			if st == nil || st.guard && onlyReads(s.Op) {
				continue
			}
			from, to := pagesOfRange(r, int64(len(st.pages)), m.page)
			if r.Count > 1 {
				to = int64(len(st.pages))
			}
			for i := from; i < to; i++ {
				if late := st.pages[i].step; late > k && !m.meanwhile(k, late) {
					return fmt.Errorf("it would be stopped at page %d of %s for ever: step %d comes too late", i, r.Of, late+1)
				}
			}
		}
	}
	return nil
}

// meanwhile reports whether a later step can be done while step k is stopped.
func (m *model) meanwhile(k, later int) bool {
	actor := m.prog.Steps[k].Actor
	if actor == "" || m.prog.Steps[later].Actor == actor {
		return false
	}
	return !slices.ContainsFunc(m.prog.Steps[k:later], func(s prog.Step) bool { return s.Op == "wait" && s.Args[0] == prog.Name(actor) })
}

// onlyReads reports whether the operation never writes to its memory.
func onlyReads(op string) bool { return isWrite(op) || op == "load" || op == "check" }

// stallStep makes the memory of a stall or guard.
func (m *model) stallStep(s *prog.Step) (prog.Expect, error) {
	st := m.stalls[process(s)+"/"+s.Makes]
	length := prog.Pages(int64(len(st.pages)))
	a := m.makeArea(s, nil, length)
	for k := range a.pages {
		p := &a.pages[k]
		p.read, p.write = true, true
		p.poisoned = m.prog.Steps[st.pages[k].step].Op == "poison"
		if p.own == nil {
			p.own = st.pages[k].with
		}
	}
	return nil, nil
}

// stalledStep: whether a file system touches the buffer at all, and where first, is its own affair.
func (m *model) stalledStep(s *prog.Step) (prog.Expect, error) {
	st := m.stallOf(s)
	from, to := pagesOfRange(s.Args[0].(prog.Buf).Ranges[0], int64(len(st.pages)), m.page)
	if from >= to {
		return fails("ESRCH"), nil
	}
	return m.counts(from*m.page, (to-1)*m.page, prog.Fails("ESRCH")), nil
}

// endStep is serve, serve_struct, poison and unregister.
func (m *model) endStep(s *prog.Step) (prog.Expect, error) {
	st := m.stallOf(s)
	from, to := pagesOfRange(s.Args[0].(prog.Buf).Ranges[0], int64(len(st.pages)), m.page)
	if slices.ContainsFunc(st.pages[from:to], func(e ending) bool { return e.contested }) {
		return prog.Expect{prog.Anything}, nil
	}
	return nil, nil
}

// whoKnows is for what other actors' locks decide.
func whoKnows(*model, *prog.Step) (prog.Expect, error) { return prog.Expect{prog.Anything}, nil }

func alwaysBusy(*model, *prog.Step) (prog.Expect, error) { return fails("EBUSY"), nil }

// syncfsStep reports what any file's write-back has met.
func (m *model) syncfsStep(*prog.Step) (prog.Expect, error) {
	for _, i := range m.inodes {
		if want := syncResults(i); want != nil {
			return want, nil
		}
	}
	return nil, nil
}
