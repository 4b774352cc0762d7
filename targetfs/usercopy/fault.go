package usercopy

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"faultline/targetfs/glock"
)

// errWeak says that a fault was failed because the glock that the toucher holds does not cover it.
var errWeak = errors.New("the glock that is held does not cover the fault")

// touch is a touch that a thread of ours is in.
type touch struct {
	run    *run
	addr   uintptr
	locked bool // the glock is held
	since  time.Time
	weak   atomic.Bool // a fault was failed
}

// touch touches the page at addr. The thread is known to Fault meanwhile.
func (r *run) touch(addr uintptr, locked bool) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t := &touch{run: r, addr: addr, locked: locked, since: time.Now()}
	c, tid := r.copier, unix.Gettid()
	c.mu.Lock()
	c.touches[tid] = t
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.touches, tid)
	}()
	err := r.memory.touch(addr, r.call.Read)
	if err != nil && t.weak.Load() {
		return errWeak
	}
	return err
}

// Fault takes a glock for a READ of the thread tid. If that is a thread of ours which touches a buffer with a glock held, the fault is the
// caller's, and so is the glock: under Faulting it waits for itself where the kernel's recursion trap would stop it, under Recursive
// it is let through. A glock.WeakError means that the READ must fail.
func (c *Copier) Fault(ctx context.Context, node *glock.Node, tid int, want glock.Request) (*glock.Holder, error) {
	c.mu.Lock()
	t := c.touches[tid]
	c.mu.Unlock()
	if t == nil || !t.locked {
		return node.Lock(ctx, want)
	}
	want.Owner = t.run.want.Owner
	want.Untrapped = true
	if t.run.policy != Recursive {
		return node.Lock(ctx, want)
	}
	h, err := node.Nest(ctx, want)
	if errors.Is(err, glock.ErrNotHeld) {
		return node.Lock(ctx, want)
	}
	if err != nil {
		t.weak.Store(true)
		t.run.counts.weak.Add(1)
	}
	return h, err
}

// Touch is a touch under way, for people.
type Touch struct {
	Owner  glock.Owner // the caller
	Thread int         // the thread of ours that touches
	Addr   uintptr     // in the caller's memory
	Locked bool        // the caller's glock is held
	Since  time.Time
}

// Touches lists the touches under way by thread.
func (c *Copier) Touches() []Touch {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Touch
	for tid, t := range c.touches {
		all = append(all, Touch{Owner: t.run.want.Owner, Thread: tid, Addr: t.addr, Locked: t.locked, Since: t.since})
	}
	slices.SortFunc(all, func(a, b Touch) int { return a.Thread - b.Thread })
	return all
}
