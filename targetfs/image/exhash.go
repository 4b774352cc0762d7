package image

import (
	"iter"

	"faultline/targetfs/disk"
)

// An ExHash directory has a table of 2^di_depth leaf addresses, indexed by the first bits of a name's hash. The
// table is the directory's data: stuffed while it has its smallest size, in JD blocks later.

// maxChain bounds the walk along lf_next: a table of full depth holds this many leaves, so no honest chain is longer.
const maxChain = 1 << disk.MaxHashDepth

// leafBlock is a leaf, its header decoded.
type leafBlock struct {
	disk.Leaf
	addr uint64
	data []byte // for reading
}

func (tx *Tx) leafAt(addr uint64) (leafBlock, error) {
	b, err := tx.raw(addr)
	if err != nil {
		return leafBlock{}, err
	}
	lf, err := disk.DecodeLeaf(b, addr)
	return leafBlock{lf, addr, b}, err
}

// changeLeaf changes the header of leaf addr and stamps its time.
func (tx *Tx) changeLeaf(addr uint64, change func(*disk.Leaf)) error {
	b, err := tx.edit(addr, disk.TypeLF)
	if err != nil {
		return err
	}
	lf, err := disk.DecodeLeaf(b, addr)
	if err != nil {
		return err
	}
	change(&lf)
	lf.Sec, lf.Nsec = uint64(tx.time.Unix()), uint32(tx.time.Nanosecond())
	lf.Encode(b)
	return nil
}

// newLeaf allocates an empty leaf of di.
func (tx *Tx) newLeaf(di *disk.Dinode, depth uint16, dist uint32) (uint64, disk.Dirents, error) {
	addr, b, err := tx.newMeta(di, disk.TypeLF)
	if err != nil {
		return 0, nil, err
	}
	lf := disk.Leaf{MetaHeader: disk.NewHeader(disk.TypeLF), Depth: depth, DirentFormat: disk.FormatDirent, Inode: di.Num.Addr,
		Dist: dist, Sec: uint64(tx.time.Unix()), Nsec: uint32(tx.time.Nanosecond())}
	lf.Encode(b)
	area := disk.LeafDirents(b)
	area.Init()
	return addr, area, nil
}

// slot is the index of the table entry for hash.
func slot(di *disk.Dinode, hash uint32) uint64 { return uint64(hash) >> (32 - di.Depth) }

// tablePlace says where entry i of the table is: in which payload block, and at which byte of the block's data.
func (tx *Tx) tablePlace(di *disk.Dinode, i uint64) (lblk, off uint64) {
	if di.Height == 0 {
		return 0, 8 * i
	}
	per := uint64(tx.im.bs.MetaMax())
	return 8 * i / per, 8 * i % per
}

// tableEntry is the leaf address in entry i.
func (tx *Tx) tableEntry(di *disk.Dinode, i uint64) (uint64, error) {
	b, off, err := tx.tableBlock(di, i, tx.read)
	if err != nil {
		return 0, err
	}
	return disk.Ptr(b[off:], 0), nil
}

// tableBlock is the part of the table from the start of the block that has entry i, and where the entry is in it. access
// is read or edit.
func (tx *Tx) tableBlock(di *disk.Dinode, i uint64, access func(uint64, disk.BlockType) ([]byte, error)) ([]byte, uint64, error) {
	lblk, off := tx.tablePlace(di, i)
	if di.Height == 0 {
		b, err := access(di.Num.Addr, disk.TypeDI)
		if err != nil {
			return nil, 0, err
		}
		return b[disk.DinodeSize:], off, nil
	}
	r, err := tx.extent(di, lblk, 1)
	if err != nil {
		return nil, 0, err
	}
	if r.addr == 0 {
		return nil, 0, disk.Corrupt(di.Num.Addr, "hash table with a hole at entry %d", i)
	}
	b, err := access(r.addr, disk.TypeJD)
	if err != nil {
		return nil, 0, err
	}
	return b[disk.HeaderSize:], off, nil
}

// setTable points n table entries from first on at leaf.
func (tx *Tx) setTable(di *disk.Dinode, first, n, leaf uint64) error {
	for i := first; i < first+n; {
		b, off, err := tx.tableBlock(di, i, tx.edit)
		if err != nil {
			return err
		}
		for ; off < uint64(len(b)) && i < first+n; off, i = off+8, i+1 {
			disk.PutPtr(b[off:], 0, leaf)
		}
	}
	return nil
}

// chain walks the leaves that may hold names with the given hash.
func (tx *Tx) chain(di *disk.Dinode, hash uint32) iter.Seq2[leafBlock, error] {
	return func(yield func(leafBlock, error) bool) {
		addr, err := tx.tableEntry(di, slot(di, hash))
		if err != nil {
			yield(leafBlock{}, err)
			return
		}
		tx.chainFrom(di, addr)(yield)
	}
}

