package image

import (
	"errors"
	"fmt"
	"syscall"

	"faultline/targetfs/disk"
)

// chunk is the number of bytes that one transaction writes at most.
const chunk = 1 << 20

// WriteAt writes p to the file ino at byte off. When space or quota runs out in between it returns what it wrote, with
// no error; ENOSPC or EDQUOT comes when nothing could be written.
func (im *Image) WriteAt(ino uint64, p []byte, off int64) (int, error) {
	if off < 0 || int64(len(p)) > disk.MaxFileSize-off {
		return 0, fmt.Errorf("write inode %d at %d: %w", ino, off, syscall.EFBIG)
	}
	done := 0
	for done < len(p) {
		n := 0
		err := im.updateFile(ino, func(tx *Tx, di *disk.Dinode) (err error) {
			n, err = tx.writeAt(di, p[done:min(len(p), done+chunk)], uint64(off)+uint64(done))
			return err
		})
		if done > 0 && outOfSpace(err) {
			break
		}
		if err != nil {
			return done, fmt.Errorf("write inode %d at %d: %w", ino, off, err)
		}
		done += n
	}
	return done, nil
}

func outOfSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// updateFile is Update for a change of the regular file ino, which it stores, with new times, when fn is done. A truncation that
// a crash cut short is finished first.
func (im *Image) updateFile(ino uint64, fn func(tx *Tx, di *disk.Dinode) error) error {
	for {
		unfinished := false
		err := im.Update(func(tx *Tx) error {
			di, err := tx.dinode(ino)
			if err != nil {
				return err
			}
			if di.Type() != disk.ModeReg {
				return notAFile(&di)
			}
			if unfinished = di.Flags&disk.FlagTruncInProg != 0; unfinished {
				return tx.finishTruncate(&di)
			}
			tx.touch(&di)
			if err := fn(tx, &di); err != nil {
				return err
			}
			return tx.store(&di)
		})
		if err != nil || !unfinished {
			return err
		}
	}
}

func notAFile(di *disk.Dinode) error {
	if di.IsDir() {
		return syscall.EISDIR
	}
	return syscall.EINVAL
}

// writeAt writes the beginning of p, as much as one transaction takes, and at least one byte.
func (tx *Tx) writeAt(di *disk.Dinode, p []byte, off uint64) (int, error) {
	n, err := tx.writeData(di, p, off)
	if err != nil {
		return 0, err
	}
	di.Size = max(di.Size, off+uint64(n))
	return n, nil
}

// writeData puts p at off without touching size and times, and returns how much of it it wrote. di is the caller's to store.
func (tx *Tx) writeData(di *disk.Dinode, p []byte, off uint64) (int, error) {
	if di.Height == 0 && off+uint64(len(p)) <= uint64(tx.im.bs.StuffedMax()) {
		payload, err := tx.payload(di)
		if err != nil {
			return 0, err
		}
		return copy(payload[off:], p), nil
	}
	done := 0
	for done < len(p) && (done == 0 || !tx.large()) {
		n, err := tx.writeRun(di, p[done:], off+uint64(done))
		done += n
		if err != nil {
			if done > 0 && outOfSpace(err) {
				return done, nil
			}
			return done, err
		}
	}
	return done, nil
}

// writeRun writes the beginning of p at off, as far as the blocks are adjacent. It allocates them when they are not there.
func (tx *Tx) writeRun(di *disk.Dinode, p []byte, off uint64) (int, error) {
	bs, shift := uint64(tx.im.bs), tx.im.bs.Shift()
	within := off & (bs - 1)
	want := (within + uint64(len(p)) + bs - 1) >> shift
	if err := tx.grow(di, off>>shift); err != nil {
		return 0, err
	}
	r, err := tx.extent(di, off>>shift, want)
	if err != nil {
		return 0, err
	}
	if r.addr != 0 { // its pointers are not copied for a change that does not come
		n := min(uint64(len(p)), r.n<<shift-within)
		return int(n), tx.overwrite(di, r, p[:n], within)
	}
	ptrs, i, err := tx.leaf(di, off>>shift)
	if err != nil {
		return 0, err
	}
	addr, got, err := tx.allocFor(di, uint32(adjacent(ptrs, i, want).n))
	if err != nil {
		return 0, err
	}
	for k := range int(got) {
		disk.PutPtr(ptrs, i+k, addr+uint64(k))
	}
	n := min(uint64(len(p)), uint64(got)<<shift-within)
	data := p[:n]
	if whole := uint64(got) << shift; whole != n {
		data = make([]byte, whole)
		copy(data[within:], p[:n])
	}
	return int(n), tx.writeNew(di, addr, data)
}

// writeNew gives the new blocks of di from addr on their content; what data leaves of the last one is zero.
func (tx *Tx) writeNew(di *disk.Dinode, addr uint64, data []byte) error {
	if di.IsDir() {
		copy(tx.fresh(addr, disk.TypeJD)[disk.HeaderSize:], data)
		return nil
	}
	bs := int(tx.im.bs)
	if rest := len(data) % bs; rest != 0 {
		data = append(data[:len(data):len(data)], make([]byte, bs-rest)...)
	}
	if !journaled(di) {
		return tx.im.writeData(addr, data, 0)
	}
	for ; len(data) > 0; addr, data = addr+1, data[bs:] {
		tx.put(addr, append([]byte(nil), data[:bs]...), true)
	}
	return nil
}

// overwrite changes existing blocks of di from byte within of the run r on.
func (tx *Tx) overwrite(di *disk.Dinode, r run, p []byte, within uint64) error {
	// A pointer of a broken image could lead into a resource group's header.
	if g := tx.im.groupOf(r.addr); g == nil || !g.Contains(r.addr+r.n-1) {
		return disk.Corrupt(r.addr, "data of inode %d is outside the resource groups", di.Num.Addr)
	}
	if !journaled(di) {
		return tx.im.writeData(r.addr, p, within)
	}
	for addr := r.addr; len(p) > 0; addr++ {
		old, err := tx.raw(addr)
		if err != nil {
			return err
		}
		data := append([]byte(nil), old...)
		p = p[copy(data[within:], p):]
		within = 0
		tx.put(addr, data, true)
	}
	return nil
}

// writeData writes file data straight to the device: with data in order, it is there before the metadata that points to it.
func (im *Image) writeData(addr uint64, p []byte, within uint64) error {
	if _, err := im.dev.WriteAt(p, im.offset(addr)+int64(within)); err != nil {
		return fmt.Errorf("write data at block %d: %w", addr, err)
	}
	return nil
}
