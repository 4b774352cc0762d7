package image

import (
	"math"
	"math/bits"

	"faultline/targetfs/disk"
)

// A metadata tree of height h has pointer arrays on levels 0 (in the dinode) to h-1; those of the last level point to data.

// under is the number of payload blocks below one pointer on the given level of a tree of height h.
func (im *Image) under(level, height int) uint64 {
	n := uint64(1)
	for range height - 1 - level {
		hi, lo := bits.Mul64(n, uint64(im.bs.IndirectPtrs()))
		if hi != 0 {
			return math.MaxUint64
		}
		n = lo
	}
	return n
}

// pointers is the pointer array of block addr on a level, for reading.
func (tx *Tx) pointers(addr uint64, level int) ([]byte, error) {
	if level == 0 {
		b, err := tx.read(addr, disk.TypeDI)
		if err != nil {
			return nil, err
		}
		return b[disk.DinodeSize:], nil
	}
	b, err := tx.read(addr, disk.TypeIN)
	if err != nil {
		return nil, err
	}
	return b[disk.HeaderSize:], nil
}

// editPointers is the pointer array of block addr on a level, for changing.
func (tx *Tx) editPointers(addr uint64, level int) ([]byte, error) {
	if level == 0 {
		b, err := tx.edit(addr, disk.TypeDI)
		if err != nil {
			return nil, err
		}
		return b[disk.DinodeSize:], nil
	}
	b, err := tx.edit(addr, disk.TypeIN)
	if err != nil {
		return nil, err
	}
	return b[disk.HeaderSize:], nil
}

// run is part of a file: adjacent blocks, or a hole when addr is 0.
type run struct {
	addr uint64
	n    uint64 // blocks
}

// extent is the run that starts at payload block lblk of di, at most limit blocks of it. It ends where a pointer array
// ends, so the next run may continue it.
func (tx *Tx) extent(di *disk.Dinode, lblk, limit uint64) (run, error) {
	height := int(di.Height)
	if lblk >= tx.im.bs.TreeBlocks(height) {
		return run{n: limit}, nil
	}
	addr := di.Num.Addr
	for level := 0; ; level++ {
		ptrs, err := tx.pointers(addr, level)
		if err != nil {
			return run{}, err
		}
		under := tx.im.under(level, height)
		i := int(lblk / under)
		lblk %= under
		if level == height-1 {
			return adjacent(ptrs, i, limit), nil
		}
		if addr = disk.Ptr(ptrs, i); addr == 0 {
			return run{n: min(limit, under-lblk)}, nil
		}
	}
}

// adjacent is the run of pointers from index i on that are all zero or follow each other.
func adjacent(ptrs []byte, i int, limit uint64) run {
	r := run{addr: disk.Ptr(ptrs, i), n: 1}
	for r.n < limit && i+int(r.n) < len(ptrs)/8 {
		next := disk.Ptr(ptrs, i+int(r.n))
		if r.addr == 0 && next != 0 || r.addr != 0 && next != r.addr+r.n {
			break
		}
		r.n++
	}
	return r
}

// grow gives di a tree that reaches payload block lblk, moving stuffed data out first.
func (tx *Tx) grow(di *disk.Dinode, lblk uint64) error {
	if di.Height == 0 {
		if err := tx.unstuff(di); err != nil {
			return err
		}
	}
	for lblk >= tx.im.bs.TreeBlocks(int(di.Height)) {
		if err := tx.raise(di); err != nil {
			return err
		}
	}
	return nil
}

// unstuff moves di's stuffed data to a block of its own. A directory's is its hash table, whose blocks have a header.
func (tx *Tx) unstuff(di *disk.Dinode) error {
	payload, err := tx.payload(di)
	if err != nil {
		return err
	}
	data := append([]byte(nil), payload[:di.Size]...)
	clear(payload)
	di.Height = 1
	if len(data) == 0 {
		return tx.store(di)
	}
	addr, _, err := tx.allocFor(di, 1)
	if err != nil {
		return err
	}
	if err := tx.writeNew(di, addr, data); err != nil {
		return err
	}
	disk.PutPtr(payload, 0, addr)
	return tx.store(di)
}

// raise makes di's tree one level higher.
func (tx *Tx) raise(di *disk.Dinode) error {
	if di.Height >= disk.MaxHeight {
		return disk.Corrupt(di.Num.Addr, "metadata tree of height %d is too small", di.Height)
	}
	root, err := tx.payload(di)
	if err != nil {
		return err
	}
	if !allZero(root) {
		addr, below, err := tx.newMeta(di, disk.TypeIN)
		if err != nil {
			return err
		}
		copy(below[disk.HeaderSize:], root[:8*tx.im.bs.DinodePtrs()])
		clear(root)
		disk.PutPtr(root, 0, addr)
	}
	di.Height++
	return tx.store(di)
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// leaf is the pointer array that has payload block lblk of di, and the index in it. The tree grows as needed.
func (tx *Tx) leaf(di *disk.Dinode, lblk uint64) ([]byte, int, error) {
	if err := tx.grow(di, lblk); err != nil {
		return nil, 0, err
	}
	height, addr := int(di.Height), di.Num.Addr
	for level := 0; ; level++ {
		under := tx.im.under(level, height)
		i := int(lblk / under)
		lblk %= under
		ptrs, err := tx.editPointers(addr, level)
		if err != nil || level == height-1 {
			return ptrs, i, err
		}
		if addr = disk.Ptr(ptrs, i); addr != 0 {
			continue
		}
		if addr, _, err = tx.newMeta(di, disk.TypeIN); err != nil {
			return nil, 0, err
		}
		disk.PutPtr(ptrs, i, addr)
	}
}
