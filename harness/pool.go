package harness

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"faultline/generators/prog"
)

// Pool is several Runners side by side, each with a target of its own, so that what one of them ruins is nobody else's.
type Pool struct {
	// Lanes is the number of Runners.
	Lanes int
	Open  Opener
	Opts  Options
	// Announce is called with the names of programs before they are sent, some at a time; what it returns with stops the run. It may be called by
	// several goroutines, and so may Report.
	Announce func(names []string) error
	Report   func(Outcome)
	// Shrink, if it is set, is asked of each failure how much may be tried to make its program smaller. That is done when a lane has nothing else to
	// do any more, and Shrunk is told what came of it. Both may be called by several goroutines.
	Shrink func(Outcome) Budget
	Shrunk func(Outcome, Small)
	// Leaked counts, after Run, the workers that not even SIGKILL has ended.
	Leaked atomic.Int64
}

// batch is how many programs are announced at once.
const batch = 8

// Run runs all programs of the sequence. When soft ends, what is running is finished and nothing more is begun; when ctx ends, it is killed.
// The error joins those of the lanes: a *Lost for each target that could not be replaced (another lane takes over what is left), a
// target that could not be opened, or the error of Announce.
func (p *Pool) Run(ctx, soft context.Context, programs iter.Seq[*prog.Prog]) error {
	next, stop := iter.Pull(programs)
	defer stop()
	source := &source{next: next, soft: soft}
	errs := make([]error, p.Lanes)
	var lanes sync.WaitGroup
	for i := range p.Lanes {
		lanes.Go(func() { errs[i] = p.lane(ctx, source) })
	}
	lanes.Wait()
	return errors.Join(errs...)
}

// lane is one Runner from its target's opening to its closing.
func (p *Pool) lane(ctx context.Context, from *source) error {
	r, err := NewRunner(ctx, p.Open, p.Opts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := make(chan *prog.Prog, batch)
	var fed error
	feeding := make(chan struct{})
	go func() {
		defer close(feeding)
		fed = p.feed(ctx, from, in)
	}()
	var big []shrinking
	err = r.Stream(ctx, in, func(o Outcome) {
		p.Report(o)
		big = p.note(big, o)
	})
	for _, s := range big {
		if err == nil && from.soft.Err() == nil {
			p.Shrunk(s.failed, r.Shrink(ctx, s.failed, s.budget))
		}
	}
	cancel()
	<-feeding
	for one := range in {
		from.giveBack(one)
	}
	var lost *Lost
	if errors.As(err, &lost) {
		from.giveBack(lost.Left...)
	}
	closed := r.Close(context.WithoutCancel(ctx))
	p.Leaked.Add(int64(r.Leaked))
	return errors.Join(err, fed, closed)
}

// shrinking is a failure whose program is to be made smaller.
type shrinking struct {
	failed Outcome
	budget Budget
}

// note adds a failure to those whose programs are to be made smaller, if it is one.
func (p *Pool) note(list []shrinking, o Outcome) []shrinking {
	if p.Shrink == nil || o.Prog == nil || !o.Verdict.Bad() {
		return list
	}
	if b := p.Shrink(o); b.Tries > 0 {
		list = append(list, shrinking{o, b})
	}
	return list
}

// feed announces programs a batch ahead, so that the worker does not wait for the journal's disk.
func (p *Pool) feed(ctx context.Context, from *source, in chan<- *prog.Prog) error {
	defer close(in)
	for {
		some := from.take(batch)
		if len(some) == 0 {
			return nil
		}
		names := make([]string, len(some))
		for i, one := range some {
			names[i] = one.Name
		}
		if err := p.Announce(names); err != nil {
			return err
		}
		for i, one := range some {
			select {
			case in <- one:
			case <-ctx.Done():
				from.giveBack(some[i:]...)
				return nil
			}
		}
	}
}

// source hands out the programs of a sequence to several lanes.
type source struct {
	mu   sync.Mutex
	next func() (*prog.Prog, bool)
	soft context.Context
	back []*prog.Prog
}

func (s *source) take(n int) []*prog.Prog {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.soft.Err() != nil {
		return nil
	}
	some := append([]*prog.Prog(nil), s.back[:min(n, len(s.back))]...)
	s.back = s.back[len(some):]
	for len(some) < n {
		one, more := s.next()
		if !more {
			break
		}
		some = append(some, one)
	}
	return some
}

// giveBack is for a lane that ends early.
func (s *source) giveBack(some ...*prog.Prog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.back = append(s.back, some...)
}
