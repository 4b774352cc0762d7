package fused

import (
	"errors"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"faultline/targetfs/disk"
	"faultline/targetfs/glock"
	"faultline/targetfs/image"
)

// Unlink removes a name that is no directory's.
func (n *node) Unlink(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return n.remove(h, "unlink", name, func(tx *image.Tx, dir uint64) (uint64, error) {
		ino, gone, err := tx.Unlink(dir, name)
		if !gone {
			ino = 0
		}
		return ino, err
	})
}

// Rmdir removes an empty directory.
func (n *node) Rmdir(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return n.remove(h, "rmdir", name, func(tx *image.Tx, dir uint64) (uint64, error) { return tx.Rmdir(dir, name) })
}

// remove removes a name from the directory of the request. rm returns the inode when that was its last name.
func (n *node) remove(h *fuse.InHeader, op, name string, rm func(tx *image.Tx, dir uint64) (uint64, error)) fuse.Status {
	dir := n.addr(h.NodeId)
	l := n.begin(h, op, dir)
	defer l.end()
	err := l.take(glock.Dir, dir)
	var child, gone uint64
	if err == nil {
		child, err = n.s.lookup(dir, name)
	}
	if err == nil {
		err = l.take(glock.Child, child)
	}
	if err == nil {
		err = l.group(child)
	}
	if err == nil {
		err = n.s.image.Update(func(tx *image.Tx) (err error) {
			if err := mayRemove(tx, dir, child); err != nil {
				return err
			}
			gone, err = rm(tx, dir)
			return err
		})
	}
	if err != nil {
		return n.s.status(op, dir, err)
	}
	if gone != 0 {
		n.orphan(gone)
	}
	return fuse.OK
}

// mayRemove refuses what the flags of a directory and of an inode in it forbid (fs/namei.c, may_delete).
func mayRemove(tx *image.Tx, dir, child uint64) error {
	for _, ino := range []uint64{dir, child} {
		di, err := tx.Stat(ino)
		if err != nil {
			return err
		}
		if di.Flags&(disk.FlagImmutable|disk.FlagAppendOnly) != 0 {
			return syscall.EPERM
		}
	}
	return nil
}

// orphan sees to an inode that has lost its last name: it is deleted when nobody knows it any more.
func (n *node) orphan(ino uint64) {
	n.inodes.mu.Lock()
	_, known := n.inodes.known[ino]
	n.inodes.mu.Unlock()
	if !known {
		n.evict(ino, &inode{})
	}
}

// renameTries bounds how often a rename begins anew because names changed, or glocks could not be had together.
const renameTries = 1000

// Rename is renameat2(2) with RENAME_NOREPLACE and RENAME_EXCHANGE.
func (n *node) Rename(_ <-chan struct{}, in *fuse.RenameIn, oldName, newName string) fuse.Status {
	if in.Flags&^uint32(image.RenameNoReplace|image.RenameExchange) != 0 {
		return fuse.EINVAL
	}
	r := &renaming{n: n, in: in, from: n.addr(in.NodeId), to: n.addr(in.Newdir), oldName: oldName, newName: newName}
	err := error(glock.ErrStale)
	for try := 0; errors.Is(err, glock.ErrStale) && try < renameTries; try++ {
		err = r.try()
	}
	if err == nil && r.gone != 0 {
		n.orphan(r.gone)
	}
	return n.s.status("rename", r.from, err)
}

// renaming is one rename. Its glocks are those of four inodes, which are known when the names are looked up, and certain when they
// are locked.
type renaming struct {
	n                *node
	in               *fuse.RenameIn
	from, to         uint64
	oldName, newName string
	moved, target    uint64 // target is 0 when the new name is free
	gone             uint64 // an inode that has lost its last name
}

func (r *renaming) try() error {
	if err := r.n.s.view(r.find); err != nil {
		return err
	}
	l := r.n.begin(&r.in.InHeader, "rename", r.moved)
	defer l.end()
	if r.from != r.to {
		if err := l.take(glock.Event, glock.RenameLock); err != nil {
			return err
		}
	}
	if err := l.takeAll(r.requests(l)); err != nil {
		return err
	}
	if r.target != 0 {
		if err := l.group(r.target); err != nil {
			return err
		}
	}
	return r.n.s.image.Update(r.run)
}

// find looks the two names up.
func (r *renaming) find(tx *image.Tx) error {
	moved, err := tx.Lookup(r.from, r.oldName)
	if err != nil {
		return err
	}
	target, err := tx.Lookup(r.to, r.newName)
	if err != nil && !errors.Is(err, syscall.ENOENT) {
		return err
	}
	r.moved, r.target = moved.Addr, target.Addr
	return nil
}

// requests are the inodes' glocks, each once.
func (r *renaming) requests(l *locks) []glock.Request {
	all := []glock.Request{l.request(glock.Dir, r.from)}
	add := func(role glock.Role, ino uint64) {
		for _, have := range all {
			if have.Name.Number == ino {
				return
			}
		}
		all = append(all, l.request(role, ino))
	}
	add(glock.NewDir, r.to)
	add(glock.Child, r.moved)
	if r.target != 0 {
		add(glock.Target, r.target)
	}
	return all
}

func (r *renaming) run(tx *image.Tx) error {
	moved, target := r.moved, r.target
	if err := r.find(tx); err != nil {
		return err
	}
	if r.moved != moved || r.target != target {
		return glock.ErrStale
	}
	if err := mayRemove(tx, r.from, r.moved); err != nil {
		return err
	}
	if err := r.mayEnter(tx); err != nil {
		return err
	}
	gone, err := tx.Rename(r.from, r.oldName, r.to, r.newName, image.RenameFlags(r.in.Flags))
	r.gone = gone
	return err
}

// mayEnter refuses what flags forbid at the new name.
func (r *renaming) mayEnter(tx *image.Tx) error {
	if r.target != 0 {
		return mayRemove(tx, r.to, r.target)
	}
	di, err := tx.Stat(r.to)
	if err == nil && di.Flags&disk.FlagImmutable != 0 {
		return syscall.EPERM
	}
	return err
}
