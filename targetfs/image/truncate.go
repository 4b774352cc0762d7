package image

import (
	"fmt"
	"math"
	"syscall"

	"faultline/targetfs/disk"
)

// Truncate sets the size of the file ino in bytes. What a smaller size cuts off is freed; a larger one adds a hole.
func (im *Image) Truncate(ino uint64, size int64) error {
	more := false
	err := im.Update(func(tx *Tx) (err error) {
		more, err = tx.setSize(ino, size)
		return err
	})
	for err == nil && more {
		err = im.Update(func(tx *Tx) (err error) {
			more, err = tx.finishTruncate(ino)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("truncate inode %d to %d: %w", ino, size, err)
	}
	return nil
}

// setSize is the first transaction of a truncation. It tells whether blocks are still to be freed: the flag TRUNC_IN_PROG
// says the same on disk, so that a crash in between does not leave them.
func (tx *Tx) setSize(ino uint64, size int64) (more bool, err error) {
	di, err := tx.dinode(ino)
	if err != nil {
		return false, err
	}
	if di.Type() != disk.ModeReg {
		return false, notAFile(&di)
	}
	if size < 0 {
		return false, syscall.EINVAL
	}
	tx.touch(&di)
	old := di.Size
	di.Size = uint64(size)
	switch {
	case di.Height == 0 && size > int64(tx.im.bs.StuffedMax()):
		di.Size = old
		if err := tx.unstuff(&di); err != nil {
			return false, err
		}
		di.Size = uint64(size)
	case di.Height == 0:
		payload, err := tx.payload(&di)
		if err != nil {
			return false, err
		}
		clear(payload[min(uint64(size), old):])
	case uint64(size) <= old:
		if err := tx.zero(&di, di.Size, roundUp(di.Size, tx.im.bs)); err != nil {
			return false, err
		}
		di.Flags |= disk.FlagTruncInProg
		more = true
	}
	return more, tx.store(&di)
}

// finishTruncate frees blocks behind the end of a file with TRUNC_IN_PROG, and tells whether some are left.
func (tx *Tx) finishTruncate(ino uint64) (more bool, err error) {
	di, err := tx.dinode(ino)
	if err != nil {
		return false, err
	}
	shift := tx.im.bs.Shift()
	done, err := tx.freeRange(&di, roundUp(di.Size, tx.im.bs)>>shift, math.MaxUint64)
	if err != nil {
		return false, err
	}
	if done {
		di.Flags &^= disk.FlagTruncInProg
		if di.Size == 0 {
			di.Height, di.GoalMeta, di.GoalData = 0, ino, ino
		}
	}
	return !done, tx.store(&di)
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
		err := im.Update(func(tx *Tx) (err error) {
			more, err = tx.punch(ino, uint64(off), uint64(off+n))
			return err
		})
		if err != nil {
			return fmt.Errorf("punch a hole into inode %d: %w", ino, err)
		}
	}
	return nil
}

func (tx *Tx) punch(ino, from, to uint64) (more bool, err error) {
	di, err := tx.dinode(ino)
	if err != nil {
		return false, err
	}
	if di.Type() != disk.ModeReg {
		return false, notAFile(&di)
	}
	tx.touch(&di)
	if di.Height == 0 {
		payload, err := tx.payload(&di)
		if err != nil {
			return false, err
		}
		size := uint64(len(payload))
		clear(payload[min(from, size):min(to, size)])
		return false, tx.store(&di)
	}
	bs, shift := tx.im.bs, tx.im.bs.Shift()
	first, end := roundUp(from, bs), to&^uint64(bs-1)
	if first > end {
		return false, firstError(tx.zero(&di, from, to), tx.store(&di))
	}
	if err := firstError(tx.zero(&di, from, first), tx.zero(&di, end, to)); err != nil {
		return false, err
	}
	done, err := tx.freeRange(&di, first>>shift, end>>shift)
	if err != nil {
		return false, err
	}
	return !done, tx.store(&di)
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
		err := im.Update(func(tx *Tx) (err error) {
			at, err = tx.allocate(ino, at, end, keepSize)
			return err
		})
		if err != nil {
			return fmt.Errorf("allocate space for inode %d: %w", ino, err)
		}
	}
	return nil
}

// allocate fills holes from byte at on, as far as one transaction takes it, and returns how far that was.
func (tx *Tx) allocate(ino, at, end uint64, keepSize bool) (uint64, error) {
	di, err := tx.dinode(ino)
	if err != nil {
		return at, err
	}
	if di.Type() != disk.ModeReg {
		return at, notAFile(&di)
	}
	if di.Height > 0 || end > uint64(tx.im.bs.StuffedMax()) {
		if at, err = tx.fillHoles(&di, at, end); err != nil {
			return at, err
		}
	} else {
		at = end
	}
	if !keepSize {
		di.Size = max(di.Size, min(at, end))
	}
	tx.touch(&di)
	return at, tx.store(&di)
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
