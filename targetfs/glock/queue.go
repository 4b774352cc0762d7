package glock

import "slices"

// run grants what can be granted, from the front of the queue to the first request that must wait, and starts the change
// of state that this one needs. The caller has the space's mutex.
func (gl *Glock) run() {
	for !gl.busy {
		if gl.demote {
			if len(gl.active()) > 0 {
				return // new requests queue behind the demote
			}
			gl.lower()
			continue
		}
		waiting := gl.waiting()
		if len(waiting) == 0 {
			gl.forget()
			return
		}
		h := waiting[0]
		if gl.mayGrant(h) {
			h.grant()
			continue
		}
		if len(gl.active()) > 0 || !gl.raise(h) {
			return
		}
	}
}

// mayGrant is the local rule: what the active holders allow, or else what the cached state satisfies.
func (gl *Glock) mayGrant(h *Holder) bool {
	if active := gl.active(); len(active) > 0 {
		first := active[0]
		if first.State == EX {
			return h.State == EX && h.has(NodeScope) && first.has(NodeScope)
		}
		return h.State == first.State
	}
	switch {
	case gl.state == h.State:
		return true
	case h.has(Exact):
		return false
	case gl.state == EX:
		return true
	}
	return h.has(Any) && h.State != EX && gl.state != UN
}

// lower does what a demote request asks for.
func (gl *Glock) lower() {
	gl.demote = false
	if gl.state != UN && gl.state != gl.down {
		gl.change(gl.down)
	}
}

// raise gets the glock into the state that h wants. It returns false when that can't be now.
func (gl *Glock) raise(h *Holder) bool {
	s := gl.node.space
	if h.has(Try | TryOneCB) {
		return gl.tryRaise(h)
	}
	if queue := s.queues[gl.name]; !slices.Contains(queue, gl) {
		s.queues[gl.name] = append(queue, gl)
	}
	s.serve(gl.name)
	return !gl.busy && (h.granted || gl.mayGrant(h))
}

// tryRaise changes the state when no other node is in the way.
func (gl *Glock) tryRaise(h *Holder) bool {
	want, others := gl.choose(h)
	if len(others) == 0 && len(gl.node.space.queues[gl.name]) == 0 {
		gl.change(want)
		return true
	}
	if h.has(TryOneCB) {
		gl.ask(h, others)
	}
	return false
}

// choose is the state to ask for on behalf of h, and the glocks of other nodes that stand against it. With Any the other one of
// SH and DF will do as well.
func (gl *Glock) choose(h *Holder) (want State, others []*Glock) {
	others = gl.conflicts(h.State)
	if len(others) == 0 || !h.has(Any) || h.State == EX {
		return h.State, others
	}
	if other := SH + DF - h.State; len(gl.conflicts(other)) == 0 {
		return other, nil
	}
	return h.State, others
}

// ask sends demote requests to other nodes.
func (gl *Glock) ask(h *Holder, others []*Glock) {
	for _, other := range others {
		other.request(h.State.demand())
		other.run()
	}
}

// serve is the lock manager: nodes get their states in the order in which they asked. The first one that must wait keeps the
// others waiting.
func (s *Space) serve(name Name) {
	if s.serving[name] {
		return // the loop below goes on when this call is back
	}
	s.serving[name] = true
	defer delete(s.serving, name)
	asked := false
	for len(s.queues[name]) > 0 {
		gl := s.queues[name][0]
		h := gl.wants()
		if h == nil {
			s.pop(name)
			asked = false
			continue
		}
		want, others := gl.choose(h)
		switch {
		case len(others) == 0:
			s.pop(name)
			asked = false
			gl.change(want)
			gl.run()
		case asked:
			return
		default:
			gl.ask(h, others)
			asked = true
		}
	}
}

// wants is the holder for which the node still needs another state.
func (gl *Glock) wants() *Holder {
	waiting := gl.waiting()
	if gl.busy || len(waiting) == 0 || len(gl.active()) > 0 || gl.mayGrant(waiting[0]) {
		return nil
	}
	return waiting[0]
}

func (s *Space) pop(name Name) {
	if s.queues[name] = s.queues[name][1:]; len(s.queues[name]) == 0 {
		delete(s.queues, name)
	}
}

// conflicts is the same glock on other nodes where its state forbids want here. A change under way counts as what it was.
func (gl *Glock) conflicts(want State) (all []*Glock) {
	for _, n := range gl.node.space.nodes {
		other := n.glocks[gl.name]
		if other != nil && other != gl && !other.state.Compatible(want) {
			all = append(all, other)
		}
	}
	return all
}

// change sets the state. Leaving EX writes what is dirty, and becoming UN or DF drops what is cached: hooks do it, while
// the glock is busy.
func (gl *Glock) change(to State) {
	hooks := gl.node.Hooks
	sync := gl.state == EX && hooks.Sync != nil
	invalidate := gl.state != UN && (to == UN || to == DF) && hooks.Invalidate != nil
	gl.target = to
	if !sync && !invalidate {
		gl.settle(to)
		return
	}
	gl.busy = true
	go func() {
		if sync {
			hooks.Sync(gl.name)
		}
		if invalidate {
			hooks.Invalidate(gl.name, to)
		}
		gl.node.space.mu.Lock()
		defer gl.node.space.mu.Unlock()
		gl.busy = false
		gl.settle(to)
		gl.run()
	}()
}

// settle takes the new state, and lets the lock manager go on with the nodes that wait for it.
func (gl *Glock) settle(to State) {
	gl.state = to
	gl.node.space.serve(gl.name)
}

// forget drops a lock object that says nothing.
func (gl *Glock) forget() {
	if gl.state == UN && len(gl.holders) == 0 && gl.node.glocks[gl.name] == gl {
		delete(gl.node.glocks, gl.name)
	}
}
