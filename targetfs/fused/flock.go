package fused

import (
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// fileLocks are the locks of flock(2) and fcntl(2) where several nodes are. On one node the kernel has them, as with lock_nolock.
type fileLocks struct {
	mu    sync.Mutex
	held  map[uint64][]fileLock // by inode
	freed chan struct{}         // closed and made anew when locks go; nil when nobody waits
}

// lockOwner tells owners apart: the kernel's number on its node, and which of the two kinds, which don't see each other.
type lockOwner struct {
	n     *node
	id    uint64
	flock bool
}

type fileLock struct {
	owner lockOwner
	fuse.FileLock
}

func requestOf(n *node, in *fuse.LkIn) fileLock {
	return fileLock{lockOwner{n, in.Owner, in.LkFlags&fuse.FUSE_LK_FLOCK != 0}, in.Lk}
}

// conflict finds a lock that want must wait for.
func (t *fileLocks) conflict(ino uint64, want *fileLock) *fileLock {
	for i, have := range t.held[ino] {
		other := have.owner != want.owner && have.owner.flock == want.owner.flock
		strict := have.Typ == unix.F_WRLCK || want.Typ == unix.F_WRLCK
		if other && strict && have.Start <= want.End && want.Start <= have.End {
			return &t.held[ino][i]
		}
	}
	return nil
}

// set puts want in the place of what its owner had in that range. It returns false when somebody is in the way.
func (t *fileLocks) set(ino uint64, want fileLock) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if want.Typ != unix.F_UNLCK && t.conflict(ino, &want) != nil {
		return false
	}
	t.replace(ino, func(have fileLock) []fileLock {
		if have.owner != want.owner {
			return []fileLock{have}
		}
		return have.without(want.Start, want.End)
	})
	if want.Typ != unix.F_UNLCK {
		t.held[ino] = append(t.held[ino], want)
	}
	return true
}

// without is what is left of a lock outside a range.
func (l fileLock) without(start, end uint64) (rest []fileLock) {
	if l.Start > end || l.End < start {
		return []fileLock{l}
	}
	if l.Start < start {
		left := l
		left.End = start - 1
		rest = append(rest, left)
	}
	if l.End > end {
		right := l
		right.Start = end + 1
		rest = append(rest, right)
	}
	return rest
}

// replace changes every lock of an inode and wakes those who wait.
func (t *fileLocks) replace(ino uint64, with func(fileLock) []fileLock) {
	if t.held == nil {
		t.held = map[uint64][]fileLock{}
	}
	var now []fileLock
	for _, l := range t.held[ino] {
		now = append(now, with(l)...)
	}
	t.held[ino] = now
	if len(now) == 0 {
		delete(t.held, ino)
	}
	if t.freed != nil {
		close(t.freed)
		t.freed = nil
	}
}

// drop gives up all that an owner has on an inode.
func (t *fileLocks) drop(ino uint64, owner lockOwner) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.replace(ino, func(have fileLock) []fileLock {
		if have.owner == owner {
			return nil
		}
		return []fileLock{have}
	})
}

// change is closed when locks have gone since the call.
func (t *fileLocks) change() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.freed == nil {
		t.freed = make(chan struct{})
	}
	return t.freed
}

// GetLk says who is in the way of a lock.
func (n *node) GetLk(_ <-chan struct{}, in *fuse.LkIn, out *fuse.LkOut) fuse.Status {
	t, want := &n.s.locks, requestOf(n, in)
	t.mu.Lock()
	defer t.mu.Unlock()
	out.Lk = want.FileLock
	out.Lk.Typ = unix.F_UNLCK
	if other := t.conflict(n.addr(in.NodeId), &want); other != nil {
		out.Lk = other.FileLock
	}
	return fuse.OK
}

// SetLk takes or gives back a lock, and doesn't wait.
func (n *node) SetLk(_ <-chan struct{}, in *fuse.LkIn) fuse.Status {
	if n.s.locks.set(n.addr(in.NodeId), requestOf(n, in)) {
		return fuse.OK
	}
	return fuse.EAGAIN
}

// SetLkw waits for a lock.
func (n *node) SetLkw(cancel <-chan struct{}, in *fuse.LkIn) fuse.Status {
	for {
		change := n.s.locks.change()
		if n.s.locks.set(n.addr(in.NodeId), requestOf(n, in)) {
			return fuse.OK
		}
		select {
		case <-change:
		case <-cancel:
			return fuse.Status(syscall.EINTR)
		case <-n.s.ctx.Done():
			return fuse.EIO
		}
	}
}
