package glock

import (
	"context"
	"errors"
	"fmt"
)

// ErrTryFailed says that a request with Try or TryOneCB would have had to wait: GLR_TRYFAILED.
var ErrTryFailed = errors.New("the glock is not free")

// ErrNotHeld says that Nest was called for an owner that doesn't hold the glock.
var ErrNotHeld = errors.New("the owner does not hold the glock")

// RecursionError says that a task asks for a glock that it has, or waits for, already. The kernel stops at a BUG here (add_to_queue),
// because the task would wait for itself.
type RecursionError struct {
	Old, New Request
	Granted  bool // whether Old is granted
}

func (e *RecursionError) Error() string {
	has := "waits for"
	if e.Granted {
		has = "holds"
	}
	return fmt.Sprintf("%v asks for %s (%v, %s) and %s it already (%v, %s as %s)", e.New.Owner, e.New.Name.Title(), e.New.State, e.New.Caller,
		has, e.Old.State, e.Old.Caller, e.Old.Owner)
}

// WeakError says that what the owner holds is less than what it asked Nest for. The fault must fail then, and the outer operation
// must drop the glock, fault the buffer in, and start again.
type WeakError struct {
	Held, New Request
}

func (e *WeakError) Error() string {
	return fmt.Sprintf("%v asks for %s (%v, %s) while it holds only %v (%s)", e.New.Owner, e.New.Name.Title(), e.New.State, e.New.Caller,
		e.Held.State, e.Held.Caller)
}

// checkRecursion is the kernel's trap. Flocks, and holders that belong to no task, are exempt.
func (gl *glock) checkRecursion(r *Request) error {
	owner := r.owner()
	if r.Untrapped || r.Name.Type == Flock || owner.nobody() {
		return nil
	}
	for _, h := range gl.holders {
		if h.owner() == owner {
			return &RecursionError{Old: h.Request, New: *r, Granted: h.granted}
		}
	}
	return nil
}

// Nest lets a request through for a glock that its owner holds already, ahead of everybody who waits. The policy "recursive" calls
// it for a page fault of the holder itself, as the first proposal for gfs2 did in 2021. It never waits: it fails with
// a WeakError when the held state does not cover the request, and with ErrNotHeld. A nested holder may outlive the outer one.
func (n *Node) Nest(ctx context.Context, r Request) (*Holder, error) {
	if r.Owner == (Owner{}) {
		r.Owner = OwnerOf(ctx)
	}
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	h := &Holder{Request: r, nested: true}
	gl := n.glocks[r.Name]
	if gl == nil {
		return nil, h.wrap(ErrNotHeld)
	}
	outer := gl.heldBy(r.owner())
	if outer == nil {
		return nil, h.wrap(ErrNotHeld)
	}
	if !outer.State.Covers(r.State) {
		return nil, &WeakError{Held: outer.Request, New: r}
	}
	h.gl = gl
	h.enter(gl.granted)
	h.grant()
	n.counters.Nested++
	return h, nil
}
