package model

import (
	"errors"
	"fmt"

	"faultline/generators/prog"
)

// Pipes do not block here: an empty one answers EAGAIN. What vmsplice and splice put in are pages, not bytes: when the memory or the file is
// written afterwards nothing is known of them. After anything that may end short the pipe's length is not known.

// queue is what a pipe holds.
type queue struct {
	data content
	// sure is how many of the bytes are surely there; lost says that nothing is known any more.
	sure int64
	lost bool
	// slots bounds how many of the pipe's buffers are taken.
	slots int64
	// pinned are the pages that were put in.
	pinned []place
	// mark is the count of writes when pages were put in, or -1.
	mark int
}

// maxSlots is less than the 16 buffers that a pipe has (pipe(7)).
const maxSlots = 14

// pipeOps are the operations that take a pipe.
var pipeOps = map[string]bool{
	"close": true, "read": true, "write": true, "readv": true, "writev": true, "vmsplice": true, "tee": true, "splice_from": true, "splice_to": true,
}

// piped refuses operations on a pipe that the model does not follow.
func (m *model) piped(s *prog.Step) error {
	for k, p := range prog.Ops[s.Op].Params {
		if p.Kind == prog.KindFD && k < len(s.Args) && m.fdAt(s, k).ino.pipe != nil && !pipeOps[s.Op] {
			return fmt.Errorf("the model does not do this to a pipe")
		}
	}
	return nil
}

func (m *model) pipeStep(s *prog.Step) (prog.Expect, error) {
	i := m.newInode()
	i.pipe = &queue{mark: -1}
	m.scope(process(s)).fds[s.Makes] = &descriptor{ino: i, read: true, write: true}
	return nil, nil
}

// queueOf is the pipe of an argument, as a copy that may be changed. Nothing is known of a pipe that several actors use.
func (m *model) queueOf(s *prog.Step, k int) (*queue, error) {
	i := m.fdAt(s, k).ino
	if i.pipe == nil {
		return nil, errors.New("the model wants a pipe here")
	}
	q := *i.pipe
	i.pipe = &q
	q.lost = q.lost || m.disputed(i)
	if q.mark >= 0 && q.mark != m.mutations {
		q.data, q.mark = unknown(q.data.len()), m.mutations
	}
	return &q, nil
}

// disputed reports whether another actor than the running one uses the pipe while both run.
func (m *model) disputed(i *inode) bool {
	if m.sec == nil {
		return false
	}
	for k := m.sec.from; k < m.sec.end; k++ {
		s := &m.prog.Steps[k]
		for n, p := range prog.Ops[s.Op].Params {
			if p.Kind != prog.KindFD || n >= len(s.Args) || s.Actor == m.sec.actor {
				continue
			}
			if fd := m.scope(process(s)).fds[string(s.Args[n].(prog.Name))]; fd != nil && fd.ino == i {
				return true
			}
		}
	}
	return false
}

// put appends bytes of which the first sure ones are surely there.
func (q *queue) put(data content, sure, slots int64) error {
	if q.slots += slots; q.slots > maxSlots {
		return fmt.Errorf("the model does not fill a pipe: up to %d of its buffers", maxSlots)
	}
	if q.sure == q.data.len() {
		q.sure += sure
	}
	q.data = join(q.data, data)
	return nil
}

// take removes the first n bytes.
func (q *queue) take(n int64) {
	q.data = q.data.slice(n, q.data.len())
	if q.sure -= n; q.data.len() == 0 {
		q.slots, q.mark, q.pinned = 0, -1, nil
	}
}

// onto reports whether some of the places lie on pages that are in the pipe: a copy onto itself may leave anything.
func (m *model) onto(q *queue, places []place) bool {
	for _, d := range places {
		for _, p := range q.pinned {
			same := p.a != nil && p.a == d.a && p.pg == d.pg
			if i := p.file(); same || i != nil && i == d.file() && (d.a == nil || d.a.shared) && m.pagesMeet(p, d) {
				return true
			}
		}
	}
	return false
}

// pagesMeet reports whether two stretches of one file have a page in common.
func (m *model) pagesMeet(p, d place) bool {
	from, to := m.inFile(p)
	from2, to2 := m.inFile(d)
	return from/m.page <= (to2-1)/m.page && from2/m.page <= (to-1)/m.page
}

// inFile is where a stretch begins and ends in its file.
func (m *model) inFile(p place) (from, to int64) {
	if p.a != nil {
		p.off += p.a.off + p.pg*m.page
	}
	return p.off, p.off + p.n
}

// pipeWrite is write, writev and vmsplice.
func (m *model) pipeWrite(s *prog.Step) (prog.Expect, error) {
	q, err := m.queueOf(s, 0)
	if err != nil {
		return nil, err
	}
	b := s.Args[1].(prog.Buf)
	if (&transferCall{buf: b}).tooMany() {
		return nil, errors.New("the model does not write that many pieces to a pipe")
	}
	sp := m.lookup(s, b, false)
	switch {
	case q.lost:
		return prog.Expect{prog.Anything}, nil
	case sp.n == 0:
		return m.counts(0, 0), nil
	case sp.can == 0:
		return fails("EFAULT"), nil
	case sp.sure < sp.n:
		q.lost = true
		return append(m.counts(1, sp.can), prog.Fails("EFAULT")), nil
	}
	if s.Op == "vmsplice" {
		q.mark, q.pinned = m.mutations, append(q.pinned, sp.places...)
	}
	return m.counts(sp.n, sp.n), q.put(m.read(sp.places, sp.n), sp.n, int64(len(sp.places))+1)
}

