package fused

import (
	"context"
	"errors"
	"slices"
	"sync"
	"syscall"
	"time"

	"faultline/targetfs/glock"
)

// orphans are inodes of this node that have no name and that its kernel has forgotten. They are deleted together, a moment later, as
// gfs2's delete work does it: one transaction costs little more for many than for one.
type orphans struct {
	mu      sync.Mutex
	waiting []uint64
	work    sync.Mutex // held by who deletes
}

// Orphans are deleted when there are orphanBatch of them, by who is told that the kernel has forgotten another one, or after orphanDelay, beside
// everything else. Those who delete files one after the other wait less for the first than for the second, which asks for the same locks as they do.
const (
	orphanBatch = 128
	orphanDelay = 50 * time.Millisecond
)

func (o *orphans) add(n *node, addr uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.waiting, addr)
	if len(o.waiting) == 1 {
		time.AfterFunc(orphanDelay, n.reap)
	}
}

// many tells whether it is time to delete some.
func (o *orphans) many() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting) >= orphanBatch
}

// reap deletes the orphans that wait. When it returns, those that were there at the call are gone.
func (n *node) reap() {
	o := &n.orphans
	o.work.Lock()
	defer o.work.Unlock()
	o.mu.Lock()
	all := o.waiting
	o.waiting = nil
	o.mu.Unlock()
	// Glocks of one kind are taken in the order of their numbers.
	slices.Sort(all)
	for batch := range slices.Chunk(all, orphanBatch) {
		n.s.status("delete", batch[0], n.delete(batch))
		for _, addr := range batch {
			n.dropGlocks(addr)
		}
	}
}

// withSpace does something again that found no space, when deleting orphans may have made some.
func (n *node) withSpace(do func() error) error {
	err := do()
	if errors.Is(err, syscall.ENOSPC) && n.orphans.pending() {
		n.reap()
		err = do()
	}
	return err
}

func (o *orphans) pending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) > 0 || !o.work.TryLock() {
		return true
	}
	o.work.Unlock()
	return false
}

// delete reclaims inodes that have no name, as evict_inode does in gfs2: under their glocks, if they are still there, and if the iopen
// glock says that no other node has them. That node deletes them when it lets go.
func (n *node) delete(addrs []uint64) error {
	if n.s.options.ReadOnly || n.s.image.Withdrawn() != nil {
		return nil
	}
	// Not the server's: the last orphans are deleted when nothing is served any more.
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	l := &locks{n: n, ctx: ctx, op: operations["evict"], owner: glock.Owner{Comm: "delete_workqueue", Op: "deletion on " + n.name}}
	defer l.end()
	var gone []uint64
	groups := map[uint64]bool{}
	for _, addr := range addrs {
		n.around.wait(addr) // or it would reach the next inode there
	}
	for _, addr := range addrs {
		ours, err := n.ours(l, addr)
		if err != nil {
			return err
		}
		if rgrp, ok := n.s.image.Group(addr); ours && ok {
			gone = append(gone, addr)
			groups[rgrp] = true
		}
	}
	for _, addr := range gone {
		if rgrp, _ := n.s.image.Group(addr); groups[rgrp] {
			groups[rgrp] = false
			if err := l.group(addr); err != nil {
				return err
			}
		}
	}
	return n.s.image.Reclaim(gone...)
}

// ours tells whether this node may delete the inode, whose glocks are held then.
func (n *node) ours(l *locks, addr uint64) (bool, error) {
	if err := l.take(glock.Child, addr); err != nil {
		return false, err
	}
	orphan, err := n.s.unlinked(addr)
	if err != nil || !orphan {
		return false, err
	}
	err = n.alone(l, addr)
	if errors.Is(err, glock.ErrTryFailed) {
		return false, nil
	}
	return err == nil, err
}

// Another node that has an inode only in its cache gives way to the second try at the latest; one that uses it doesn't.
const (
	aloneTries = 20
	alonePause = time.Millisecond
)

// alone takes the iopen glock for this node alone.
func (n *node) alone(l *locks, addr uint64) (err error) {
	for range aloneTries {
		err = l.take(glock.OpenInode, addr)
		if !errors.Is(err, glock.ErrTryFailed) || !n.shared() {
			return err
		}
		time.Sleep(alonePause)
	}
	return err
}
