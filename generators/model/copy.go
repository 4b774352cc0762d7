package model

import (
	"errors"

	"faultline/generators/prog"
)

// Copies between files: only the offsets lie in the memory of the caller. They are read before anything is done and written when all is done; if
// that fails the copy has been done nevertheless (fs/read_write.c).

// ficloneStep is FICLONE, whose argument is no address: the whole source.
func (m *model) ficloneStep(s *prog.Step) (prog.Expect, error) {
	dst, src := m.fd(s), m.fdAt(s, 1)
	n := src.ino.maxSize()
	if n%m.page != 0 && n < dst.ino.maxSize() {
		return nil, errors.New("the model clones a last part of a page to the end of a file only")
	}
	return nil, m.clone(dst, src, 0, n, 0)
}

// fdAt is the descriptor that is argument k.
func (m *model) fdAt(s *prog.Step, k int) *descriptor {
	return m.scope(process(s)).fds[string(s.Args[k].(prog.Name))]
}

// offset is an offset in memory, which a copy reads and writes.
type offset struct {
	at  int64
	out *span
}

// offsetAt reads the offset that is argument k.
func (m *model) offsetAt(s *prog.Step, k int) (o offset, bad prog.Expect, err error) {
	record := prog.Structs["loff"]
	arg, bad, err := m.input(s, k, record)
	if bad != nil || err != nil {
		return o, bad, err
	}
	if o.at, err = arg.get("offset"); err != nil {
		return o, nil, err
	}
	if o.at < 0 {
		return o, fails("EINVAL"), nil
	}
	o.out, err = m.spanOf(s, s.Args[k].(prog.Buf), 0, record.Size, true)
	return o, nil, err
}

// moved writes an offset that has moved on by lo to hi bytes.
func (m *model) moved(o offset, lo, hi int64) prog.Expect {
	v := &value{record: prog.Structs["loff"], fields: map[string]bounds{"offset": {m.size(o.at + lo), m.size(o.at + hi)}}}
	return m.answer(o.out, v)
}

// copied is the result of a copy of up to hi bytes: at least one unless there are none. A copy may be short (copy_file_range(2), sendfile(2)).
func (m *model) copied(hi int64, offsets ...offset) prog.Expect {
	want := m.counts(min(1, hi), hi)
	if hi == 0 {
		return want // the offsets are not written
	}
	for _, o := range offsets {
		switch end := m.moved(o, 1, hi); {
		case o.out.can < o.out.n:
			want = fails("EFAULT")
		case o.out.sure < o.out.n && want[0].Err == "":
			want = append(want, end[1:]...)
		}
	}
	return want
}

// copyBytes moves up to hi bytes between two files.
func (m *model) copyBytes(dst, src *inode, to, from, hi int64) {
	if hi == 0 {
		return
	}
	m.extend(dst, to+hi, false)
	places := []place{{ino: src, off: from, n: hi}}
	m.transfer([]place{{ino: dst, off: to, n: hi}}, places, m.read(places, hi), 0)
}

// copyRangeStep: copy_file_range(fd, offset, fd, offset, length).
func (m *model) copyRangeStep(s *prog.Step) (prog.Expect, error) {
	src, dst, n := m.fd(s), m.fdAt(s, 2), s.Args[4].(prog.Size).In(m.page)
	from, bad, err := m.offsetAt(s, 1)
	if bad != nil || err != nil {
		return bad, err
	}
	to, bad, err := m.offsetAt(s, 3)
	if bad != nil || err != nil {
		return bad, err
	}
	if err := copies(src, dst); err != nil {
		return nil, err
	}
	i := m.view(src.ino)
	switch {
	case n < 0 || src.ino.other != dst.ino.other:
		return nil, errors.New("the model copies some bytes, within a file system")
	case !i.known():
		return nil, errors.New("the model does not copy from a file whose size may change")
	case src.ino == dst.ino && from.at < to.at+n && to.at < from.at+n:
		return nil, errors.New("the model does not copy onto the source itself")
	}
	hi := clamp(i.maxSize()-from.at, n)
	m.copyBytes(dst.ino, src.ino, to.at, from.at, hi)
	return m.copied(hi, from, to), nil
}

// sendfileStep: sendfile(out, in, offset, count). It writes at the position of the file that it writes to.
func (m *model) sendfileStep(s *prog.Step) (prog.Expect, error) {
	dst, src, n := m.fd(s), m.fdAt(s, 1), s.Args[3].(prog.Size).In(m.page)
	from, bad, err := m.offsetAt(s, 2)
	if bad != nil || err != nil {
		return bad, err
	}
	if err := copies(src, dst); err != nil {
		return nil, err
	}
	i := m.view(src.ino)
	switch {
	case n < 0 || dst.lost:
		return nil, errors.New("the model copies some bytes, to a position that is known")
	case !i.known():
		return nil, errors.New("the model does not copy from a file whose size may change")
	case src.ino == dst.ino && from.at < dst.pos+n && dst.pos < from.at+n:
		return nil, errors.New("the model does not copy onto the source itself")
	}
	hi := clamp(i.maxSize()-from.at, n)
	m.copyBytes(dst.ino, src.ino, dst.pos, from.at, hi)
	dst.lost = dst.lost || hi > 0
	return m.copied(hi, from), nil
}

// copies refuses descriptors that copies between files do not take.
func copies(src, dst *descriptor) error {
	if !src.read || !dst.write || dst.append_ || src.direct || dst.direct || src.ino.dir || dst.ino.dir || src.ino.pipe != nil || dst.ino.pipe != nil {
		return errors.New("the model copies between files that are open for it, not directly, and not to the end")
	}
	return nil
}
