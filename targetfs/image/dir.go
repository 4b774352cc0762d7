package image

import (
	"cmp"
	"fmt"
	"slices"
	"syscall"

	"faultline/targetfs/disk"
)

// directory is the inode ino, which must be a directory.
func (tx *Tx) directory(ino uint64) (disk.Dinode, error) {
	di, err := tx.dinode(ino)
	if err != nil {
		return di, err
	}
	if !di.IsDir() {
		return di, fmt.Errorf("inode %d: %w", ino, syscall.ENOTDIR)
	}
	return di, nil
}

func hashed(di *disk.Dinode) bool { return di.Flags&disk.FlagExhash != 0 }

// Lookup finds name in the directory dir; ENOENT when it isn't there.
func (tx *Tx) Lookup(dir uint64, name string) (disk.Inum, error) {
	di, err := tx.directory(dir)
	if err != nil {
		return disk.Inum{}, err
	}
	at, err := tx.expect(&di, name)
	return at.entry.Inum, err
}

func (tx *Tx) find(dir uint64, name string) (disk.Inum, bool, error) {
	di, err := tx.directory(dir)
	if err != nil {
		return disk.Inum{}, false, err
	}
	_, e, ok, err := tx.locate(&di, name)
	return e.Inum, ok, err
}

// locate finds name in di and the block that has its record: the dinode or a leaf.
func (tx *Tx) locate(di *disk.Dinode, name string) (uint64, disk.Entry, bool, error) {
	hash := disk.HashName(name)
	if !hashed(di) {
		b, err := tx.read(di.Num.Addr, disk.TypeDI)
		if err != nil {
			return 0, disk.Entry{}, false, err
		}
		e, ok, err := disk.DirentsOf(b).Find(name, hash, di.Num.Addr)
		return di.Num.Addr, e, ok, err
	}
	for leaf, err := range tx.chain(di, hash) {
		if err != nil {
			return 0, disk.Entry{}, false, err
		}
		e, ok, err := disk.LeafDirents(leaf.data).Find(name, hash, leaf.addr)
		if err != nil || ok {
			return leaf.addr, e, ok, err
		}
	}
	return 0, disk.Entry{}, false, nil
}

// dirents is the dirent area of block addr of di, for changing.
func (tx *Tx) dirents(di *disk.Dinode, addr uint64) (disk.Dirents, error) {
	if addr == di.Num.Addr {
		b, err := tx.edit(addr, disk.TypeDI)
		if err != nil {
			return nil, err
		}
		return disk.DirentsOf(b), nil
	}
	b, err := tx.edit(addr, disk.TypeLF)
	if err != nil {
		return nil, err
	}
	return disk.LeafDirents(b), nil
}

// checkName refuses what can't be a new file name.
func checkName(name string) error {
	switch {
	case len(name) > disk.MaxName:
		return syscall.ENAMETOOLONG
	case name == "" || name == "." || name == "..":
		return syscall.EINVAL
	}
	for _, c := range []byte(name) {
		if c == 0 || c == '/' {
			return syscall.EINVAL
		}
	}
	return nil
}

// insert adds name for an inode of the given mode to the directory di, in memory and on disk; the caller stores di.
func (tx *Tx) insert(di *disk.Dinode, name string, inum disk.Inum, mode uint32) error {
	d := disk.Dirent{Inum: inum, Hash: disk.HashName(name), Type: disk.DirentType(mode)}
	tx.touch(di)
	if !hashed(di) {
		b, err := tx.edit(di.Num.Addr, disk.TypeDI)
		if err != nil {
			return err
		}
		ok, err := disk.DirentsOf(b).Insert(d, name, di.Num.Addr)
		if err != nil {
			return err
		}
		if ok {
			di.Entries++
			return nil
		}
		if err := tx.makeHashed(di); err != nil {
			return err
		}
	}
	if err := tx.insertHashed(di, d, name); err != nil {
		return err
	}
	di.Entries++
	return nil
}

