package glock

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Space is the glocks of one file system on all its nodes.
type Space struct {
	mu    sync.Mutex
	title func(Name) string
	nodes []*Node
	lines map[Name]*line     // nodes that wait for a state
	told  map[*Edge]struct{} // waits that are not for glocks
}

// NewSpace is a space without nodes. title gives a glock's object a name for Explain, such as a path; it must not wait for
// anything. Without it, or when it returns an empty string, Name.Title is used.
func NewSpace(title func(Name) string) *Space {
	return &Space{title: title, lines: map[Name]*line{}, told: map[*Edge]struct{}{}}
}

// Hooks are what a node does for its cache. Sync, Invalidate and Instantiate run without locks of this package, one at a time for each
// glock, and may take their time; nobody holds the glock meanwhile, except the one that Instantiate is for.
// Their context carries an owner, so that glocks which they ask for, and waits that they add, show up in cycles. A failure to write
// is for the node to deal with: gfs2 withdraws.
//
// A hook must not wait for a page fault that needs the same glock: the fault queues behind the change of state.
type Hooks struct {
	// Sync writes what is dirty under the glock and makes it durable, before the glock leaves EX: go_sync.
	Sync func(ctx context.Context, name Name)
	// Invalidate drops what is cached under the glock before it becomes UN (data and metadata) or DF (data): go_inval.
	Invalidate func(ctx context.Context, name Name, to State)
	// Instantiate reads the object of an Inode or Rgrp glock at its first use after UN: go_instantiate. An error fails the request.
	Instantiate func(ctx context.Context, name Name) error
	// Describe is what the dump says of a glock's object. It is called without locks and must not wait for anything.
	Describe func(name Name) Object
}

// Options say how a node behaves.
type Options struct {
	Name  string
	Hooks Hooks
	// HoldTime is how long after a change of state a node keeps an Inode glock for which it has requests, however much another
	// node wants it. gfs2 begins with 200 ms and adapts; here it is fixed, and 0 means no delay.
	HoldTime time.Duration
	// CheckOrder makes requests that break the lock order fail with an OrderError: for tests.
	CheckOrder bool
}

// Node is one machine of the cluster, with the glocks it has cached.
type Node struct {
	options  Options
	space    *Space
	glocks   map[Name]*glock
	order    map[ownerKey][]place // what tasks have; with CheckOrder only
	counters Counters
	empty    chan struct{} // closed when the last glock is gone; made by Leave
}

// Join adds a node.
func (s *Space) Join(o Options) *Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &Node{options: o, space: s, glocks: map[Name]*glock{}, order: map[ownerKey][]place{}}
	s.nodes = append(s.nodes, n)
	return n
}

// Leave brings all glocks of the node to UN, which writes and drops everything cached under them, and takes the node out of the space.
// It fails when one is still held or waited for, and when ctx ends first. The node must not be asked for glocks meanwhile.
func (n *Node) Leave(ctx context.Context) error {
	empty, err := n.demoteAll()
	if err != nil {
		return fmt.Errorf("node %s leaves: %w", n.options.Name, err)
	}
	select {
	case <-empty:
	case <-ctx.Done():
		return fmt.Errorf("node %s leaves: wait for its glocks: %w", n.options.Name, ctx.Err())
	}
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	n.space.remove(n)
	return nil
}

func (n *Node) demoteAll() (empty chan struct{}, err error) {
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	for _, gl := range n.glocks {
		if len(gl.holders) > 0 {
			h := gl.holders[0]
			return nil, fmt.Errorf("%s is in use by %v (%s)", gl.name.Title(), h.Owner, h.Caller)
		}
	}
	empty = make(chan struct{})
	n.empty = empty
	for _, gl := range n.glocks {
		gl.request(UN, false)
		gl.run()
	}
	n.checkEmpty()
	return empty, nil
}

// checkEmpty tells Leave that nothing is left.
func (n *Node) checkEmpty() {
	if n.empty != nil && len(n.glocks) == 0 {
		close(n.empty)
		n.empty = nil
	}
}

func (s *Space) remove(n *Node) {
	for i, other := range s.nodes {
		if other == n {
			s.nodes = append(s.nodes[:i:i], s.nodes[i+1:]...)
			return
		}
	}
}

// Title is the name of a glock's object for people.
func (s *Space) Title(name Name) string {
	if s.title != nil {
		if title := s.title(name); title != "" {
			return title
		}
	}
	return name.Title()
}

// State is the state in which the node has the glock cached.
func (n *Node) State(name Name) State {
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	if gl := n.glocks[name]; gl != nil {
		return gl.state
	}
	return UN
}

// LockedBy tells whether the owner holds the glock: what code must ask that is called with the lock held and without.
func (n *Node) LockedBy(o Owner, name Name) bool {
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	gl := n.glocks[name]
	return gl != nil && gl.heldBy(o.key()) != nil
}

// Demote asks for a lower state without a request of another node, as writing to sysfs' demote_rq does. It is honoured when the
// holders are gone. An inode that is dropped from memory takes its glocks with it in this way.
func (n *Node) Demote(name Name, to State) {
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	if gl := n.glocks[name]; gl != nil && to != EX {
		gl.request(to, false)
		gl.run()
	}
}

// Counters are what has happened on a node so far.
type Counters struct {
	Requests       uint64 // that were queued; those below are part of them, except Recursions and Misordered
	Waits          uint64 // not granted at once
	TriesFailed    uint64 // ended with ErrTryFailed
	Cancelled      uint64 // ended by their context
	Nested         uint64 // let through by Nest
	Recursions     uint64 // trapped with a RecursionError
	Misordered     uint64 // refused with an OrderError
	StateChanges   uint64
	Demotes        uint64 // demote requests, from other nodes and from here
	Syncs          uint64 // calls of the hooks
	Invalidations  uint64
	Instantiations uint64
}

// Counters returns the counters.
func (n *Node) Counters() Counters {
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	return n.counters
}
