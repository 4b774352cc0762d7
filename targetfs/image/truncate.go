package image

import (
	"fmt"
	"math"
	"syscall"

	"faultline/targetfs/disk"
)

// Truncate sets the size of the file ino in bytes. What a smaller size cuts off is freed; a larger one adds a hole.
func (im *Image) Truncate(ino uint64, size int64) error {
	if size < 0 {
		return fmt.Errorf("truncate inode %d to %d: %w", ino, size, syscall.EINVAL)
	}
	cut := false
	err := im.updateFile(ino, func(tx *Tx, di *disk.Dinode) error {
		err := tx.setSize(di, uint64(size))
		cut = di.Flags&disk.FlagTruncInProg != 0
		return err
	})
	if err == nil && cut {
		// The size is set. Whatever is done to the file next frees what is behind it first: here it is nothing.
		err = im.updateFile(ino, func(*Tx, *disk.Dinode) error { return nil })
	}
	if err != nil {
		return fmt.Errorf("truncate inode %d to %d: %w", ino, size, err)
	}
	return nil
}

// setSize is the first transaction of a truncation. When blocks must be freed it sets TRUNC_IN_PROG, which says so on disk:
// a crash before they are does not leave them for ever.
func (tx *Tx) setSize(di *disk.Dinode, size uint64) error {
	old := di.Size
	switch {
	case di.Height == 0 && size > uint64(tx.im.bs.StuffedMax()):
		if err := tx.unstuff(di); err != nil {
			return err
		}
	case di.Height == 0:
		payload, err := tx.payload(di)
		if err != nil {
			return err
		}
		clear(payload[min(size, old):])
	case size <= old:
		if err := tx.zero(di, size, roundUp(size, tx.im.bs)); err != nil {
			return err
		}
		di.Flags |= disk.FlagTruncInProg
	}
	di.Size = size
	return nil
}

// finishTruncate frees blocks behind the end of a file with TRUNC_IN_PROG. The flag goes when all are freed.
func (tx *Tx) finishTruncate(di *disk.Dinode) error {
	done, err := tx.freeRange(di, roundUp(di.Size, tx.im.bs)>>tx.im.bs.Shift(), math.MaxUint64)
	if err != nil {
		return err
	}
	if done {
		di.Flags &^= disk.FlagTruncInProg
		if di.Size == 0 {
			di.Height, di.GoalMeta, di.GoalData = 0, di.Num.Addr, di.Num.Addr
		}
	}
	return tx.store(di)
}

func roundUp(n uint64, bs disk.BlockSize) uint64 { return (n + uint64(bs) - 1) &^ (uint64(bs) - 1) }

// zero overwrites the bytes from to to with zeros where blocks exist. The range must lie in one block.
func (tx *Tx) zero(di *disk.Dinode, from, to uint64) error {
	if from >= to {
		return nil
	}
	r, err := tx.extent(di, from>>tx.im.bs.Shift(), 1)
	if err != nil || r.addr == 0 {
		return err
	}
	return tx.overwrite(di, r, make([]byte, to-from), from&uint64(tx.im.bs-1))
}

// freeRange frees the payload blocks of di from first up to, not including, end, and indirect blocks that lie
// wholly inside. It works from the right to the left and returns false when the transaction has become large.
func (tx *Tx) freeRange(di *disk.Dinode, first, end uint64) (done bool, err error) {
	if di.Height == 0 || first >= end {
		return true, nil
	}
	return tx.freeNode(di, di.Num.Addr, 0, first, end)
}

// freeNode is freeRange below one pointer array; first and end are relative to the first block below it.
func (tx *Tx) freeNode(di *disk.Dinode, addr uint64, level int, first, end uint64) (bool, error) {
	ptrs, err := tx.pointers(addr, level)
	if err != nil {
		return false, err
	}
	under := tx.im.under(level, int(di.Height))
	entries := uint64(len(ptrs) / 8)
	for i := min(entries, (end-1)/under+1); i > first/under; {
		i--
		child := disk.Ptr(ptrs, int(i))
		if child == 0 {
			continue
		}
		if tx.large() {
			return false, nil
		}
		base := i * under
		whole := first <= base && (end-base >= under)
		if level < int(di.Height)-1 {
			below := max(first, base) - base
			if done, err := tx.freeNode(di, child, level+1, below, min(end-base, under)); err != nil || !done {
				return false, err
			}
		}
		if !whole {
			continue
		}
		if ptrs, err = tx.editPointers(addr, level); err != nil {
			return false, err
		}
		disk.PutPtr(ptrs, int(i), 0)
		if err := tx.releaseFor(di, child); err != nil {
			return false, err
		}
	}
	return true, nil
}

