package prog

import "slices"

// The edits of a Shrinker. Each list has the biggest cuts first, and each edit makes the program shorter or one of its parts simpler, so
// that a chain of them comes to an end.

// tail cuts off the steps behind the one that failed.
func tail(step int) edits {
	return func(p *Prog) []edit {
		if step < 0 || step+1 >= len(p.Steps) {
			return nil
		}
		return []edit{func(p *Prog) { p.Steps = p.Steps[:step+1] }}
	}
}

// withoutActors leaves out one actor, or has the main thread do its steps.
func withoutActors(p *Prog) (list []edit) {
	for _, name := range p.Actors() {
		list = append(list, func(p *Prog) {
			p.Steps = slices.DeleteFunc(p.Steps, func(s Step) bool { return s.Actor == name || s.waitsFor(name) })
		})
	}
	for _, name := range p.Actors() {
		list = append(list, func(p *Prog) {
			p.Steps = slices.DeleteFunc(p.Steps, func(s Step) bool { return s.waitsFor(name) })
			for i := range p.Steps {
				if p.Steps[i].Actor == name {
					p.Steps[i].Actor = ""
				}
			}
		})
	}
	return list
}

func (s *Step) waitsFor(actor string) bool {
	return (s.Op == "wait" || s.Op == "proceeds") && s.Args[0] == Name(actor)
}

// withoutSteps leaves out size steps in a row, the last ones first: fewer others depend on them.
func withoutSteps(size int) edits {
	return func(p *Prog) (list []edit) {
		for end := len(p.Steps); end > 0; end -= size {
			from := max(end-size, 0)
			list = append(list, func(p *Prog) { p.Steps = slices.Delete(p.Steps, from, end) })
		}
		return list
	}
}

// withoutFiles leaves out all files that no step names, or one file with all that use it.
func withoutFiles(p *Prog) (list []edit) {
	unused := func(f File) bool {
		return !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.names(f.Name) })
	}
	if slices.ContainsFunc(p.Files, unused) {
		list = append(list, func(p *Prog) { p.Files = slices.DeleteFunc(p.Files, unused) })
	}
	for i := range p.Files {
		list = append(list, func(p *Prog) { p.Files = slices.Delete(p.Files, i, i+1) })
	}
	return list
}

// names reports whether the step has the name of a file among its arguments.
func (s *Step) names(file string) bool {
	return slices.ContainsFunc(s.Args, func(a Arg) bool { n, is := a.(Name); return is && string(n) == file })
}

// eachBuf calls f for every argument of every step that is memory.
func eachBuf(p *Prog, f func(step, arg int, b Buf)) {
	for k := range p.Steps {
		for i, a := range p.Steps[k].Args {
			if b, is := a.(Buf); is {
				f(k, i, b)
			}
		}
	}
}

// withoutPieces leaves out pieces of vectors: halves, single ones, and repetitions.
func withoutPieces(p *Prog) (list []edit) {
	eachBuf(p, func(step, arg int, b Buf) {
		n := len(b.Ranges)
		for size := n / 2; size >= 1; size /= 2 {
			for from := 0; from < n; from += size {
				list = append(list, onBuf(step, arg, func(b *Buf) { b.Ranges = slices.Delete(b.Ranges, from, min(from+size, n)) }))
			}
		}
		for i, r := range b.Ranges {
			for _, fewer := range []int{1, r.Count / 2, r.Count - 1} {
				if fewer >= 1 && fewer < r.Count {
					list = append(list, onBuf(step, arg, func(b *Buf) { b.Ranges[i].repeat(fewer) }))
				}
			}
		}
	})
	return list
}

// repeat sets the number of repetitions.
func (r *Range) repeat(n int) {
	if r.Count = n; n == 1 {
		r.Count, r.Stride = 0, Size{}
	}
}

// onBuf changes a memory argument.
func onBuf(step, arg int, change func(*Buf)) edit {
	return func(p *Prog) {
		b := p.Steps[step].Args[arg].(Buf)
		change(&b)
		p.Steps[step].Args[arg] = b
	}
}

// withoutFlags leaves out single flags, arguments that may be left out, declared faults, and other places of files.
func withoutFlags(p *Prog) (list []edit) {
	for k := range p.Steps {
		for i, a := range p.Steps[k].Args {
			if Ops[p.Steps[k].Op].Params[i].Optional {
				list = append(list, func(p *Prog) { p.Steps[k].Args = p.Steps[k].Args[:i] })
			}
			words, _ := a.(Words)
			for w := range words {
				list = append(list, func(p *Prog) { p.Steps[k].Args[i] = slices.Delete(slices.Clone(words), w, w+1) })
			}
		}
	}
	eachBuf(p, func(step, arg int, b Buf) {
		for i, r := range b.Ranges {
			if r.Faults && r.Of != Bad {
				list = append(list, onBuf(step, arg, func(b *Buf) { b.Ranges[i].Faults = false }))
			}
		}
	})
	for i, f := range p.Files {
		if f.Elsewhere {
			list = append(list, func(p *Prog) { p.Files[i].Elsewhere = false })
		}
	}
	return list
}

