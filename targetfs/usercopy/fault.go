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

// Fault is what a READ is when it comes from a touch of ours with a glock held: the caller's own fault, and so is the glock that it takes.
type Fault struct{ touch *touch }

// Fault is the fault that a READ of the thread tid serves; nil when the thread is somebody else's, or holds nothing.
func (c *Copier) Fault(tid int) *Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.touches[tid]
	if t == nil || !t.locked {
		return nil
	}
	return &Fault{t}
}

// Owner is the caller whose buffer is touched.
func (f *Fault) Owner() glock.Owner { return f.touch.run.want.Owner }

// Lock takes a glock for the READ. Under Faulting it waits for itself where the kernel's recursion trap would stop it; under Recursive it
// is let through. A glock.WeakError means that the READ must fail: the caller drops its glock then, and tries again.
func (f *Fault) Lock(ctx context.Context, node *glock.Node, want glock.Request) (*glock.Holder, error) {
	r := f.touch.run
	want.Owner = f.Owner()
	want.Untrapped = true
	if r.policy != Recursive {
		return node.Lock(ctx, want)
	}
	h, err := node.Nest(ctx, want)
	if errors.Is(err, glock.ErrNotHeld) {
		return node.Lock(ctx, want)
	}
	if err != nil {
		f.touch.weak.Store(true)
		r.counts.weak.Add(1)
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
