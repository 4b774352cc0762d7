package image

import (
	"fmt"
	"slices"
	"syscall"

	"faultline/targetfs/disk"
)

// group is a resource group in memory.
type group struct {
	disk.Rindex
	free uint32 // rg_free as committed
	shut bool   // rg_flags says that nothing is to be allocated here
	next uint32 // where the search continues when no goal says otherwise, counted from ri_data0
}

// groupIndex finds the resource group whose bitmap describes block addr.
func (im *Image) groupIndex(addr uint64) (int, bool) {
	return slices.BinarySearchFunc(im.groups, addr, func(g *group, addr uint64) int {
		switch {
		case g.Data0 > addr:
			return 1
		case g.Contains(addr):
			return 0
		}
		return -1
	})
}

// groupOf is the resource group whose bitmap describes block addr, nil when none does.
func (im *Image) groupOf(addr uint64) *group {
	if i, ok := im.groupIndex(addr); ok {
		return im.groups[i]
	}
	return nil
}

// header is the resource group's header for changing; commit encodes it.
func (tx *Tx) header(g *group) (*disk.Rgrp, error) {
	if rg, ok := tx.headers[g]; ok {
		return rg, nil
	}
	if err := tx.writable(); err != nil {
		return nil, err
	}
	b, err := tx.raw(g.Addr)
	if err != nil {
		return nil, err
	}
	rg, err := disk.DecodeRgrp(b, g.Addr)
	if err != nil {
		return nil, err
	}
	if tx.headers == nil {
		tx.headers = map[*group]*disk.Rgrp{}
	}
	tx.headers[g] = &rg
	return &rg, nil
}

func (tx *Tx) putHeaders() error {
	for g, rg := range tx.headers {
		b, err := tx.edit(g.Addr, disk.TypeRG)
		if err != nil {
			return err
		}
		rg.Encode(b)
	}
	return nil
}

func bitmapType(i uint32) disk.BlockType {
	if i == 0 {
		return disk.TypeRG
	}
	return disk.TypeRB
}

// bitmap is the i-th bitmap of g for reading, and the number of its first block.
func (tx *Tx) bitmap(g *group, i uint32) (disk.Bitmap, uint32, error) {
	b, err := tx.read(g.Addr+uint64(i), bitmapType(i))
	if err != nil {
		return nil, 0, err
	}
	bm, start := g.BitmapOf(b, i)
	return bm, start, nil
}

// state is the state of block addr, which must be described by a resource group.
func (tx *Tx) state(addr uint64) (disk.BlockState, error) {
	g := tx.im.groupOf(addr)
	if g == nil {
		return 0, disk.Corrupt(addr, "a pointer leads to a block that no resource group describes")
	}
	n := uint32(addr - g.Data0)
	bm, start, err := tx.bitmap(g, tx.im.bs.BitmapIndex(n))
	if err != nil {
		return 0, err
	}
	return bm.State(n - start), nil
}

// setState changes the states of n blocks from addr on, all in one resource group, and its counters.
func (tx *Tx) setState(addr uint64, n uint32, next disk.BlockState) error {
	g := tx.im.groupOf(addr)
	if g == nil {
		return disk.Corrupt(addr, "block becomes %v and no resource group describes it", next)
	}
	rg, err := tx.header(g)
	if err != nil {
		return err
	}
	for at := uint32(addr - g.Data0); n > 0; n-- {
		if err := tx.setOne(g, rg, at, next); err != nil {
			return err
		}
		at++
	}
	return nil
}

func (tx *Tx) setOne(g *group, rg *disk.Rgrp, at uint32, next disk.BlockState) error {
	i := tx.im.bs.BitmapIndex(at)
	b, err := tx.edit(g.Addr+uint64(i), bitmapType(i))
	if err != nil {
		return err
	}
	bm, start := g.BitmapOf(b, i)
	old := bm.State(at - start)
	if !old.MayBecome(next) {
		return disk.Corrupt(g.Data0+uint64(at), "block is %v and becomes %v", old, next)
	}
	bm.Set(at-start, next)
	free, dinodes := counted(next)
	wasFree, wasDinode := counted(old)
	if rg.Free+free < wasFree || rg.Dinodes+dinodes < wasDinode {
		return disk.Corrupt(g.Addr, "resource group counts %d free blocks and %d dinodes, fewer than there are", rg.Free, rg.Dinodes)
	}
	rg.Free += free - wasFree
	rg.Dinodes += dinodes - wasDinode
	tx.statfs.Free += int64(free) - int64(wasFree)
	tx.statfs.Dinodes += int64(dinodes) - int64(wasDinode)
	return nil
}

