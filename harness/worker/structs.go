package worker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// Structs in memory: put writes them, look, extents and entries read them. All numbers are in the byte order of the machine.

// field is a member of a struct, and what a step says of it.
type field struct {
	at, width int64
	// lo and hi bound the number; of and plus are what it refers to: a descriptor's number, or an address plus bytes.
	lo, hi int64
	of     *object
	plus   int64
	name   string
}

// value makes a struct argument ready.
func (p *program) value(c *call, a prog.Value) error {
	s := prog.Structs[a.Struct]
	if s == nil {
		return fmt.Errorf("found struct %q, which is not known", a.Struct)
	}
	c.record = s
	for _, fv := range a.Fields {
		row := s.Field(fv.Name)
		if row == nil {
			return fmt.Errorf("%s has no field %s", a.Struct, fv.Name)
		}
		f := field{at: row.At, width: row.Width, lo: fv.Lo.In(pageSize), hi: fv.Hi.In(pageSize), name: fv.Name}
		if err := p.reference(c, &f, fv.Of); err != nil {
			return err
		}
		c.fields = append(c.fields, f)
	}
	c.stores = c.step.Op != "look"
	return nil
}

// reference finds what a field refers to. Bad begins where nothing is mapped.
func (p *program) reference(c *call, f *field, of prog.Arg) (err error) {
	switch of := of.(type) {
	case prog.Name:
		f.of, err = p.space.lookup(string(of), true)
	case prog.Buf:
		if f.plus = of.Ranges[0].From.In(pageSize); of.Ranges[0].Of == prog.Bad {
			f.plus += int64(p.space.region)
			f.lo, f.hi = f.plus, f.plus
			return nil
		}
		f.of, err = p.space.lookup(of.Ranges[0].Of, false)
	}
	if f.of != nil {
		p.use(c, f.of)
	}
	return err
}

// number is what put writes: the address and the descriptor are known once the step begins.
func (f *field) number() int64 {
	switch {
	case f.of == nil:
		return f.lo
	case f.of.kind == prog.KindFD:
		return int64(f.of.fd)
	}
	return int64(f.of.addr) + f.plus
}

// encode writes the fields over zeros.
func encode(to []byte, fields []field) {
	clear(to)
	for i := range fields {
		f := &fields[i]
		var all [8]byte
		binary.LittleEndian.PutUint64(all[:], uint64(f.number()))
		part := all[:f.width]
		if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
			slices.Reverse(part)
		}
		copy(to[f.at:], part)
	}
}

// encodeAt gets the struct of a call ready in the scratch: where it goes in the memory, as far as the call needs that from its beginning.
func (a *actor) encodeAt(c *call) {
	at, n := int64(0), int64(c.toPage)*pageSize
	switch c.step.Op {
	case "serve_struct":
		at = c.sizes[0]
	case "guard_struct":
		at, n = c.sizes[1], c.sizes[0]
	}
	end := at + c.record.Size
	n = max(n, end)
	a.reserve(int(n))
	clear(a.scratch[:n])
	encode(a.scratch[at:end], c.fields)
}

// serveStructOp gives the pages of a stall what encodeAt has got ready for them.
func serveStructOp(a *actor, c *call) result {
	return a.onPages(c, func(k keeper) result {
		return k.serve(c.fromPage, c.toPage, a.scratch[int64(c.fromPage)*pageSize:int64(c.toPage)*pageSize])
	})
}

// read is the field's number. It is signed: an error of the kernel in a result is negative, and so is the largest offset of all.
func (f *field) read(from []byte) int64 {
	part := from[f.at : f.at+f.width]
	switch f.width {
	case 2:
		return int64(binary.NativeEndian.Uint16(part))
	case 4:
		return int64(int32(binary.NativeEndian.Uint32(part)))
	}
	return int64(binary.NativeEndian.Uint64(part))
}

// lookOp compares the fields of a struct.
func lookOp(a *actor, c *call) result {
	got, r := a.seen(c)
	if !r.ok() {
		return r
	}
	r.value = 0
	for i := range c.fields {
		f := &c.fields[i]
		if n := f.read(got); n < f.lo || n > f.hi {
			r.wrong = c.finding(int64(len(got)), f.at, "%s is %d, wanted %v", f.name, n, prog.Between(prog.Bytes(f.lo), prog.Bytes(f.hi)))
			return r
		}
	}
	return r
}

// seen is the range of memory as a copy of our own.
func (a *actor) seen(c *call) ([]byte, result) {
	n := int(c.length())
	a.reserve(n)
	r := a.collect(memory(c.base(), n), a.scratch)
	return a.scratch[:n], r
}

