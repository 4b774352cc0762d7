package glock

import (
	"cmp"
	"fmt"
	"slices"
)

// Level is a step of the lock order: what a task has must be of an earlier level than what it asks for. Within a level inodes are
// taken by depth (a directory before what is in it), and then everything by ascending number.
type Level uint8

// The lock order. The last three are not glocks; Enter tells of them.
const (
	Unordered        Level = iota // glocks that have no place among the others: live, journal, iopen, flock, ...
	RenameLevel                   // the rename glock
	InodeLevel                    // inode glocks
	QuotaLevel                    // quota glocks
	SystemLevel                   // inodes that the file system keeps for itself
	RgrpLevel                     // resource group glocks
	TransactionLevel              // a transaction of the journal: no task may sleep for a glock within one
	MetadataLevel                 // an inode's block map
	PageLevel                     // pages: always last
)

var levelWords = map[Level]string{TransactionLevel: "a transaction", MetadataLevel: "a block map", PageLevel: "a page"}

// SystemDepth is the Depth of inodes that the file system keeps for itself, such as the quota file. They come after quotas.
const SystemDepth = 2

// place is where something stands in the lock order.
type place struct {
	level Level
	depth uint8
	name  Name
	async bool // one of several that are waited for together, with a time limit: no order among those
}

func (r *Request) place() place {
	p := place{level: r.Name.level(), name: r.Name, async: r.has(Async)}
	if p.level == InodeLevel {
		p.depth = r.Depth
	}
	if p.depth == SystemDepth {
		p.level = SystemLevel
	}
	return p
}

func (n Name) level() Level {
	switch {
	case n == RenameName():
		return RenameLevel
	case n.Type == Inode:
		return InodeLevel
	case n.Type == Quota:
		return QuotaLevel
	case n.Type == Rgrp:
		return RgrpLevel
	}
	return Unordered
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.level, q.level), cmp.Compare(p.depth, q.depth), p.name.compare(q.name))
}

func (p place) String() string {
	if p.level >= TransactionLevel {
		return levelWords[p.level]
	}
	return p.name.Title()
}

// OrderError says that a task asks for something while it has what must be taken later.
type OrderError struct {
	Owner    string // who, in words where they are known
	Has, New string // what, in words
}

func (e *OrderError) Error() string {
	return fmt.Sprintf("%s takes %s and has %s, which must be taken later", e.Owner, e.New, e.Has)
}

// before tells whether a task that has p may wait for q.
func (p place) before(q place) bool {
	switch {
	case p.level >= TransactionLevel && q.level < TransactionLevel:
		return false
	case p.level == Unordered || q.level == Unordered:
		return true
	case p.level == q.level && (p.async && q.async || p.level == PageLevel):
		return true
	}
	return p.compare(q) < 0
}

// checkOrder compares what an owner asks for with what it has.
func (n *Node) checkOrder(owner ownerKey, p place) error {
	if !n.options.CheckOrder {
		return nil
	}
	for _, has := range n.order[owner] {
		if !has.before(p) {
			return &OrderError{Owner: owner.String(), Has: has.String(), New: p.String()}
		}
	}
	return nil
}

func (k ownerKey) String() string {
	if k.pid != 0 {
		return fmt.Sprintf("task %d", k.pid)
	}
	return k.op
}

// take and give keep what an owner has.
func (n *Node) take(owner ownerKey, p place) {
	if n.options.CheckOrder && !owner.nobody() {
		n.order[owner] = append(n.order[owner], p)
	}
}

func (n *Node) give(owner ownerKey, p place) {
	places := n.order[owner]
	i := slices.Index(places, p)
	if i < 0 {
		return
	}
	if n.order[owner] = slices.Delete(places, i, i+1); len(places) == 1 {
		delete(n.order, owner)
	}
}

// Enter tells the lock-order check that an owner takes something that is not a glock: a transaction, a block map, or a page. The
// function it returns tells that it gives it back. Without Options.CheckOrder both do nothing.
func (n *Node) Enter(o Owner, l Level) (leave func(), err error) {
	if !n.options.CheckOrder {
		return func() {}, nil
	}
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	p := place{level: l}
	if err := n.checkOrder(o.key(), p); err != nil {
		n.counters.Misordered++
		return nil, err
	}
	n.take(o.key(), p)
	return func() {
		n.space.mu.Lock()
		defer n.space.mu.Unlock()
		n.give(o.key(), p)
	}, nil
}
