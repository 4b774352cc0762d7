package glock

import (
	"slices"
	"time"
)

// glock is the lock object of one node. All fields belong to the space's mutex.
type glock struct {
	name    Name
	node    *Node
	state   State     // what this node has
	target  State     // what it wants
	holders []*Holder // those granted, then those waiting in the order in which they came
	granted int       // how many are granted

	demote State       // the state that a demote request asks for; EX when there is none
	due    bool        // the demote request is to be honoured: new requests queue behind it
	asked  time.Time   // when the demote request came
	timer  *time.Timer // until it is due

	work     *change       // a change of state whose hooks run
	blocking bool          // the last change of state was one that waits for other nodes
	changed  time.Time     // when the state last changed
	stale    bool          // the object must be read at the next use
	reading  chan struct{} // closed when the hook that reads it is back
}

// glock is the node's lock object of that name; it is made when there is none.
func (n *Node) glock(name Name) *glock {
	gl := n.glocks[name]
	if gl == nil {
		gl = &glock{name: name, node: n, demote: EX, stale: name.Type == Inode || name.Type == Rgrp}
		n.glocks[name] = gl
	}
	return gl
}

// forget drops a lock object that says nothing.
func (gl *glock) forget() {
	n := gl.node
	if gl.state != UN || len(gl.holders) > 0 || gl.work != nil || n.glocks[gl.name] != gl {
		return
	}
	delete(n.glocks, gl.name)
	n.checkEmpty()
}

// waiter is the first request that is not granted, or nil.
func (gl *glock) waiter() *Holder {
	if gl.granted == len(gl.holders) {
		return nil
	}
	return gl.holders[gl.granted]
}

// heldBy is a granted holder of that owner, or nil.
func (gl *glock) heldBy(owner ownerKey) *Holder {
	for _, h := range gl.holders[:gl.granted] {
		if !owner.nobody() && h.owner() == owner {
			return h
		}
	}
	return nil
}

// run lets the queue go as far as it can: it honours a demote request that is due once the holders are gone, grants from the front
// up to the first request that must wait, and starts the change of state that this one needs.
func (gl *glock) run() {
	for gl.work == nil {
		if gl.due {
			if gl.granted > 0 {
				gl.failTries()
				return
			}
			gl.lower()
			continue
		}
		gl.promote()
		h := gl.waiter()
		if h == nil {
			gl.forget()
			return
		}
		if gl.granted > 0 && !gl.failTries() || gl.granted == 0 && !gl.raise(h) {
			return
		}
	}
}

// promote grants from the front of the queue. It stops at the first request that must wait: later ones never overtake it, or a stream
// of readers would starve a writer.
func (gl *glock) promote() {
	for h := gl.waiter(); h != nil && gl.mayGrant(h); h = gl.waiter() {
		h.grant()
	}
}

// mayGrant is the local rule, may_grant in the kernel: what the holders allow, or, when there are none, what the cached state satisfies.
// In one case 6.1 grants what this does not: SH beside a holder that has SH with Any under DF. The node would cache data then
// that another node changes by direct I/O.
func (gl *glock) mayGrant(h *Holder) bool {
	if h.Untrapped && gl.heldBy(h.owner()) != nil {
		return false // even beside its own SH: the trap doesn't ask for states
	}
	if gl.granted > 0 {
		return gl.joins(gl.holders[0], h)
	}
	switch {
	case gl.state == h.State:
		return true
	case h.has(Exact):
		return false
	case gl.state == EX:
		return true
	}
	return h.has(Any) && h.State != EX && gl.state != UN
}

// joins tells whether h may have the glock beside a holder of it.
func (gl *glock) joins(holder, h *Holder) bool {
	return holder.shares(h) && (h.has(Any) || gl.state.Covers(h.State))
}

// shares tells whether two holders of one node may have the glock at once. A granted EX shuts out even SH.
func (h *Holder) shares(other *Holder) bool {
	if h.State != other.State {
		return false
	}
	return h.State != EX || h.has(NodeScope) && other.has(NodeScope)
}

// raise starts to get the glock into the state that h wants; nobody holds it on this node. It returns false when the queue
// must wait for that.
func (gl *glock) raise(h *Holder) bool {
	lines := gl.node.space.lines
	if h.has(tries) {
		gl.try(h)
		return true
	}
	gl.failTries()
	l := lines[gl.name]
	if l == nil {
		if want, others := gl.choose(h); len(others) == 0 {
			gl.change(want, h)
			return true
		}
		l = &line{}
		lines[gl.name] = l
	}
	if !slices.Contains(l.glocks, gl) {
		l.glocks = append(l.glocks, gl)
		gl.target = h.State
	}
	gl.node.space.serve(gl.name)
	return false
}

// try changes the state when nothing is in the way, and fails the request otherwise.
func (gl *glock) try(h *Holder) {
	want, others := gl.choose(h)
	if len(others) == 0 && gl.node.space.lines[gl.name] == nil {
		gl.change(want, h)
		return
	}
	h.fail(ErrTryFailed)
	if h.has(TryOneCB) {
		gl.ask(h, others)
	}
}

// failTries fails all waiting requests with Try or TryOneCB, because the queue stands still: do_error in the kernel. It tells whether
// there were any.
func (gl *glock) failTries() (some bool) {
	for i := len(gl.holders) - 1; i >= gl.granted; i-- {
		if h := gl.holders[i]; h.has(tries) {
			h.fail(ErrTryFailed)
			some = true
		}
	}
	return some
}

// futile tells that a request with Try has nothing to hope for at the end of the queue: it may only wait for a change of
// state that somebody else started and that will do for both.
func (gl *glock) futile(h *Holder) bool {
	first := gl.waiter()
	if first == nil {
		return gl.work != nil || gl.due
	}
	return gl.work == nil || gl.work.drops || !first.shares(h)
}