// record is where a directory has a name: the block, and the record in it, which stays valid until that block changes.
type record struct {
	addr  uint64
	entry disk.Entry
}

// expect finds a name that must be there; ENOENT when it isn't.
func (tx *Tx) expect(di *disk.Dinode, name string) (record, error) {
	addr, e, ok, err := tx.locate(di, name)
	if err == nil && !ok {
		err = fmt.Errorf("look up %q in inode %d: %w", name, di.Num.Addr, syscall.ENOENT)
	}
	return record{addr, e}, err
}

// remove takes a record out of the directory di; the caller stores di.
func (tx *Tx) remove(di *disk.Dinode, at record) error {
	area, err := tx.dirents(di, at.addr)
	if err != nil {
		return err
	}
	area.Remove(at.entry)
	di.Entries--
	tx.touch(di)
	if at.addr == di.Num.Addr {
		return nil
	}
	return tx.changeLeaf(at.addr, func(lf *disk.Leaf) { lf.Entries-- })
}

// redirect points name in the directory di at another inode.
func (tx *Tx) redirect(di *disk.Dinode, name string, inum disk.Inum, mode uint32) error {
	addr, e, ok, err := tx.locate(di, name)
	if err != nil {
		return err
	}
	if !ok {
		return disk.Corrupt(di.Num.Addr, "directory without an entry %q", name)
	}
	area, err := tx.dirents(di, addr)
	if err != nil {
		return err
	}
	area.SetInum(e, inum, disk.DirentType(mode))
	return nil
}

// DirEntry is one name of a directory. Cookie is its position: a listing that starts at Cookie+1 goes on behind it.
// Cookies stay the same while entries come and go.
type DirEntry struct {
	Name   string
	Inum   disk.Inum
	Type   uint16 // d_type
	Cookie uint64
}

// cookie orders names as the hash table does. The upper bits are the hash; the lower 30 tell names with the same hash apart: those of the
// name's 32-bit FNV-1a.
func cookie(hash uint32, name string) uint64 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return uint64(hash)<<30 | uint64(h>>2)
}

// ReadDir calls fn for the entries of dir from position from on, in the order of their cookies, until fn returns false.
func (tx *Tx) ReadDir(dir, from uint64, fn func(DirEntry) bool) error {
	di, err := tx.directory(dir)
	if err != nil {
		return err
	}
	if !hashed(&di) {
		b, err := tx.read(dir, disk.TypeDI)
		if err != nil {
			return err
		}
		entries, err := appendEntries(nil, disk.DirentsOf(b), dir)
		if err != nil {
			return err
		}
		sortEntries(entries)
		yield(entries, from, fn)
		return nil
	}
	return tx.readHashed(&di, from, fn)
}

// appendEntries appends the entries of block addr, in the order they have there.
func appendEntries(all []DirEntry, area disk.Dirents, addr uint64) ([]DirEntry, error) {
	for e, err := range area.All(addr) {
		if err != nil {
			return nil, err
		}
		name := e.Name()
		all = append(all, DirEntry{Name: name, Inum: e.Inum, Type: e.Type, Cookie: cookie(e.Hash, name)})
	}
	return all, nil
}

// sortEntries brings entries into the order of their cookies.
func sortEntries(all []DirEntry) {
	slices.SortFunc(all, func(a, b DirEntry) int { return cmp.Compare(a.Cookie, b.Cookie) })
}

// yield calls fn for the sorted entries from a position on. It returns false when fn did.
func yield(sorted []DirEntry, from uint64, fn func(DirEntry) bool) bool {
	first, _ := slices.BinarySearchFunc(sorted, from, func(e DirEntry, from uint64) int { return cmp.Compare(e.Cookie, from) })
	for _, e := range sorted[first:] {
		if !fn(e) {
			return false
		}
	}
	return true
}
