package image

import (
	"maps"
	"slices"

	"faultline/targetfs/disk"
)

// dirWalk is the state of checking one directory.
type dirWalk struct {
	c       *checker
	di      *disk.Dinode
	entries uint32
	dots    [2]int // how often "." and ".." were found
}

// walkDir checks the entries of di, and owns and counts the leaves of an ExHash directory.
func (c *checker) walkDir(di *disk.Dinode) (leaves uint64) {
	w := &dirWalk{c: c, di: di}
	if hashed(di) {
		leaves = w.walkTable()
	} else if b, err := c.tx.read(di.Num.Addr, disk.TypeDI); !c.failed(err) {
		w.walkArea(disk.DirentsOf(b), di.Num.Addr, nil)
	}
	if w.entries != di.Entries {
		c.say(di.Num.Addr, "di_entries is %d, found %d", di.Entries, w.entries)
	}
	if w.dots != [2]int{1, 1} {
		c.say(di.Num.Addr, `found "." %d times and ".." %d times`, w.dots[0], w.dots[1])
	}
	return leaves
}

// walkArea checks the entries of one block. belongs tells whether a hash belongs there; nil accepts all.
func (w *dirWalk) walkArea(area disk.Dirents, addr uint64, belongs func(hash uint32) bool) (entries uint32) {
	for e, err := range area.All(addr) {
		if w.c.failed(err) {
			break
		}
		entries++
		if hash := disk.HashName(e.Name()); hash != e.Hash {
			w.c.say(addr, "entry %q has hash %08x, want %08x", e.Name(), e.Hash, hash)
		}
		if belongs != nil && !belongs(e.Hash) {
			w.c.say(addr, "entry %q belongs in another leaf", e.Name())
		}
		w.checkEntry(&e, addr)
	}
	w.entries += entries
	return entries
}

// checkEntry follows a name to its inode.
func (w *dirWalk) checkEntry(e *disk.Entry, addr uint64) {
	c, name := w.c, e.Name()
	target := e.Inum.Addr
	if c.im.groupOf(target) == nil {
		c.say(addr, "entry %q names block %d, which no resource group describes", name, target)
		return
	}
	if state, err := c.tx.state(target); c.failed(err) || state != disk.InodeBlock {
		c.say(addr, "entry %q names block %d, which is %v", name, target, state)
		return
	}
	di, err := c.tx.dinode(target)
	if err != nil {
		return // the visit of that inode says so
	}
	if di.Num.FormalIno != e.Inum.FormalIno {
		c.say(addr, "entry %q has formal inode number %d, the inode %d", name, e.Inum.FormalIno, di.Num.FormalIno)
	}
	if e.Type != disk.DirentType(di.Mode) {
		c.say(addr, "entry %q has type %d, the inode %d", name, e.Type, disk.DirentType(di.Mode))
	}
	c.facts(target).refs++
	w.checkPlace(name, target, &di)
}

// checkPlace checks what depends on the name: "." and "..", and that a directory has one name only.
func (w *dirWalk) checkPlace(name string, target uint64, di *disk.Dinode) {
	c, self := w.c, w.di.Num.Addr
	switch name {
	case ".":
		w.dots[0]++
		if target != self {
			c.say(self, `"." names block %d`, target)
		}
	case "..":
		w.dots[1]++
		c.facts(self).dotdot = target
		if !di.IsDir() {
			c.say(self, `".." names block %d, which is no directory`, target)
		}
	default:
		facts := c.facts(target)
		if di.IsDir() && facts.parent != 0 {
			c.say(target, "directory has names in inodes %d and %d", facts.parent, self)
		}
		facts.parent = self
	}
}

// walkTable checks the hash table's runs and walks the leaves.
func (w *dirWalk) walkTable() (leaves uint64) {
	c, di := w.c, w.di
	err := c.tx.leaves(di, 0, func(first, n, addr uint64) (bool, error) {
		leaves += w.walkChain(first, n, addr)
		return c.ioErr == nil, nil
	})
	c.failed(err)
	return leaves
}

func (w *dirWalk) walkChain(first, n, addr uint64) (leaves uint64) {
	c, di := w.c, w.di
	depth := -1
	for addr != 0 {
		if !c.own(addr, disk.Used, di.Num.Addr) {
			return leaves
		}
		leaves++
		leaf, err := c.tx.leafAt(addr)
		if c.failed(err) {
			return leaves
		}
		if depth < 0 {
			depth = int(leaf.Depth)
			w.checkRun(first, n, &leaf)
		}
		if int(leaf.Depth) != depth {
			c.say(addr, "leaf of depth %d in a chain of depth %d", leaf.Depth, depth)
		}
		found := w.walkArea(disk.LeafDirents(leaf.data), addr, func(hash uint32) bool {
			i := slot(di, hash)
			return i >= first && i < first+n
		})
		if found != uint32(leaf.Entries) {
			c.say(addr, "lf_entries is %d, found %d", leaf.Entries, found)
		}
		addr = leaf.Next
	}
	if leaves == 0 {
		c.say(di.Num.Addr, "hash table entry %d is empty", first)
	}
	return leaves
}

// checkRun compares the depth of a leaf with the table entries that have it.
func (w *dirWalk) checkRun(first, n uint64, leaf *leafBlock) {
	if leaf.Depth > w.di.Depth {
		w.c.say(leaf.addr, "leaf of depth %d in a table of depth %d", leaf.Depth, w.di.Depth)
		return
	}
	if want := uint64(1) << (w.di.Depth - leaf.Depth); n != want || first%want != 0 {
		w.c.say(leaf.addr, "leaf of depth %d has %d table entries from %d on, want %d", leaf.Depth, n, first, want)
	}
}

// checkTreeOfDirs checks that each directory's ".." is where its name is, and that a root is above it.
func (c *checker) checkTreeOfDirs() {
	roots := map[uint64]bool{c.im.Root(): true, c.im.Master(): true}
	above := map[uint64]bool{} // directories known to have a root above them
	for _, addr := range slices.Sorted(maps.Keys(c.inodes)) {
		facts := c.inodes[addr]
		if !facts.dir {
			continue
		}
		want := facts.parent
		if roots[addr] {
			want = addr
		}
		if facts.dotdot != want {
			c.say(addr, `".." names inode %d, the directory's name is in %d`, facts.dotdot, want)
		}
		if !c.reachesRoot(addr, roots, above) {
			c.say(addr, "directory can't be reached from a root")
		}
	}
}

func (c *checker) reachesRoot(addr uint64, roots, above map[uint64]bool) bool {
	var path []uint64
	for at := addr; !above[at] && !roots[at]; {
		facts := c.inodes[at]
		if facts == nil || facts.parent == 0 || len(path) > len(c.inodes) {
			return false
		}
		path = append(path, at)
		at = facts.parent
	}
	for _, at := range path {
		above[at] = true
	}
	return true
}
