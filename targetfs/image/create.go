package image

import (
	"fmt"
	"syscall"

	"faultline/targetfs/disk"
)

// Bits of di_mode that new inodes inherit.
const (
	modeSetgid = 0o2000
)

// Create makes a new inode and gives it a name in the directory dir. Ownership follows the set-group-ID rule, and journaled
// data follows the directory's flag.
func (tx *Tx) Create(dir uint64, name string, spec NewInode) (uint64, error) {
	ino, err := tx.create(dir, name, spec)
	if err != nil {
		return 0, fmt.Errorf("create %q in inode %d: %w", name, dir, err)
	}
	return ino, nil
}

func (tx *Tx) create(dir uint64, name string, spec NewInode) (uint64, error) {
	parent, err := tx.parentFor(dir, name)
	if err != nil {
		return 0, err
	}
	child, err := tx.newChild(&parent, spec)
	if err != nil {
		return 0, err
	}
	if child.IsDir() {
		parent.Nlink++
	}
	if err := tx.insert(&parent, name, child.Num, child.Mode); err != nil {
		return 0, err
	}
	return child.Num.Addr, tx.store(&parent)
}

// newChild makes an inode that takes after its directory and has no name yet.
func (tx *Tx) newChild(parent *disk.Dinode, spec NewInode) (disk.Dinode, error) {
	if !disk.ValidType(spec.Mode) {
		return disk.Dinode{}, syscall.EINVAL
	}
	if parent.Mode&modeSetgid != 0 {
		spec.GID = parent.GID
		if spec.Mode&disk.ModeType == disk.ModeDir {
			spec.Mode |= modeSetgid
		}
	}
	spec.flags = inheritedFlags(parent, spec.Mode)
	child, err := tx.newDinode(parent.GoalMeta, spec)
	if err != nil {
		return child, err
	}
	if err := tx.fill(&child, parent.Num, spec.Target); err != nil {
		return child, err
	}
	return child, tx.store(&child)
}

// CreateUnnamed makes a new file without a name, O_TMPFILE's: one that Reclaim takes, unless Link gives it a name. It takes
// after the directory dir.
func (tx *Tx) CreateUnnamed(dir uint64, spec NewInode) (uint64, error) {
	parent, err := tx.directory(dir)
	if err != nil {
		return 0, err
	}
	child, err := tx.newChild(&parent, spec)
	if err != nil {
		return 0, fmt.Errorf("create an unnamed file in inode %d: %w", dir, err)
	}
	child.Nlink = 0
	return child.Num.Addr, firstError(tx.store(&child), tx.setState(child.Num.Addr, 1, disk.Unlinked))
}

// parentFor is the directory dir, which must be able to take the new name.
func (tx *Tx) parentFor(dir uint64, name string) (disk.Dinode, error) {
	parent, err := tx.directory(dir)
	if err != nil {
		return parent, err
	}
	if err := checkName(name); err != nil {
		return parent, err
	}
	if parent.Nlink == 0 {
		return parent, syscall.ENOENT
	}
	_, _, exists, err := tx.locate(&parent, name)
	if err == nil && exists {
		err = syscall.EEXIST
	}
	return parent, err
}

func inheritedFlags(parent *disk.Dinode, mode uint32) uint32 {
	flags := parent.Flags & disk.FlagSystem
	switch mode & disk.ModeType {
	case disk.ModeDir:
		flags |= disk.FlagJdata | parent.Flags&disk.FlagInheritJdata
	case disk.ModeReg:
		if parent.Flags&disk.FlagInheritJdata != 0 {
			flags |= disk.FlagJdata
		}
	}
	return flags
}

// fill gives a new inode what its type needs: a directory its two first entries, a symbolic link its target.
func (tx *Tx) fill(di *disk.Dinode, parent disk.Inum, target string) error {
	switch di.Type() {
	case disk.ModeDir:
		return tx.fillDir(di, parent)
	case disk.ModeLink:
		return tx.fillLink(di, target)
	}
	return nil
}

func (tx *Tx) fillDir(di *disk.Dinode, parent disk.Inum) error {
	payload, err := tx.payload(di)
	if err != nil {
		return err
	}
	di.Nlink, di.Entries = 2, 2
	di.Size, di.PayloadFormat = uint64(len(payload)), disk.FormatDirent
	area := disk.Dirents(payload)
	area.Init()
	for _, e := range []struct {
		name string
		inum disk.Inum
	}{{".", di.Num}, {"..", parent}} {
		d := disk.Dirent{Inum: e.inum, Hash: disk.HashName(e.name), Type: disk.DirentType(disk.ModeDir)}
		if _, err := area.Insert(d, e.name, di.Num.Addr); err != nil {
			return err
		}
	}
	return nil
}

// fillLink stores the target in the dinode, the only place where the kernel looks for it.
func (tx *Tx) fillLink(di *disk.Dinode, target string) error {
	if target == "" {
		return syscall.ENOENT
	}
	if len(target) >= tx.im.bs.StuffedMax() {
		return syscall.ENAMETOOLONG
	}
	payload, err := tx.payload(di)
	if err != nil {
		return err
	}
	di.Size = uint64(copy(payload, target))
	return nil
}

// Readlink is the target of the symbolic link ino.
func (tx *Tx) Readlink(ino uint64) (string, error) {
	di, err := tx.dinode(ino)
	if err != nil {
		return "", err
	}
	if di.Type() != disk.ModeLink {
		return "", fmt.Errorf("read inode %d as a symbolic link: %w", ino, syscall.EINVAL)
	}
	if di.Height != 0 {
		return "", disk.Corrupt(ino, "symbolic link of height %d", di.Height)
	}
	b, err := tx.raw(ino)
	if err != nil {
		return "", err
	}
	return string(b[disk.DinodeSize:][:di.Size]), nil
}

// Link gives the inode ino another name in the directory dir, or an unnamed one its first. It is the caller's to refuse an inode that
// was deleted and is still in use.
func (tx *Tx) Link(ino, dir uint64, name string) error {
	if err := tx.link(ino, dir, name); err != nil {
		return fmt.Errorf("link inode %d to %q in inode %d: %w", ino, name, dir, err)
	}
	return nil
}

func (tx *Tx) link(ino, dir uint64, name string) error {
	parent, err := tx.parentFor(dir, name)
	if err != nil {
		return err
	}
	di, err := tx.dinode(ino)
	if err != nil {
		return err
	}
	if di.IsDir() {
		return syscall.EPERM
	}
	if di.Nlink == 0 {
		// An unnamed file. Its block can't go from unlinked to inode, says the kernel, but by way of free it can.
		if err := firstError(tx.setState(ino, 1, disk.Free), tx.setState(ino, 1, disk.InodeBlock)); err != nil {
			return err
		}
	}
	di.Nlink++
	tx.touchCtime(&di)
	if err := tx.store(&di); err != nil {
		return err
	}
	if err := tx.insert(&parent, name, di.Num, di.Mode); err != nil {
		return err
	}
	return tx.store(&parent)
}
