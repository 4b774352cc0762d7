package usercopy

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"faultline/targetfs/glock"
)

// Copier applies the policy of a server. Its methods may be called by several goroutines.
type Copier struct {
	policy  atomic.Uint32
	counts  [len(policyNumbers)]counts
	skips   skips
	refused func(error)

	mu      sync.Mutex
	touches map[int]*touch // by the thread of ours that touches
}

// policyNumbers gives arrays their length.
var policyNumbers = [...]Policy{Kernel, Faulting, Recursive, NoFault}

// New is a copier with a policy. refused, which may be nil, is called at the first caller that we may not look at: its calls, and those of
// others like it, are copied as under Kernel.
func New(p Policy, refused func(error)) *Copier {
	c := &Copier{touches: map[int]*touch{}}
	if refused != nil {
		var once sync.Once
		c.refused = func(err error) { once.Do(func() { refused(err) }) }
	}
	c.SetPolicy(p)
	return c
}

// Policy is the policy that calls which start now get.
func (c *Copier) Policy() Policy { return Policy(c.policy.Load()) }

// SetPolicy changes the policy. Calls that have started go on under the one they started with.
func (c *Copier) SetPolicy(p Policy) { c.policy.Store(uint32(p)) }

// Start is what a server does first at a request which may be the first one of a read (GETATTR) or of a write (GETXATTR), by the thread tid.
// If the thread is in such a call, take says which glock the call needs, and may clip it; then the buffer is copied. Where the call can't
// be seen, it is counted and left to the kernel. The error is that of the glock.
func (c *Copier) Start(ctx context.Context, tid int, read bool, take func(*Call) (*glock.Node, glock.Request)) error {
	if c.Policy() == Kernel {
		return nil
	}
	call, err := Look(tid)
	if err != nil {
		c.skips.count(err)
		if errors.Is(err, ErrForbidden) && c.refused != nil {
			c.refused(err)
		}
		return nil
	}
	if call.Read != read {
		return nil
	}
	node, want := take(call)
	return c.Copy(ctx, node, call, want)
}

// Copy touches the buffers of a call as the policy says, under the glock that is wanted, whose owner must be the caller. It returns when
// the glock is free again. A page that cannot be touched is no error: the kernel's own copy will find it.
func (c *Copier) Copy(ctx context.Context, node *glock.Node, call *Call, want glock.Request) error {
	return c.copy(ctx, node, call, want, task(call.TID))
}

func (c *Copier) copy(ctx context.Context, node *glock.Node, call *Call, want glock.Request, m memory) error {
	r := &run{copier: c, policy: c.Policy(), node: node, call: call, want: want, memory: m}
	r.counts = &c.counts[r.policy]
	switch r.policy {
	case Kernel:
		return nil
	case NoFault:
		r.counts.calls.Add(1)
		return r.withoutFaults(ctx)
	}
	r.counts.calls.Add(1)
	return r.underLock(ctx)
}

// run is the copy of one call.
type run struct {
	copier *Copier
	policy Policy
	node   *glock.Node
	call   *Call
	want   glock.Request
	memory memory
	counts *counts
}

// rounds is how often the same page is tried again after it went missing between being faulted in and being copied. gfs2 since 6.4 stops at
// the second time in direct writes, and never otherwise.
const rounds = 16

// underLock touches every page with the glock held and faults enabled. It stops where a page can't be touched.
func (r *run) underLock(ctx context.Context) error {
	h, err := r.node.Lock(ctx, r.want)
	if err != nil {
		return err
	}
	defer func() { h.Unlock() }() // the last one
	for addr, n := range pages(r.call.Buffers) {
		for try := 0; ; try++ {
			if r.resident(Range{addr, n}) < n {
				r.counts.faultsUnderLock.Add(1)
			}
			err := r.touch(addr, true)
			if err == nil {
				break
			}
			if !errors.Is(err, errWeak) || try == rounds {
				return nil
			}
			h.Unlock()
			r.counts.retries.Add(1)
			if r.faultIn([]Range{{addr, n}}, window) == 0 {
				return nil
			}
			if h, err = r.relock(ctx, h); err != nil {
				return err
			}
		}
		r.counts.pages.Add(1)
	}
	return nil
}

// relock takes the glock again. If that fails, the holder is the one that was given back.
func (r *run) relock(ctx context.Context, old *glock.Holder) (*glock.Holder, error) {
	h, err := r.node.Lock(ctx, r.want)
	if err != nil {
		return old, err
	}
	return h, nil
}
