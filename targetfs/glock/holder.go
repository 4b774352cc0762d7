package glock

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrTryFailed says that a request with Try or TryOneCB would have had to wait.
var ErrTryFailed = errors.New("the glock is held otherwise")

// RecursionError says that a task asks for a glock that it has, or waits for, already.
type RecursionError struct {
	Old, New Request
}

func (e *RecursionError) Error() string {
	return fmt.Sprintf("%v asks for %v glock %v %v (%s) and has asked for it %v before (%s)",
		e.New.Owner, e.New.Name.Type, e.New.Name, e.New.State, e.New.Caller, e.Old.State, e.Old.Caller)
}

// Holder is a place in a glock's queue: granted or waiting.
type Holder struct {
	Request
	gl      *Glock
	granted bool
	done    chan struct{} // closed when granted
}

// Lock waits for a glock. It gives up when ctx ends.
func (n *Node) Lock(ctx context.Context, r Request) (*Holder, error) {
	h, err := n.Enqueue(r)
	if err != nil {
		return nil, err
	}
	return h, h.Wait(ctx)
}

// LockAll takes several glocks one after the other, in the lock order.
func (n *Node) LockAll(ctx context.Context, requests ...Request) ([]*Holder, error) {
	sorted := slices.Clone(requests)
	slices.SortFunc(sorted, func(a, b Request) int { return a.Name.compareRank(b.Name) })
	var all []*Holder
	for _, r := range sorted {
		h, err := n.Lock(ctx, r)
		if err != nil {
			for _, h := range slices.Backward(all) {
				h.Unlock()
			}
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

// Enqueue puts a request at the end of its glock's queue and does not wait for it.
func (n *Node) Enqueue(r Request) (*Holder, error) {
	if r.State == UN || r.State > SH {
		return nil, fmt.Errorf("ask for %v glock %v: %v is no state to hold", r.Name.Type, r.Name, r.State)
	}
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	gl := n.glock(r.Name)
	defer gl.forget()
	if err := gl.checkRecursion(&r); err != nil {
		return nil, err
	}
	if n.CheckOrder {
		if err := n.checkOrder(&r); err != nil {
			return nil, err
		}
	}
	h := &Holder{Request: r, gl: gl, done: make(chan struct{})}
	gl.holders = append(gl.holders, h)
	if r.Owner.PID != 0 {
		n.held[r.Owner.PID] = append(n.held[r.Owner.PID], h)
	}
	gl.run()
	if !h.granted && r.has(Try|TryOneCB) {
		h.remove()
		return nil, fmt.Errorf("ask for %v glock %v %v: %w", r.Name.Type, r.Name, r.State, ErrTryFailed)
	}
	return h, nil
}

// checkRecursion is the kernel's trap in gfs2_glock_nq.
func (gl *Glock) checkRecursion(r *Request) error {
	if gl.node.AllowRecursion || r.has(NoPID) || r.Name.Type == Flock {
		return nil
	}
	for _, h := range gl.holders {
		if h.Owner.PID == r.Owner.PID && !h.has(NoPID) {
			return &RecursionError{Old: h.Request, New: *r}
		}
	}
	return nil
}

// Wait returns when the request is granted. When ctx ends first, the request leaves the queue.
func (h *Holder) Wait(ctx context.Context) error {
	select {
	case <-h.done:
		return nil
	case <-ctx.Done():
	}
	mu := &h.gl.node.space.mu
	mu.Lock()
	defer mu.Unlock()
	if h.granted {
		return nil
	}
	h.leave()
	return fmt.Errorf("wait for %v glock %v %v: %w", h.Name.Type, h.Name, h.State, ctx.Err())
}

// Granted tells whether the request was granted.
func (h *Holder) Granted() bool {
	h.gl.node.space.mu.Lock()
	defer h.gl.node.space.mu.Unlock()
	return h.granted
}

// Unlock gives the glock back, or takes a waiting request out of the queue. The node keeps the state cached until
// somebody asks for it, unless the request had NoCache.
func (h *Holder) Unlock() {
	h.gl.node.space.mu.Lock()
	defer h.gl.node.space.mu.Unlock()
	if h.has(NoCache) {
		h.gl.request(UN)
	}
	h.leave()
}

// leave takes the holder out of the queue and lets others go on, here and on other nodes.
func (h *Holder) leave() {
	h.remove()
	h.gl.run()
	h.gl.node.space.serve(h.gl.name)
}

func (h *Holder) grant() {
	h.granted = true
	close(h.done)
}

func (h *Holder) remove() {
	isThis := func(other *Holder) bool { return other == h }
	h.gl.holders = slices.DeleteFunc(h.gl.holders, isThis)
	held := h.gl.node.held
	if rest := slices.DeleteFunc(held[h.Owner.PID], isThis); len(rest) > 0 {
		held[h.Owner.PID] = rest
	} else {
		delete(held, h.Owner.PID)
	}
}

// LockedBy tells whether the task has been granted the glock: the question that code must ask which may be called with
// the lock held and without.
func (n *Node) LockedBy(owner Owner, name Name) bool {
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	gl := n.glocks[name]
	return gl != nil && slices.ContainsFunc(gl.active(), func(h *Holder) bool { return h.Owner.PID == owner.PID && !h.has(NoPID) })
}
