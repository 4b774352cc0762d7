package prog

import "slices"

// Shrinker makes a program that fails smaller. It knows nothing of how programs run: Fails is asked.
//
//	small := prog.Shrinker{Derive: derive, Fails: fails, Tries: 60}.Shrink(p, step)
type Shrinker struct {
	// Derive sets the expectations of a candidate anew; an error means that it is none. nil leaves candidates without expectations.
	Derive func(*Prog) error
	// Fails reports whether a candidate fails in the way that is looked for. The candidate is valid and must not be changed.
	Fails func(*Prog) bool
	// Tries is how often Fails may be asked.
	Tries int
}

// Shrink cuts as much as it can from a program that fails at a step (-1: at none in particular): first the biggest cuts, then
// ever smaller ones, down to single flags and sizes, until nothing can be left out or the tries are used up. No text is tried twice, and the
// same questions answered in the same way lead to the same program. The result is p itself if nothing smaller fails. Expectations are those of
// Derive; needs that Derive does not put there itself are kept, and comments are not.
func (s Shrinker) Shrink(p *Prog, step int) *Prog {
	f := search{Shrinker: s, best: p, tried: map[string]bool{}}
	if step >= 0 && step < len(p.Steps) {
		f.op = p.Steps[step].Op
	}
	start := bare(p)
	f.needs = f.ownNeeds(p)
	start.Needs = slices.Clone(f.needs)
	if f.derive(start) != nil {
		return p
	}
	f.tried[start.String()] = true
	f.cut(tail(step))
	for f.round() {
	}
	return f.best
}

// search is one run of a Shrinker.
type search struct {
	Shrinker
	// best is the smallest program that failed so far.
	best *Prog
	// op is that of the step that fails: a candidate without it is none.
	op string
	// needs are those that Derive does not put there by itself.
	needs []string
	tried map[string]bool
}

// edit changes a program that is ours alone. What it leaves without meaning goes too: see prune.
type edit func(*Prog)

// edits lists what can be tried on a program.
type edits func(*Prog) []edit

// round goes through all kinds of cuts once, and reports whether one of them helped.
func (f *search) round() bool {
	before := f.best
	f.cut(withoutActors)
	for size := len(f.best.Steps) / 2; size >= 1; size /= 2 {
		f.cut(withoutSteps(size))
	}
	for _, list := range []edits{withoutFiles, withoutPieces, withoutFlags, withSimplerSizes, withSimplerData} {
		f.cut(list)
	}
	return f.best != before && f.Tries > 0
}

// cut tries edits one after the other. Where one has helped, the list is made anew and goes on at the same place.
func (f *search) cut(list edits) {
	for i := 0; f.Tries > 0; {
		all := list(f.best)
		if i >= len(all) {
			return
		}
		if !f.try(all[i]) {
			i++
		}
	}
}

// try makes a candidate and keeps it if it fails.
func (f *search) try(change edit) bool {
	c := bare(f.best)
	c.Needs = slices.Clone(f.needs)
	change(c)
	c.prune()
	if !f.hasOp(c) || f.derive(c) != nil {
		return false
	}
	text := c.String()
	if f.tried[text] {
		return false
	}
	f.tried[text] = true
	f.Tries--
	if !f.Fails(c) {
		return false
	}
	f.best = c
	return true
}

// hasOp reports whether the operation that fails is still there.
func (f *search) hasOp(p *Prog) bool {
	return f.op == "" || slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Op == f.op })
}

// derive makes a candidate valid or refuses it.
func (f *search) derive(p *Prog) error {
	if f.Derive != nil {
		if err := f.Derive(p); err != nil {
			return err
		}
	}
	return p.Validate()
}

// ownNeeds are the needs that Derive does not put there by itself: guarantees that the program was written to rely on.
func (f *search) ownNeeds(p *Prog) []string {
	without := bare(p)
	without.Needs = nil
	if f.derive(without) != nil {
		return p.Needs
	}
	return slices.DeleteFunc(slices.Clone(p.Needs), func(need string) bool { return slices.Contains(without.Needs, need) })
}

// bare is a copy of the program, deep enough for every edit, without comments and expectations.
func bare(p *Prog) *Prog {
	c := &Prog{Doc: p.Doc, Name: p.Name, Needs: p.Needs}
	for _, f := range p.Files {
		f.Note, f.Data = nil, slices.Clone(f.Data)
		c.Files = append(c.Files, f)
	}
	for _, s := range p.Steps {
		s.Note, s.Want, s.Args = nil, nil, slices.Clone(s.Args)
		s.forget()
		for i, a := range s.Args {
			switch a := a.(type) {
			case Buf:
				a.Ranges = slices.Clone(a.Ranges)
				s.Args[i] = a
			case Data:
				s.Args[i] = slices.Clone(a)
			}
		}
		c.Steps = append(c.Steps, s)
	}
	return c
}

// prune takes out the steps that mean nothing any more: those that use what is no longer made, and waits for actors that do nothing.
func (p *Prog) prune() {
	v := newValidator()
	for _, f := range p.Files {
		if v.file(f) != nil {
			return
		}
	}
	p.Steps = slices.DeleteFunc(p.Steps, func(s Step) bool {
		if v.step(&s) != nil {
			return true
		}
		v.acted[s.Actor] = true
		return false
	})
}
