package prog

import (
	"errors"
	"fmt"
	"strings"
)

// Rules for stalls: memory whose first touch stops until somebody serves it.

// MaxStall is how many pages a stall or guard may have.
const MaxStall = 64

var errNotStall = errors.New("this would take pages of a stall away or give them back, which is for serve, poison, unregister and munmap to do")

// OnStall reports whether the operation works on a stall from outside, without touching it. Such a step may name a stall of another process.
func OnStall(op string) bool {
	switch op {
	case "stalled", "serve", "serve_struct", "poison", "unregister":
		return true
	}
	return false
}

// EndsStall reports whether the operation lets go on who is stopped in its range.
func EndsStall(op string) bool { return OnStall(op) && op != "stalled" || op == "munmap" }

// IsGuard reports whether the operation makes a guard: memory that stops who writes to it.
func IsGuard(op string) bool { return op == "guard" || op == "guard_struct" }

// named is what a name of memory stands for in the step's address space. Operations on stalls also find the only stall of that name in another one.
func (v *validator) named(s *Step, name string) *object {
	if o := v.scope(s)[name]; o != nil || !OnStall(s.Op) {
		return o
	}
	var found *object
	for _, names := range v.scopes {
		if o := names[name]; o != nil && o.kind == KindStall {
			if found != nil {
				return nil
			}
			found = o
		}
	}
	return found
}

// wholePages demands a length that a stall may have.
func wholePages(n Size) error {
	if n.Bytes != 0 || n.Pages < 1 || n.Pages > MaxStall {
		return fmt.Errorf("found length %v, wanted 1p to %v", n, Pages(MaxStall))
	}
	return nil
}

func stallRule(_ *validator, s *Step) error { return wholePages(s.Args[0].(Size)) }

func guardRule(_ *validator, s *Step) error {
	for _, r := range s.Args[0].(Data) {
		if r.May[0].Kind == Hole {
			return fmt.Errorf("found a hole, wanted bytes: a page that was never touched cannot be guarded")
		}
	}
	return wholePages(s.Args[0].(Data).Len())
}

// rangeOfStall demands whole pages of a stall.
func rangeOfStall(v *validator, s *Step) error {
	o, _, err := v.oneRange(s)
	if err != nil {
		return err
	}
	if o.kind != KindStall {
		return fmt.Errorf("found %v, wanted a stall", o.kind)
	}
	return pageRange(v, s)
}

func serveRule(v *validator, s *Step) error {
	if err := rangeOfStall(v, s); err != nil || len(s.Args) < 2 {
		return err
	}
	if o, _, _ := v.oneRange(s); o.guard {
		return fmt.Errorf("found data for a guard, which has its bytes")
	}
	return v.sameLength(s, s.Args[1].(Data))
}

func poisonRule(v *validator, s *Step) error {
	if err := rangeOfStall(v, s); err != nil {
		return err
	}
	if o, _, _ := v.oneRange(s); o.guard {
		return fmt.Errorf("found a guard, whose pages are there; wanted a stall")
	}
	return nil
}

// serveStructRule demands a struct that lies in the stall.
func serveStructRule(v *validator, s *Step) error {
	if err := poisonRule(v, s); err != nil {
		return err
	}
	o, _, _ := v.oneRange(s)
	return structWithin(o.length, s.Args[1].(Size), s.Args[2].(Value))
}

func guardStructRule(_ *validator, s *Step) error {
	if err := wholePages(s.Args[0].(Size)); err != nil {
		return err
	}
	return structWithin(s.Args[0].(Size), s.Args[1].(Size), s.Args[2].(Value))
}

// structWithin demands that a struct at a byte of memory lies in it.
func structWithin(length, at Size, v Value) error {
	if end := at.Plus(Bytes(Structs[v.Struct].Size)); !Bytes(0).AtMost(at) || !end.AtMost(length) {
		return fmt.Errorf("found %s from %v to %v, wanted it within %v", v.Struct, at, end, length)
	}
	return nil
}

// crowded reports whether two actors may be stopped at one page of a stall: both have a step that touches it before the step that lets go. Of the
// second one only userfaultfd(2) tells.
func crowded(p *Prog) bool {
	stalls, waiting, ended := map[string]Size{}, map[place]string{}, map[place]bool{}
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Op == "stall" { // a guard is nothing but userfaultfd's
			stalls[homeOf(s)+s.Makes] = s.Args[0].(Size)
		}
		for _, at := range placesIn(s, stalls) {
			who, somebody := waiting[at]
			switch {
			case EndsStall(s.Op):
				ended[at] = true
			case s.Op == "stalled", ended[at]:
			case somebody && who != s.Actor:
				return true
			default:
				waiting[at] = s.Actor
			}
		}
	}
	return false
}

// place is a page of a stall, which is named by its process, a slash and its name.
type place struct {
	stall string
	page  int64
}

// placesIn are the pages of stalls among a step's arguments. Where pages are larger than the smallest ones they are fewer.
func placesIn(s *Step, stalls map[string]Size) (list []place) {
	const page = 4096
	for _, a := range s.Args {
		b, _ := a.(Buf)
		for _, r := range b.Ranges {
			stall := homeOf(s) + r.Of
			if _, own := stalls[stall]; !own && OnStall(s.Op) {
				for name := range stalls { // the only one of that name
					if strings.HasSuffix(name, "/"+r.Of) {
						stall = name
					}
				}
			}
			length, found := stalls[stall]
			if !found {
				continue
			}
			from, to := r.bounds(length)
			for k := from.In(page) / page; k*page < to.In(page); k++ {
				list = append(list, place{stall, k})
			}
		}
	}
	return list
}

// homeOf begins the names of a step's address space.
func homeOf(s *Step) string {
	if s.Process() {
		return s.Actor + "/"
	}
	return "/"
}
