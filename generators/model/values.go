package model

import (
	"fmt"
	"slices"
	"strings"

	"faultline/generators/prog"
)

// value is what a step has put or left in memory: a struct whose fields are known as far as they can be. The bytes are followed like all others,
// as a source of the kind valued, so that it is known wherever they have been copied to.
type value struct {
	record *prog.Struct
	// fields bound the numbers that are known; rest says that all other bytes are zero.
	fields map[string]bounds
	rest   bool
	// refs are descriptors and addresses, in the words of process.
	refs    map[string]prog.Arg
	process string
	// flags is the file whose flags these are, handle the file that this is the handle of, path the file that this is the path of, tree the subvolume
	// that this tells of, layout what fiemap was asked about, names are the files that getdents may have found.
	flags  *inode
	handle *inode
	path   string
	tree   *inode
	layout content
	names  prog.Names
}

// bounds are the least and the largest number that a field may hold. What is a number of bytes in a file is in pages, what is not is not.
type bounds struct{ lo, hi prog.Size }

func between(lo, hi int64) bounds { return bounds{prog.Bytes(lo), prog.Bytes(hi)} }

func exactly(n int64) bounds { return between(n, n) }

// maxLeft is how many values a step can leave.
const maxLeft = 4

// leave notes what the running step leaves at the beginning of the places, and that nothing is known of the n bytes there besides.
func (m *model) leave(places []place, n int64, v *value) {
	if v == nil {
		v = &value{}
	}
	id := m.at*maxLeft + m.left%maxLeft
	m.left++
	m.values[id] = v
	m.write(places, uniform(n, []source{{kind: valued, id: id}}), n)
}

// valueAt is the value that begins where the content does, or nil.
func (m *model) valueAt(c content) *value {
	if len(c) == 0 || len(c[0].may) != 1 {
		return nil
	}
	s := c[0].may[0]
	v := m.values[s.id]
	if s.kind != valued || s.from != 0 || v == nil || v.record == nil || c[0].n < v.record.Size {
		return nil
	}
	return v
}

// number is a field of a struct that lies in the content, if its value is known.
func (m *model) number(c content, f *prog.Field) (b bounds, known bool) {
	part := c.slice(f.At, f.At+f.Width)
	if len(part) == 1 && len(part[0].may) == 1 && part[0].may[0].kind == valued {
		return m.values[part[0].may[0].id].at(part[0].may[0].from, f.Width)
	}
	return literal(part)
}

// at is the number of the given width some bytes into the struct.
func (v *value) at(from, width int64) (b bounds, known bool) {
	if v.record == nil {
		return b, false
	}
	for _, f := range v.record.Fields {
		if f.At == from && f.Width == width {
			if b, known = v.fields[f.Name]; known || v.refs[f.Name] != nil {
				return b, known
			}
		}
		// Bytes that begin elsewhere, as after a page was moved, are no number of the struct's.
		if _, set := v.fields[f.Name]; (set || v.refs[f.Name] != nil) && f.At < from+width && from < f.At+f.Width {
			return b, false
		}
	}
	return exactly(0), v.rest
}

// literal reads bytes of which each is known as a little-endian number.
func literal(c content) (b bounds, known bool) {
	n, shift := int64(0), 0
	for _, r := range c {
		if len(r.may) != 1 || r.may[0].kind != prog.Zero && r.may[0].kind != prog.Fill {
			return b, false
		}
		for range r.n {
			n |= int64(r.may[0].id) << shift
			shift += 8
		}
	}
	return exactly(n), true
}

// argument is a struct that a call reads from memory.
type argument struct {
	m       *model
	content content
	record  *prog.Struct
}

// arguments is what a call reads. While actors run the steps are walked through again and again, and what the call itself leaves in the same memory
// must not be taken for its arguments: then they are those of the first time, if nobody else writes there.
func (m *model) arguments(in *span) content {
	c := m.read(in.places, in.n)
	if m.sec == nil || m.sec.during != nil {
		return c
	}
	key := [2]int{m.at, m.asked}
	m.asked++
	first, again := m.sec.read[key]
	switch {
	case !again:
		m.sec.read[key] = c
	case m.ours(in.places):
		return first
	}
	return c
}

// ours reports whether nobody but the running actor writes the places.
func (m *model) ours(places []place) bool {
	return !slices.ContainsFunc(places, func(p place) bool {
		if p.a.shared {
			return !m.sec.only(object{id: p.a.ino.id})
		}
		return !m.sec.only(object{true, p.a.id})
	})
}

