package model

import (
	"fmt"

	"faultline/generators/prog"
)

// section is a stretch of steps of which some run at the same time. It is walked through twice. First weakly, again and again, every write adding to
// what a byte may be, until nothing is added: that is all that can be seen at any moment. Then once more: what only the running actor
// writes, and what nobody does, follows its steps exactly; what others write is as it may be seen at any moment. The second walk gives the
// expectations and what is left behind.
type section struct {
	actor string
	// from and end are its first step and the one behind its last.
	from, end int
	// writers are the actors that write each file and each area.
	writers map[object]map[string]bool
	// read is what calls have read as their arguments in the first walk, by step and by how many the step had read before.
	read map[[2]int]content
	// during is what can be seen at any moment; nil in the first walk.
	during *state
}

// object is a file or an area by its number.
type object struct {
	area bool
	id   int
}

// sectionEnd is the index behind the last step that runs beside others when step k is an actor's; otherwise k.
func sectionEnd(steps []prog.Step, k int) int {
	if steps[k].Actor == "" {
		return k
	}
	running := map[string]bool{}
	for ; k < len(steps); k++ {
		switch s := &steps[k]; {
		case s.Actor != "":
			running[s.Actor] = true
		case s.Op == "wait":
			delete(running, string(s.Args[0].(prog.Name)))
		}
		if len(running) == 0 {
			return k + 1
		}
	}
	return k
}

// settling reports whether this is the first of the two walks, in which a struct may already hold the answer to the very question in it.
func (m *model) settling() bool { return m.sec != nil && m.sec.during == nil }

// writes notes that the running actor writes the object, and reports whether the write may be undone or overtaken by another actor.
func (m *model) writes(a *area, i *inode) (weak bool) {
	if m.sec == nil {
		return false
	}
	o := object{}
	if a != nil {
		o = object{true, a.id}
	} else {
		o.id = i.id
	}
	if m.sec.during != nil {
		return !m.sec.only(o)
	}
	if m.sec.writers[o] == nil {
		m.sec.writers[o] = map[string]bool{}
	}
	m.sec.writers[o][m.sec.actor] = true
	return true
}

// only reports whether nobody but the running actor writes the object.
func (s *section) only(o object) bool {
	w := s.writers[o]
	return len(w) == 0 || len(w) == 1 && w[s.actor]
}

// view is a file as the running actor may see it.
func (m *model) view(i *inode) *inode {
	if m.sec == nil || m.sec.during == nil || m.sec.only(object{id: i.id}) {
		return i
	}
	return m.sec.during.inodes[i.id]
}

// viewArea is a mapping or buffer as the running actor may see it.
func (m *model) viewArea(a *area) *area {
	if m.sec == nil || m.sec.during == nil || m.sec.only(object{true, a.id}) {
		return a
	}
	return m.sec.during.areas[a.id]
}

// section walks through the concurrent steps from to end.
func (m *model) section(from, end int) error {
	if err := m.positions(from, end); err != nil {
		return err
	}
	before := m.state.clone()
	m.sec = &section{from: from, end: end, writers: map[object]map[string]bool{}, read: map[[2]int]content{}}
	const rounds = 12
	for round := 0; ; round++ {
		seen := m.state.clone()
		m.rewind(before)
		if err := m.walk(from, end); err != nil {
			return err
		}
		if m.state.same(seen) {
			break
		}
		if round == rounds {
			return fmt.Errorf("the concurrent steps %d to %d do not settle", from+1, end)
		}
	}
	m.sec.during = m.state
	m.state = m.state.clone()
	m.restart(before)
	m.rewind(before)
	if err := m.walk(from, end); err != nil {
		return err
	}
	m.sec = nil
	m.bury(from, end)
	return nil
}

func (m *model) walk(from, end int) error {
	for k := from; k < end; k++ {
		m.sec.actor = m.prog.Steps[k].Actor
		if err := m.step(k); err != nil {
			return err
		}
	}
	return nil
}

// positions refuses a file position that several actors move.
func (m *model) positions(from, end int) error {
	user := map[string]string{}
	for k := from; k < end; k++ {
		s := &m.prog.Steps[k]
		if !movesPosition(s) {
			continue
		}
		key := process(s) + "/" + string(s.Args[0].(prog.Name))
		if other, used := user[key]; used && other != s.Actor {
			return fmt.Errorf("step %d, %s: two actors move one file position", k+1, s.Call())
		}
		user[key] = s.Actor
	}
	return nil
}

// movesPosition reports whether the step uses the position of its descriptor.
func movesPosition(s *prog.Step) bool {
	switch s.Op {
	case "read", "write", "readv", "writev", "lseek", "sendfile":
		return true
	case "preadv2", "pwritev2":
		return s.Args[2].(prog.Size) == prog.Bytes(-1)
	}
	return false
}

// rewind sets the file positions, and what is in pipes, back to before the section.
func (m *model) rewind(before *state) {
	for _, i := range before.inodes {
		m.inodes[i.id].pipe = i.pipe
	}
	for process, sc := range before.scopes {
		for name, fd := range sc.fds {
			if now := m.scopes[process].fds[name]; now != nil {
				now.pos, now.lost = fd.pos, fd.lost
			}
		}
	}
}

// restart gives the objects that one actor alone writes the bytes they had before the section.
func (m *model) restart(before *state) {
	for o, writers := range m.sec.writers {
		if len(writers) != 1 {
			continue
		}
		if o.area {
			if o.id < len(before.areas) {
				m.areas[o.id].pages = append([]page(nil), before.areas[o.id].pages...)
			}
			continue
		}
		i := m.inodes[o.id]
		i.data, i.sizes, i.between = nil, []int64{0}, false
		if o.id < len(before.inodes) {
			b := before.inodes[o.id]
			i.data, i.sizes, i.between = b.data, b.sizes, b.between
		}
	}
}

// bury ends the names that were unmapped while other actors ran.
func (m *model) bury(from, end int) {
	for k := from; k < end; k++ {
		if s := &m.prog.Steps[k]; s.Op == "munmap" && !m.missing(s) {
			if a, lo, hi := m.pageRange(s); lo == 0 && hi >= int64(len(a.pages)) {
				a.gone = true
				delete(m.scope(process(s)).areas, s.Args[0].(prog.Buf).Ranges[0].Of)
			}
		}
	}
}

// same reports whether two states of one walk show the same bytes and sizes.
func (s *state) same(t *state) bool {
	if len(s.inodes) != len(t.inodes) || len(s.areas) != len(t.areas) {
		return false
	}
	for k, i := range s.inodes {
		j := t.inodes[k]
		if i.between != j.between || !equalSizes(i.sizes, j.sizes) || !equal(i.data, j.data) {
			return false
		}
	}
	for k, a := range s.areas {
		for n := range a.pages {
			p, q := &a.pages[n], &t.areas[k].pages[n]
			if p.shaky != q.shaky || p.perhaps != q.perhaps || (p.own == nil) != (q.own == nil) || !equal(p.own, q.own) {
				return false
			}
		}
	}
	return true
}

func equalSizes(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
