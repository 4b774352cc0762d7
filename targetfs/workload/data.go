package workload

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// near bounds the size of most files, far the offsets of the others, in bytes.
const (
	near = 300_000
	far  = 1 << 30
)

// withFile is an operation on a random file: what it does to the file, and then to the model of it.
func (w *work) withFile(do func(n *inode, fd int) error, model func(n *inode)) error {
	dir, name, ok := w.someName(isFile)
	if !ok {
		return nil
	}
	n := dir.names[name]
	if err := w.open(dir, name, os.O_RDWR, func(fd int) error { return do(n, fd) }); err != nil {
		return err
	}
	model(n)
	return nil
}

// pwrite writes all of p.
func pwrite(fd int, p []byte, off int64) error {
	n, err := unix.Pwrite(fd, p, off)
	if err == nil && n < len(p) {
		return fmt.Errorf("%d of %d bytes: %w", n, len(p), io.ErrShortWrite)
	}
	return err
}

func (w *work) writeAt(off int64) error {
	p := w.bytes(1 + w.rnd.IntN(20_000))
	return w.withFile(func(_ *inode, fd int) error { return pwrite(fd, p, off) }, func(n *inode) { n.put(p, off) })
}

func (w *work) write() error    { return w.writeAt(w.rnd.Int64N(near)) }
func (w *work) writeFar() error { return w.writeAt(w.rnd.Int64N(far)) }

func (w *work) truncate() error {
	size := w.rnd.Int64N(near)
	if w.rnd.IntN(4) == 0 {
		size = 0
	}
	return w.withFile(func(_ *inode, fd int) error { return unix.Ftruncate(fd, size) }, func(n *inode) { n.resize(size) })
}

func (w *work) punch() error {
	off, count := w.rnd.Int64N(near), 1+w.rnd.Int64N(near/2)
	const mode = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	return w.withFile(func(_ *inode, fd int) error { return unix.Fallocate(fd, mode, off, count) }, func(n *inode) { n.zero(off, count) })
}

// allocate makes room for data, with the size or without.
func (w *work) allocate() error {
	off, count, mode := w.rnd.Int64N(near), 1+w.rnd.Int64N(50_000), uint32(w.rnd.IntN(2)*unix.FALLOC_FL_KEEP_SIZE)
	return w.withFile(func(_ *inode, fd int) error { return unix.Fallocate(fd, mode, off, count) }, func(n *inode) {
		n.changed()
		if mode == 0 {
			n.size = max(n.size, off+count)
		}
	})
}

// store writes through a shared mapping.
func (w *work) store() error {
	at, p := w.rnd.Int64N(near), w.bytes(1+w.rnd.IntN(3*chunk))
	var off int64
	do := func(n *inode, fd int) error {
		if n.size == 0 {
			return nil
		}
		m, err := unix.Mmap(fd, 0, int(min(n.size, near)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		copy(m[at%int64(len(m)):], p)
		return errors.Join(unix.Msync(m, unix.MS_SYNC), unix.Munmap(m))
	}
	return w.withFile(do, func(n *inode) {
		if n.size == 0 {
			return
		}
		mapped := min(n.size, near)
		off = at % mapped
		n.put(p[:min(int64(len(p)), mapped-off)], off)
	})
}

func (w *work) fsync() error {
	return w.withFile(func(_ *inode, fd int) error { return unix.Fsync(fd) }, func(*inode) {})
}

// refused makes a call that has to fail.
func (w *work) refused() error {
	dir, name, ok := w.someName(isAny)
	if !ok {
		return nil
	}
	n := dir.names[name]
	path := w.path(dir, name)
	return w.call(func() error {
		err, want := unix.Mkdir(path, 0o700), unix.EEXIST
		switch {
		case n.kind == kindDir && len(n.names) > 0:
			err, want = unix.Rmdir(path), unix.ENOTEMPTY
		case n.kind == kindFile:
			err, want = unix.Rmdir(path), unix.ENOTDIR
		}
		if !errors.Is(err, want) {
			return fmt.Errorf("wanted %v for %s, found %v", want, path, err)
		}
		return nil
	})
}
