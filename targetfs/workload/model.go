package workload

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Model is what a directory must hold.
type Model struct{ root *inode }

// kind is the type of an inode, as in st_mode.
type kind uint32

const (
	kindFile    kind = unix.S_IFREG
	kindDir     kind = unix.S_IFDIR
	kindSymlink kind = unix.S_IFLNK
	kindFifo    kind = unix.S_IFIFO
)

// chunk is the unit in bytes in which content is kept: what was never written is not kept.
const chunk = 4096

// inode is a file of any type. The root of a model has no mode that counts.
type inode struct {
	kind   kind
	mode   uint32 // permissions
	links  int    // names, of what is no directory
	mtime  time.Time
	target string // of a symbolic link
	xattrs map[string][]byte

	size int64
	data map[int64][]byte // content by number of chunk

	parent *inode // of a directory
	name   string // of a directory
	names  map[string]*inode
	order  []string // the names, in an order that is always the same
}

func newInode(k kind, mode uint32) *inode {
	n := &inode{kind: k, mode: mode, xattrs: map[string][]byte{}}
	if k == kindDir {
		n.names = map[string]*inode{}
	}
	if k == kindFile {
		n.data = map[int64][]byte{}
	}
	return n
}

// changed says that the time of the last change is not known any more.
func (n *inode) changed() { n.mtime = time.Time{} }

// add gives n a name in d.
func (d *inode) add(name string, n *inode) {
	d.names[name] = n
	d.order = append(d.order, name)
	if n.kind == kindDir {
		n.parent, n.name = d, name
	}
	n.links++
	d.changed()
}

// remove takes a name out of d.
func (d *inode) remove(name string) {
	d.names[name].links--
	delete(d.names, name)
	i := slices.Index(d.order, name)
	last := len(d.order) - 1
	d.order[i] = d.order[last]
	d.order = d.order[:last]
	d.changed()
}

// depth is the number of directories above d.
func (d *inode) depth() (n int) {
	for ; d.parent != nil; d = d.parent {
		n++
	}
	return n
}

// height is the number of levels of directories below d.
func (d *inode) height() (n int) {
	for _, child := range d.names {
		if child.kind == kindDir {
			n = max(n, 1+child.height())
		}
	}
	return n
}

// isBelow tells whether d is top or in a directory below it.
func (d *inode) isBelow(top *inode) bool {
	for ; d != nil; d = d.parent {
		if d == top {
			return true
		}
	}
	return false
}

// subdirs is the number of directories in d.
func (d *inode) subdirs() (n int) {
	for _, child := range d.names {
		if child.kind == kindDir {
			n++
		}
	}
	return n
}

// put writes p at off.
func (n *inode) put(p []byte, off int64) {
	n.size = max(n.size, off+int64(len(p)))
	n.changed()
	for len(p) > 0 {
		block, from := off/chunk, off%chunk
		if n.data[block] == nil {
			n.data[block] = make([]byte, chunk)
		}
		done := copy(n.data[block][from:], p)
		p, off = p[done:], off+int64(done)
	}
}

// zero makes count bytes at off zeros. The size stays.
func (n *inode) zero(off, count int64) {
	n.changed()
	for block, b := range n.data {
		from, to := max(off-block*chunk, 0), min(off+count-block*chunk, chunk)
		switch {
		case from == 0 && to == chunk:
			delete(n.data, block)
		case from < to:
			clear(b[from:to])
		}
	}
}

// resize sets the size.
func (n *inode) resize(size int64) {
	if size < n.size {
		n.zero(size, n.size-size+chunk)
	}
	n.size = size
	n.changed()
}

// at is the content of one chunk.
func (n *inode) at(block int64) []byte {
	if b := n.data[block]; b != nil {
		return b
	}
	return zeros
}

var zeros = make([]byte, chunk)
