package prog

import (
	"fmt"
	"strings"
)

// rules are the demands of single operations beyond the kinds of their arguments.
var rules = map[string]func(v *validator, s *Step) error{
	"open":       openRule,
	"close":      func(v *validator, s *Step) error { v.scope(s)[string(s.Args[0].(Name))].gone = "close"; return nil },
	"mmap":       mmapRule,
	"mremap":     mremapRule,
	"anon":       anonRule,
	"munmap":     func(v *validator, s *Step) error { return v.lose(s, true) },
	"mprotect":   mprotectRule,
	"madvise":    oneAdvice,
	"mlock":      pageRange,
	"msync":      pageRange,
	"store":      storeRule,
	"load":       pieceRule,
	"check":      checkRule,
	"lseek":      func(_ *validator, s *Step) error { return single(s.words(2)) },
	"fadvise":    func(_ *validator, s *Step) error { return single(s.words(3)) },
	"stat":       func(_ *validator, s *Step) error { return single(s.words(1)) },
	"fallocate":  fallocateRule,
	"put":        structRule,
	"put_path":   pathRule,
	"look":       structRule,
	"ioctl":      func(_ *validator, s *Step) error { return single(s.words(1)) },
	"extents":    pieceRule,
	"entries":    pieceRule,
	"uring_read": notBefore, "uring_write": notBefore, "uring_readv": notBefore, "uring_writev": notBefore,
	"uring_read_fixed": notBefore, "uring_write_fixed": notBefore,
	"setxattr":    func(_ *validator, s *Step) error { return single(s.words(3)) },
	"ptrace_poke": pokeRule,
	"futex_wait":  func(_ *validator, s *Step) error { return single(s.words(2)) },
	"uring_cmd":   func(_ *validator, s *Step) error { return single(s.words(1)) }, "btrfs_subvolume": func(_ *validator, s *Step) error { return single(s.words(1)) },
	"quotactl": func(_ *validator, s *Step) error { return single(s.words(1)) }, "open_by_handle_at": func(_ *validator, s *Step) error { return single(s.words(2)) },

	"stall": stallRule, "guard": guardRule, "stalled": rangeOfStall, "serve": serveRule, "serve_struct": serveStructRule, "guard_struct": guardStructRule, "poison": poisonRule, "unregister": rangeOfStall,
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

func openRule(_ *validator, s *Step) error {
	flags := s.words(1)
	if flags.Has("rdonly") && flags.Has("trunc") {
		return fmt.Errorf("found %v, whose effect is not defined (open(2))", flags)
	}
	return oneOf(flags, "rdonly", "wronly", "rdwr")
}

func mmapRule(_ *validator, s *Step) error {
	if err := single(s.words(2)); err != nil {
		return err
	}
	if off := s.Args[3].(Size); off.Bytes != 0 || off.Pages < 0 {
		return fmt.Errorf("found offset %v, wanted whole pages", off)
	}
	if err := room(s.Args[4].(Size)); err != nil {
		return err
	}
	return oneOf(s.words(1), "shared", "private")
}

// maxRoom bounds mappings, buffers and transfers: what a machine with little memory still has.
var maxRoom = Pages(1 << 16)

// room demands a length that can be mapped.
func room(n Size) error {
	if !Bytes(1).AtMost(n) || !n.AtMost(maxRoom) {
		return fmt.Errorf("found length %v, wanted 1 to %v", n, maxRoom)
	}
	return nil
}

func mremapRule(v *validator, s *Step) error {
	o, r, err := v.oneRange(s)
	if err != nil {
		return err
	}
	if !r.Whole || o.kind != KindMapping || len(o.lost) > 0 {
		return fmt.Errorf("wanted the name of a whole mapping, without bounds")
	}
	if err := room(s.Args[1].(Size)); err != nil {
		return err
	}
	o.gone = "mremap"
	return nil
}

func anonRule(_ *validator, s *Step) error {
	if err := room(s.Args[0].(Data).Len()); err != nil {
		return err
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
	o := v.named(s, r.Of)
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
	if o.align != (Size{}) || from.Bytes != 0 || to.Bytes != 0 && to != o.length {
		return fmt.Errorf("found [%v:%v], %v behind a page boundary, wanted whole pages", from, to, o.align)
	}
	return nil
}

func oneAdvice(v *validator, s *Step) error {
	if err := single(s.words(1)); err != nil {
		return err
	}
	if o, _, err := v.oneRange(s); err == nil && o.kind == KindStall && (s.words(1).Has("dontneed") || s.words(1).Has("pageout")) {
		return errNotStall
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
	if o, _, err := v.oneRange(s); err == nil && o.kind == KindStall {
		return errNotStall
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

func storeRule(v *validator, s *Step) error { return v.sameLength(s, s.Args[1].(Data)) }

func pieceRule(v *validator, s *Step) error { return v.sameLength(s) }

func checkRule(v *validator, s *Step) error {
	if _, isFile := s.Args[0].(Name); isFile {
		return nil
	}
	if len(s.Args) < 2 {
		return v.sameLength(s)
	}
	return v.sameLength(s, s.Args[1].(Alts)...)
}

// sameLength demands one range, which may be of Bad, and data of its length.
func (v *validator) sameLength(s *Step, data ...Data) error {
	n, err := v.pieceLength(s)
	if err != nil {
		return err
	}
	for _, d := range data {
		if d.Len() != n {
			return fmt.Errorf("found %v of data for a range of %v, wanted them equal", d.Len(), n)
		}
	}
	return nil
}

// pieceLength is the length of a step's first argument, which is one range, perhaps of Bad.
func (v *validator) pieceLength(s *Step) (Size, error) {
	r := s.Args[0].(Buf).Ranges[0]
	if r.Count > 1 {
		return Size{}, fmt.Errorf("found a repeated range, wanted one range")
	}
	from, to := r.From, r.To
	if o := v.named(s, r.Of); o != nil {
		from, to = r.bounds(o.length)
	}
	return to.Minus(from), nil
}

func fallocateRule(_ *validator, s *Step) error {
	mode := s.words(1)
	if len(mode) == 2 && mode.Has("zero") && mode.Has("keep") {
		return nil
	}
	return single(mode)
}
