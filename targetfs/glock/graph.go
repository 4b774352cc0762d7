package glock

import (
	"cmp"
	"slices"
	"strings"
)

// Kind is why a task cannot go on before another one does.
type Kind uint8

// Kinds of edges.
const (
	Holds      Kind = iota // the blocker holds the glock
	Ahead                  // it asked for the glock earlier
	WritesBack             // it changes the state of the glock: its hooks run
	Serves                 // it does something else that the waiter waits for, such as a page fault
)

// Edge is one task waiting for another.
type Edge struct {
	Kind            Kind
	Waiter, Blocker Owner
	Want, Has       Request // of the glock; Want is empty for Serves, Has for WritesBack and Serves
	Node            string  // of the waiter; empty for Serves
	What            string  // what Serves is about: "the fault of page 3 of B"
}

// AddWait tells the graph of a wait that is not for a glock: waiter cannot go on before blocker has done what is said, such as "the
// fault of page 3 of B". The function it returns ends it.
func (s *Space) AddWait(waiter, blocker Owner, what string) (end func()) {
	e := &Edge{Kind: Serves, Waiter: waiter, Blocker: blocker, What: what}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told[e] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.told, e)
	}
}

// Edges lists who waits for whom on all nodes, in a fixed order. A task may wait for several others; it needs all of them to
// go on. Holders that belong to nobody are not in the list, for nobody waits on their behalf.
func (s *Space) Edges() []Edge {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Edge
	for _, n := range s.nodes {
		for _, gl := range n.awaited() {
			for i := gl.granted; i < len(gl.holders); i++ {
				all = append(all, gl.blockers(i)...)
			}
		}
	}
	told := len(all)
	for e := range s.told {
		all = append(all, *e)
	}
	slices.SortFunc(all[told:], func(a, b Edge) int {
		return cmp.Or(a.Waiter.key().compare(b.Waiter.key()), a.Blocker.key().compare(b.Blocker.key()), strings.Compare(a.What, b.What))
	})
	return slices.DeleteFunc(all, func(e Edge) bool { return e.Waiter.key().nobody() || e.Blocker.key().nobody() })
}

// awaited is the glocks that somebody waits for, by type and number.
func (n *Node) awaited() (all []*glock) {
	for _, gl := range n.glocks {
		if gl.waiter() != nil {
			all = append(all, gl)
		}
	}
	slices.SortFunc(all, func(a, b *glock) int { return a.name.compare(b.name) })
	return all
}

func (k ownerKey) compare(l ownerKey) int {
	return cmp.Or(cmp.Compare(k.pid, l.pid), cmp.Compare(k.op, l.op))
}

// blockers is what waiting request i waits for: the holders that it can't share with, everybody who waits before it, changes of state,
// nodes that asked the lock manager before, and the holders on nodes whose state is in the way.
func (gl *glock) blockers(i int) (all []Edge) {
	h := gl.holders[i]
	add := func(kind Kind, other *Holder) {
		if !h.has(NoPID) && !other.has(NoPID) {
			all = append(all, Edge{Kind: kind, Waiter: h.Owner, Blocker: other.Owner, Want: h.Request, Has: other.Request, Node: gl.node.options.Name})
		}
	}
	addWork := func(other *glock) {
		if other.work != nil && !h.has(NoPID) {
			all = append(all, Edge{Kind: WritesBack, Waiter: h.Owner, Blocker: other.work.owner, Want: h.Request, Node: gl.node.options.Name})
		}
	}
	for _, before := range gl.holders[:gl.granted] {
		if gl.due || !gl.joins(before, h) || h.waitsForItself(before) {
			add(Holds, before)
		}
	}
	for _, before := range gl.holders[gl.granted:i] {
		if !h.waitsForItself(before) { // several of its faults under way are no circle: the first one needs none of the others
			add(Ahead, before)
		}
	}
	addWork(gl)
	for _, earlier := range gl.earlier() {
		if first := earlier.wants(); first != nil {
			add(Ahead, first)
		}
	}
	_, others := gl.choose(h)
	for _, other := range others {
		addWork(other)
		for _, remote := range other.holders[:other.granted] {
			add(Holds, remote) // even one that could share: the state changes when all holders are gone
		}
	}
	return all
}

// earlier is the nodes that lined up for the glock before this one.
func (gl *glock) earlier() []*glock {
	l := gl.node.space.lines[gl.name]
	if l == nil {
		return nil
	}
	return l.glocks[:max(0, slices.Index(l.glocks, gl))]
}

// waitsForItself tells whether the other place in the queue is of the same task, which only an untrapped request can meet.
func (h *Holder) waitsForItself(other *Holder) bool {
	return h.Untrapped && !h.owner().nobody() && h.owner() == other.owner()
}
