package image

import (
	"fmt"
	"syscall"

	"faultline/targetfs/disk"
)

// Xattr names an extended attribute: the name space and the name without its prefix.
type Xattr struct {
	Type disk.EAType
	Name string
}

// XattrFlags are the flags of setxattr(2).
type XattrFlags uint32

// Flags of SetXattr.
const (
	XattrCreate  XattrFlags = 1 // the attribute must not exist
	XattrReplace XattrFlags = 2 // it must exist
)

// eaPlace is a record and the EA block it is in.
type eaPlace struct {
	disk.EA
	addr uint64
}

// eaBlocks lists the EA blocks of di.
func (tx *Tx) eaBlocks(di *disk.Dinode) ([]uint64, error) {
	if di.Eattr == 0 {
		return nil, nil
	}
	if di.Flags&disk.FlagEAIndirect == 0 {
		return []uint64{di.Eattr}, nil
	}
	b, err := tx.read(di.Eattr, disk.TypeIN)
	if err != nil {
		return nil, err
	}
	var addrs []uint64
	for i := range tx.im.bs.IndirectPtrs() {
		addr := disk.Ptr(b[disk.HeaderSize:], i)
		if addr == 0 {
			break
		}
		addrs = append(addrs, addr)
	}
	return addrs, nil
}

// eachEA calls fn for all records of di, unused ones too, until fn returns false.
func (tx *Tx) eachEA(di *disk.Dinode, fn func(eaPlace) bool) error {
	addrs, err := tx.eaBlocks(di)
	if err != nil {
		return err
	}
	for _, addr := range addrs {
		b, err := tx.read(addr, disk.TypeEA)
		if err != nil {
			return err
		}
		for ea, err := range disk.EAsOf(b).All(addr) {
			if err != nil {
				return err
			}
			if !fn(eaPlace{ea, addr}) {
				return nil
			}
		}
	}
	return nil
}

func (tx *Tx) findEA(di *disk.Dinode, x Xattr) (found eaPlace, ok bool, err error) {
	err = tx.eachEA(di, func(p eaPlace) bool {
		ok = p.Type == x.Type && p.Name() == x.Name
		if ok {
			found = p
		}
		return !ok
	})
	return found, ok, err
}

// ListXattr lists the attributes of ino.
func (tx *Tx) ListXattr(ino uint64) ([]Xattr, error) {
	di, err := tx.dinode(ino)
	if err != nil {
		return nil, err
	}
	var all []Xattr
	err = tx.eachEA(&di, func(p eaPlace) bool {
		if p.Type != disk.EAUnused {
			all = append(all, Xattr{p.Type, p.Name()})
		}
		return true
	})
	return all, err
}

// GetXattr is the value of an attribute of ino; ENODATA when there is none.
func (tx *Tx) GetXattr(ino uint64, x Xattr) ([]byte, error) {
	di, err := tx.dinode(ino)
	if err != nil {
		return nil, err
	}
	p, ok, err := tx.findEA(&di, x)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, syscall.ENODATA
	}
	if p.NumPtrs == 0 {
		return append([]byte(nil), p.Inline()...), nil
	}
	value := make([]byte, 0, p.DataLen)
	for i := 0; len(value) < int(p.DataLen); i++ {
		b, err := tx.read(disk.Ptr(p.Ptrs(), i), disk.TypeED)
		if err != nil {
			return nil, err
		}
		value = append(value, b[disk.HeaderSize:][:min(tx.im.bs.MetaMax(), int(p.DataLen)-len(value))]...)
	}
	return value, nil
}

// SetXattr sets an attribute of ino, and ctime. An attribute that exists is replaced.
func (tx *Tx) SetXattr(ino uint64, x Xattr, value []byte, flags XattrFlags) error {
	if err := tx.setXattr(ino, x, value, flags); err != nil {
		return fmt.Errorf("set attribute %v.%s of inode %d: %w", x.Type, x.Name, ino, err)
	}
	return nil
}

func (tx *Tx) checkXattr(x Xattr, value []byte) error {
	switch {
	case x.Type == disk.EAUnused || x.Type > tx.im.sb.MaxEAType():
		return syscall.EOPNOTSUPP
	case x.Name == "" || len(x.Name) > disk.MaxName:
		return syscall.ERANGE
	case len(value) > disk.MaxEAValue:
		return syscall.E2BIG
	}
	if size, _ := tx.im.bs.EARecord(len(x.Name), len(value)); size > tx.im.bs.MetaMax() {
		return syscall.ERANGE
	}
	return nil
}

func (tx *Tx) setXattr(ino uint64, x Xattr, value []byte, flags XattrFlags) error {
	if err := tx.checkXattr(x, value); err != nil {
		return err
	}
	di, err := tx.dinode(ino)
	if err != nil {
		return err
	}
	old, exists, err := tx.findEA(&di, x)
	switch {
	case err != nil:
		return err
	case exists && flags&XattrCreate != 0:
		return syscall.EEXIST
	case !exists && flags&XattrReplace != 0:
		return syscall.ENODATA
	}
	// The old record goes first, as its room may be what the new one needs. All of it is one transaction.
	if exists {
		if err := tx.dropEA(&di, old); err != nil {
			return err
		}
	}
	if err := tx.addEA(&di, x, value); err != nil {
		return err
	}
	tx.touchCtime(&di)
	return tx.store(&di)
}

