package image

import (
	"fmt"

	"faultline/targetfs/disk"
)

// Names of the system files in the master directory and its two directories.
const (
	nameJindex  = "jindex"
	namePerNode = "per_node"
	nameInum    = "inum"
	nameStatfs  = "statfs"
	nameRindex  = "rindex"
	nameQuota   = "quota"
)

// system finds a system file by name.
func (tx *Tx) system(dir uint64, name string) (uint64, error) {
	inum, err := tx.Lookup(dir, name)
	if err != nil {
		return 0, fmt.Errorf("find the system file %s: %w", name, err)
	}
	return inum.Addr, nil
}

// loadGroups reads the rindex file and checks the geometry of each resource group.
func (im *Image) loadGroups() error {
	return im.View(func(tx *Tx) error {
		addr, err := tx.system(im.Master(), nameRindex)
		if err != nil {
			return err
		}
		di, err := tx.dinode(addr)
		if err != nil {
			return err
		}
		if di.Size%disk.RindexSize != 0 || di.Size/disk.RindexSize > im.blocks {
			return disk.Corrupt(addr, "rindex of %d bytes", di.Size)
		}
		for off := uint64(0); off < di.Size; off += disk.RindexSize {
			if err := tx.loadGroup(&di, off); err != nil {
				return fmt.Errorf("resource group %d: %w", off/disk.RindexSize, err)
			}
		}
		return nil
	})
}

func (tx *Tx) loadGroup(di *disk.Dinode, off uint64) error {
	im := tx.im
	rec := make([]byte, disk.RindexSize)
	if err := tx.readMeta(di, rec, off); err != nil {
		return err
	}
	ri, err := disk.DecodeRindex(rec, di.Num.Addr)
	if err != nil {
		return err
	}
	if err := ri.Check(im.bs, im.blocks); err != nil {
		return err
	}
	if n := len(im.groups); n > 0 {
		if last := im.groups[n-1]; ri.Addr < last.Data0+uint64(last.Data) {
			return disk.Corrupt(ri.Addr, "resource group begins inside the one at %d", last.Addr)
		}
	}
	b, err := tx.raw(ri.Addr)
	if err != nil {
		return err
	}
	rg, err := disk.DecodeRgrp(b, ri.Addr)
	if err != nil {
		return err
	}
	im.groups = append(im.groups, &group{Rindex: ri, free: rg.Free, shut: rg.Flags&disk.RgNoAlloc != 0})
	return nil
}

// scan counts the block states of g from the device and calls unlinked for each unlinked inode.
func (im *Image) scan(g *group, unlinked func(addr uint64)) (counts [4]uint32, err error) {
	buf := make([]byte, int64(g.Length)*int64(im.bs))
	if _, err := im.dev.ReadAt(buf, im.offset(g.Addr)); err != nil {
		return counts, fmt.Errorf("read resource group %d: %w", g.Addr, err)
	}
	for i := range g.Length {
		b := buf[int64(i)*int64(im.bs):][:im.bs]
		if err := disk.CheckType(b, g.Addr+uint64(i), bitmapType(i)); err != nil {
			return counts, err
		}
		bm, start := g.BitmapOf(b, i)
		here := bm.Count()
		for s, n := range here {
			counts[s] += n
		}
		for n := uint32(0); here[disk.Unlinked] > 0 && n < bm.Len(); n++ {
			if bm.State(n) == disk.Unlinked {
				unlinked(g.Data0 + uint64(start+n))
			}
		}
	}
	return counts, nil
}

// reclaimOrphans deletes the inodes that were unlinked and in use when the file system was last used, and compares the
// resource groups' counters with their bitmaps on the way.
func (im *Image) reclaimOrphans() error {
	var orphans []uint64
	for _, g := range im.groups {
		counts, err := im.scan(g, func(addr uint64) { orphans = append(orphans, addr) })
		if err != nil {
			return err
		}
		if counts[disk.Free] != g.free {
			return disk.Corrupt(g.Addr, "resource group counts %d free blocks, its bitmap has %d", g.free, counts[disk.Free])
		}
	}
	for _, addr := range orphans {
		if err := im.Reclaim(addr); err != nil {
			return fmt.Errorf("reclaim the unlinked inode %d: %w", addr, err)
		}
	}
	return nil
}

// loadStatfs finds the statfs file and brings it up to date: a kernel that crashed, or a fsck that replayed its journal,
// may have left changes in the statfs_change files that the resource groups contain already.
func (im *Image) loadStatfs() error {
	var locals []uint64
	err := im.View(func(tx *Tx) (err error) {
		if im.statfs, err = tx.system(im.Master(), nameStatfs); err != nil {
			return err
		}
		locals, err = tx.perNode("statfs_change")
		return err
	})
	if err != nil || im.readOnly {
		return err
	}
	want, err := im.sumGroups()
	if err != nil {
		return err
	}
	return im.Update(func(tx *Tx) error {
		if err := tx.setStatfs(im.statfs, want); err != nil {
			return err
		}
		for _, addr := range locals {
			if err := tx.setStatfs(addr, disk.StatfsChange{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// perNode lists the files of per_node with the given name and number 0, 1, ...
func (tx *Tx) perNode(name string) ([]uint64, error) {
	dir, err := tx.system(tx.im.Master(), namePerNode)
	if err != nil {
		return nil, err
	}
	return tx.numbered(dir, name)
}

// numbered lists the files name0, name1, ... of a system directory up to the first that is missing.
func (tx *Tx) numbered(dir uint64, name string) ([]uint64, error) {
	var all []uint64
	for {
		inum, ok, err := tx.find(dir, fmt.Sprintf("%s%d", name, len(all)))
		if err != nil || !ok {
			return all, err
		}
		all = append(all, inum.Addr)
	}
}

// sumGroups is the content that the statfs file must have.
func (im *Image) sumGroups() (sum disk.StatfsChange, err error) {
	err = im.View(func(tx *Tx) error {
		for _, g := range im.groups {
			b, err := tx.raw(g.Addr)
			if err != nil {
				return err
			}
			rg, err := disk.DecodeRgrp(b, g.Addr)
			if err != nil {
				return err
			}
			sum = sum.Add(disk.StatfsChange{Total: int64(rg.Data), Free: int64(rg.Free), Dinodes: int64(rg.Dinodes)})
		}
		return nil
	})
	return sum, err
}

// setStatfs makes want the content of the statfs or statfs_change file addr, if it is not already.
func (tx *Tx) setStatfs(addr uint64, want disk.StatfsChange) error {
	now, err := tx.readStatfs(addr)
	if err != nil || now == want {
		return err
	}
	b, err := tx.edit(addr, disk.TypeDI)
	if err != nil {
		return err
	}
	want.Encode(b[disk.DinodeSize:])
	return nil
}

func (tx *Tx) readStatfs(addr uint64) (disk.StatfsChange, error) {
	di, err := tx.dinode(addr)
	if err != nil {
		return disk.StatfsChange{}, err
	}
	if di.Height != 0 || di.Size != disk.StatfsChangeSize {
		return disk.StatfsChange{}, disk.Corrupt(addr, "statfs file of %d bytes at height %d", di.Size, di.Height)
	}
	b, err := tx.raw(addr)
	if err != nil {
		return disk.StatfsChange{}, err
	}
	return disk.DecodeStatfsChange(b[disk.DinodeSize:], addr)
}

// Statfs is the number of blocks in all, of free blocks and of inodes.
func (tx *Tx) Statfs() (disk.StatfsChange, error) { return tx.readStatfs(tx.im.statfs) }
