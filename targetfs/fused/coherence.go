package fused

import (
	"context"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"faultline/targetfs/glock"
)

// How several nodes stay coherent.
//
// System calls go to the server (FOPEN_DIRECT_IO), which has one image for all nodes. Pages are cached for mappings only. They are
// cached under the inode's glock: SH, or EX while a file is open for writing on the node, because FUSE doesn't say when a mapped
// page becomes dirty. When another node asks for the glock, the hooks below make the kernel write and drop its pages.
//
// gfs2 takes the glock before it locks a page. FUSE locks the page first: a fault waits for its READ with the page locked, and the
// hook, which wants to drop that page, would wait for the READ, which waits for the glock behind the hook. So a READ never waits
// behind a hook: it is answered under the state that the node still has, and the hook drops what it brought in another round. A
// truncation blocks write-back in the same way (fs/fuse/dir.c, fuse_set_nowrite) and goes on under EX.

// faults are the requests that must not wait behind a hook, by inode.
type faults struct {
	mu  sync.Mutex
	all map[uint64]*inodeFaults
}

type inodeFaults struct {
	waiting  map[*context.CancelFunc]bool // for the glock
	dropping int                          // hooks at work
	through  int                          // requests answered without a glock while they were
}

func (f *faults) of(ino uint64) *inodeFaults {
	if f.all == nil {
		f.all = map[uint64]*inodeFaults{}
	}
	i, ok := f.all[ino]
	if !ok {
		i = &inodeFaults{waiting: map[*context.CancelFunc]bool{}}
		f.all[ino] = i
	}
	return i
}

// tidy forgets an inode that has nothing going on.
func (f *faults) tidy(ino uint64, i *inodeFaults) {
	if len(i.waiting) == 0 && i.dropping == 0 {
		delete(f.all, ino)
	}
}

// enter begins to wait. It returns false when a hook is at work, and the request must go through.
func (f *faults) enter(ctx context.Context, ino uint64) (waits context.Context, leave func() (through bool), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.of(ino)
	if i.dropping > 0 {
		i.through++
		return nil, nil, false
	}
	waits, cancel := context.WithCancel(ctx)
	i.waiting[&cancel] = true
	return waits, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		cancel()
		_, waited := i.waiting[&cancel]
		delete(i.waiting, &cancel)
		f.tidy(ino, i)
		return !waited
	}, true
}

// lockThrough takes the glock of the inode, or returns without it when a hook is at work and the node still has the glock in a state
// that covers least. UN is covered by any: the hook drops what was read.
func (n *node) lockThrough(l *locks, ino uint64, least glock.State) error {
	through := func() bool {
		state := n.glocks.State(glock.InodeName(ino))
		return state != glock.UN && (least == glock.UN || state.Covers(least))
	}
	for {
		waits, leave, ok := n.faults.enter(l.ctx, ino)
		if !ok {
			if through() {
				return nil
			}
			return l.take(glock.File, ino)
		}
		h, err := n.glocks.Lock(waits, l.request(glock.File, ino))
		cut := leave()
		if err == nil {
			l.held = append(l.held, h)
			return nil
		}
		if !cut || l.ctx.Err() != nil {
			return err
		}
		if through() {
			return nil
		}
	}
}

// lockReadShared takes the glock of a READ.
func (n *node) lockReadShared(in *fuse.ReadIn, ino uint64) (done func(), err error) {
	op := "page fault"
	if n.writers(ino) > 0 {
		op = "page_mkwrite"
	}
	l := n.begin(&in.InHeader, op, ino)
	l.unique()
	return l.end, n.lockThrough(l, ino, glock.UN)
}

// flushInode makes the kernel write the pages of an inode that leaves EX: go_sync. It also drops them, for they could become dirty
// again.
func (n *node) flushInode(_ context.Context, name glock.Name) { n.dropPages(name) }

// dropInode drops the pages of an inode: go_inval.
func (n *node) dropInode(_ context.Context, name glock.Name, _ glock.State) { n.dropPages(name) }

func (n *node) dropPages(name glock.Name) {
	if name.Type != glock.Inode {
		return
	}
	ino := name.Number
	f := &n.faults
	f.mu.Lock()
	i := f.of(ino)
	i.dropping++
	for cancel := range i.waiting {
		(*cancel)()
		delete(i.waiting, cancel)
		i.through++
	}
	for seen := -1; seen != i.through; {
		seen = i.through
		f.mu.Unlock()
		_ = n.fuse.Invalidate(n.nodeid(ino), 0, 0) // it may have forgotten the inode
		f.mu.Lock()
	}
	i.dropping--
	f.tidy(ino, i)
	f.mu.Unlock()
}

// openedShared is opened where other nodes are. A file that may be written makes the node drop pages that it has under SH: the
// kernel does, because the cache is not to be kept.
func (n *node) openedShared(ino uint64, flags uint32, out *fuse.OpenOut) {
	out.OpenFlags |= fuse.FOPEN_DIRECT_IO
	if flags&unix.O_ACCMODE == unix.O_RDONLY {
		return
	}
	out.Fh = fhWriter
	n.countWriter(ino, 1)
}

// fhWriter is the handle of a file that is counted as a writer's.
const fhWriter = 1

func (n *node) releasedShared(in *fuse.ReleaseIn) {
	ino := n.addr(in.NodeId)
	if in.Fh == fhWriter {
		n.countWriter(ino, -1)
	}
	if in.ReleaseFlags&fuse.FUSE_RELEASE_FLOCK_UNLOCK != 0 {
		n.s.locks.drop(ino, lockOwner{n, in.LockOwner, true})
	}
}

func (n *node) countWriter(ino uint64, change int) {
	n.inodes.mu.Lock()
	defer n.inodes.mu.Unlock()
	if i, ok := n.inodes.known[ino]; ok {
		i.writers += change
	}
}

// writers is the number of open files of the inode on this node that may be written.
func (n *node) writers(ino uint64) int {
	n.inodes.mu.Lock()
	defer n.inodes.mu.Unlock()
	if i, ok := n.inodes.known[ino]; ok {
		return i.writers
	}
	return 0
}