// input is the struct at the beginning of argument k, which a step reads; bad is how the step ends if it cannot be read.
func (m *model) input(s *prog.Step, k int, record *prog.Struct) (in *argument, bad prog.Expect, err error) {
	piece, err := m.part(s, s.Args[k].(prog.Buf), 0, record.Size)
	if err != nil {
		return nil, nil, err
	}
	return m.structAt(s, piece, record.Name)
}

// get is a number that must be known: the model follows no call that it does not understand.
func (a *argument) get(name string) (int64, error) {
	b, known := a.m.number(a.content, a.record.Field(name))
	if !known || b.lo != b.hi {
		return 0, fmt.Errorf("the model does not know %s.%s here", a.record.Name, name)
	}
	return b.lo.In(a.m.page), nil
}

// numbers are several numbers that must be known, in the order of their names.
func (a *argument) numbers(names ...string) ([]int64, error) {
	list := make([]int64, len(names))
	for i, name := range names {
		n, err := a.get(name)
		if err != nil {
			return nil, err
		}
		list[i] = n
	}
	return list, nil
}

// ref is the descriptor or the memory that a field refers to, in the words of the step that reads it.
func (a *argument) ref(s *prog.Step, name string) (prog.Arg, error) {
	at := a.record.Field(name).At
	part := a.content.slice(at, at+8)
	if len(part) > 0 && len(part[0].may) == 1 && part[0].may[0].kind == valued {
		from := part[0].may[0].from
		v := a.m.values[part[0].may[0].id]
		if v.record != nil && v.process == process(s) {
			for _, f := range v.record.Fields {
				if f.At == from && v.refs[f.Name] != nil {
					return v.refs[f.Name], nil
				}
			}
		}
	}
	return nil, fmt.Errorf("the model does not know %s.%s here", a.record.Name, name)
}

// descriptor is the open descriptor that a field refers to.
func (a *argument) descriptor(s *prog.Step, name string) (*descriptor, error) {
	of, err := a.ref(s, name)
	if err != nil {
		return nil, err
	}
	fd := a.m.scope(process(s)).fds[string(of.(prog.Name))]
	if fd == nil {
		return nil, fmt.Errorf("%v is not open", of)
	}
	return fd, nil
}

// part is the piece of a buffer with one range from byte from to byte to; it must be within the range.
func (m *model) part(s *prog.Step, b prog.Buf, from, to int64) (prog.Buf, error) {
	r := b.Ranges[0]
	start, end := r.From.In(m.page), r.To.In(m.page)
	if a := m.scope(process(s)).areas[r.Of]; r.Whole && a != nil {
		end = m.lengths[a.id].In(m.page)
	}
	if r.Count > 1 || start+to > end {
		return b, fmt.Errorf("found %d bytes of memory, the kernel goes up to byte %d", end-start, to)
	}
	r.Whole, r.From, r.To = false, r.From.Plus(prog.Bytes(from)), r.From.Plus(prog.Bytes(to))
	return prog.Buf{Ranges: []prog.Range{r}}, nil
}

// spanOf looks a piece of a buffer up.
func (m *model) spanOf(s *prog.Step, b prog.Buf, from, to int64, write bool) (*span, error) {
	piece, err := m.part(s, b, from, to)
	if err != nil {
		return nil, err
	}
	return m.lookup(s, piece, write), nil
}

func (m *model) putStep(s *prog.Step) (prog.Expect, error) {
	sp := m.lookup(s, s.Args[0].(prog.Buf), true)
	arg := s.Args[1].(prog.Value)
	want := m.accessResults(sp)
	if sp.can == sp.n {
		want[0] = prog.Exactly(prog.Bytes(sp.n)) // the same with any page size
	}
	if sp.sure < sp.n {
		m.write(sp.places, unknown(sp.can), sp.sure)
		return want, nil
	}
	m.leave(sp.places, sp.n, valueOf(s, arg))
	return want, nil
}

// valueOf is the struct that a step writes.
func valueOf(s *prog.Step, arg prog.Value) *value {
	v := &value{record: prog.Structs[arg.Struct], fields: map[string]bounds{}, rest: true, refs: map[string]prog.Arg{}, process: process(s)}
	for _, f := range arg.Fields {
		if f.Of != nil {
			v.refs[f.Name] = f.Of
		} else {
			v.fields[f.Name] = bounds{f.Lo, f.Hi}
		}
	}
	return v
}

