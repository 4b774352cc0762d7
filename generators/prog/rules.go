package prog

import (
	"fmt"
	"strings"
)

// rules are the demands of single operations beyond the kinds of their arguments.
var rules = map[string]func(v *validator, s *Step) error{
	"open":      func(_ *validator, s *Step) error { return oneOf(s.words(1), "rdonly", "wronly", "rdwr") },
	"close":     func(v *validator, s *Step) error { v.scope(s)[string(s.Args[0].(Name))].gone = "close"; return nil },
	"mmap":      mmapRule,
	"mremap":    mremapRule,
	"anon":      anonRule,
	"munmap":    func(v *validator, s *Step) error { return v.lose(s, true) },
	"mprotect":  mprotectRule,
	"madvise":   oneAdvice,
	"mlock":     pageRange,
	"msync":     pageRange,
	"store":     storeRule,
	"load":      pieceRule,
	"check":     checkRule,
	"lseek":     func(_ *validator, s *Step) error { return single(s.words(2)) },
	"fadvise":   func(_ *validator, s *Step) error { return single(s.words(3)) },
	"stat":      func(_ *validator, s *Step) error { return single(s.words(1)) },
	"fallocate": fallocateRule,
}

func oneOf(have Words, choices ...string) error {
	n := 0
	for _, c := range choices {
		if have.Has(c) {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("found %v, wanted exactly one of %s", have, strings.Join(choices, " "))
	}
	return nil
}

func single(w Words) error {
	if len(w) != 1 {
		return fmt.Errorf("found %v, wanted one word", w)
	}
	return nil
}

func mmapRule(_ *validator, s *Step) error {
	if err := single(s.words(2)); err != nil {
		return err
	}
	if off := s.Args[3].(Size); off.Bytes != 0 || off.Pages < 0 {
		return fmt.Errorf("found offset %v, wanted whole pages", off)
	}
	if n := s.Args[4].(Size); !Bytes(1).AtMost(n) {
		return fmt.Errorf("found length %v, wanted more than 0", n)
	}
	return oneOf(s.words(1), "shared", "private")
}

func mremapRule(v *validator, s *Step) error {
	o, r, err := v.oneRange(s)
	if err != nil {
		return err
	}
	if !r.Whole || o.kind != KindMapping || len(o.lost) > 0 {
		return fmt.Errorf("wanted the name of a whole mapping, without bounds")
	}
	if n := s.Args[1].(Size); !Bytes(1).AtMost(n) {
		return fmt.Errorf("found length %v, wanted more than 0", n)
	}
	o.gone = "mremap"
	return nil
}

func anonRule(_ *validator, s *Step) error {
	if !Bytes(1).AtMost(s.Args[0].(Data).Len()) {
		return fmt.Errorf("found no bytes, wanted at least one")
	}
	if len(s.Args) > 1 {
		if a := s.Args[1].(Size); a.Pages != 0 || a.Bytes < 0 || a.Bytes >= 4096 {
			return fmt.Errorf("found alignment %v, wanted 0 to 4095 bytes behind a page boundary", a)
		}
	}
	return nil
}

// oneRange is the object and the only piece of a step's first argument.
func (v *validator) oneRange(s *Step) (*object, Range, error) {
	b := s.Args[0].(Buf)
	r := b.Ranges[0]
	if r.Count > 1 {
		return nil, r, fmt.Errorf("found a repeated range, wanted one range")
	}
	o := v.scope(s)[r.Of]
	if o == nil {
		return nil, r, fmt.Errorf("found %s, wanted a mapping or a buffer", r.Of)
	}
	return o, r, nil
}

// pageRange demands whole pages, as the memory calls do.
func pageRange(v *validator, s *Step) error {
	o, r, err := v.oneRange(s)
	if err != nil {
		return err
	}
	from, to := r.bounds(o.length)
	if from.Bytes != 0 || to.Bytes != 0 && to != o.length {
		return fmt.Errorf("found [%v:%v], wanted whole pages", from, to)
	}
	return nil
}

func oneAdvice(v *validator, s *Step) error {
	if err := single(s.words(1)); err != nil {
		return err
	}
	return pageRange(v, s)
}

// lose marks a range as no longer accessible.
func (v *validator) lose(s *Step, unmap bool) error {
	if err := pageRange(v, s); err != nil {
		return err
	}
	o, r, _ := v.oneRange(s)
	from, to := r.bounds(o.length)
	if unmap && from == (Size{}) && o.length.AtMost(to) {
		o.gone = "munmap"
		return nil
	}
	o.lost = append(o.lost, Range{Of: s.Op, From: from, To: to})
	return nil
}

// mprotectRule takes a range away, or gives back what an earlier mprotect took. What is readable but not writable stays usable here: whether
// an access to it faults is for the model to say.
func mprotectRule(v *validator, s *Step) error {
	if err := single(s.words(1)); err != nil {
		return err
	}
	if s.words(1).Has("none") {
		return v.lose(s, false)
	}
	if err := pageRange(v, s); err != nil {
		return err
	}
	o, r, _ := v.oneRange(s)
	from, to := r.bounds(o.length)
	var still []Range
	for _, gone := range o.lost {
		if gone.Of != s.Op || !from.AtMost(gone.From) || !gone.To.AtMost(to) {
			still = append(still, gone)
		}
	}
	o.lost = still
	return nil
}

func storeRule(v *validator, s *Step) error {
	o, r, err := v.oneRange(s)
	if err != nil {
		return badAccess(s, err)
	}
	from, to := r.bounds(o.length)
	if n := s.Args[1].(Data).Len(); n != to.Minus(from) {
		return fmt.Errorf("found %v of data for a range of %v, wanted them equal", n, to.Minus(from))
	}
	return nil
}

// badAccess lets load and store touch the range Bad, which is no object.
func badAccess(s *Step, err error) error {
	r := s.Args[0].(Buf).Ranges[0]
	if r.Of != Bad || r.Count > 1 {
		return err
	}
	if s.Op == "store" && s.Args[1].(Data).Len() != r.To.Minus(r.From) {
		return fmt.Errorf("found %v of data for a range of %v, wanted them equal", s.Args[1].(Data).Len(), r.To.Minus(r.From))
	}
	return nil
}

func pieceRule(v *validator, s *Step) error {
	_, _, err := v.oneRange(s)
	return badAccess(s, err)
}

func checkRule(v *validator, s *Step) error {
	if _, isFile := s.Args[0].(Name); isFile || len(s.Args) < 2 {
		return nil
	}
	o, r, err := v.oneRange(s)
	if err != nil {
		return err
	}
	from, to := r.bounds(o.length)
	for _, d := range s.Args[1].(Alts) {
		if d.Len() != to.Minus(from) {
			return fmt.Errorf("found %v of data for a range of %v, wanted them equal", d.Len(), to.Minus(from))
		}
	}
	return nil
}

func fallocateRule(_ *validator, s *Step) error {
	mode := s.words(1)
	if len(mode) == 2 && mode.Has("zero") && mode.Has("keep") {
		return nil
	}
	return single(mode)
}
