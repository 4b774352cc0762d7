package workload

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxDepth bounds the depth of directories, so that paths with names of 255 bytes stay below PATH_MAX.
const maxDepth = 8

// open runs use on the file of that name, and closes it.
func (w *work) open(dir *inode, name string, flags int, use func(fd int) error) error {
	return w.call(func() error {
		f, err := os.OpenFile(w.path(dir, name), flags, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := use(int(f.Fd())); err != nil {
			return err
		}
		return f.Close()
	})
}

// bytes are n random ones.
func (w *work) bytes(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(w.rnd.Uint32())
	}
	return p
}

// permissions always let the owner in.
func (w *work) permissions(least uint32) uint32 { return least | w.rnd.Uint32()&0o077 }

func (w *work) create() error {
	dir, name := w.newName()
	return w.createAs(dir, name, w.permissions(0o600))
}

// createAs makes an empty file. The mode is set afterwards, whatever the umask is.
func (w *work) createAs(dir *inode, name string, mode uint32) error {
	err := w.open(dir, name, os.O_RDWR|os.O_CREATE|os.O_EXCL, func(fd int) error { return unix.Fchmod(fd, mode) })
	if err != nil {
		return err
	}
	dir.add(name, newInode(kindFile, mode))
	return nil
}

// createMany makes directories large.
func (w *work) createMany() error {
	dir := w.dirs[w.rnd.IntN(min(len(w.dirs), 3))]
	first, n := w.rnd.IntN(1_000_000), 1+w.rnd.IntN(60)
	for i := range n {
		name := fmt.Sprintf("many-%d", first+i)
		if dir.names[name] != nil {
			continue
		}
		if err := w.createAs(dir, name, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) mkdir() error {
	dir, name := w.newName()
	if dir.depth() >= maxDepth-2 {
		return nil
	}
	mode := w.permissions(0o700)
	err := w.call(func() error {
		path := w.path(dir, name)
		if err := unix.Mkdir(path, 0o700); err != nil {
			return err
		}
		return unix.Chmod(path, mode)
	})
	if err != nil {
		return err
	}
	d := newInode(kindDir, mode)
	dir.add(name, d)
	w.dirs = append(w.dirs, d)
	return nil
}

// symlink makes targets that fit into a dinode of 512 bytes, as gfs2 wants it.
func (w *work) symlink() error {
	dir, name := w.newName()
	target := strings.Repeat("t/", w.rnd.IntN(130)) + "end"
	if err := w.call(func() error { return unix.Symlink(target, w.path(dir, name)) }); err != nil {
		return err
	}
	n := newInode(kindSymlink, 0o777)
	n.target = target
	dir.add(name, n)
	return nil
}

func (w *work) mkfifo() error {
	dir, name := w.newName()
	mode := w.permissions(0o600)
	err := w.call(func() error {
		path := w.path(dir, name)
		if err := unix.Mkfifo(path, 0o600); err != nil {
			return err
		}
		return unix.Chmod(path, mode)
	})
	if err != nil {
		return err
	}
	dir.add(name, newInode(kindFifo, mode))
	return nil
}

func (w *work) link() error {
	from, old, ok := w.someName(isNoDir)
	if !ok {
		return nil
	}
	dir, name := w.newName()
	if err := w.call(func() error { return unix.Link(w.path(from, old), w.path(dir, name)) }); err != nil {
		return err
	}
	dir.add(name, from.names[old])
	return nil
}

func (w *work) unlink() error {
	dir, name, ok := w.someName(isNoDir)
	if !ok {
		return nil
	}
	if err := w.call(func() error { return unix.Unlink(w.path(dir, name)) }); err != nil {
		return err
	}
	dir.remove(name)
	return nil
}

func (w *work) rmdir() error {
	dir, name, ok := w.someName(func(n *inode) bool { return n.kind == kindDir && len(n.names) == 0 })
	if !ok {
		return nil
	}
	if err := w.call(func() error { return unix.Rmdir(w.path(dir, name)) }); err != nil {
		return err
	}
	w.forget(dir.names[name])
	dir.remove(name)
	return nil
}

// forget takes a directory that is gone out of the list.
func (w *work) forget(d *inode) {
	for i := range w.dirs {
		if w.dirs[i] == d {
			w.dirs = append(w.dirs[:i], w.dirs[i+1:]...)
			return
		}
	}
}

// rename moves a name to a new one, or over one that exists.
func (w *work) rename() error {
	from, old, ok := w.someName(isAny)
	if !ok {
		return nil
	}
	n := from.names[old]
	dir, name := w.newName()
	if w.rnd.IntN(3) == 0 {
		if dir, name, ok = w.someName(func(t *inode) bool { return replaces(n, t) }); !ok {
			return nil
		}
	}
	if !mayMove(n, dir) {
		return nil
	}
	if err := w.call(func() error { return unix.Rename(w.path(from, old), w.path(dir, name)) }); err != nil {
		return err
	}
	if replaced := dir.names[name]; replaced != nil {
		w.forget(replaced)
		dir.remove(name)
	}
	from.remove(old)
	dir.add(name, n)
	return nil
}

// replaces tells whether rename(2) lets n take the place of t. Two names of one inode both stay, and are left alone here.
func replaces(n, t *inode) bool {
	return n != t && (n.kind == kindDir) == (t.kind == kindDir) && len(t.names) == 0
}

// mayMove tells whether n can get a name in dir: not a directory in itself, and not too deep.
func mayMove(n, dir *inode) bool {
	return n.kind != kindDir || !dir.isBelow(n) && dir.depth()+1+n.height() <= maxDepth
}

func (w *work) exchange() error {
	a, nameA, okA := w.someName(isAny)
	b, nameB, okB := w.someName(isAny)
	if !okA || !okB || a.names[nameA] == b.names[nameB] {
		return nil
	}
	x, y := a.names[nameA], b.names[nameB]
	if !mayMove(x, b) || !mayMove(y, a) {
		return nil
	}
	err := w.call(func() error {
		return unix.Renameat2(unix.AT_FDCWD, w.path(a, nameA), unix.AT_FDCWD, w.path(b, nameB), unix.RENAME_EXCHANGE)
	})
	if err != nil {
		return err
	}
	a.remove(nameA)
	b.remove(nameB)
	a.add(nameA, y)
	b.add(nameB, x)
	return nil
}

func (w *work) chmod() error {
	dir, name, ok := w.someName(isNoLink)
	if !ok {
		return nil
	}
	n := dir.names[name]
	mode := w.permissions(n.mode & 0o700)
	if err := w.call(func() error { return unix.Chmod(w.path(dir, name), mode) }); err != nil {
		return err
	}
	n.mode = mode
	return nil
}

func (w *work) setTimes() error {
	dir, name, ok := w.someName(isNoLink)
	if !ok {
		return nil
	}
	when := time.Unix(w.rnd.Int64N(4_000_000_000), w.rnd.Int64N(1_000_000_000))
	if err := w.call(func() error { return os.Chtimes(w.path(dir, name), when, when) }); err != nil {
		return err
	}
	dir.names[name].mtime = when
	return nil
}

// xattrName is one of few; together with the size of values they fit where all attributes of an inode share a block of 4096 bytes.
func (w *work) xattrName() string { return "user." + string(rune('a'+w.rnd.IntN(3))) }

func (w *work) setXattr() error {
	dir, name, ok := w.someName(func(n *inode) bool { return n.kind == kindFile || n.kind == kindDir })
	if !ok {
		return nil
	}
	key, value := w.xattrName(), w.bytes(w.rnd.IntN(900))
	if err := w.call(func() error { return unix.Setxattr(w.path(dir, name), key, value, 0) }); err != nil {
		return err
	}
	dir.names[name].xattrs[key] = value
	return nil
}

func (w *work) removeXattr() error {
	key := w.xattrName()
	dir, name, ok := w.someName(func(n *inode) bool { return n.xattrs[key] != nil })
	if !ok {
		return nil
	}
	if err := w.call(func() error { return unix.Removexattr(w.path(dir, name), key) }); err != nil {
		return err
	}
	delete(dir.names[name].xattrs, key)
	return nil
}
