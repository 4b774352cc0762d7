package disk

import "fmt"

// Magic is the first word of every metadata block (GFS2_MAGIC).
const Magic = 0x01161970

// HeaderSize is the size of MetaHeader in bytes.
const HeaderSize = 24

// BlockType is mh_type: what a metadata block is.
type BlockType uint32

// Block types. Type 13 is not used.
const (
	TypeNone BlockType = 0
	TypeSB   BlockType = 1  // superblock
	TypeRG   BlockType = 2  // resource group header
	TypeRB   BlockType = 3  // further bitmap block of a resource group
	TypeDI   BlockType = 4  // dinode
	TypeIN   BlockType = 5  // indirect block, also of extended attributes
	TypeLF   BlockType = 6  // directory leaf
	TypeJD   BlockType = 7  // block of a directory's hash table
	TypeLH   BlockType = 8  // log header
	TypeLD   BlockType = 9  // log descriptor
	TypeEA   BlockType = 10 // extended attributes
	TypeED   BlockType = 11 // value of a large extended attribute
	TypeLB   BlockType = 12 // continued list of revokes
	TypeQC   BlockType = 14 // quota changes
)

// blockTypes has mh_format and the kernel's short name of each type.
var blockTypes = map[BlockType]struct {
	format uint32
	name   string
}{
	TypeNone: {0, "none"}, TypeSB: {100, "superblock"}, TypeRG: {200, "resource group"}, TypeRB: {300, "bitmap"},
	TypeDI: {400, "dinode"}, TypeIN: {500, "indirect block"}, TypeLF: {600, "leaf"}, TypeJD: {700, "journaled data"},
	TypeLH: {800, "log header"}, TypeLD: {900, "log descriptor"}, TypeEA: {1600, "extended attributes"},
	TypeED: {1700, "extended attribute data"}, TypeLB: {1000, "log block"}, TypeQC: {1400, "quota change"},
}

// Format is the mh_format that belongs to t; 0 for a type that doesn't exist.
func (t BlockType) Format() uint32 { return blockTypes[t].format }

func (t BlockType) String() string {
	if known, ok := blockTypes[t]; ok {
		return known.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Format numbers of things that are not blocks (di_payload_format, lf_dirent_format, sb_multihost_format).
const (
	FormatRindex    = 1100
	FormatDirent    = 1200
	FormatQuota     = 1500
	FormatMultihost = 1900
)

// MetaHeader starts every metadata block (struct gfs2_meta_header).
type MetaHeader struct {
	Magic  uint32    // mh_magic
	Type   BlockType // mh_type
	_      uint64    // __pad0
	Format uint32    // mh_format
	Jid    uint32    // mh_jid: journal id of the node that last logged the block
}

// NewHeader is the header of a block of type t.
func NewHeader(t BlockType) MetaHeader {
	return MetaHeader{Magic: Magic, Type: t, Format: t.Format()}
}

// PutHeader writes the header of a block of type t at the start of b.
func PutHeader(b []byte, t BlockType) {
	h := NewHeader(t)
	(&fields{b: b, write: true}).header(&h)
}

// TypeOf is the type that the block b claims; false when b has no metadata header.
func TypeOf(b []byte) (BlockType, bool) {
	if len(b) < HeaderSize || be.Uint32(b) != Magic {
		return TypeNone, false
	}
	return BlockType(be.Uint32(b[4:])), true
}

// CheckType tells whether b, read from addr, is a metadata block of type want. Like the kernel it looks at magic and
// type and not at mh_format.
func CheckType(b []byte, addr uint64, want BlockType) error {
	got, ok := TypeOf(b)
	if !ok {
		return Corrupt(addr, "no metadata header, want a %v", want)
	}
	if got != want {
		return Corrupt(addr, "is a %v, want a %v", got, want)
	}
	return nil
}

// checkBlock is CheckType for a block that starts with a structure of size bytes.
func checkBlock(b []byte, addr uint64, want BlockType, size int) error {
	if err := CheckType(b, addr, want); err != nil {
		return err
	}
	if len(b) < size {
		return Corrupt(addr, "%d bytes are too few for a %v", len(b), want)
	}
	return nil
}

// decodeBlock checks b for type t and decodes the structure at its start.
func decodeBlock[T any](b []byte, addr uint64, t BlockType) (T, error) {
	if err := CheckType(b, addr, t); err != nil {
		var zero T
		return zero, err
	}
	return decode[T](b, addr)
}
