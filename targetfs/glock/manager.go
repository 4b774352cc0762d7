package glock

// line is the nodes that wait for a state of one glock, in the order in which they asked.
type line struct {
	glocks  []*glock
	serving bool // serve is on the stack: its loop goes on when the call that came back here returns
}

// choose is the state to ask for on behalf of h, and the glocks of other nodes that stand against it. With Any the other one of
// SH and DF will do when it can be had at once: the DLM's alternative modes.
func (gl *glock) choose(h *Holder) (want State, others []*glock) {
	others = gl.conflicts(h.State)
	if len(others) == 0 || !h.has(Any) || h.has(Exact) || h.State == EX {
		return h.State, others
	}
	if other := SH + DF - h.State; len(gl.conflicts(other)) == 0 {
		return other, nil
	}
	return h.State, others
}

// conflicts is the same glock on other nodes where its state forbids want here. A change under way counts as both what it was and
// what it will be.
func (gl *glock) conflicts(want State) (all []*glock) {
	for _, n := range gl.node.space.nodes {
		if n == gl.node {
			continue
		}
		other := n.glocks[gl.name]
		if other == nil {
			continue
		}
		if !other.state.Compatible(want) || other.work != nil && !other.work.to.Compatible(want) {
			all = append(all, other)
		}
	}
	return all
}

// ask sends demote requests to other nodes: the blocking callback of the DLM.
func (gl *glock) ask(h *Holder, others []*glock) {
	for _, other := range others {
		other.request(h.State.demand(), true)
		other.run()
	}
}

// serve is the lock manager: nodes get their states in the order in which they asked, and the first one that must wait keeps the
// others waiting.
func (s *Space) serve(name Name) {
	l := s.lines[name]
	if l == nil || l.serving {
		return
	}
	l.serving = true
	for l.serveFirst() {
	}
	l.serving = false
	if len(l.glocks) == 0 {
		delete(s.lines, name)
	}
}

// serveFirst gives the first node of the line what it waits for, after asking others to give way. It returns false when the
// line is empty or must wait.
func (l *line) serveFirst() bool {
	if len(l.glocks) == 0 {
		return false
	}
	gl := l.glocks[0]
	if gl.work != nil {
		return false
	}
	h := gl.wants()
	if h == nil {
		l.leave()
		return true
	}
	want, others := gl.choose(h)
	if len(others) > 0 {
		gl.ask(h, others)
		if want, others = gl.choose(h); len(others) > 0 {
			return false
		}
	}
	gl.change(want, h)
	l.leave()
	return true
}

// leave takes the first node out of the line. If it needs more it lines up again.
func (l *line) leave() {
	gl := l.glocks[0]
	l.glocks = l.glocks[1:]
	gl.run()
}

// wants is the waiting request for which the node still needs another state, or nil.
func (gl *glock) wants() *Holder {
	h := gl.waiter()
	if h == nil || gl.granted > 0 || gl.mayGrant(h) {
		return nil
	}
	return h
}
