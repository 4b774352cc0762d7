package glock

import (
	"cmp"
	"fmt"
)

// OrderError says that a task asks for a glock while it has one that must be taken later.
type OrderError struct {
	Held, New Request
}

func (e *OrderError) Error() string {
	return fmt.Sprintf("%v asks for %v glock %v (%s) and has %v glock %v (%s), which must be taken later",
		e.New.Owner, e.New.Name.Type, e.New.Name, e.New.Caller, e.Held.Name.Type, e.Held.Name, e.Held.Caller)
}

// compare orders names by type and number.
func (n Name) compare(m Name) int {
	return cmp.Or(cmp.Compare(n.Type, m.Type), cmp.Compare(n.Number, m.Number))
}

// compareRank orders names as a task must lock them.
func (n Name) compareRank(m Name) int { return cmp.Or(cmp.Compare(n.rank(), m.rank()), n.compare(m)) }

// rank is the place in the lock order: the rename glock, inodes, quotas, resource groups. Others have none.
func (n Name) rank() int {
	switch {
	case n == Name{NonDisk, RenameLock}:
		return 1
	case n.Type == Inode:
		return 2
	case n.Type == Quota:
		return 3
	case n.Type == Rgrp:
		return 4
	}
	return 0
}

// checkOrder compares a request with what the task has. Quotas and resource groups ascend. Of inodes the parent comes first, which
// their names don't tell, and rename takes several at once without waiting: they are not compared with each other.
func (n *Node) checkOrder(r *Request) error {
	rank := r.Name.rank()
	if rank == 0 || r.Owner.PID == 0 || r.has(NoPID|Try|TryOneCB) {
		return nil
	}
	for _, h := range n.held[r.Owner.PID] {
		before := h.Name.rank()
		ascending := rank > 2 && rank == before && h.Name.Number >= r.Name.Number
		if !h.has(NoPID) && (before > rank || ascending) {
			return &OrderError{Held: h.Request, New: *r}
		}
	}
	return nil
}
