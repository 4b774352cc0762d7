package disk

import "math/bits"

// Sizes in bytes.
const (
	RgrpSize   = 128
	RindexSize = 96
)

// MaxRgrpLength is the largest ri_length that gfs2-utils accept (libgfs2, rgrp.c).
const MaxRgrpLength = 2149

// Bits of rg_flags.
const (
	RgJournal  = 0x01
	RgMetaOnly = 0x02
	RgDataOnly = 0x04
	RgNoAlloc  = 0x08
	RgTrimmed  = 0x10
)

// Rindex is one record of the rindex file (struct gfs2_rindex).
type Rindex struct {
	Addr     uint64 // ri_addr: block of the resource group header
	Length   uint32 // ri_length: header and bitmap blocks
	_        uint32
	Data0    uint64 // ri_data0: first block that the bitmap describes
	Data     uint32 // ri_data: number of blocks that the bitmap describes
	Bitbytes uint32 // ri_bitbytes: ri_data / 4
	_        [64]byte
}

// DecodeRindex decodes one record of the rindex file; addr names the block it was read from.
func DecodeRindex(b []byte, addr uint64) (Rindex, error) { return decode[Rindex](b, addr) }

// Encode writes ri at the start of b.
func (ri *Rindex) Encode(b []byte) { encode(b, ri) }

// Check tells whether ri obeys the geometry rules and lies within a device of blocks blocks.
func (ri *Rindex) Check(bs BlockSize, blocks uint64) error {
	switch {
	case ri.Addr <= bs.SuperblockAddr() || ri.Addr >= blocks:
		return Corrupt(ri.Addr, "resource group outside the device of %d blocks", blocks)
	case ri.Length == 0 || ri.Length > MaxRgrpLength:
		return Corrupt(ri.Addr, "resource group header of %d blocks", ri.Length)
	case ri.Data0 != ri.Addr+uint64(ri.Length):
		return Corrupt(ri.Addr, "resource group data at %d, want %d", ri.Data0, ri.Addr+uint64(ri.Length))
	case ri.Data == 0 || ri.Data%4 != 0 || ri.Bitbytes != ri.Data/4:
		return Corrupt(ri.Addr, "%d bitmap bytes for %d blocks", ri.Bitbytes, ri.Data)
	case uint64(ri.Data) > blocks-ri.Data0:
		return Corrupt(ri.Addr, "resource group data ends beyond the device of %d blocks", blocks)
	case uint64(ri.Length) != bs.bitmapBlocks(uint64(ri.Bitbytes)):
		return Corrupt(ri.Addr, "%d bitmap bytes in %d blocks", ri.Bitbytes, ri.Length)
	}
	return nil
}

// Contains tells whether the bitmap of ri describes block addr.
func (ri *Rindex) Contains(addr uint64) bool {
	return addr >= ri.Data0 && addr-ri.Data0 < uint64(ri.Data)
}

// bitmapBlocks is the number of header and bitmap blocks that n bitmap bytes fill.
func (bs BlockSize) bitmapBlocks(n uint64) uint64 {
	inHeader := uint64(bs) - RgrpSize
	if n <= inHeader {
		return 1
	}
	each := uint64(bs.MetaMax())
	return 1 + (n-inHeader+each-1)/each
}

// PlanRgrp divides total blocks at addr into header blocks and data blocks. The rule is that of libgfs2 and of the
// kernel: data is a multiple of 4, and the header is as short as the bitmap allows.
func PlanRgrp(bs BlockSize, addr, total uint64) Rindex {
	length := uint64(1)
	for length < total && bs.bitmapBlocks((total-length)/4) > length {
		length++
	}
	data := (total - length) &^ 3
	return Rindex{Addr: addr, Length: uint32(length), Data0: addr + length, Data: uint32(data), Bitbytes: uint32(data / 4)}
}

// Rgrp is the start of a resource group header block (struct gfs2_rgrp); bitmap bytes follow.
type Rgrp struct {
	MetaHeader
	Flags       uint32 // rg_flags
	Free        uint32 // rg_free: blocks in state Free
	Dinodes     uint32 // rg_dinodes: blocks in state Dinode or Unlinked
	Skip        uint32 // rg_skip: blocks to the next resource group, 0 in the last
	Igeneration uint64 // rg_igeneration: generation of the next inode
	Data0       uint64 // rg_data0: copy of ri_data0
	Data        uint32 // rg_data: copy of ri_data
	Bitbytes    uint32 // rg_bitbytes: copy of ri_bitbytes
	Crc         uint32 // rg_crc: Hash of these 128 bytes with this field 0; 0 means none
	_           [60]byte
}

const rgCrcOffset = 64

