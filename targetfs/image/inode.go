package image

import (
	"fmt"
	"syscall"
	"time"

	"faultline/targetfs/disk"
)

// dinode is the inode at block addr, as this transaction sees it.
func (tx *Tx) dinode(addr uint64) (disk.Dinode, error) {
	b, err := tx.raw(addr)
	if err != nil {
		return disk.Dinode{}, err
	}
	return disk.DecodeDinode(b, addr)
}

// store writes di back. What follows the dinode in its block stays.
func (tx *Tx) store(di *disk.Dinode) error {
	b, err := tx.edit(di.Num.Addr, disk.TypeDI)
	if err != nil {
		return err
	}
	di.Encode(b)
	return nil
}

// payload is the stuffed part of di's block for changing.
func (tx *Tx) payload(di *disk.Dinode) ([]byte, error) {
	b, err := tx.edit(di.Num.Addr, disk.TypeDI)
	if err != nil {
		return nil, err
	}
	return b[disk.DinodeSize:], nil
}

// Stat is the inode ino.
func (tx *Tx) Stat(ino uint64) (disk.Dinode, error) { return tx.dinode(ino) }

// touch sets mtime and ctime.
func (tx *Tx) touch(di *disk.Dinode) {
	di.Mtime, di.MtimeNsec = tx.time.Unix(), uint32(tx.time.Nanosecond())
	tx.touchCtime(di)
}

func (tx *Tx) touchCtime(di *disk.Dinode) {
	di.Ctime, di.CtimeNsec = tx.time.Unix(), uint32(tx.time.Nanosecond())
}

// NewInode says what Create makes.
type NewInode struct {
	Mode         uint32 // type and permissions
	UID, GID     uint32
	Major, Minor uint32 // of a device
	Target       string // of a symbolic link
	flags        uint32 // di_flags
	formal       uint64 // formal number of a system inode; 0 takes the next generation of the resource group
}

// newDinode allocates the block of an inode near goal and fills in what all inodes have. The generation comes from
// the resource group and doubles as formal number, as in the kernel.
func (tx *Tx) newDinode(goal uint64, spec NewInode) (disk.Dinode, error) {
	addr, _, err := tx.alloc(goal, 1, disk.InodeBlock)
	if err != nil {
		return disk.Dinode{}, err
	}
	num := disk.Inum{FormalIno: spec.formal, Addr: addr}
	generation := uint64(0)
	if spec.formal == 0 {
		rg, err := tx.header(tx.im.groupOf(addr))
		if err != nil {
			return disk.Dinode{}, err
		}
		generation = max(rg.Igeneration, 1)
		rg.Igeneration = generation + 1
		num.FormalIno = generation
	}
	sec, nsec := tx.time.Unix(), uint32(tx.time.Nanosecond())
	tx.fresh(addr, disk.TypeDI)
	di := disk.Dinode{
		MetaHeader: disk.NewHeader(disk.TypeDI), Num: num,
		Mode: spec.Mode, UID: spec.UID, GID: spec.GID, Nlink: 1, Blocks: 1, Major: spec.Major, Minor: spec.Minor,
		Atime: sec, Mtime: sec, Ctime: sec, AtimeNsec: nsec, MtimeNsec: nsec, CtimeNsec: nsec,
		GoalMeta: addr, GoalData: addr, Generation: generation, Flags: spec.flags,
	}
	tx.charge(&di, 1)
	return di, nil
}

// allocFor takes up to want adjacent blocks for di near its goal and moves the goal behind them.
func (tx *Tx) allocFor(di *disk.Dinode, want uint32) (uint64, uint32, error) {
	addr, n, err := tx.alloc(di.GoalMeta+1, want, disk.Used)
	if err != nil {
		return 0, 0, err
	}
	di.Blocks += uint64(n)
	di.GoalMeta = addr + uint64(n) - 1
	di.GoalData = di.GoalMeta
	tx.charge(di, int64(n))
	return addr, n, nil
}

