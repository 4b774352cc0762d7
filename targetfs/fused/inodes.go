package fused

import (
	"sync"

	"faultline/targetfs/disk"
	"faultline/targetfs/glock"
	"faultline/targetfs/image"
)

// inodes are those that the kernel knows on this node. It knows an inode as long as a file of it is open or mapped.
type inodes struct {
	mu      sync.Mutex
	known   map[uint64]*inode
	pruning bool // the kernel is being asked to forget some
}

// maxInodes is how many inodes the kernel should know, when the options don't say. Each takes about a kilobyte here, and as much in
// the kernel.
const maxInodes = 1 << 17

func (t *inodes) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.known)
}

// inode is one that the kernel knows.
type inode struct {
	lookups uint64        // how many the kernel will forget
	iopen   *glock.Holder // says on other nodes that it is in use here; nil until it is granted
	writers int           // open files that may be written, counted where several nodes are
}

// addr is the address of the dinode that the kernel means. FUSE gives the root a number of its own.
func (n *node) addr(nodeid uint64) uint64 {
	if nodeid == 1 {
		return n.s.image.Root()
	}
	return nodeid
}

// nodeid is the number by which the kernel knows the inode.
func (n *node) nodeid(addr uint64) uint64 {
	if addr == n.s.image.Root() {
		return 1
	}
	return addr
}

// know counts a lookup of the inode, before the kernel hears of it. The first one takes the iopen glock.
func (n *node) know(l *locks, addr uint64) error {
	t := &n.inodes
	t.mu.Lock()
	if t.known == nil {
		t.known = map[uint64]*inode{}
	}
	i, ok := t.known[addr]
	if !ok {
		i = &inode{}
		t.known[addr] = i
		n.prune()
	}
	i.lookups++
	t.mu.Unlock()
	if ok {
		return nil
	}
	h, err := n.glocks.Lock(n.s.ctx, glock.Request{Name: glock.Name{Type: glock.Iopen, Number: addr}, State: glock.SH,
		Flags: glock.Exact | glock.NoPID, Owner: l.owner, Caller: "inode"})
	if err != nil {
		n.forget(addr, 1)
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i.iopen = h
	return nil
}

// prune asks the kernel to forget some inodes, any of them, when it knows too many. It can't forget those in use. Kernels before
// 6.18 don't listen, and forget when memory is short.
func (n *node) prune() {
	t := &n.inodes
	limit := n.s.options.Inodes
	if limit == 0 {
		limit = maxInodes
	}
	if len(t.known) <= limit || t.pruning {
		return
	}
	var some []uint64
	for addr := range t.known {
		if len(some) == min(limit/4+1, pruneBatch) {
			break
		}
		if id := n.nodeid(addr); id != 1 {
			some = append(some, id)
		}
	}
	t.pruning = true
	go func() {
		_ = n.fuse.Prune(some)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.pruning = false
	}()
}

// pruneBatch is how many inodes are named in one notification.
const pruneBatch = 4096

// Forget drops lookups. Nobody waits for its end.
func (n *node) Forget(nodeid, lookups uint64) {
	n.forget(n.addr(nodeid), lookups)
	if n.orphans.many() {
		n.reap()
	}
}

func (n *node) forget(addr, lookups uint64) {
	t := &n.inodes
	t.mu.Lock()
	i, ok := t.known[addr]
	if !ok {
		t.mu.Unlock()
		return
	}
	i.lookups -= min(lookups, i.lookups)
	if i.lookups > 0 {
		t.mu.Unlock()
		return
	}
	delete(t.known, addr)
	t.mu.Unlock()
	n.evict(addr, i)
}

// evict drops an inode that the kernel has forgotten, and its glocks. One without a name is deleted, unless another node uses it.
func (n *node) evict(addr uint64, i *inode) {
	if i.iopen != nil {
		i.iopen.Unlock()
	}
	di, err := n.s.stat(addr)
	if err != nil || di.Nlink > 0 {
		n.dropGlocks(addr)
		return
	}
	n.orphans.add(n, addr)
}

func (n *node) dropGlocks(addr uint64) {
	n.glocks.Demote(glock.Name{Type: glock.Iopen, Number: addr}, glock.UN)
	n.glocks.Demote(glock.InodeName(addr), glock.UN)
}

// evictAll drops what the kernel did not forget before it unmounted.
func (n *node) evictAll() {
	n.inodes.mu.Lock()
	all := n.inodes.known
	n.inodes.known = nil
	n.inodes.mu.Unlock()
	for addr, i := range all {
		n.evict(addr, i)
	}
}

// unlinked tells whether the inode waits to be deleted.
func (s *Server) unlinked(addr uint64) (yes bool, err error) {
	err = s.view(func(tx *image.Tx) (err error) {
		yes, err = tx.Unlinked(addr)
		return err
	})
	return yes, err
}

// describe is what the dump says of an inode.
func (n *node) describe(name glock.Name) glock.Object {
	if name.Type != glock.Inode && name.Type != glock.Iopen {
		return glock.Object{}
	}
	di, err := n.s.stat(name.Number)
	if err != nil {
		return glock.Object{}
	}
	return glock.Object{Line: glock.InodeLine{FormalIno: di.Num.FormalIno, Addr: di.Num.Addr, Type: disk.DirentType(di.Mode),
		DiFlags: di.Flags, Size: di.Size}}
}
