package glock

import (
	"context"
	"fmt"
	"time"
)

// request notes a demote request; two different ones together mean UN. Only a request of another node has to respect the hold time.
func (gl *glock) request(to State, remote bool) {
	switch {
	case gl.demote == EX:
		gl.demote, gl.asked = to, time.Now()
		gl.node.counters.Demotes++
	case gl.demote != to:
		gl.demote = UN
	}
	if remote && gl.timer != nil {
		return
	}
	wait := gl.node.options.HoldTime - time.Since(gl.changed)
	if !remote || wait <= 0 || gl.name.Type != Inode || len(gl.holders) == 0 {
		gl.due = true
		return
	}
	if !gl.due {
		gl.timer = time.AfterFunc(wait, gl.hold)
	}
}

// hold ends the hold time.
func (gl *glock) hold() {
	gl.node.space.mu.Lock()
	defer gl.node.space.mu.Unlock()
	if gl.timer != nil {
		gl.timer = nil
		gl.due = true
		gl.run()
	}
}

func (gl *glock) noDemote() {
	gl.demote, gl.due = EX, false
	if gl.timer != nil {
		gl.timer.Stop()
		gl.timer = nil
	}
}

// lower does what the demote request asks for. Nobody holds the glock here.
func (gl *glock) lower() {
	to := gl.demote
	gl.noDemote()
	if gl.state == UN || gl.state == to {
		return
	}
	if len(gl.conflicts(to)) > 0 {
		to = UN // from DF to SH, say, while a third node has DF
	}
	gl.change(to, nil)
}

// change is a change of state whose hooks run: do_xmote.
type change struct {
	to    State
	syncs bool    // Sync is to be called
	drops bool    // Invalidate is
	owner Owner   // who does it, for the graph
	h     *Holder // for whom, or nil
}

// change sets the state, on behalf of h or of a demote request. Leaving EX writes what is dirty, and becoming UN or DF drops what
// is cached; hooks do that, without the mutex.
func (gl *glock) change(to State, h *Holder) {
	hooks := &gl.node.options.Hooks
	c := &change{to: to, h: h,
		syncs: gl.state == EX && hooks.Sync != nil,
		drops: gl.state != UN && (to == UN || to == DF) && hooks.Invalidate != nil}
	gl.target = to
	gl.blocking = to != UN && gl.state != EX && (h == nil || !h.has(tries))
	if !c.syncs && !c.drops {
		gl.settle(c)
		return
	}
	gl.work = c
	go gl.do(c)
}

// do runs the hooks of a change.
func (gl *glock) do(c *change) {
	n := gl.node
	owner := Owner{Comm: "glock_workqueue", Op: fmt.Sprintf("write-back of %s on %s", n.space.Title(gl.name), n.options.Name)}
	n.space.mu.Lock()
	c.owner = owner
	n.space.mu.Unlock()
	ctx := WithOwner(context.Background(), owner)
	if c.syncs {
		n.options.Hooks.Sync(ctx, gl.name)
	}
	if c.drops {
		n.options.Hooks.Invalidate(ctx, gl.name, c.to)
	}
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	if c.syncs {
		n.counters.Syncs++
	}
	if c.drops {
		n.counters.Invalidations++
	}
	gl.work = nil
	gl.settle(c)
	gl.run()
}

// settle takes the new state. Who it was changed for gets the glock before anybody can ask for it back, or two nodes could take it
// from each other for ever.
func (gl *glock) settle(c *change) {
	if c.to == UN {
		gl.stale = gl.name.Type == Inode || gl.name.Type == Rgrp
	}
	gl.state, gl.changed = c.to, time.Now()
	gl.node.counters.StateChanges++
	if c.h != nil {
		gl.promote()
	}
	gl.node.space.serve(gl.name)
}