// newMeta allocates a metadata block of type t for di.
func (tx *Tx) newMeta(di *disk.Dinode, t disk.BlockType) (uint64, []byte, error) {
	addr, _, err := tx.allocFor(di, 1)
	if err != nil {
		return 0, nil, err
	}
	return addr, tx.fresh(addr, t), nil
}

// releaseFor frees a block of di.
func (tx *Tx) releaseFor(di *disk.Dinode, addr uint64) error {
	if di.Blocks < 2 {
		return disk.Corrupt(di.Num.Addr, "di_blocks is %d and block %d is still to be freed", di.Blocks, addr)
	}
	if err := tx.release(addr); err != nil {
		return fmt.Errorf("free a block of inode %d: %w", di.Num.Addr, err)
	}
	di.Blocks--
	tx.charge(di, -1)
	return nil
}

// Changes are attributes to set; nil leaves one alone.
type Changes struct {
	Mode         *uint32 // permissions; the type stays
	UID, GID     *uint32
	Atime, Mtime *time.Time
}

// SetAttr sets attributes of ino, and ctime to now. Permission is the caller's business.
func (tx *Tx) SetAttr(ino uint64, c Changes) error {
	di, err := tx.dinode(ino)
	if err != nil {
		return err
	}
	if c.Mode != nil {
		di.Mode = di.Type() | *c.Mode&^disk.ModeType
	}
	tx.charge(&di, -int64(di.Blocks))
	if c.UID != nil {
		di.UID = *c.UID
	}
	if c.GID != nil {
		di.GID = *c.GID
	}
	tx.charge(&di, int64(di.Blocks))
	if c.Atime != nil {
		di.Atime, di.AtimeNsec = c.Atime.Unix(), uint32(c.Atime.Nanosecond())
	}
	if c.Mtime != nil {
		di.Mtime, di.MtimeNsec = c.Mtime.Unix(), uint32(c.Mtime.Nanosecond())
	}
	tx.touchCtime(&di)
	return tx.store(&di)
}

// userFlags are the bits of di_flags that SetFlags may change.
const userFlags = disk.FlagImmutable | disk.FlagAppendOnly | disk.FlagNoatime | disk.FlagSync | disk.FlagTopdir

// SetFlags sets the user's bits of di_flags: immutable, append only, noatime, sync, topdir and, for a directory, inherit
// jdata. Other bits of flags must be those that the inode has. SetJdata is for a file's jdata bit.
func (tx *Tx) SetFlags(ino uint64, flags uint32) error {
	di, err := tx.dinode(ino)
	if err != nil {
		return err
	}
	allowed := uint32(userFlags)
	if di.IsDir() {
		allowed |= disk.FlagInheritJdata
	}
	if (di.Flags^flags)&^allowed != 0 {
		return fmt.Errorf("change flags %#x of inode %d to %#x: %w", di.Flags, ino, flags, syscall.EOPNOTSUPP)
	}
	di.Flags = flags
	tx.touchCtime(&di)
	return tx.store(&di)
}

// SetJdata turns journaling of the file ino's data on or off.
func (im *Image) SetJdata(ino uint64, on bool) error {
	err := im.Update(func(tx *Tx) error {
		di, err := tx.dinode(ino)
		if err != nil {
			return err
		}
		if di.Type() != disk.ModeReg {
			return fmt.Errorf("journal the data of inode %d, which is no file: %w", ino, syscall.EINVAL)
		}
		di.Flags &^= disk.FlagJdata
		if on {
			di.Flags |= disk.FlagJdata
		}
		tx.touchCtime(&di)
		return tx.store(&di)
	})
	if err != nil {
		return err
	}
	// From now on the data takes the other way to the device: nothing of it may stay behind in memory.
	if err := im.Sync(); err != nil {
		return err
	}
	im.cache.clear()
	return nil
}

// SetAtime sets the time of the last access, and nothing else.
func (tx *Tx) SetAtime(ino uint64, at time.Time) error {
	di, err := tx.dinode(ino)
	if err != nil {
		return err
	}
	di.Atime, di.AtimeNsec = at.Unix(), uint32(at.Nanosecond())
	return tx.store(&di)
}