// Punch makes a hole of n bytes at off in the file ino. The size stays.
func (im *Image) Punch(ino uint64, off, n int64) error {
	if off < 0 || n <= 0 || n > disk.MaxFileSize-off {
		return fmt.Errorf("punch a hole of %d bytes at %d: %w", n, off, syscall.EINVAL)
	}
	for more := true; more; {
		err := im.updateFile(ino, func(tx *Tx, di *disk.Dinode) (err error) {
			more, err = tx.punch(di, uint64(off), uint64(off+n))
			return err
		})
		if err != nil {
			return fmt.Errorf("punch a hole into inode %d: %w", ino, err)
		}
	}
	return nil
}

// punch tells whether blocks of the hole are left for another transaction.
func (tx *Tx) punch(di *disk.Dinode, from, to uint64) (more bool, err error) {
	if di.Height == 0 {
		payload, err := tx.payload(di)
		if err != nil {
			return false, err
		}
		size := uint64(len(payload))
		clear(payload[min(from, size):min(to, size)])
		return false, nil
	}
	bs, shift := tx.im.bs, tx.im.bs.Shift()
	first, end := roundUp(from, bs), to&^uint64(bs-1)
	if first > end {
		return false, tx.zero(di, from, to)
	}
	if err := firstError(tx.zero(di, from, first), tx.zero(di, end, to)); err != nil {
		return false, err
	}
	done, err := tx.freeRange(di, first>>shift, end>>shift)
	return !done, err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Allocate makes sure that the file ino has blocks for n bytes at off; new ones are zero. With keepSize the size stays
// when the range ends behind it.
func (im *Image) Allocate(ino uint64, off, n int64, keepSize bool) error {
	if off < 0 || n <= 0 || n > disk.MaxFileSize-off {
		return fmt.Errorf("allocate %d bytes at %d: %w", n, off, syscall.EINVAL)
	}
	for at, end := uint64(off), uint64(off+n); at < end; {
		err := im.updateFile(ino, func(tx *Tx, di *disk.Dinode) (err error) {
			at, err = tx.allocate(di, at, end, keepSize)
			return err
		})
		if err != nil {
			return fmt.Errorf("allocate space for inode %d: %w", ino, err)
		}
	}
	return nil
}

// allocate fills holes from byte at on, as far as one transaction takes it, and returns how far that was.
func (tx *Tx) allocate(di *disk.Dinode, at, end uint64, keepSize bool) (uint64, error) {
	if di.Height > 0 || end > uint64(tx.im.bs.StuffedMax()) {
		var err error
		if at, err = tx.fillHoles(di, at, end); err != nil {
			return at, err
		}
	} else {
		at = end
	}
	if !keepSize {
		di.Size = max(di.Size, min(at, end))
	}
	return at, nil
}

func (tx *Tx) fillHoles(di *disk.Dinode, at, end uint64) (uint64, error) {
	bs, shift := tx.im.bs, tx.im.bs.Shift()
	for start := at; at < end && at-start < chunk && !tx.large(); {
		ptrs, i, err := tx.leaf(di, at>>shift)
		if err != nil {
			return at, err
		}
		r := adjacent(ptrs, i, min((roundUp(end, bs)-at&^uint64(bs-1))>>shift, chunk>>shift))
		if r.addr == 0 {
			addr, got, err := tx.allocFor(di, uint32(r.n))
			if err != nil {
				return at, err
			}
			for k := range int(got) {
				disk.PutPtr(ptrs, i+k, addr+uint64(k))
			}
			if err := tx.writeNew(di, addr, make([]byte, uint64(got)<<shift)); err != nil {
				return at, err
			}
			r.n = uint64(got)
		}
		at = (at>>shift + r.n) << shift
	}
	return at, nil
}