// finding says in words what is wrong with a struct of size bytes at an offset.
func (c *call) finding(size, offset int64, format string, args ...any) *Mismatch {
	return &Mismatch{What: c.what(), Size: size, Offset: offset, Text: fmt.Sprintf(format, args...)}
}

// Fields of struct fiemap and struct fiemap_extent (linux/fiemap.h).
var (
	mappedExtents = field{at: 20, width: 4}
	extentCount   = field{at: 24, width: 4}
	extentLogical = field{at: 0, width: 8}
	extentLength  = field{at: 16, width: 8}
	extentFlags   = field{at: 40, width: 4}
)

const (
	extentsAt  = 32
	extentSize = 56
	extentLast = 1 // FIEMAP_EXTENT_LAST
)

// extentsOp looks at a struct fiemap and the extents behind it.
func extentsOp(a *actor, c *call) result {
	got, r := a.seen(c)
	if !r.ok() {
		return r
	}
	r.value = 0
	if c.alts == nil {
		return r
	}
	n := mappedExtents.read(got)
	if room := (int64(len(got)) - extentsAt) / extentSize; n < 0 || n > room || n > extentCount.read(got) {
		r.wrong = c.finding(int64(len(got)), mappedExtents.at, "fm_mapped_extents is %d, with room for %d", n, min(room, extentCount.read(got)))
		return r
	}
	r.wrong = c.uncovered(got, n)
	return r
}

// uncovered is what is wrong with n extents: they must rise, and cover all data that is not zero as far as they go.
func (c *call) uncovered(got []byte, n int64) *Mismatch {
	size := int64(len(got))
	var end int64
	last := false
	holes := [][2]int64{}
	for i := range n {
		at := extentsAt + i*extentSize
		e := got[at : at+extentSize]
		from, length := extentLogical.read(e), extentLength.read(e)
		if last || from < end || length <= 0 {
			return c.finding(size, at, "extent %d is %d bytes from %d, behind one that ends at %d (last: %v)", i, length, from, end, last)
		}
		holes = append(holes, [2]int64{end, from})
		end, last = from+length, extentFlags.read(e)&extentLast != 0
	}
	if n < extentCount.read(got) {
		holes = append(holes, [2]int64{end, 1 << 62})
	}
	for _, h := range holes {
		if at := firstData(c.alts[0], h[0], h[1]); at >= 0 {
			return c.finding(size, mappedExtents.at, "byte %d is data and in none of the %d extents", at, n)
		}
	}
	return nil
}

// firstData is the first byte from from to to that is surely not zero, or -1.
func firstData(d prog.Data, from, to int64) int64 {
	var at int64
	for _, run := range d {
		n := run.Len.In(pageSize)
		lo := max(at, from)
		kind := run.May[0].Kind
		if lo < min(at+n, to) && len(run.May) == 1 && (kind == prog.Pattern || kind == prog.Fill && run.May[0].ID != 0) {
			return lo
		}
		at += n
	}
	return -1
}

// entriesOp looks at the records that getdents left, up to one of length 0.
func entriesOp(a *actor, c *call) result {
	got, r := a.seen(c)
	if !r.ok() {
		return r
	}
	r.value = 0
	if c.names == nil {
		return r
	}
	var found []string
	for at := 0; at+direntName < len(got); {
		length := int(binary.NativeEndian.Uint16(got[at+direntLength:]))
		if length == 0 {
			break
		}
		if length <= direntName || at+length > len(got) {
			r.wrong = c.finding(int64(len(got)), int64(at), "an entry of %d bytes", length)
			return r
		}
		name, _, _ := bytes.Cut(got[at+direntName:at+length], []byte{0})
		if known := slices.Contains(c.names, string(name)) || string(name) == "." || string(name) == ".."; !known || slices.Contains(found, string(name)) {
			r.wrong = c.finding(int64(len(got)), int64(at), "entry %q, wanted each of . .. %s once at most", name, strings.Join(c.names, " "))
			return r
		}
		found = append(found, string(name))
		at += length
	}
	if len(found) == 0 {
		r.wrong = c.finding(int64(len(got)), 0, "no entry, wanted one at least")
	}
	return r
}

// ioctlOp hands the kernel the address of the memory.
func ioctlOp(_ *actor, c *call) result { return sys(unix.SYS_IOCTL, c.fd(), c.flags[0], c.base()) }

func getdentsOp(_ *actor, c *call) result {
	return sys(unix.SYS_GETDENTS64, c.fd(), c.base(), c.length())
}