func (m *model) lookStep(s *prog.Step) (prog.Expect, error) {
	arg := prog.Value{Struct: s.Args[1].(prog.Value).Struct}
	s.Args[1] = arg
	sp := m.lookup(s, s.Args[0].(prog.Buf), false)
	if sp.can < sp.n {
		return sp.faults(), nil
	}
	c := m.read(sp.places, sp.n)
	for i := range prog.Structs[arg.Struct].Fields {
		f := &prog.Structs[arg.Struct].Fields[i]
		b, known := m.number(c, f)
		if f.Kind == prog.KindSize && known {
			arg.Fields = append(arg.Fields, prog.FieldValue{Name: f.Name, Lo: b.lo, Hi: b.hi})
		}
	}
	s.Args[1] = arg
	return m.sighted(sp), nil
}

// sighted is what looking at memory returns.
func (m *model) sighted(sp *span) prog.Expect {
	if sp.sure == sp.n {
		return nil
	}
	return append(prog.Expect{prog.Succeeds}, sp.faults()...)
}

// answer leaves a result of a call that returns 0, and says how it may end: with EFAULT if the memory cannot be written, and perhaps a part of
// the result then.
func (m *model) answer(out *span, v *value) prog.Expect {
	m.copyOnWrite(out)
	switch {
	case out.sure == out.n:
		m.leave(out.places, out.n, v)
		return m.counts(0, 0)
	case out.can == out.n:
		m.leave(out.places, out.can, nil)
		return m.counts(0, 0, prog.Fails("EFAULT"))
	}
	m.leave(out.places, out.can, nil)
	return fails("EFAULT")
}

// getdentsStep: how many entries a call returns, and in which order, is the file system's own business.
func (m *model) getdentsStep(s *prog.Step) (prog.Expect, error) {
	const least, most = 24, 280 // bytes of an entry: struct linux_dirent64 with a name of 1 to 255 bytes
	fd := m.fd(s)
	if !fd.ino.dir {
		return fails("ENOTDIR"), nil
	}
	out := m.lookup(s, s.Args[1].(prog.Buf), true)
	fresh := fd.pos == 0 && !fd.lost
	fd.lost = true
	v := &value{}
	if out.sure == out.n && fresh && m.sec == nil && equal(m.read(out.places, out.n), zeros(out.n)) {
		v.record, v.names = &prog.Struct{Size: least}, m.entriesOf(fd.ino)
	}
	m.copyOnWrite(out)
	m.leave(out.places, out.can, v)
	var want prog.Expect
	if out.can >= least {
		want = m.counts(least, out.can)
	}
	if !fresh {
		want = append(want, prog.Exactly(prog.Size{}))
	}
	if out.sure < out.n {
		want = append(want, prog.Fails("EFAULT"))
	}
	if out.n < most {
		want = append(want, prog.Fails("EINVAL"))
	}
	return want, nil
}

// entriesOf are the names in a directory.
func (m *model) entriesOf(dir *inode) prog.Names {
	list := prog.Names{}
	for _, name := range sortedKeys(m.names) {
		if cut := strings.LastIndexByte(name, '/'); cut > 0 && m.names[name[:cut]] == dir {
			list = append(list, name)
		}
	}
	return list
}

func (m *model) entriesStep(s *prog.Step) (prog.Expect, error) {
	s.Args = s.Args[:1:1]
	sp := m.lookup(s, s.Args[0].(prog.Buf), false)
	if sp.can < sp.n {
		return sp.faults(), nil
	}
	if v := m.valueAt(m.read(sp.places, sp.n)); v != nil && v.names != nil {
		s.Args = append(s.Args, slices.Clone(v.names))
	}
	return m.sighted(sp), nil
}

func (m *model) extentsStep(s *prog.Step) (prog.Expect, error) {
	m.fill(s, nil)
	sp := m.lookup(s, s.Args[0].(prog.Buf), false)
	if sp.can < sp.n {
		return sp.faults(), nil
	}
	if v := m.valueAt(m.read(sp.places, sp.n)); v != nil && v.layout != nil {
		m.fill(s, prog.Alts{v.layout.data(m.size(v.layout.len()), m.page)})
	}
	return m.sighted(sp), nil
}
