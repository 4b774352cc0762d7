package results

import "time"

const (
	// minPause is the shortest time between two rewrites.
	minPause = 50 * time.Millisecond
	// idlePause is how long nothing must change before the file is brought up to date whatever it costs.
	idlePause = 500 * time.Millisecond
	// busyShare and soonShare are the pause after a rewrite as a multiple of its cost: while things change, and when
	// there is a failure to show or nothing else to do.
	busyShare = 20
	soonShare = 4
	// retryCost is the least that a failed rewrite is taken to have cost, so that a full disk is not tried in a loop.
	retryCost = 50 * time.Millisecond
)

// pace decides when a file that changes all the time is rewritten.
type pace struct {
	dirty   bool
	urgent  bool          // a failure is not in the file yet
	changed time.Time     // the last change
	wrote   time.Time     // the end of the last rewrite
	cost    time.Duration // of the last rewrite
}

func (p *pace) change(now time.Time, urgent bool) {
	p.dirty = true
	p.urgent = p.urgent || urgent
	p.changed = now
}

// begin is called with the state that will be written.
func (p *pace) begin() { p.dirty, p.urgent = false, false }

func (p *pace) done(now time.Time, cost time.Duration, ok bool) {
	p.wrote, p.cost = now, cost
	if !ok {
		p.dirty = true
		p.cost = max(cost, retryCost)
	}
}

// wait is how long to wait before the next rewrite, and whether there is anything to write.
func (p *pace) wait(now time.Time) (d time.Duration, dirty bool) {
	if !p.dirty {
		return 0, false
	}
	soon := p.wrote.Add(max(minPause, soonShare*p.cost))
	if p.urgent {
		return soon.Sub(now), true
	}
	due := p.wrote.Add(max(minPause, busyShare*p.cost))
	idle := p.changed.Add(idlePause)
	if idle.Before(soon) {
		idle = soon
	}
	if idle.Before(due) {
		due = idle
	}
	return due.Sub(now), true
}