// chainFrom walks the chain that begins with leaf addr.
func (tx *Tx) chainFrom(di *disk.Dinode, addr uint64) iter.Seq2[leafBlock, error] {
	return func(yield func(leafBlock, error) bool) {
		for range maxChain {
			leaf, err := tx.leafAt(addr)
			if !yield(leaf, err) || err != nil || leaf.Next == 0 {
				return
			}
			addr = leaf.Next
		}
		yield(leafBlock{}, disk.Corrupt(addr, "chain of leaves of inode %d does not end", di.Num.Addr))
	}
}

// makeHashed turns the linear directory di into an ExHash directory with one leaf.
func (tx *Tx) makeHashed(di *disk.Dinode) error {
	b, err := tx.edit(di.Num.Addr, disk.TypeDI)
	if err != nil {
		return err
	}
	addr, area, err := tx.newLeaf(di, 0, 1)
	if err != nil {
		return err
	}
	payload := b[disk.DinodeSize:]
	if err := area.Grow(disk.Dirents(payload), di.Num.Addr); err != nil {
		return err
	}
	if err := tx.changeLeaf(addr, func(lf *disk.Leaf) { lf.Entries = uint16(di.Entries) }); err != nil {
		return err
	}
	clear(payload)
	di.Flags |= disk.FlagExhash
	di.Depth = uint16(tx.im.bs.MinHashDepth())
	di.Size = 8 << di.Depth
	di.PayloadFormat = 0
	return tx.setTable(di, 0, 1<<di.Depth, addr)
}

// insertHashed puts d into the chain of its hash, making room as needed: split, double and split, or a longer chain.
func (tx *Tx) insertHashed(di *disk.Dinode, d disk.Dirent, name string) error {
	for {
		var last leafBlock
		for leaf, err := range tx.chain(di, d.Hash) {
			if err != nil {
				return err
			}
			last = leaf
			ok, err := disk.LeafDirents(leaf.data).HasRoom(len(name), leaf.addr)
			if err != nil {
				return err
			}
			if ok {
				return tx.insertLeaf(leaf.addr, d, name)
			}
		}
		switch {
		case last.Depth < di.Depth:
			if err := tx.split(di, d.Hash); err != nil {
				return err
			}
		case di.Depth < disk.MaxHashDepth:
			if err := tx.double(di); err != nil {
				return err
			}
		default:
			return tx.extendChain(di, last, d, name)
		}
	}
}

func (tx *Tx) insertLeaf(addr uint64, d disk.Dirent, name string) error {
	b, err := tx.edit(addr, disk.TypeLF)
	if err != nil {
		return err
	}
	ok, err := disk.LeafDirents(b).Insert(d, name, addr)
	if err == nil && !ok {
		err = disk.Corrupt(addr, "a new leaf has no room for a name of %d bytes", len(name))
	}
	if err != nil {
		return err
	}
	return tx.changeLeaf(addr, func(lf *disk.Leaf) { lf.Entries++ })
}

func (tx *Tx) extendChain(di *disk.Dinode, last leafBlock, d disk.Dirent, name string) error {
	addr, _, err := tx.newLeaf(di, last.Depth, last.Dist+1)
	if err != nil {
		return err
	}
	if err := tx.changeLeaf(last.addr, func(lf *disk.Leaf) { lf.Next = addr }); err != nil {
		return err
	}
	return tx.insertLeaf(addr, d, name)
}

// split divides the leaf for hash: the lower half of its table entries gets a new leaf with the names that belong there.
func (tx *Tx) split(di *disk.Dinode, hash uint32) error {
	addr, err := tx.tableEntry(di, slot(di, hash))
	if err != nil {
		return err
	}
	old, err := tx.leafAt(addr)
	if err != nil {
		return err
	}
	if old.Depth >= di.Depth {
		return disk.Corrupt(addr, "leaf of depth %d in a table of depth %d", old.Depth, di.Depth)
	}
	if old.Next != 0 {
		return disk.Corrupt(addr, "leaf of depth %d has a chain and can be split", old.Depth)
	}
	depth := old.Depth + 1
	half := uint64(1) << (di.Depth - depth)
	start := slot(di, hash) &^ (2*half - 1)
	divider := uint32((start + half) << (32 - di.Depth))
	low, area, err := tx.newLeaf(di, depth, 1)
	if err != nil {
		return err
	}
	if err := tx.setTable(di, start, half, low); err != nil {
		return err
	}
	moved, err := tx.moveBelow(addr, area, divider)
	if err != nil {
		return err
	}
	if err := tx.changeLeaf(low, func(lf *disk.Leaf) { lf.Entries = moved }); err != nil {
		return err
	}
	return tx.changeLeaf(addr, func(lf *disk.Leaf) {
		lf.Depth = depth
		lf.Entries -= moved
	})
}

