package fused

import (
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"

	"faultline/targetfs/disk"
	"faultline/targetfs/glock"
	"faultline/targetfs/image"
)

// OpenDir opens a directory. What the kernel has of a listing it keeps until it changes the directory itself. It is made to remember a
// listing when nothing has changed since the last one: remembering doubles the cost (fs/fuse/readdir.c, fuse_add_dirent_to_cache), which is lost
// where a directory is listed once, or changes all the time.
func (n *node) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if n.shared() {
		return fuse.OK
	}
	dir := n.addr(in.NodeId)
	di, err := n.s.stat(dir)
	if err != nil {
		return n.s.status("opendir", dir, err)
	}
	out.OpenFlags |= fuse.FOPEN_KEEP_CACHE
	if n.listed.again(&di) {
		out.OpenFlags |= fuse.FOPEN_CACHE_DIR
	}
	return fuse.OK
}

// listed remembers when the directories that were opened lately had changed last.
type listed struct {
	mu      sync.Mutex
	changed map[uint64]change
}

type change struct {
	sec  int64
	nsec uint32
}

// maxListed bounds the memory that listed takes.
const maxListed = 4096

// again tells whether the directory was opened before and has not changed since. That is a guess about use, and not what keeps listings right.
func (d *listed) again(di *disk.Dinode) bool {
	now := change{int64(di.Mtime), di.MtimeNsec}
	d.mu.Lock()
	defer d.mu.Unlock()
	last, known := d.changed[di.Num.Addr]
	if d.changed == nil || len(d.changed) >= maxListed {
		d.changed = map[uint64]change{}
	}
	d.changed[di.Num.Addr] = now
	return known && last == now
}

// ReleaseDir ends an open directory, which has no state.
func (n *node) ReleaseDir(*fuse.ReleaseIn) {}

// ReadDir lists names from a position on. A position is the hash of a name, so that it stays right while entries come and go.
func (n *node) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	dir := n.addr(in.NodeId)
	l := n.begin(&in.InHeader, "readdir", dir)
	defer l.end()
	return n.s.status("readdir", dir, n.list(l, in, func(tx *image.Tx, e image.DirEntry) (bool, error) {
		return out.AddDirEntry(fuseEntry(e)), nil
	}))
}

// ReadDirPlus lists names together with what lookups would tell. As gfs2's readdir it holds the directory's glock only: the
// attributes are as of now.
func (n *node) ReadDirPlus(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	dir := n.addr(in.NodeId)
	l := n.begin(&in.InHeader, "readdir", dir)
	defer l.end()
	return n.s.status("readdir", dir, n.list(l, in, func(tx *image.Tx, e image.DirEntry) (bool, error) {
		if e.Name == "." || e.Name == ".." {
			return out.AddDirLookupEntry(fuseEntry(e)) != nil, nil
		}
		entry := out.AddDirLookupEntry(fuseEntry(e))
		if entry == nil {
			return false, nil
		}
		di, err := tx.Stat(e.Inum.Addr)
		if err != nil {
			return true, nil // without a number the kernel learns the name only, and meets the error when it looks it up
		}
		n.entry(&di, entry)
		return true, n.know(l, e.Inum.Addr)
	}))
}

// list calls add for the entries from the position of the request on, until it returns false.
func (n *node) list(l *locks, in *fuse.ReadIn, add func(*image.Tx, image.DirEntry) (bool, error)) error {
	dir := n.addr(in.NodeId)
	if err := l.take(glock.File, dir); err != nil {
		return err
	}
	di, err := n.s.stat(dir)
	if err != nil {
		return err
	}
	listed := false
	err = n.s.view(func(tx *image.Tx) error {
		var broken error
		err := tx.ReadDir(dir, in.Offset, func(e image.DirEntry) (more bool) {
			more, broken = add(tx, e)
			listed = listed || more
			return more
		})
		if broken != nil {
			return broken
		}
		return err
	})
	if err == nil && listed {
		n.relatime(&di)
	}
	return err
}

func fuseEntry(e image.DirEntry) fuse.DirEntry {
	return fuse.DirEntry{Name: e.Name, Ino: e.Inum.Addr, Mode: uint32(e.Type) << 12, Off: e.Cookie + 1}
}
