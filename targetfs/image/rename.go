package image

import (
	"fmt"
	"syscall"

	"faultline/targetfs/disk"
)

// Unlink removes a name that is no directory's. Gone says that it was the inode's last one: the inode stays, marked as
// unlinked, until Reclaim.
func (tx *Tx) Unlink(dir uint64, name string) (ino uint64, gone bool, err error) {
	return tx.unlinkName(dir, name, false)
}

// Rmdir removes an empty directory. The inode stays, marked as unlinked, until Reclaim.
func (tx *Tx) Rmdir(dir uint64, name string) (ino uint64, err error) {
	ino, _, err = tx.unlinkName(dir, name, true)
	return ino, err
}

func (tx *Tx) unlinkName(dir uint64, name string, wantDir bool) (uint64, bool, error) {
	parent, err := tx.directory(dir)
	if err != nil {
		return 0, false, err
	}
	at, err := tx.expect(&parent, name)
	if err != nil {
		return 0, false, err
	}
	fail := func(err error) (uint64, bool, error) {
		return 0, false, fmt.Errorf("remove %q from inode %d: %w", name, dir, err)
	}
	if name == "." || name == ".." {
		return fail(syscall.EINVAL)
	}
	child, err := tx.dinode(at.entry.Inum.Addr)
	if err != nil {
		return fail(err)
	}
	if wantDir && !child.IsDir() {
		return fail(syscall.ENOTDIR)
	}
	if !wantDir && child.IsDir() {
		return fail(syscall.EISDIR)
	}
	if err := tx.remove(&parent, at); err != nil {
		return fail(err)
	}
	if err := tx.dropLink(&parent, &child); err != nil {
		return fail(err)
	}
	return child.Num.Addr, child.Nlink == 0, firstError(tx.store(&child), tx.store(&parent))
}

// dropLink takes a link from child, whose name in parent is gone. The caller stores both.
func (tx *Tx) dropLink(parent, child *disk.Dinode) error {
	if child.Nlink == 0 {
		return disk.Corrupt(child.Num.Addr, "an inode without links has a name in inode %d", parent.Num.Addr)
	}
	tx.touchCtime(child)
	child.Nlink--
	if child.IsDir() {
		if child.Entries != 2 {
			return syscall.ENOTEMPTY
		}
		child.Nlink, child.Entries = 0, 0
		parent.Nlink--
	}
	if child.Nlink > 0 {
		return nil
	}
	return tx.setState(child.Num.Addr, 1, disk.Unlinked)
}

// RenameFlags are the flags of renameat2(2) that Rename knows.
type RenameFlags uint32

// Flags of Rename.
const (
	RenameNoReplace RenameFlags = 1
	RenameExchange  RenameFlags = 2
)

// Rename gives an inode another name, which may be in another directory. When the new name exists, its inode loses a
// link; replaced is that inode when it has none left and Reclaim may take it, else 0.
func (tx *Tx) Rename(oldDir uint64, oldName string, newDir uint64, newName string, flags RenameFlags) (replaced uint64, err error) {
	r := rename{tx: tx, oldName: oldName, newName: newName}
	if err = r.load(oldDir, newDir); err == nil {
		replaced, err = r.run(flags)
	}
	if err != nil {
		return 0, fmt.Errorf("rename %q to %q: %w", oldName, newName, err)
	}
	return replaced, nil
}

// rename is a renaming under way. Within one directory, to is from.
type rename struct {
	tx               *Tx
	oldName, newName string
	from, to         *disk.Dinode
	moved            *disk.Dinode
	target           *disk.Dinode // what the new name names, nil for nothing
}

func (r *rename) load(oldDir, newDir uint64) error {
	if err := firstError(checkName(r.oldName), checkName(r.newName)); err != nil {
		return err
	}
	from, err := r.tx.directory(oldDir)
	if err != nil {
		return err
	}
	r.from, r.to = &from, &from
	if newDir != oldDir {
		to, err := r.tx.directory(newDir)
		if err != nil {
			return err
		}
		r.to = &to
	}
	if r.moved, err = r.child(r.from, r.oldName); err != nil {
		return err
	}
	if r.moved == nil || r.to.Nlink == 0 {
		return syscall.ENOENT
	}
	r.target, err = r.child(r.to, r.newName)
	return err
}

