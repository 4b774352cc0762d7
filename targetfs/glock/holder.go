package glock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Holder is a place in a glock's queue: granted or waiting.
type Holder struct {
	Request
	gl      *glock
	granted bool
	nested  bool // let through by Nest
	read    bool // the object is to be read before use
	gone    bool // not in the queue any more
	err     error
	settled chan struct{} // closed when granted or failed; nil when that was so from the start
}

// Lock waits for a glock. It gives up when ctx ends, and fails at once with a RecursionError when the owner has the glock or
// waits for it already, with an OrderError where Options.CheckOrder forbids it, and with ErrTryFailed.
func (n *Node) Lock(ctx context.Context, r Request) (*Holder, error) {
	h, err := n.Enqueue(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := h.Wait(ctx); err != nil {
		return nil, err
	}
	return h, nil
}

// LockAll takes several glocks one after the other, in the lock order; all or none. The holders come in that order.
func (n *Node) LockAll(ctx context.Context, requests ...Request) ([]*Holder, error) {
	sorted := slices.Clone(requests)
	slices.SortStableFunc(sorted, func(a, b Request) int { return a.place().compare(b.place()) })
	var all []*Holder
	for _, r := range sorted {
		h, err := n.Lock(ctx, r)
		if err != nil {
			UnlockAll(all)
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

// UnlockAll gives glocks back, the last one first.
func UnlockAll(all []*Holder) {
	for _, h := range slices.Backward(all) {
		h.Unlock()
	}
}

// Enqueue puts a request at the end of its glock's queue and does not wait for it; Wait must be called before use. The errors are those
// of Lock, except for the end of ctx: only its owner is used here.
func (n *Node) Enqueue(ctx context.Context, r Request) (*Holder, error) {
	if r.State == UN || r.State > SH {
		return nil, fmt.Errorf("ask for %s: %v is no state to hold", r.Name.Title(), r.State)
	}
	if r.Owner == (Owner{}) {
		r.Owner = OwnerOf(ctx)
	}
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	gl := n.glock(r.Name)
	if err := gl.check(&r); err != nil {
		gl.forget()
		return nil, err
	}
	h := &Holder{Request: r, gl: gl}
	if r.has(tries) && gl.futile(h) {
		n.counters.Requests++
		n.counters.TriesFailed++
		return nil, h.wrap(ErrTryFailed)
	}
	h.enter(len(gl.holders))
	gl.run()
	if h.err != nil {
		return nil, h.err
	}
	if !h.granted {
		n.counters.Waits++
		h.settled = make(chan struct{})
	}
	return h, nil
}

// check is the recursion trap and the lock order.
func (gl *glock) check(r *Request) error {
	if err := gl.checkRecursion(r); err != nil {
		gl.node.counters.Recursions++
		return err
	}
	if r.has(tries) || r.Untrapped {
		return nil // who doesn't wait needs no order, and who hangs on purpose has none
	}
	if err := gl.node.checkOrder(r.owner(), r.place()); err != nil {
		gl.node.counters.Misordered++
		return err
	}
	return nil
}

// Wait returns when the request is granted and its object has been read. When ctx ends first, or reading fails, the request
// leaves the queue.
func (h *Holder) Wait(ctx context.Context) error {
	if h.settled != nil {
		select {
		case <-h.settled:
		case <-ctx.Done():
			if h.cancel() {
				return h.wrap(ctx.Err())
			}
		}
	}
	if h.err != nil {
		return h.err
	}
	if h.read {
		return h.instantiate(ctx)
	}
	return nil
}

// cancel takes a request that still waits out of the queue.
func (h *Holder) cancel() bool {
	mu := &h.gl.node.space.mu
	mu.Lock()
	defer mu.Unlock()
	if h.granted || h.err != nil {
		return false
	}
	h.gl.node.counters.Cancelled++
	h.release()
	return true
}

// instantiate has the object read unless it is up to date; one holder does it and others wait.
func (h *Holder) instantiate(ctx context.Context) error {
	gl := h.gl
	mu := &gl.node.space.mu
	mu.Lock()
	for gl.reading != nil {
		reading := gl.reading
		mu.Unlock()
		select {
		case <-reading:
		case <-ctx.Done():
			h.Unlock()
			return h.wrap(ctx.Err())
		}
		mu.Lock()
	}
	if !gl.stale {
		mu.Unlock()
		return nil
	}
	gl.reading = make(chan struct{})
	mu.Unlock()
	err := gl.node.options.Hooks.Instantiate(WithOwner(ctx, h.Owner), gl.name)
	mu.Lock()
	defer mu.Unlock()
	close(gl.reading)
	gl.reading = nil
	gl.node.counters.Instantiations++
	if err != nil {
		h.release()
		return h.wrap(err)
	}
	gl.stale = false
	return nil
}

// ErrStale says that several glocks could not be had together in time.
var ErrStale = errors.New("several glocks could not be had together; start again")

// groupHold is the hold time that WaitAll counts for each glock: the kernel's default.
const groupHold = 200 * time.Millisecond

// WaitAll waits for several requests together: what rename does with its inodes, which have no order among them. Tasks of several nodes
// may block each other so; after twice the hold times of all, WaitAll gives everything back and returns ErrStale, as the
// kernel's gfs2_glock_async_wait does. After any other error everything is given back too.
func WaitAll(ctx context.Context, all ...*Holder) error {
	limited, cancel := context.WithTimeoutCause(ctx, 2*groupHold*time.Duration(len(all)), ErrStale)
	defer cancel()
	for _, h := range all {
		err := h.Wait(limited)
		if err == nil {
			continue
		}
		UnlockAll(all)
		if ctx.Err() == nil && context.Cause(limited) == ErrStale {
			return h.wrap(ErrStale)
		}
		return err
	}
	return nil
}

// Granted tells whether the request was granted.
func (h *Holder) Granted() bool {
	h.gl.node.space.mu.Lock()
	defer h.gl.node.space.mu.Unlock()
	return h.granted && !h.gone
}

// Unlock gives the glock back, or takes a waiting request out of the queue. The node keeps the state cached until
// somebody asks for it, unless the request had NoCache. A second Unlock does nothing.
func (h *Holder) Unlock() {
	h.gl.node.space.mu.Lock()
	defer h.gl.node.space.mu.Unlock()
	if !h.gone {
		h.release()
	}
}

// release takes the holder out of the queue and lets others go on, here and on other nodes.
func (h *Holder) release() {
	gl := h.gl
	h.remove()
	if h.granted && h.has(NoCache) {
		gl.request(UN, false)
	}
	gl.run()
	gl.node.space.serve(gl.name)
}

// enter puts the holder into the queue at index i.
func (h *Holder) enter(i int) {
	gl := h.gl
	gl.holders = slices.Insert(gl.holders, i, h)
	gl.node.counters.Requests++
	gl.node.take(h.owner(), h.place())
}

func (h *Holder) remove() {
	gl := h.gl
	h.gone = true
	if h.granted {
		gl.granted--
	}
	i := slices.Index(gl.holders, h)
	gl.holders = slices.Delete(gl.holders, i, i+1)
	gl.node.give(h.owner(), h.place())
}

// grant makes the first waiting request a holder.
func (h *Holder) grant() {
	gl := h.gl
	h.granted = true
	h.read = gl.stale && !h.has(Skip) && gl.node.options.Hooks.Instantiate != nil
	gl.granted++
	h.settle()
}

// fail ends a waiting request.
func (h *Holder) fail(err error) {
	h.err = h.wrap(err)
	h.gl.node.counters.TriesFailed++
	h.remove()
	h.settle()
}

func (h *Holder) settle() {
	if h.settled != nil {
		close(h.settled)
	}
}

// wrap says what was asked for.
func (h *Holder) wrap(err error) error {
	return fmt.Errorf("%v asks for %s (%v, %s): %w", h.Owner, h.Name.Title(), h.State, h.Caller, err)
}
