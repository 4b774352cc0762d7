package glock

import "sync"

// Space is the glocks of one file system on all nodes.
type Space struct {
	mu      sync.Mutex
	nodes   []*Node
	queues  map[Name][]*Glock  // nodes that wait for a state, in the order in which they asked
	serving map[Name]bool      // queues that are being worked on
	waits   map[*Wait]struct{} // that others told us about
}

// NewSpace is a space without nodes.
func NewSpace() *Space {
	return &Space{queues: map[Name][]*Glock{}, serving: map[Name]bool{}, waits: map[*Wait]struct{}{}}
}

// Hooks are what a node does for its cache. They are called without locks held, one after the other for each glock, and may take
// their time; the glock is not granted to anybody meanwhile.
type Hooks struct {
	// Sync writes what is dirty under the glock: before it leaves EX.
	Sync func(Name)
	// Invalidate drops what is cached under the glock: before it becomes UN or DF.
	Invalidate func(name Name, to State)
	// Describe is the line that the dump has for the glock's object, without indentation; empty for none. It must not wait
	// for anything.
	Describe func(Name) string
}

// Options say how a node behaves.
type Options struct {
	Name  string
	Hooks Hooks
	// AllowRecursion lets a task wait for itself. Without it a request for a glock that the task already has or waits for fails
	// with a RecursionError, where the kernel stops at a BUG.
	AllowRecursion bool
	// CheckOrder makes requests that break the lock order fail with an OrderError.
	CheckOrder bool
}

// Node is one machine of the cluster, with the glocks it has cached.
type Node struct {
	Options
	space  *Space
	glocks map[Name]*Glock
	held   map[int][]*Holder // by task, for CheckOrder
}

// Join adds a node.
func (s *Space) Join(o Options) *Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &Node{Options: o, space: s, glocks: map[Name]*Glock{}, held: map[int][]*Holder{}}
	s.nodes = append(s.nodes, n)
	return n
}

// Glock is the lock object of one node. All fields belong to the space's mutex.
type Glock struct {
	name    Name
	node    *Node
	state   State // what this node has
	target  State // what it wants next
	demote  bool  // a demote request is due
	down    State // the state it asks for
	busy    bool  // a change is under way: hooks are running
	holders []*Holder
}

// glock is the node's lock object of that name; it is made when there is none.
func (n *Node) glock(name Name) *Glock {
	gl := n.glocks[name]
	if gl == nil {
		gl = &Glock{name: name, node: n}
		n.glocks[name] = gl
	}
	return gl
}

// active is the holders that were granted: they come first in the queue.
func (gl *Glock) active() []*Holder {
	for i, h := range gl.holders {
		if !h.granted {
			return gl.holders[:i]
		}
	}
	return gl.holders
}

// waiting is the holders that were not.
func (gl *Glock) waiting() []*Holder { return gl.holders[len(gl.active()):] }

// State is the state in which the node has the glock cached.
func (n *Node) State(name Name) State {
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	if gl := n.glocks[name]; gl != nil {
		return gl.state
	}
	return UN
}

// Demote asks for a lower state, as another node's request does. It is honoured when the holders are gone.
func (n *Node) Demote(name Name, to State) {
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	if gl := n.glocks[name]; gl != nil {
		gl.request(to)
		gl.run()
	}
}

// request notes a demote request. Two different ones together mean unlocked.
func (gl *Glock) request(to State) {
	if gl.demote && gl.down != to {
		to = UN
	}
	gl.demote, gl.down = true, to
}
