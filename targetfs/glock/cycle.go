package glock

import (
	"fmt"
	"slices"
	"strings"
)

// Cycle finds tasks that wait for each other in a circle: each edge's blocker is the waiter of the next one, and the last one's
// that of the first. It begins with a task that holds a glock of the circle. Nil when there is no circle.
func (s *Space) Cycle() []Edge { return CycleOf(s.Edges()) }

// CycleOf is Cycle for a graph of another origin.
func CycleOf(edges []Edge) []Edge {
	search := search{from: map[ownerKey][]Edge{}, finished: map[ownerKey]bool{}}
	for _, e := range edges {
		search.from[e.Waiter.key()] = append(search.from[e.Waiter.key()], e)
	}
	for _, e := range edges {
		if cycle := search.follow(e.Waiter.key(), nil); cycle != nil {
			return rotate(cycle)
		}
	}
	return nil
}

type search struct {
	from     map[ownerKey][]Edge
	finished map[ownerKey]bool // lead to no circle
}

// follow goes along the waits of a task, which was reached by path.
func (s *search) follow(task ownerKey, path []Edge) []Edge {
	if s.finished[task] {
		return nil
	}
	if i := slices.IndexFunc(path, func(e Edge) bool { return e.Waiter.key() == task }); i >= 0 {
		return path[i:]
	}
	for _, e := range s.from[task] {
		if cycle := s.follow(e.Blocker.key(), append(slices.Clip(path), e)); cycle != nil {
			return cycle
		}
	}
	s.finished[task] = true
	return nil
}

// rotate makes a circle begin with the first task, by number, that holds a glock which the one before it wants.
func rotate(cycle []Edge) []Edge {
	best := -1
	for i, e := range cycle {
		if e.Kind == Holds && (best < 0 || e.Blocker.key().compare(cycle[best].Blocker.key()) < 0) {
			best = i
		}
	}
	return slices.Concat(cycle[best+1:], cycle[:best+1])
}

// Explain is a circle in words, one line a task:
//
//	pread of A by 1234 holds A (SH) and waits for the fault of page 3 of B, which
//	FUSE READ of B by 77 serves, and waits for B (SH), which
//	write of B by 1235 holds (EX), and waits for A (EX), which
//	pread of A by 1234 holds (SH).
func (s *Space) Explain(cycle []Edge) string { return Explain(cycle, s.Title) }

// Explain is a circle in words, with titles for glocks.
func Explain(cycle []Edge, title func(Name) string) string {
	if len(cycle) == 0 {
		return "No task waits for itself.\n"
	}
	var b strings.Builder
	last := cycle[len(cycle)-1]
	fmt.Fprintf(&b, "%v ", last.Blocker)
	if last.Kind == Holds {
		fmt.Fprintf(&b, "holds %s (%v) and ", title(last.Has.Name), last.Has.State)
	}
	for i, e := range cycle {
		fmt.Fprintf(&b, "waits for %s, which\n%v %s", e.what(title), e.Blocker, e.relation())
		if i < len(cycle)-1 {
			b.WriteString(", and ")
		}
	}
	b.WriteString(".\n")
	return b.String()
}

func (e Edge) what(title func(Name) string) string {
	if e.Kind == Serves {
		return e.What
	}
	return fmt.Sprintf("%s (%v)", title(e.Want.Name), e.Want.State)
}

// relation is what the blocker has to do with what the waiter waits for.
func (e Edge) relation() string {
	switch e.Kind {
	case Holds:
		return fmt.Sprintf("holds (%v)", e.Has.State)
	case Ahead:
		return fmt.Sprintf("asked for first (%v)", e.Has.State)
	case WritesBack:
		return "must finish with first"
	}
	return "serves"
}
