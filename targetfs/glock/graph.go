package glock

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Wait is one task waiting for another: for a glock, or for something that somebody told us about.
type Wait struct {
	Waiter, Blocker Owner
	Want, Has       Request // of the glock; Has is granted or ahead in the queue
	Granted         bool    // whether Has is granted
	Node            string  // of the waiter
	Why             string  // of a wait that is not for a glock
}

func (w *Wait) String() string {
	if w.Why != "" {
		return fmt.Sprintf("%v waits for %v: %s", w.Waiter, w.Blocker, w.Why)
	}
	relation := "is waiting for"
	if w.Granted {
		relation = "holds"
	}
	return fmt.Sprintf("%v wants %v glock %v %v (%s), which %v %s %v (%s)", w.Waiter, w.Want.Name.Type, w.Want.Name, w.Want.State, w.Want.Caller,
		w.Blocker, relation, w.Has.State, w.Has.Caller)
}

// AddWait tells the graph of a wait that is not for a glock: a task whose page fault another one serves. The
// function it returns ends it.
func (s *Space) AddWait(waiter, blocker Owner, why string) (end func()) {
	w := &Wait{Waiter: waiter, Blocker: blocker, Why: why}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits[w] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waits, w)
	}
}

// Waits lists who waits for whom on all nodes, in a fixed order.
func (s *Space) Waits() []Wait {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Wait
	for _, n := range s.nodes {
		for _, name := range slices.SortedFunc(maps.Keys(n.glocks), Name.compare) {
			gl := n.glocks[name]
			for i, h := range gl.holders {
				if !h.granted {
					all = append(all, gl.blockers(i)...)
				}
			}
		}
	}
	told := len(all)
	for w := range s.waits {
		all = append(all, *w)
	}
	slices.SortFunc(all[told:], func(a, b Wait) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// blockers is what waiting holder i waits for: those before it in the queue that it can't share with or overtake, holders on
// other nodes, and nodes that asked before.
func (gl *Glock) blockers(i int) (all []Wait) {
	h := gl.holders[i]
	add := func(other *Holder) {
		all = append(all, Wait{Waiter: h.Owner, Blocker: other.Owner, Want: h.Request, Has: other.Request, Granted: other.granted, Node: gl.node.Name})
	}
	for _, before := range gl.holders[:i] {
		if !before.granted || gl.demote || !before.shares(h) {
			add(before)
		}
	}
	for _, earlier := range gl.node.space.queues[gl.name] {
		if earlier == gl {
			break
		}
		if first := earlier.wants(); first != nil {
			add(first)
		}
	}
	for _, other := range gl.conflicts(h.State) {
		for _, remote := range other.active() {
			if !remote.State.Compatible(h.State) {
				add(remote)
			}
		}
	}
	return all
}

// shares tells whether two holders of one node may have the glock at once.
func (h *Holder) shares(other *Holder) bool {
	if h.State == EX || other.State == EX {
		return h.State == other.State && h.has(NodeScope) && other.has(NodeScope)
	}
	return h.State == other.State
}

// Cycle finds tasks that wait for each other in a circle; nil when there are none.
func (s *Space) Cycle() []Wait { return findCycle(s.Waits()) }

func findCycle(waits []Wait) []Wait {
	from := map[int][]int{} // task to its waits
	for i, w := range waits {
		from[w.Waiter.PID] = append(from[w.Waiter.PID], i)
	}
	finished := map[int]bool{}
	for _, w := range waits {
		if path := search(waits, from, finished, w.Waiter.PID, nil); path != nil {
			return path
		}
	}
	return nil
}

// search follows the waits of task pid. path is how it was reached; finished tasks lead to no cycle.
func search(waits []Wait, from map[int][]int, finished map[int]bool, pid int, path []Wait) []Wait {
	if finished[pid] {
		return nil
	}
	for i, w := range path {
		if w.Waiter.PID == pid {
			return path[i:]
		}
	}
	for _, i := range from[pid] {
		next := append(path[:len(path):len(path)], waits[i])
		if cycle := search(waits, from, finished, waits[i].Blocker.PID, next); cycle != nil {
			return cycle
		}
	}
	finished[pid] = true
	return nil
}

// Explain is a cycle in words, one line a wait.
func Explain(cycle []Wait) string {
	if len(cycle) == 0 {
		return "no task waits for itself\n"
	}
	var b strings.Builder
	for i := range cycle {
		fmt.Fprintf(&b, "%v,\n", &cycle[i])
	}
	fmt.Fprintf(&b, "and so %v waits for itself.\n", cycle[0].Waiter)
	return b.String()
}
