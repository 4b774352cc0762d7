package disk

import "math/bits"

// BlockSize is a file system's block size in bytes. Its methods are the numbers that follow from it.
type BlockSize uint32

// Limits of the block size. The format goes to 64 KiB, Linux to the page size.
const (
	MinBlockSize BlockSize = 512
	MaxBlockSize BlockSize = 65536
)

// MaxHeight is the largest di_height (GFS2_MAX_META_HEIGHT).
const MaxHeight = 10

// MaxFileSize is the VFS's limit of a file's size.
const MaxFileSize = 1<<63 - 1

// Valid tells whether bs is a power of two within the limits.
func (bs BlockSize) Valid() bool {
	return bs >= MinBlockSize && bs <= MaxBlockSize && bs&(bs-1) == 0
}

// Shift is log2 of the block size.
func (bs BlockSize) Shift() uint32 { return uint32(bits.TrailingZeros32(uint32(bs))) }

// SuperblockAddr is the block that holds byte 65536, where the superblock lives.
func (bs BlockSize) SuperblockAddr() uint64 { return SuperblockOffset / uint64(bs) }

// StuffedMax is the number of payload bytes that fit into a dinode.
func (bs BlockSize) StuffedMax() int { return int(bs) - DinodeSize }

// MetaMax is the number of payload bytes of a block that has a metadata header and nothing else.
func (bs BlockSize) MetaMax() int { return int(bs) - HeaderSize }

// DinodePtrs is the number of block pointers in a dinode.
func (bs BlockSize) DinodePtrs() int { return bs.StuffedMax() / 8 }

// IndirectPtrs is the number of block pointers in an indirect block.
func (bs BlockSize) IndirectPtrs() int { return bs.MetaMax() / 8 }

// LeafMax is the number of bytes of a leaf that hold dirents.
func (bs BlockSize) LeafMax() int { return int(bs) - LeafSize }

// MinHashDepth is the smallest di_depth of an ExHash directory; its table has bsize/16 entries.
func (bs BlockSize) MinHashDepth() int { return int(bs.Shift()) - 4 }

// QuotaSlots is the number of quota changes in a QC block.
func (bs BlockSize) QuotaSlots() int { return bs.MetaMax() / QuotaChangeSize }

// TreeBlocks is the number of payload blocks that a metadata tree of the given height can address; heights whose number
// doesn't fit are cut to 2^63-1.
func (bs BlockSize) TreeBlocks(height int) uint64 {
	if height == 0 {
		return 0
	}
	n := uint64(bs.DinodePtrs())
	for range height - 1 {
		hi, lo := bits.Mul64(n, uint64(bs.IndirectPtrs()))
		if hi != 0 || lo > MaxFileSize {
			return MaxFileSize
		}
		n = lo
	}
	return n
}

// HeightFor is the smallest height, at least 1, whose tree addresses blocks payload blocks; false when none does.
func (bs BlockSize) HeightFor(blocks uint64) (int, bool) {
	for h := 1; h <= MaxHeight; h++ {
		if bs.TreeBlocks(h) >= blocks {
			return h, true
		}
	}
	return 0, false
}

// Ptr is the i-th block pointer of the pointer array b.
func Ptr(b []byte, i int) uint64 { return be.Uint64(b[8*i:]) }

// PutPtr sets the i-th block pointer of the pointer array b.
func PutPtr(b []byte, i int, addr uint64) { be.PutUint64(b[8*i:], addr) }
