package usercopy

import (
	"errors"
	"sync/atomic"
)

// Counters are what happened under one policy.
type Counters struct {
	Calls           uint64 // system calls that were copied for
	Pages           uint64 // copied
	Retries         uint64 // the glock was dropped to fault something in
	FaultsUnderLock uint64 // pages that were touched with the glock held and were not resident
	FaultsOutside   uint64 // pages that were faulted in without the glock
	Weak            uint64 // faults failed because the glock held did not cover them
	GaveUp          uint64 // calls whose rest was left to the kernel for want of progress
}

// Skips are calls that were left to the kernel because they could not be seen, by reason.
type Skips struct {
	Async     uint64 // AIO and io_uring
	Other     uint64 // no system call with a user buffer: sendfile, splice, stat, ...
	Forbidden uint64
	Gone      uint64
	Running   uint64
	Failed    uint64 // for another reason: an iovec that cannot be read any more
}

// Counters returns what happened under a policy so far.
func (c *Copier) Counters(p Policy) Counters {
	n := &c.counts[p]
	return Counters{n.calls.Load(), n.pages.Load(), n.retries.Load(), n.faultsUnderLock.Load(), n.faultsOutside.Load(), n.weak.Load(), n.gaveUp.Load()}
}

// Total is what happened under all policies together.
func (c *Copier) Total() (all Counters) {
	for _, p := range Policies() {
		n := c.Counters(p)
		all.Calls += n.Calls
		all.Pages += n.Pages
		all.Retries += n.Retries
		all.FaultsUnderLock += n.FaultsUnderLock
		all.FaultsOutside += n.FaultsOutside
		all.Weak += n.Weak
		all.GaveUp += n.GaveUp
	}
	return all
}

// Skips returns what was left to the kernel so far.
func (c *Copier) Skips() Skips {
	n := &c.skips
	return Skips{n.async.Load(), n.other.Load(), n.forbidden.Load(), n.gone.Load(), n.running.Load(), n.failed.Load()}
}

type counts struct{ calls, pages, retries, faultsUnderLock, faultsOutside, weak, gaveUp atomic.Uint64 }

type skips struct{ async, other, forbidden, gone, running, failed atomic.Uint64 }

// count sorts an error of Look.
func (s *skips) count(err error) {
	for _, reason := range []struct {
		is    error
		count *atomic.Uint64
	}{{ErrAsync, &s.async}, {ErrNoBuffer, &s.other}, {ErrForbidden, &s.forbidden}, {ErrGone, &s.gone}, {ErrRunning, &s.running}, {err, &s.failed}} {
		if errors.Is(err, reason.is) {
			reason.count.Add(1)
			return
		}
	}
}