// moveBelow moves the entries of leaf addr with a hash below divider to the empty area.
func (tx *Tx) moveBelow(addr uint64, area disk.Dirents, divider uint32) (moved uint16, err error) {
	b, err := tx.edit(addr, disk.TypeLF)
	if err != nil {
		return 0, err
	}
	from := disk.LeafDirents(b)
	var names []string
	for e, err := range from.All(addr) {
		if err != nil {
			return 0, err
		}
		if e.Hash >= divider {
			continue
		}
		if ok, err := area.Insert(e.Dirent, e.Name(), addr); err != nil || !ok {
			return 0, firstError(err, disk.Corrupt(addr, "leaf has more entries than fit into a leaf"))
		}
		names = append(names, e.Name())
	}
	for _, name := range names {
		e, ok, err := from.Find(name, disk.HashName(name), addr)
		if err != nil || !ok {
			return 0, firstError(err, disk.Corrupt(addr, "entry %q has a wrong hash", name))
		}
		from.Remove(e)
	}
	return uint16(len(names)), nil
}

// double makes the hash table twice as long: each entry stands twice.
func (tx *Tx) double(di *disk.Dinode) error {
	n := uint64(1) << di.Depth
	table := make([]byte, 16*n)
	for i := range n {
		leaf, err := tx.tableEntry(di, i)
		if err != nil {
			return err
		}
		disk.PutPtr(table, int(2*i), leaf)
		disk.PutPtr(table, int(2*i+1), leaf)
	}
	di.Depth++
	if di.Height == 0 {
		// The old table moves out; its entries are overwritten below like those of any other.
		if err := tx.unstuff(di); err != nil {
			return err
		}
	}
	di.Size = 8 << di.Depth
	return tx.writeTable(di, table)
}

// writeTable writes the whole hash table into JD blocks.
func (tx *Tx) writeTable(di *disk.Dinode, table []byte) error {
	per := tx.im.bs.MetaMax()
	for lblk := uint64(0); len(table) > 0; lblk++ {
		ptrs, i, err := tx.leaf(di, lblk)
		if err != nil {
			return err
		}
		part := table[:min(per, len(table))]
		table = table[len(part):]
		if addr := disk.Ptr(ptrs, i); addr != 0 {
			b, err := tx.edit(addr, disk.TypeJD)
			if err != nil {
				return err
			}
			copy(b[disk.HeaderSize:], part)
			continue
		}
		addr, b, err := tx.newMeta(di, disk.TypeJD)
		if err != nil {
			return err
		}
		copy(b[disk.HeaderSize:], part)
		disk.PutPtr(ptrs, i, addr)
	}
	return nil
}

// leaves calls fn for each run of table entries that have the same leaf.
func (tx *Tx) leaves(di *disk.Dinode, from uint64, fn func(first, n, leaf uint64) (bool, error)) error {
	end := uint64(1) << di.Depth
	for first := from; first < end; {
		leaf, err := tx.tableEntry(di, first)
		if err != nil {
			return err
		}
		n := uint64(1)
		for ; first+n < end; n++ {
			next, err := tx.tableEntry(di, first+n)
			if err != nil {
				return err
			}
			if next != leaf {
				break
			}
		}
		more, err := fn(first, n, leaf)
		if err != nil || !more {
			return err
		}
		first += n
	}
	return nil
}

// readHashed is ReadDir of an ExHash directory.
func (tx *Tx) readHashed(di *disk.Dinode, from uint64, fn func(DirEntry) bool) error {
	if from>>30 > 0xffffffff {
		return nil
	}
	return tx.leaves(di, slot(di, uint32(from>>30)), func(_, _, first uint64) (bool, error) {
		entries, err := tx.sorted(di, first)
		return err == nil && yield(entries, from, fn), err
	})
}

// sorted are the entries of the chain that begins with leaf first, in the order of their cookies. They must not be changed. Those of a leaf without a
// chain, as nearly all are, are kept: a listing comes back to each leaf a few times.
func (tx *Tx) sorted(di *disk.Dinode, first uint64) ([]DirEntry, error) {
	if _, changed := tx.changed[first]; !changed {
		if entries, ok := tx.im.cache.getSorted(first); ok {
			return entries, nil
		}
	}
	var all []DirEntry
	chained := false
	for leaf, err := range tx.chainFrom(di, first) {
		if err != nil {
			return nil, err
		}
		chained = chained || leaf.Next != 0
		if all, err = appendEntries(all, disk.LeafDirents(leaf.data), leaf.addr); err != nil {
			return nil, err
		}
	}
	sortEntries(all)
	if _, changed := tx.changed[first]; !changed && !chained {
		tx.im.cache.putSorted(first, all)
	}
	return all, nil
}
