package planted

import (
	"math"
	"sync/atomic"
	"syscall"
)

const (
	// blockSize is the unit of allocation, in bytes.
	blockSize = 4096
	// capacity is the size of the file system, in blocks: 4 GiB. It bounds the memory of the server.
	capacity = 4 << 30 / blockSize
)

// space counts the free blocks of the file system, which all files share.
type space struct{ free atomic.Int64 }

// take reserves n blocks. It tells whether there were so many; if not, nothing is reserved.
func (s *space) take(n int64) bool {
	if s.free.Add(-n) >= 0 {
		return true
	}
	s.free.Add(n)
	return false
}

func (s *space) give(n int64) { s.free.Add(n) }

type block [blockSize]byte

// data is the content of a file. Only blocks that were written or reserved take memory, so a file may be as long as an offset
// can tell. Bytes of a block beyond size are zero at all times, so growing needs no work.
type data struct {
	space  *space
	blocks map[int64]*block // by number in the file; nil: reserved and not written, reads as zeros
	size   int64            // bytes
}

// readAt copies bytes from offset off into dst and returns how many there were before the end of the file.
func (d *data) readAt(dst []byte, off int64) int {
	n := max(0, min(int64(len(dst)), d.size-off))
	pieces(off, n, func(number int64, lo, hi int64) {
		piece := dst[number*blockSize+lo-off:][:hi-lo]
		if b := d.blocks[number]; b != nil {
			copy(piece, b[lo:hi])
		} else {
			clear(piece)
		}
	})
	return int(n)
}

// writeAt stores src at offset off. It stores nothing when space is short.
func (d *data) writeAt(src []byte, off int64) syscall.Errno {
	n := int64(len(src))
	if errno := d.reserve(off, n); errno != 0 {
		return errno
	}
	pieces(off, n, func(number int64, lo, hi int64) {
		b := d.blocks[number]
		if b == nil {
			b = new(block)
			d.blocks[number] = b
		}
		copy(b[lo:hi], src[number*blockSize+lo-off:])
	})
	d.size = max(d.size, off+n)
	return 0
}

// setSize cuts the file, or lengthens it with a hole.
func (d *data) setSize(size int64) {
	if size < d.size {
		d.punch(size, math.MaxInt64-size)
	}
	d.size = size
}

// reserve allocates the blocks of [off, off+n) that are not yet. What they read as stays the same.
func (d *data) reserve(off, n int64) syscall.Errno {
	if n/blockSize > capacity {
		return syscall.ENOSPC
	}
	var missing []int64
	pieces(off, n, func(number, _, _ int64) {
		if _, ok := d.blocks[number]; !ok {
			missing = append(missing, number)
		}
	})
	if !d.space.take(int64(len(missing))) {
		return syscall.ENOSPC
	}
	for _, number := range missing {
		d.blocks[number] = nil
	}
	return 0
}

// punch makes [off, off+n) a hole: whole blocks are freed, parts of blocks are zeroed.
func (d *data) punch(off, n int64) {
	d.zero(off, n, func(number int64) {
		delete(d.blocks, number)
		d.space.give(1)
	})
}

// unwrite makes [off, off+n) read as zeros and keeps its blocks.
func (d *data) unwrite(off, n int64) {
	d.zero(off, n, func(number int64) { d.blocks[number] = nil })
}

// zero clears the allocated part of [off, off+n): whole is called for whole blocks, parts are zeroed. The length may be
// anything, so it goes through the blocks that there are and not through the range.
func (d *data) zero(off, n int64, whole func(number int64)) {
	for number, b := range d.blocks {
		start := number * blockSize
		lo, hi := max(off-start, 0), min(off+n-start, blockSize)
		switch {
		case lo >= hi:
		case hi-lo == blockSize:
			whole(number)
		case b != nil:
			clear(b[lo:hi])
		}
	}
}

// seekData is where the first written byte at or after off is; ENXIO when there is none (lseek(2), SEEK_DATA).
func (d *data) seekData(off int64) (int64, syscall.Errno) {
	next := int64(math.MaxInt64)
	for number, b := range d.blocks {
		if b != nil && (number+1)*blockSize > off {
			next = min(next, max(off, number*blockSize))
		}
	}
	if next >= d.size {
		return 0, syscall.ENXIO
	}
	return next, 0
}

// seekHole is where the first byte that was never written at or after off is: the end of the file if not before, ENXIO if off is
// not before it (lseek(2), SEEK_HOLE).
func (d *data) seekHole(off int64) (int64, syscall.Errno) {
	if off >= d.size {
		return 0, syscall.ENXIO
	}
	number := off / blockSize
	for d.blocks[number] != nil {
		number++
	}
	return min(max(off, number*blockSize), d.size), 0
}

// free gives all blocks back.
func (d *data) free() { d.punch(0, math.MaxInt64) }

// pieces calls f for every block that [off, off+n) touches, with the touched bytes of it as [lo, hi).
func pieces(off, n int64, f func(number, lo, hi int64)) {
	for end := off + n; off < end; {
		number, lo := off/blockSize, off%blockSize
		hi := min(blockSize, lo+end-off)
		f(number, lo, hi)
		off += hi - lo
	}
}