// counted says how much a block in state s adds to rg_free and rg_dinodes.
func counted(s disk.BlockState) (free, dinodes uint32) {
	switch s {
	case disk.Free:
		return 1, 0
	case disk.Used:
		return 0, 0
	}
	return 0, 1
}

// release frees block addr. It can be allocated again after the next flush, not before: until then a crash brings back the
// metadata that points to it.
func (tx *Tx) release(addr uint64) error {
	if err := tx.setState(addr, 1, disk.Free); err != nil {
		return err
	}
	delete(tx.changed, addr)
	if tx.freed == nil {
		tx.freed = map[uint64]struct{}{}
	}
	tx.freed[addr] = struct{}{}
	return nil
}

// alloc takes up to want adjacent free blocks at or after goal and sets them to state. It returns ENOSPC when nothing is
// free. Blocks that were freed and not yet flushed are released by a flush when nothing else is left.
func (tx *Tx) alloc(goal uint64, want uint32, state disk.BlockState) (uint64, uint32, error) {
	if err := tx.writable(); err != nil {
		return 0, 0, err
	}
	start, n, err := tx.search(goal, want)
	if err == nil && n == 0 && len(tx.im.held) > 0 {
		if err = tx.im.flush(); err == nil {
			start, n, err = tx.search(goal, want)
		}
	}
	if err != nil {
		return 0, 0, fmt.Errorf("allocate a block: %w", err)
	}
	if n == 0 {
		return 0, 0, syscall.ENOSPC
	}
	return start, n, tx.setState(start, n, state)
}

// search looks for a run of free blocks: in the goal's resource group from the goal on, then in the others in turn.
func (tx *Tx) search(goal uint64, want uint32) (uint64, uint32, error) {
	groups := tx.im.groups
	first, ok := tx.im.groupIndex(goal)
	if !ok {
		first = 0
	}
	for i := range groups {
		g := groups[(first+i)%len(groups)]
		from, err := tx.searchStart(g, goal)
		if err != nil {
			return 0, 0, err
		}
		start, n, err := tx.searchGroup(g, from, want)
		if err != nil || n > 0 {
			return g.Data0 + uint64(start), n, err
		}
	}
	return 0, 0, nil
}

// searchStart is where a search in g begins: at the goal when it is free, else where the last search ended. A goal that
// is taken would make each of many searches pass over the same blocks.
func (tx *Tx) searchStart(g *group, goal uint64) (uint32, error) {
	if !g.Contains(goal) {
		return g.next, nil
	}
	at := uint32(goal - g.Data0)
	bm, start, err := tx.bitmap(g, tx.im.bs.BitmapIndex(at))
	if err != nil || bm.State(at-start) == disk.Free {
		return at, err
	}
	return max(at, g.next), nil
}

// searchGroup looks in g from block from to the end, then from the beginning.
func (tx *Tx) searchGroup(g *group, from, want uint32) (uint32, uint32, error) {
	free := g.free
	if rg, ok := tx.headers[g]; ok {
		free = rg.Free
	}
	if free == 0 || g.shut {
		return 0, 0, nil
	}
	first := tx.im.bs.BitmapIndex(from)
	// The first bitmap is searched twice: from the goal on, and at the end from its start.
	for i := range g.Length + 1 {
		bm, start, err := tx.bitmap(g, (first+i)%g.Length)
		if err != nil {
			return 0, 0, err
		}
		at := uint32(0)
		if i == 0 {
			at = min(from-start, bm.Len())
		}
		if at, n := tx.run(g, bm, start, at, want); n > 0 {
			g.next = (start + at + n) % g.Data
			return start + at, n, nil
		}
	}
	return 0, 0, nil
}

// run is the first run of at most want usable blocks in bm at or after at.
func (tx *Tx) run(g *group, bm disk.Bitmap, start, at, want uint32) (uint32, uint32) {
	for {
		first, ok := bm.FindFree(at)
		if !ok {
			return 0, 0
		}
		n := uint32(0)
		for n < want && first+n < bm.Len() && bm.State(first+n) == disk.Free && !tx.isHeld(g.Data0+uint64(start+first+n)) {
			n++
		}
		if n > 0 {
			return first, n
		}
		at = first + 1
	}
}

func (tx *Tx) isHeld(addr uint64) bool {
	if _, ok := tx.im.held[addr]; ok {
		return true
	}
	_, ok := tx.freed[addr]
	return ok
}

// Group is the address of the resource group that has block addr; false when none has.
func (im *Image) Group(addr uint64) (uint64, bool) {
	g := im.groupOf(addr)
	if g == nil {
		return 0, false
	}
	return g.Addr, true
}