// RemoveXattr removes an attribute of ino; ENODATA when there is none.
func (tx *Tx) RemoveXattr(ino uint64, x Xattr) error {
	di, err := tx.dinode(ino)
	if err != nil {
		return err
	}
	p, ok, err := tx.findEA(&di, x)
	if err != nil {
		return err
	}
	if !ok {
		return syscall.ENODATA
	}
	if err := tx.dropEA(&di, p); err != nil {
		return err
	}
	tx.touchCtime(&di)
	return tx.store(&di)
}

// dropEA removes the record p and frees the blocks of its value.
func (tx *Tx) dropEA(di *disk.Dinode, p eaPlace) error {
	if err := tx.freeValue(di, p); err != nil {
		return err
	}
	b, err := tx.edit(p.addr, disk.TypeEA)
	if err != nil {
		return err
	}
	disk.EAsOf(b).Remove(p.EA)
	return nil
}

func (tx *Tx) freeValue(di *disk.Dinode, p eaPlace) error {
	if p.Type == disk.EAUnused {
		return nil
	}
	for i := range int(p.NumPtrs) {
		if err := tx.releaseFor(di, disk.Ptr(p.Ptrs(), i)); err != nil {
			return err
		}
	}
	return nil
}

// addEA writes a new record into the first one with room for it, or into a new block.
func (tx *Tx) addEA(di *disk.Dinode, x Xattr, value []byte) error {
	size, ptrs := tx.im.bs.EARecord(len(x.Name), len(value))
	var place eaPlace
	found := false
	err := tx.eachEA(di, func(p eaPlace) bool {
		if p.Room(size) {
			place, found = p, true
		}
		return !found
	})
	if err != nil {
		return err
	}
	if !found {
		if place, err = tx.newEABlock(di); err != nil {
			return err
		}
	}
	h := disk.EAHeader{DataLen: uint32(len(value)), Type: x.Type, NumPtrs: uint8(ptrs)}
	body := value
	if ptrs > 0 {
		if body, err = tx.writeValue(di, value, ptrs); err != nil {
			return err
		}
	}
	b, err := tx.edit(place.addr, disk.TypeEA)
	if err != nil {
		return err
	}
	disk.EAsOf(b).Put(place.EA, h, x.Name, body)
	return nil
}

// writeValue puts value into ptrs new blocks and returns the array of their addresses.
func (tx *Tx) writeValue(di *disk.Dinode, value []byte, ptrs int) ([]byte, error) {
	array := make([]byte, 8*ptrs)
	for i := range ptrs {
		addr, b, err := tx.newMeta(di, disk.TypeED)
		if err != nil {
			return nil, err
		}
		n := copy(b[disk.HeaderSize:], value)
		value = value[n:]
		disk.PutPtr(array, i, addr)
	}
	return array, nil
}

// newEABlock gives di another EA block and returns its one unused record. The second block brings an indirect block.
func (tx *Tx) newEABlock(di *disk.Dinode) (eaPlace, error) {
	old, err := tx.eaBlocks(di)
	if err != nil {
		return eaPlace{}, err
	}
	if len(old) >= tx.im.bs.IndirectPtrs() {
		return eaPlace{}, syscall.ENOSPC
	}
	addr, b, err := tx.newMeta(di, disk.TypeEA)
	if err != nil {
		return eaPlace{}, err
	}
	disk.EAsOf(b).Init()
	if err := tx.listEABlock(di, old, addr); err != nil {
		return eaPlace{}, err
	}
	for ea, err := range disk.EAsOf(b).All(addr) {
		return eaPlace{ea, addr}, err
	}
	return eaPlace{}, disk.Corrupt(addr, "a new block of attributes has no record")
}

// listEABlock adds the EA block addr to those that di has.
func (tx *Tx) listEABlock(di *disk.Dinode, old []uint64, addr uint64) error {
	if di.Eattr == 0 {
		di.Eattr = addr
		return nil
	}
	if di.Flags&disk.FlagEAIndirect == 0 {
		list, b, err := tx.newMeta(di, disk.TypeIN)
		if err != nil {
			return err
		}
		disk.PutPtr(b[disk.HeaderSize:], 0, di.Eattr)
		di.Eattr = list
		di.Flags |= disk.FlagEAIndirect
	}
	b, err := tx.edit(di.Eattr, disk.TypeIN)
	if err != nil {
		return err
	}
	disk.PutPtr(b[disk.HeaderSize:], len(old), addr)
	return nil
}

// freeXattrs frees all blocks of attributes of an inode that is being deleted.
func (tx *Tx) freeXattrs(di *disk.Dinode) (bool, error) {
	addrs, err := tx.eaBlocks(di)
	if err != nil || di.Eattr == 0 {
		return true, err
	}
	var values []eaPlace
	if err := tx.eachEA(di, func(p eaPlace) bool {
		values = append(values, p)
		return true
	}); err != nil {
		return false, err
	}
	for _, p := range values {
		if err := tx.freeValue(di, p); err != nil {
			return false, err
		}
	}
	if di.Flags&disk.FlagEAIndirect != 0 {
		addrs = append(addrs, di.Eattr)
	}
	for _, addr := range addrs {
		if err := tx.releaseFor(di, addr); err != nil {
			return false, err
		}
	}
	di.Eattr = 0
	di.Flags &^= disk.FlagEAIndirect
	return true, nil
}
