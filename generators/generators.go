// Package generators is the one list of families. It imports the families.
//
//	for p := range generators.Find("selfio").Quick(family.DefaultSeed) { ... }
package generators

import (
	"iter"
	"strings"

	"faultline/generators/crossio"
	"faultline/generators/eof"
	"faultline/generators/family"
	"faultline/generators/prog"
	"faultline/generators/selfio"
	"faultline/generators/sequence"
	"faultline/generators/stall"
	"faultline/generators/structs"
	"faultline/generators/vector"
)

// All are the families, in the order in which they run.
var All = []*family.Family{
	selfio.Family,
	vector.Family,
	crossio.Family,
	eof.Family,
	structs.Family,
	sequence.Family,
	stall.Family,
}

// Find is the family of that name, or nil.
func Find(name string) *family.Family {
	for _, f := range All {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// Program is the program of that name, in whichever family, or nil.
func Program(name string) *prog.Prog {
	first, _, _ := strings.Cut(name, "/")
	f := Find(first)
	if f == nil {
		return nil
	}
	return f.Find(name)
}

// Each walks through the programs of all families whose name keep accepts, those of the quick subset or all. Names are tried before programs
// are built, so that a narrow choice is quick.
func Each(seed uint64, quick bool, keep func(name string) bool) iter.Seq2[*family.Family, *prog.Prog] {
	return func(yield func(*family.Family, *prog.Prog) bool) {
		for _, f := range All {
			points := f.Points(seed)
			if quick {
				points = f.QuickPoints(seed)
			}
			for p := range points {
				if !keep(f.Name + "/" + p.Path()) {
					continue
				}
				if !yield(f, f.At(p)) {
					return
				}
			}
		}
	}
}
