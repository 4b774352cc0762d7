package guest

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Pool gives out guests that are all alike, and has the next one booted while those before work, so that a guest that dies is replaced at once. When
// none is in use any more the one in reserve is let go.
type Pool struct {
	spec Spec
	tell func(error)

	mu    sync.Mutex
	used  int
	next  *reserve
	timer *time.Timer // lets the reserve go
}

// reserve is a guest that boots, or has.
type reserve struct {
	cancel context.CancelFunc
	ready  chan struct{} // closed when one of the others is set
	guest  *Guest
	err    error
}

// linger is how long a guest stays in reserve when no other is in use: a target that is replaced is closed first.
const linger = 5 * time.Second

// NewPool prepares a pool; nothing is started. tell is called with what was wrong with a guest in reserve that another one was taken for.
func NewPool(s Spec, tell func(error)) *Pool { return &Pool{spec: s, tell: tell} }

// Take gives out the guest in reserve, or a new one, and starts the next. The guest is the caller's, who must give it back with Put.
func (p *Pool) Take(ctx context.Context) (*Guest, error) {
	p.mu.Lock()
	p.used++
	mine := p.next
	p.next = nil
	p.mu.Unlock()
	g, err := mine.wait(ctx)
	if err != nil && ctx.Err() == nil {
		p.tell(err)
	}
	if g == nil && ctx.Err() == nil {
		g, err = Start(ctx, p.spec)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.used--
		p.letGoLater()
		return nil, err
	}
	if p.next == nil && enoughMemory(p.spec.Memory) {
		p.next = bootAhead(p.spec)
	}
	return g, nil
}

// Put takes a guest back and closes it.
func (p *Pool) Put(g *Guest) {
	g.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used--
	p.letGoLater()
}

// Close lets the reserve go now. Guests in use stay.
func (p *Pool) Close() {
	p.mu.Lock()
	r := p.next
	p.next = nil
	p.mu.Unlock()
	r.letGo()
}

func (p *Pool) letGoLater() {
	if p.used > 0 || p.next == nil {
		return
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timer = time.AfterFunc(linger, func() {
		p.mu.Lock()
		idle := p.used == 0
		p.mu.Unlock()
		if idle {
			p.Close()
		}
	})
}

func bootAhead(s Spec) *reserve {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reserve{cancel: cancel, ready: make(chan struct{})}
	go func() {
		defer close(r.ready)
		r.guest, r.err = Start(ctx, s)
	}()
	return r
}

// wait gives the guest when it is there. There is none, and no error, if nothing was in reserve.
func (r *reserve) wait(ctx context.Context) (*Guest, error) {
	if r == nil {
		return nil, nil
	}
	select {
	case <-r.ready:
	case <-ctx.Done():
		go r.letGo()
		return nil, context.Cause(ctx)
	}
	if r.err != nil {
		return nil, r.err
	}
	if how := r.guest.How(); how != "" {
		r.guest.Close()
		return nil, fmt.Errorf("a guest in reserve has ended (%s)", how)
	}
	return r.guest, nil
}

func (r *reserve) letGo() {
	if r == nil {
		return
	}
	r.cancel()
	<-r.ready
	if r.guest != nil {
		r.guest.Close()
	}
}

// enoughMemory tells whether a guest in reserve leaves as much memory as it takes. Where nobody knows it does not.
func enoughMemory(size int64) bool {
	available, err := Available(Meminfo)
	return err == nil && available > 2*size
}