// NewRgrp is the header of an empty resource group.
func NewRgrp(ri Rindex, skip uint32) Rgrp {
	return Rgrp{MetaHeader: NewHeader(TypeRG), Free: ri.Data, Skip: skip, Data0: ri.Data0, Data: ri.Data, Bitbytes: ri.Bitbytes}
}

// DecodeRgrp decodes the resource group header block b. A checksum that is present must be right.
func DecodeRgrp(b []byte, addr uint64) (Rgrp, error) {
	var rg Rgrp
	if err := checkBlock(b, addr, TypeRG, RgrpSize); err != nil {
		return rg, err
	}
	(&fields{b: b}).rgrp(&rg)
	if rg.Crc != 0 {
		if want := rgrpCrc(b); rg.Crc != want {
			return rg, Corrupt(addr, "resource group checksum %08x, want %08x", rg.Crc, want)
		}
	}
	return rg, nil
}

// Encode writes rg and its checksum at the start of b.
func (rg *Rgrp) Encode(b []byte) {
	(&fields{b: b, write: true}).rgrp(rg)
	rg.Crc = rgrpCrc(b)
	be.PutUint32(b[rgCrcOffset:], rg.Crc)
}

func rgrpCrc(b []byte) uint32 {
	var head [RgrpSize]byte
	copy(head[:], b)
	clear(head[rgCrcOffset : rgCrcOffset+4])
	return Hash(head[:])
}

// BlockState is the two-bit state of a block in a resource group's bitmap.
type BlockState uint8

// Block states.
const (
	Free       BlockState = 0
	Used       BlockState = 1 // any allocated block that is no dinode
	Unlinked   BlockState = 2 // a dinode without links that still exists
	InodeBlock BlockState = 3 // a live dinode
)

func (s BlockState) String() string { return [...]string{"free", "used", "unlinked", "dinode"}[s&3] }

// MayBecome tells whether the kernel allows a block to go from s to next (fs/gfs2/rgrp.c, valid_change).
func (s BlockState) MayBecome(next BlockState) bool {
	switch s {
	case Free:
		return next == Used || next == InodeBlock
	case Used, Unlinked:
		return next == Free
	}
	return next == Unlinked || next == Free
}

// Bitmap is the bitmap bytes of one block: four blocks a byte, the first in the lowest two bits.
type Bitmap []byte

// BitmapOf is the bitmap in block number i (0 is the header) of a resource group, cut to the bytes in use.
// start is the number of the first block it describes, counted from ri_data0.
func (ri *Rindex) BitmapOf(b []byte, i uint32) (bm Bitmap, start uint32) {
	from, before := RgrpSize, 0
	if i > 0 {
		from, before = HeaderSize, len(b)-RgrpSize+int(i-1)*(len(b)-HeaderSize)
	}
	n := min(len(b)-from, int(ri.Bitbytes)-before)
	return Bitmap(b[from : from+n]), uint32(before) * 4
}

// BitmapIndex says which block of the resource group (0 is the header) describes data block n, counted from ri_data0.
func (bs BlockSize) BitmapIndex(n uint32) uint32 {
	inHeader := 4 * (uint32(bs) - RgrpSize)
	if n < inHeader {
		return 0
	}
	return 1 + (n-inHeader)/(4*uint32(bs.MetaMax()))
}

// Len is the number of blocks that bm describes.
func (bm Bitmap) Len() uint32 { return uint32(len(bm)) * 4 }

// State is the state of the n-th block.
func (bm Bitmap) State(n uint32) BlockState { return BlockState(bm[n/4]>>(2*(n%4))) & 3 }

// Set sets the state of the n-th block.
func (bm Bitmap) Set(n uint32, s BlockState) {
	shift := 2 * (n % 4)
	bm[n/4] = bm[n/4]&^(3<<shift) | byte(s)<<shift
}

// FindFree is the first free block at or after from; false when there is none.
func (bm Bitmap) FindFree(from uint32) (uint32, bool) {
	for n := from; n < bm.Len(); {
		rest := bm[n/4:]
		switch {
		case n%4 == 0 && len(rest) >= 8 && !hasFree(be.Uint64(rest)):
			n += 32
		case bm.State(n) == Free:
			return n, true
		default:
			n++
		}
	}
	return 0, false
}

// hasFree tells whether one of the 32 pairs of w is 00.
func hasFree(w uint64) bool {
	const low = 0x5555555555555555
	return (w|w>>1)&low != low
}

// Count is the number of blocks of bm in each state.
func (bm Bitmap) Count() (n [4]uint32) {
	for _, b := range bm {
		low, high := b&0x55, b>>1&0x55
		n[Used] += uint32(bits.OnesCount8(low &^ high))
		n[Unlinked] += uint32(bits.OnesCount8(high &^ low))
		n[InodeBlock] += uint32(bits.OnesCount8(low & high))
	}
	n[Free] = bm.Len() - n[Used] - n[Unlinked] - n[InodeBlock]
	return n
}