// pipeRead is read and readv. A buffer of the pipe that cannot be copied whole stays where it is.
func (m *model) pipeRead(s *prog.Step) (prog.Expect, error) {
	q, err := m.queueOf(s, 0)
	if err != nil {
		return nil, err
	}
	sp := m.lookup(s, s.Args[1].(prog.Buf), true)
	n := min(sp.n, q.data.len())
	if q.lost {
		m.copyOnWrite(sp)
		m.leave(sp.places, sp.can, nil)
		return prog.Expect{prog.Anything}, nil
	}
	switch {
	case sp.n == 0:
		return m.counts(0, 0), nil
	case q.data.len() == 0:
		return fails("EAGAIN"), nil
	}
	sure, moved := min(sp.n, q.sure), q.data.slice(0, min(n, sp.can))
	if m.onto(q, sp.places) {
		moved = unknown(moved.len())
	}
	m.copyOnWrite(sp)
	switch {
	case sp.sure < n:
		q.lost = true
		m.write(sp.places, moved, 0)
		if sp.can == 0 {
			return fails("EFAULT"), nil
		}
		return append(m.counts(1, min(n, sp.can)), prog.Fails("EFAULT")), nil
	case sure < n:
		q.lost = true
	}
	m.write(sp.places, moved, max(sure, 0))
	q.take(n)
	return m.counts(max(min(sure, n), 1), n), nil
}

// teeStep copies what is in one pipe to another.
func (m *model) teeStep(s *prog.Step) (prog.Expect, error) {
	from, err := m.queueOf(s, 0)
	if err != nil {
		return nil, err
	}
	to, err := m.queueOf(s, 1)
	if err != nil {
		return nil, err
	}
	n := min(s.Args[2].(prog.Size).In(m.page), from.data.len())
	switch {
	case m.fd(s).ino == m.fdAt(s, 1).ino || n < 0 || s.Args[2].(prog.Size) == prog.Size{}:
		return nil, errors.New("the model copies some bytes from one pipe to another")
	case from.lost || to.lost || from.sure < from.data.len():
		to.lost = true
		return prog.Expect{prog.Anything}, nil
	case n == 0:
		return fails("EAGAIN"), nil
	}
	to.mark, to.pinned = max(to.mark, from.mark), append(to.pinned, from.pinned...)
	return m.counts(n, n), to.put(from.data.slice(0, n), n, from.slots)
}

// spliceFromStep: splice(2) from a file, at an offset in memory, to a pipe. It may move less than it could.
func (m *model) spliceFromStep(s *prog.Step) (prog.Expect, error) {
	src, n := m.fd(s), s.Args[3].(prog.Size).In(m.page)
	q, err := m.queueOf(s, 2)
	if err != nil {
		return nil, err
	}
	from, bad, err := m.offsetAt(s, 1)
	if bad != nil || err != nil {
		return bad, err
	}
	i := src.ino
	hi := clamp(m.view(i).maxSize()-from.at, n)
	switch {
	case !src.read || src.direct || i.dir || i.pipe != nil || !m.view(i).known() || q.lost || hi == 0:
		return nil, errors.New("the model moves some bytes, of a file whose size is known, to a pipe of which it knows what is in it")
	}
	if err := q.put(m.view(i).data.slice(from.at, from.at+hi), 1, m.pagesOf(hi)+1); err != nil {
		return nil, err
	}
	want := m.copied(hi, from)
	q.mark, q.pinned = m.mutations, append(q.pinned, place{ino: i, off: from.at, n: hi})
	return want, nil
}

// spliceToStep: splice(2) from a pipe to a file, at an offset in memory.
func (m *model) spliceToStep(s *prog.Step) (prog.Expect, error) {
	dst, n := m.fdAt(s, 1), s.Args[3].(prog.Size).In(m.page)
	q, err := m.queueOf(s, 0)
	if err != nil {
		return nil, err
	}
	to, bad, err := m.offsetAt(s, 2)
	if bad != nil || err != nil {
		return bad, err
	}
	if !dst.write || dst.append_ || dst.direct || dst.ino.dir || dst.ino.pipe != nil || q.lost || n <= 0 {
		return nil, errors.New("the model moves some bytes, of a pipe of which it knows what is in it, to a file that is open for it")
	}
	hi := min(n, q.data.len())
	if hi == 0 {
		return fails("EAGAIN"), nil
	}
	moved := q.data.slice(0, hi)
	if m.onto(q, []place{{ino: dst.ino, off: to.at, n: hi}}) {
		moved = unknown(hi)
	}
	q.lost = true
	m.extend(dst.ino, to.at+hi, false)
	m.writeFile(dst.ino, to.at, moved, true)
	return m.copied(hi, to), nil
}