// withSimplerSizes makes offsets, lengths and ranges smaller and rounder.
func withSimplerSizes(p *Prog) (list []edit) {
	for k := range p.Steps {
		for i, a := range p.Steps[k].Args {
			size, is := a.(Size)
			if !is {
				continue
			}
			for _, n := range size.simpler() {
				list = append(list, func(p *Prog) {
					p.Steps[k].Args[i] = n
					p.clip(k)
				})
			}
		}
	}
	eachBuf(p, func(step, arg int, b Buf) {
		for i, r := range b.Ranges {
			for _, simple := range r.simpler() {
				shorten := onBuf(step, arg, func(b *Buf) { b.Ranges[i] = simple })
				list = append(list, func(p *Prog) {
					shorten(p)
					p.Steps[step].fit(simple.To.Minus(simple.From))
				})
			}
		}
	})
	return list
}

// simpler lists sizes that are simpler, the simplest first: nothing, whole pages, fewer of them.
func (s Size) simpler() (list []Size) {
	if s.Pages < 0 || s.Pages == 0 && s.Bytes < 0 {
		return nil // such as -1, which has a meaning of its own
	}
	for _, n := range []Size{{}, Pages(1), Pages(s.Pages), Pages(s.Pages / 2), Pages(s.Pages - 1), Bytes(1), Bytes(512), Bytes(s.Bytes / 2)} {
		if n.before(s) && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// before orders sizes by how simple they are.
func (s Size) before(t Size) bool {
	if s.Pages != t.Pages {
		return s.Pages >= 0 && s.Pages < t.Pages
	}
	return s.Bytes >= 0 && s.Bytes < max(t.Bytes, -t.Bytes)
}

// simpler lists simpler ranges: shorter ones, and those that begin further down.
func (r Range) simpler() (list []Range) {
	if r.Whole {
		return nil
	}
	length := r.To.Minus(r.From)
	for _, n := range length.simpler() {
		if n != (Size{}) {
			list = append(list, Range{Of: r.Of, From: r.From, To: r.From.Plus(n), Faults: r.Faults, Count: r.Count, Stride: r.Stride})
		}
	}
	for _, from := range r.From.simpler() {
		list = append(list, Range{Of: r.Of, From: from, To: from.Plus(length), Faults: r.Faults, Count: r.Count, Stride: r.Stride})
	}
	return list
}

// withSimplerData makes the bytes of files, buffers and stores fewer and simpler.
func withSimplerData(p *Prog) (list []edit) {
	for i, f := range p.Files {
		for _, d := range f.Data.simpler() {
			list = append(list, func(p *Prog) { p.Files[i].Data = d })
		}
	}
	for k := range p.Steps {
		for i, a := range p.Steps[k].Args {
			data, _ := a.(Data)
			for _, d := range data.simpler() {
				list = append(list, func(p *Prog) {
					p.Steps[k].Args[i] = d
					p.clip(k)
				})
			}
		}
	}
	return list
}

// simpler lists simpler data: without a run, with a shorter one, with other bytes.
func (d Data) simpler() (list []Data) {
	with := func(i int, r ...Run) { list = append(list, slices.Concat(d[:i:i], r, d[i+1:])) }
	if len(d) > 1 {
		list = append(list, Pat(1, d.Len()))
	}
	for i := range d {
		with(i)
	}
	for i, r := range d {
		for _, n := range r.Len.simpler() {
			with(i, Run{Len: n, May: r.May})
		}
		if s := r.May[0]; s.From != (Size{}) {
			with(i, Run{Len: r.Len, May: []Source{{Kind: s.Kind, ID: s.ID}}})
		} else if s.Kind == Unwritten || s.Kind == Zero {
			with(i, Run{Len: r.Len, May: []Source{{Kind: Hole}}})
		} else if s.Kind == Pattern {
			with(i, Run{Len: r.Len, May: []Source{{Kind: Fill, ID: 'a'}}})
		}
	}
	return list
}

// clip shortens the ranges that reach behind the end of what a step makes, after the step has been changed; those wholly behind it move.
func (p *Prog) clip(maker int) {
	made := &p.Steps[maker]
	var length Size
	switch {
	case made.Op == "mmap":
		length = made.Args[4].(Size)
	case made.Op == "mremap":
		length = made.Args[1].(Size)
	case made.Op == "stall", made.Op == "guard_struct":
		length = made.Args[0].(Size)
	case made.Op == "anon", made.Op == "guard":
		length = made.Args[0].(Data).Len()
	default:
		return
	}
	eachBuf(p, func(step, arg int, b Buf) {
		s := &p.Steps[step]
		if step <= maker || s.Process() != made.Process() || s.Process() && s.Actor != made.Actor {
			return
		}
		for i, r := range b.Ranges {
			switch {
			case r.Of != made.Makes || r.Faults:
			case r.Whole:
				s.fit(length)
			case !r.To.AtMost(length):
				if length.AtMost(r.From) {
					r.From = Size{}
				}
				b.Ranges[i].From, b.Ranges[i].To = r.From, length
				s.fit(length.Minus(r.From))
			}
		}
	})
}

// fit makes the data of a store n bytes long.
func (s *Step) fit(n Size) {
	if s.Op != "store" && s.Op != "serve" || len(s.Args) < 2 {
		return
	}
	if d := s.Args[1].(Data); d.Len() != n && len(d) > 0 {
		s.Args[1] = Data{{Len: n, May: d[0].May}}
	}
}
