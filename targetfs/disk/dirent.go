package disk

import "iter"

// Sizes in bytes, and limits.
const (
	DirentSize   = 40
	LeafSize     = 104
	MaxName      = 255
	MaxHashDepth = 17
)

// Dirent is the fixed part of a directory entry (struct gfs2_dirent); the name follows.
type Dirent struct {
	Inum    Inum   // de_inum; an empty record has a zero in it
	Hash    uint32 // de_hash: HashName of the name
	RecLen  uint16 // de_rec_len: bytes to the next record
	NameLen uint16 // de_name_len
	Type    uint16 // de_type: d_type
	Rahead  uint16 // de_rahead: blocks after the dinode worth reading ahead
	_       [12]byte
}

// DirentRecord is the size of the smallest record that holds a name of n bytes.
func DirentRecord(n int) int { return (DirentSize + n + 7) &^ 7 }

// Leaf is the start of a leaf block (struct gfs2_leaf); dirents follow.
type Leaf struct {
	MetaHeader
	Depth        uint16 // lf_depth: hash bits that the names of this leaf share
	Entries      uint16 // lf_entries: live records in this block
	DirentFormat uint32 // lf_dirent_format
	Next         uint64 // lf_next: next leaf of the same table slot
	Inode        uint64 // lf_inode: the directory
	Dist         uint32 // lf_dist: position in the chain, from 1
	Nsec         uint32 // lf_nsec of the last change
	Sec          uint64 // lf_sec
	_            [40]byte
}

// DecodeLeaf decodes the leaf block b read from addr.
func DecodeLeaf(b []byte, addr uint64) (Leaf, error) {
	var lf Leaf
	if err := checkBlock(b, addr, TypeLF, LeafSize); err != nil {
		return lf, err
	}
	(&fields{b: b}).leaf(&lf)
	if lf.Depth > MaxHashDepth {
		return lf, Corrupt(addr, "leaf of depth %d", lf.Depth)
	}
	return lf, nil
}

// Encode writes lf at the start of b.
func (lf *Leaf) Encode(b []byte) { (&fields{b: b, write: true}).leaf(lf) }

// Dirents is the area of a dinode or of a leaf that records tile without a gap: the first starts at 0, the last ends at the
// end of the area, and only the first may be empty.
type Dirents []byte

// DirentsOf is the dirent area of a directory's dinode block.
func DirentsOf(dinode []byte) Dirents { return dinode[DinodeSize:] }

// LeafDirents is the dirent area of a leaf block.
func LeafDirents(leaf []byte) Dirents { return leaf[LeafSize:] }

// Entry is one record of a Dirents area.
type Entry struct {
	Dirent
	name []byte // a part of the area: no record costs an allocation
	off  int
	prev int // offset of the record before, -1 for the first
}

// Name is the file name.
func (e *Entry) Name() string { return string(e.name) }

// Init makes the area one empty record.
func (a Dirents) Init() {
	clear(a)
	be.PutUint16(a[20:], uint16(len(a)))
}

// at decodes the record at off and checks the tiling rules; addr names the block in errors.
func (a Dirents) at(off, prev int, addr uint64) (Entry, error) {
	e := Entry{off: off, prev: prev}
	if len(a)-off < DirentSize {
		return e, Corrupt(addr, "directory record at %d leaves the block", off)
	}
	b := a[off:]
	e.Inum = Inum{be.Uint64(b), be.Uint64(b[8:])}
	e.Hash = be.Uint32(b[16:])
	e.RecLen, e.NameLen = be.Uint16(b[20:]), be.Uint16(b[22:])
	e.Type, e.Rahead = be.Uint16(b[24:]), be.Uint16(b[26:])
	if e.RecLen < DirentSize || e.RecLen%8 != 0 || int(e.RecLen) > len(b) {
		return e, Corrupt(addr, "directory record at %d of %d bytes", off, e.RecLen)
	}
	if e.Inum.IsZero() {
		if prev >= 0 {
			return e, Corrupt(addr, "empty directory record at %d is not the first", off)
		}
		return e, nil
	}
	if e.NameLen == 0 || e.NameLen > MaxName || DirentRecord(int(e.NameLen)) > int(e.RecLen) {
		return e, Corrupt(addr, "directory record at %d of %d bytes has a name of %d", off, e.RecLen, e.NameLen)
	}
	e.name = b[DirentSize : DirentSize+int(e.NameLen)]
	return e, nil
}

// records walks every record, empty ones too, and stops after the first error.
func (a Dirents) records(addr uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
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

// All walks the live entries. A broken record is yielded as an error and ends the walk; addr names the block in it.
func (a Dirents) All(addr uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range a.records(addr) {
			if err == nil && e.Inum.IsZero() {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Find looks for name, whose hash is given; false when it isn't there.
func (a Dirents) Find(name string, hash uint32, addr uint64) (Entry, bool, error) {
	for e, err := range a.All(addr) {
		if err != nil {
			return e, false, err
		}
		if e.Hash == hash && string(e.name) == name {
			return e, true, nil
		}
	}
	return Entry{}, false, nil
}

// HasRoom tells whether Insert would find room for a name of n bytes.
func (a Dirents) HasRoom(n int, addr uint64) (bool, error) {
	_, ok, err := a.slot(n, addr)
	return ok, err
}

// slot is the first record whose slack holds a name of n bytes.
func (a Dirents) slot(n int, addr uint64) (Entry, bool, error) {
	for e, err := range a.records(addr) {
		if err != nil {
			return e, false, err
		}
		if int(e.RecLen)-e.used() >= DirentRecord(n) {
			return e, true, nil
		}
	}
	return Entry{}, false, nil
}

// used is the part of the record that Insert must leave alone.
func (e *Entry) used() int {
	if e.Inum.IsZero() {
		return 0
	}
	return DirentRecord(int(e.NameLen))
}

// Insert puts d with its name into the first record that has room; false when none has. RecLen and NameLen of d are set here.
func (a Dirents) Insert(d Dirent, name string, addr uint64) (bool, error) {
	e, ok, err := a.slot(len(name), addr)
	if err != nil || !ok {
		return false, err
	}
	off, room := e.off+e.used(), int(e.RecLen)-e.used()
	if e.used() > 0 {
		be.PutUint16(a[e.off+20:], uint16(e.used()))
	}
	d.RecLen, d.NameLen = uint16(room), uint16(len(name))
	(&fields{b: a[off:], write: true}).dirent(&d)
	copy(a[off+DirentSize:off+room], name)
	return true, nil
}

// Remove deletes e, which must come from a walk of a that saw no change since.
func (a Dirents) Remove(e Entry) {
	if e.prev < 0 {
		clear(a[:16])
		return
	}
	prev := a[e.prev+20:]
	be.PutUint16(prev, be.Uint16(prev)+e.RecLen)
}

// SetInum points e at another inode, as a rename does.
func (a Dirents) SetInum(e Entry, n Inum, typ uint16) {
	b := a[e.off:]
	be.PutUint64(b, n.FormalIno)
	be.PutUint64(b[8:], n.Addr)
	be.PutUint16(b[24:], typ)
}

// Grow copies the records of from to the longer area a: the last record becomes longer. It is how a linear directory moves
// into its first leaf (fs/gfs2/dir.c, dir_make_exhash).
func (a Dirents) Grow(from Dirents, addr uint64) error {
	last := 0
	for e, err := range from.records(addr) {
		if err != nil {
			return err
		}
		last = e.off
	}
	clear(a)
	copy(a, from)
	be.PutUint16(a[last+20:], uint16(len(a)-last))
	return nil
}
