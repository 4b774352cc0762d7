package glock

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// naive is one node's glock, as section by section of the rules says it, without hooks and without other nodes.
type naive struct {
	cached State
	lower  bool // to UN, when the holders are gone
	queue  []*naiveRequest
}

type naiveRequest struct {
	id      int
	state   State
	flags   Flags
	granted bool
}

func (n *naive) holders() (all []*naiveRequest) {
	for _, r := range n.queue {
		if r.granted {
			all = append(all, r)
		}
	}
	return all
}

// step does one thing that the rules allow, and returns false when there is none.
func (n *naive) step() bool {
	holders := n.holders()
	if n.lower && len(holders) == 0 {
		n.lower, n.cached = false, UN
		return true
	}
	first := slices.IndexFunc(n.queue, func(r *naiveRequest) bool { return !r.granted })
	if first < 0 {
		return false
	}
	r := n.queue[first]
	if !n.lower && n.allowed(r, holders) {
		r.granted = true
		return true
	}
	if !n.lower && len(holders) == 0 {
		n.cached, r.granted = r.state, true
		return true
	}
	before := len(n.queue)
	n.queue = slices.DeleteFunc(n.queue, func(r *naiveRequest) bool { return !r.granted && r.flags&(Try|TryOneCB) != 0 })
	return len(n.queue) < before
}

func (n *naive) allowed(r *naiveRequest, holders []*naiveRequest) bool {
	if len(holders) > 0 {
		h := holders[0]
		fits := r.state == n.cached || n.cached == EX || r.flags&Any != 0
		return fits && r.state == h.state && (r.state != EX || r.flags&h.flags&NodeScope != 0)
	}
	exact, anything := r.flags&Exact != 0, r.flags&Any != 0
	return r.state == n.cached || !exact && (n.cached == EX || anything && n.cached != UN && r.state != EX)
}

func (n *naive) release(id int) {
	i := slices.IndexFunc(n.queue, func(r *naiveRequest) bool { return r.id == id })
	r := n.queue[i]
	n.queue = slices.Delete(n.queue, i, i+1)
	n.lower = n.lower || r.granted && r.flags&NoCache != 0 && n.cached != UN
}

func (n *naive) String() string {
	s := n.cached.String()
	for _, r := range n.queue {
		s += fmt.Sprintf(" %d:%v", r.id, r.granted)
	}
	return s
}

func actual(n *Node, live []*Holder) string {
	s := n.State(file).String()
	for _, h := range live {
		s += fmt.Sprintf(" %d:%v", h.Owner.PID, h.Granted())
	}
	return s
}

var someFlags = []Flags{0, 0, 0, Any, Exact, NoCache, Try, TryOneCB, NodeScope, NodeScope, NodeScope | NoCache, Exact | NoCache, Any | Exact}

func randomRequest(rnd *rand.Rand, pid int) Request {
	return request(pid, []State{SH, DF, EX}[rnd.IntN(3)], someFlags[rnd.IntN(len(someFlags))])
}

// TestModel runs random schedules on one node and in the naive model: after every step both have granted the same requests, and have
// the same state cached.
func TestModel(t *testing.T) {
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		node, model := NewSpace(nil).Join(Options{}), &naive{}
		var live []*Holder
		var history string
		for pid := 1; pid <= 120; pid++ {
			if len(live) > 0 && rnd.IntN(5) < 2+len(live)/4 {
				i := rnd.IntN(len(live))
				history += fmt.Sprintf("unlock %d\n", live[i].Owner.PID)
				model.release(live[i].Owner.PID)
				live[i].Unlock()
				live = slices.Delete(live, i, i+1)
			} else {
				r := randomRequest(rnd, pid)
				history += fmt.Sprintf("lock %d: %v %x\n", pid, r.State, r.Flags)
				model.queue = append(model.queue, &naiveRequest{id: pid, state: r.State, flags: r.Flags})
				if h, err := node.Enqueue(t.Context(), r); err == nil {
					live = append(live, h)
				} else if !errors.Is(err, ErrTryFailed) {
					t.Fatal(err)
				}
			}
			for model.step() {
			}
			if got, want := actual(node, live), model.String(); got != want {
				t.Fatalf("seed %d: got %s, want %s after\n%s", seed, got, want, history)
			}
		}
	}
}

// TestInvariants runs random schedules on three nodes and two glocks, and checks after every step what must hold between nodes.
func TestInvariants(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 8))
		s := NewSpace(nil)
		nodes := []*Node{s.Join(Options{}), s.Join(Options{}), s.Join(Options{})}
		names := []Name{file, RgrpName(17)}
		var live []*Holder
		for pid := 1; pid <= 150; pid++ {
			switch {
			case len(live) > 0 && rnd.IntN(5) < 2+len(live)/6:
				i := rnd.IntN(len(live))
				live[i].Unlock()
				live = slices.Delete(live, i, i+1)
			case rnd.IntN(20) == 0:
				nodes[rnd.IntN(3)].Demote(names[rnd.IntN(2)], []State{UN, SH, DF}[rnd.IntN(3)])
			default:
				r := randomRequest(rnd, pid)
				r.Name = names[rnd.IntN(2)]
				if h, err := nodes[rnd.IntN(3)].Enqueue(t.Context(), r); err == nil {
					live = append(live, h)
				}
			}
			for _, name := range names {
				if err := s.check(name); err != nil {
					t.Fatalf("seed %d, step %d: %v", seed, pid, err)
				}
			}
		}
		UnlockAll(live)
		finish(t, s)
	}
}

// check is what must hold for a glock between two calls, when no hook runs.
func (s *Space) check(name Name) error {
	for i, n := range s.nodes {
		gl := n.glocks[name]
		if gl == nil {
			continue
		}
		for _, other := range s.nodes[i+1:] {
			if u := other.glocks[name]; u != nil && !gl.state.Compatible(u.state) {
				return fmt.Errorf("node %d has %v, another one %v", i, gl.state, u.state)
			}
		}
		if err := gl.checkQueue(); err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
	}
	return nil
}

func (gl *glock) checkQueue() error {
	for j, h := range gl.holders {
		switch {
		case h.granted != (j < gl.granted):
			return fmt.Errorf("holder %d: granted after one that waits", j)
		case !h.granted && h.has(tries):
			return fmt.Errorf("request %d waits, and was not to", j)
		case h.granted && !gl.state.Covers(h.State) && (!h.has(Any) || gl.state == UN):
			return fmt.Errorf("%v is granted under %v", h.State, gl.state)
		case h.granted && !h.shares(gl.holders[0]) && j > 0:
			return fmt.Errorf("%v and %v are granted together", h.State, gl.holders[0].State)
		case !h.granted && !gl.endsAtHolder(h):
			return fmt.Errorf("request %d waits for nobody who holds the glock", j)
		}
	}
	return nil
}

// endsAtHolder tells whether a waiting request waits, directly or not, for somebody who was granted the glock: else it hangs.
func (gl *glock) endsAtHolder(h *Holder) bool {
	seen := map[int]bool{}
	left := []int{h.Owner.PID}
	edges := gl.node.space.Edges()
	for len(left) > 0 {
		pid := left[0]
		left = left[1:]
		for _, e := range edges {
			if e.Waiter.PID != pid || e.Want.Name != gl.name || seen[e.Blocker.PID] {
				continue
			}
			if e.Kind == Holds {
				return true
			}
			seen[e.Blocker.PID] = true
			left = append(left, e.Blocker.PID)
		}
	}
	return false
}