// child is the inode that name in dir names, nil for nothing.
func (r *rename) child(dir *disk.Dinode, name string) (*disk.Dinode, error) {
	_, e, ok, err := r.tx.locate(dir, name)
	if err != nil || !ok {
		return nil, err
	}
	di, err := r.tx.dinode(e.Inum.Addr)
	return &di, err
}

func (r *rename) run(flags RenameFlags) (replaced uint64, err error) {
	switch {
	case flags&RenameNoReplace != 0 && r.target != nil:
		return 0, syscall.EEXIST
	case flags&RenameExchange != 0 && r.target == nil:
		return 0, syscall.ENOENT
	case r.target != nil && r.target.Num == r.moved.Num:
		return 0, nil
	}
	if err := r.checkLoop(r.moved, r.to); err != nil {
		return 0, err
	}
	if flags&RenameExchange != 0 {
		return 0, r.exchange()
	}
	if err := r.checkTarget(); err != nil {
		return 0, err
	}
	return r.move()
}

// checkLoop refuses to move the directory child to a place below itself.
func (r *rename) checkLoop(child, newParent *disk.Dinode) error {
	if !child.IsDir() || r.from == r.to {
		return nil
	}
	at := newParent.Num.Addr
	for range r.tx.im.blocks {
		if at == child.Num.Addr {
			return syscall.EINVAL
		}
		up, err := r.tx.Lookup(at, "..")
		if err != nil || up.Addr == at {
			return err
		}
		at = up.Addr
	}
	return disk.Corrupt(at, "the parents of the directory form a loop")
}

// checkTarget refuses to replace a directory by something else, something else by a directory, and a directory with entries.
func (r *rename) checkTarget() error {
	switch {
	case r.target == nil:
		return nil
	case r.moved.IsDir() && !r.target.IsDir():
		return syscall.ENOTDIR
	case !r.moved.IsDir() && r.target.IsDir():
		return syscall.EISDIR
	case r.target.IsDir() && r.target.Entries != 2:
		return syscall.ENOTEMPTY
	}
	return nil
}

func (r *rename) move() (replaced uint64, err error) {
	tx := r.tx
	if r.target == nil {
		err = tx.insert(r.to, r.newName, r.moved.Num, r.moved.Mode)
	} else {
		replaced, err = r.replace()
	}
	if err != nil {
		return 0, err
	}
	old, err := tx.expect(r.from, r.oldName)
	if err == nil {
		err = tx.remove(r.from, old)
	}
	if err != nil {
		return 0, err
	}
	if err := r.reparent(r.moved, r.from, r.to); err != nil {
		return 0, err
	}
	return replaced, r.storeAll()
}

// replace puts the moved inode behind the new name, in place of the target.
func (r *rename) replace() (replaced uint64, err error) {
	tx := r.tx
	if err := tx.redirect(r.to, r.newName, r.moved.Num, r.moved.Mode); err != nil {
		return 0, err
	}
	tx.touch(r.to)
	if err := tx.dropLink(r.to, r.target); err != nil {
		return 0, err
	}
	if r.target.Nlink == 0 {
		replaced = r.target.Num.Addr
	}
	return replaced, tx.store(r.target)
}

// exchange swaps the two inodes behind their names.
func (r *rename) exchange() error {
	tx := r.tx
	if err := r.checkLoop(r.target, r.from); err != nil {
		return err
	}
	if err := tx.redirect(r.from, r.oldName, r.target.Num, r.target.Mode); err != nil {
		return err
	}
	if err := tx.redirect(r.to, r.newName, r.moved.Num, r.moved.Mode); err != nil {
		return err
	}
	if err := firstError(r.reparent(r.moved, r.from, r.to), r.reparent(r.target, r.to, r.from)); err != nil {
		return err
	}
	tx.touch(r.from)
	tx.touch(r.to)
	tx.touchCtime(r.target)
	return firstError(tx.store(r.target), r.storeAll())
}

// reparent follows a directory to its new parent: ".." and the link counts of both.
func (r *rename) reparent(child, from, to *disk.Dinode) error {
	if !child.IsDir() || from == to {
		return nil
	}
	from.Nlink--
	to.Nlink++
	return r.tx.redirect(child, "..", to.Num, to.Mode)
}

func (r *rename) storeAll() error {
	r.tx.touchCtime(r.moved)
	return firstError(r.tx.store(r.moved), r.tx.store(r.from), r.tx.store(r.to))
}
