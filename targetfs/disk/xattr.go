package disk

import (
	"fmt"
	"iter"
)

// EAHeaderSize is the size of EAHeader in bytes.
const EAHeaderSize = 16

// MaxEAValue is the largest value of an extended attribute, in bytes.
const MaxEAValue = 65536

// EAType is the name space of an extended attribute.
type EAType uint8

// Name spaces. The prefix is not stored with the name.
const (
	EAUnused   EAType = 0
	EAUser     EAType = 1 // user.
	EASystem   EAType = 2 // system., which means the two POSIX ACLs
	EASecurity EAType = 3 // security.
	EATrusted  EAType = 4 // trusted., format 1802 and later
)

func (t EAType) String() string {
	if t > EATrusted {
		return fmt.Sprintf("type %d", uint8(t))
	}
	return [...]string{"unused", "user", "system", "security", "trusted"}[t]
}

// EALast marks the last record of an EA block (ea_flags).
const EALast = 1

// EAHeader starts a record of an EA block (struct gfs2_ea_header); the name follows, then the value or block pointers.
type EAHeader struct {
	RecLen  uint32 // ea_rec_len: bytes to the next record
	DataLen uint32 // ea_data_len: bytes of the value
	NameLen uint8  // ea_name_len
	Type    EAType // ea_type
	Flags   uint8  // ea_flags
	NumPtrs uint8  // ea_num_ptrs: 0 when the value follows the name, else blocks of the value
	_       [4]byte
}

func round8(n int) int { return (n + 7) &^ 7 }

// EARecord is the room that an attribute needs in an EA block, and the number of its value blocks; 0 means inline.
func (bs BlockSize) EARecord(nameLen, dataLen int) (size, ptrs int) {
	if inline := round8(EAHeaderSize + nameLen + dataLen); inline <= bs.MetaMax() {
		return inline, 0
	}
	ptrs = (dataLen + bs.MetaMax() - 1) / bs.MetaMax()
	return EAHeaderSize + round8(nameLen) + 8*ptrs, ptrs
}

// EAs is the part of an EA block behind its header, which records tile without a gap.
type EAs []byte

// EAsOf is the record area of the EA block b.
func EAsOf(b []byte) EAs { return b[HeaderSize:] }

// EA is one record of an EA block.
type EA struct {
	EAHeader
	body []byte // the bytes behind the header
	off  int
	prev int // offset of the record before, -1 for the first
}

// Name is the attribute's name without prefix.
func (e *EA) Name() string { return string(e.body[:e.NameLen]) }

// Inline is the value of an attribute that has no value blocks.
func (e *EA) Inline() []byte { return e.body[e.NameLen : int(e.NameLen)+int(e.DataLen)] }

// Ptrs is the pointer array of the value blocks.
func (e *EA) Ptrs() []byte {
	from := round8(int(e.NameLen))
	return e.body[from : from+8*int(e.NumPtrs)]
}

// Size is the part of the record that is in use.
func (e *EA) Size() int {
	switch {
	case e.Type == EAUnused:
		return 0
	case e.NumPtrs > 0:
		return EAHeaderSize + round8(int(e.NameLen)) + 8*int(e.NumPtrs)
	}
	return round8(EAHeaderSize + int(e.NameLen) + int(e.DataLen))
}

// at decodes the record at off and checks that it stays in the area and that only the last one has the flag.
func (a EAs) at(off, prev int, addr uint64) (EA, error) {
	e := EA{off: off, prev: prev}
	if len(a)-off < EAHeaderSize {
		return e, Corrupt(addr, "extended attribute at %d leaves the block", off)
	}
	b := a[off:]
	e.RecLen, e.DataLen = be.Uint32(b), be.Uint32(b[4:])
	e.NameLen, e.Type, e.Flags, e.NumPtrs = b[8], EAType(b[9]), b[10], b[11]
	if e.RecLen < EAHeaderSize || e.RecLen%8 != 0 || uint64(e.RecLen) > uint64(len(b)) {
		return e, Corrupt(addr, "extended attribute at %d of %d bytes", off, e.RecLen)
	}
	e.body = b[EAHeaderSize:e.RecLen]
	last := off+int(e.RecLen) == len(a)
	if last != (e.Flags&EALast != 0) {
		return e, Corrupt(addr, "extended attribute at %d: is last %v, flags %#x", off, last, e.Flags)
	}
	return e, e.check(BlockSize(len(a)+HeaderSize), addr)
}

// check tells whether name and value of a live record fit into it.
func (e *EA) check(bs BlockSize, addr uint64) error {
	if e.Type == EAUnused {
		return nil
	}
	if e.Type > EATrusted || e.NameLen == 0 || e.DataLen > MaxEAValue || e.Size() > int(e.RecLen) {
		return Corrupt(addr, "extended attribute at %d: type %d, name of %d, value of %d, record of %d bytes",
			e.off, e.Type, e.NameLen, e.DataLen, e.RecLen)
	}
	if e.NumPtrs > 0 && int(e.NumPtrs)*bs.MetaMax() < int(e.DataLen) {
		return Corrupt(addr, "extended attribute at %d: %d blocks for %d bytes", e.off, e.NumPtrs, e.DataLen)
	}
	return nil
}

// All walks all records, unused ones too. A broken record is yielded as an error and ends the walk; addr names the block in it.
func (a EAs) All(addr uint64) iter.Seq2[EA, error] {
	return func(yield func(EA, error) bool) {
		prev := -1
		for off := 0; off < len(a); {
			e, err := a.at(off, prev, addr)
			if !yield(e, err) || err != nil {
				return
			}
			prev, off = off, off+int(e.RecLen)
		}
	}
}

// Init makes the area one unused record. A block must not stay so: fsck objects to a record without a name.
func (a EAs) Init() {
	clear(a)
	encode(a, EAHeader{RecLen: uint32(len(a)), Flags: EALast})
}

// Room tells whether a record of size bytes fits into the slack of e.
func (e *EA) Room(size int) bool { return int(e.RecLen)-e.Size() >= size }

// Put writes an attribute into the slack of e, which must have room for it. h gives type and lengths, body is what follows the name:
// the value, or its block pointers. Pointers are aligned to 8 bytes.
func (a EAs) Put(e EA, h EAHeader, name string, body []byte) {
	off := e.off + e.Size()
	h.RecLen, h.Flags = e.RecLen-uint32(e.Size()), e.Flags&EALast
	h.NameLen = uint8(len(name))
	if off > e.off {
		be.PutUint32(a[e.off:], uint32(e.Size()))
		a[e.off+10] &^= EALast
	}
	rec := a[off : off+int(h.RecLen)]
	clear(rec)
	encode(rec, h)
	n := copy(rec[EAHeaderSize:], name)
	if h.NumPtrs > 0 {
		n = round8(n)
	}
	copy(rec[EAHeaderSize+n:], body)
}

// Remove deletes e, which must come from a walk of a that saw no change since. The first record stays as an unused one and
// keeps its name.
func (a EAs) Remove(e EA) {
	if e.prev < 0 {
		a[e.off+9], a[e.off+11] = byte(EAUnused), 0
		return
	}
	be.PutUint32(a[e.prev:], be.Uint32(a[e.prev:])+e.RecLen)
	a[e.prev+10] |= e.Flags & EALast
}
