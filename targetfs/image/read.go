package image

import (
	"fmt"
	"io"
	"syscall"

	"faultline/targetfs/disk"
)

// journaled tells whether the data of di goes through transactions, like metadata. A directory's hash table has other rules.
func journaled(di *disk.Dinode) bool { return di.Flags&disk.FlagJdata != 0 }

// ReadAt reads from the file ino at byte off. It returns io.EOF when less than len(p) is left; holes read as zeros.
func (im *Image) ReadAt(ino uint64, p []byte, off int64) (n int, err error) {
	err = im.View(func(tx *Tx) error {
		di, err := tx.dinode(ino)
		if err != nil {
			return err
		}
		if di.IsDir() {
			return fmt.Errorf("read inode %d: %w", ino, syscall.EISDIR)
		}
		n, err = tx.readAt(&di, p, off)
		return err
	})
	return n, err
}

func (tx *Tx) readAt(di *disk.Dinode, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read inode %d at %d: %w", di.Num.Addr, off, syscall.EINVAL)
	}
	if uint64(off) >= di.Size {
		return 0, io.EOF
	}
	var eof error
	if left := di.Size - uint64(off); uint64(len(p)) > left {
		p, eof = p[:left], io.EOF
	}
	if err := tx.readMeta(di, p, uint64(off)); err != nil {
		return 0, err
	}
	return len(p), eof
}

// readMeta fills p with the file's content at off, without regard to its size.
func (tx *Tx) readMeta(di *disk.Dinode, p []byte, off uint64) error {
	if di.Height == 0 {
		b, err := tx.raw(di.Num.Addr)
		if err != nil {
			return err
		}
		clear(p)
		if payload := b[disk.DinodeSize:]; off < uint64(len(payload)) {
			copy(p, payload[off:])
		}
		return nil
	}
	bs, shift := uint64(tx.im.bs), tx.im.bs.Shift()
	for len(p) > 0 {
		within := off & (bs - 1)
		r, err := tx.extent(di, off>>shift, (within+uint64(len(p))+bs-1)>>shift)
		if err != nil {
			return err
		}
		n := min(uint64(len(p)), r.n<<shift-within)
		if err := tx.readRun(di, p[:n], r.addr, within); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// readRun fills p from byte within of the run that starts at addr; 0 is a hole.
func (tx *Tx) readRun(di *disk.Dinode, p []byte, addr, within uint64) error {
	if addr == 0 {
		clear(p)
		return nil
	}
	if journaled(di) {
		return tx.readJournaled(p, addr, within)
	}
	im := tx.im
	last := addr + (within+uint64(len(p))-1)>>im.bs.Shift()
	if err := im.checkAddr(addr); err != nil {
		return err
	}
	if err := im.checkAddr(last); err != nil {
		return err
	}
	if _, err := im.dev.ReadAt(p, im.offset(addr)+int64(within)); err != nil {
		return fmt.Errorf("read blocks %d to %d of inode %d: %w", addr, last, di.Num.Addr, err)
	}
	return nil
}

func (tx *Tx) readJournaled(p []byte, addr, within uint64) error {
	for len(p) > 0 {
		b, err := tx.raw(addr)
		if err != nil {
			return err
		}
		n := copy(p, b[within:])
		p, addr, within = p[n:], addr+1, 0
	}
	return nil
}

// Whence says what SeekData looks for.
type Whence bool

// What SeekData looks for.
const (
	Data Whence = false
	Hole Whence = true
)

// Seek is the first offset at or after off where the file ino has data, or a hole; the end of the file counts as
// a hole. Off at or behind the end gives ENXIO, as lseek(2) does.
func (tx *Tx) Seek(ino uint64, off int64, want Whence) (int64, error) {
	di, err := tx.dinode(ino)
	if err != nil {
		return 0, err
	}
	if off < 0 || uint64(off) >= di.Size {
		return 0, syscall.ENXIO
	}
	if di.Height == 0 {
		if want == Hole {
			return int64(di.Size), nil
		}
		return off, nil
	}
	at, shift := uint64(off), tx.im.bs.Shift()
	for at < di.Size {
		r, err := tx.extent(&di, at>>shift, (di.Size-1)>>shift-at>>shift+1)
		if err != nil {
			return 0, err
		}
		if (r.addr == 0) == bool(want) {
			return int64(at), nil
		}
		at = (at>>shift + r.n) << shift
	}
	if want == Hole {
		return int64(di.Size), nil
	}
	return 0, syscall.ENXIO
}
