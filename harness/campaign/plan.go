package campaign

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"faultline/generators"
	"faultline/generators/family"
	"faultline/generators/prog"
)

// Selection says which programs a run has.
type Selection struct {
	// Groups are families and labels; a program of any of them is taken. "quick" is the covering array of every family, "auto" everything.
	Groups []string
	// Exclude are groups whose programs are left out.
	Exclude []string
	// Filter is an expression over names, "" for all: see ParseFilter.
	Filter string
	Seed   uint64
	// Regressions run before the families, as the group regress; they are in quick.
	Regressions []*prog.Prog
}

// Plan is the ordered programs of a run.
type Plan struct {
	sel    Selection
	filter Filter
}

// NewPlan checks a selection.
func NewPlan(sel Selection) (*Plan, error) {
	filter, err := ParseFilter(sel.Filter)
	if err != nil {
		return nil, err
	}
	for _, g := range slices.Concat(sel.Groups, sel.Exclude) {
		if !slices.Contains(Groups(), g) {
			return nil, fmt.Errorf("there is no group %q; the groups are %s", g, strings.Join(Groups(), " "))
		}
	}
	return &Plan{sel: sel, filter: filter}, nil
}

// labels are the groups that programs get from their steps; a test holds this list against what the families really have.
var labels = []string{
	"append", "collapse", "dio", "dir", "eof", "fault", "insert", "ioctl", "mmap", "mremap", "nowait", "prealloc", "private", "process", "punch", "rw",
	"seek", "shared", "stall", "sync", "thread", "trunc", "vector", "zero",
}

// Groups lists all groups: quick and auto, the families, the labels.
func Groups() []string {
	all := []string{"quick", "auto", "regress"}
	for _, f := range generators.All {
		all = append(all, f.Name)
	}
	return append(all, labels...)
}

// Programs are the programs of the plan in their order: the regressions, then family by family. It can be walked through any number of times.
func (p *Plan) Programs() iter.Seq[*prog.Prog] {
	return func(yield func(*prog.Prog) bool) {
		for _, one := range p.sel.Regressions {
			if p.filter.Match(one.Name) && p.wants(one, true, "regress") && !yield(one) {
				return
			}
		}
		quickOnly := len(p.sel.Groups) == 1 && p.sel.Groups[0] == "quick"
		quick := map[string]bool{}
		if !quickOnly && (slices.Contains(p.sel.Groups, "quick") || slices.Contains(p.sel.Exclude, "quick")) {
			quick = quickNames(p.sel.Seed)
		}
		for f, one := range generators.Each(p.sel.Seed, quickOnly, p.keep) {
			if p.wants(one, quickOnly || quick[one.Name], append(f.Labels, f.Name)...) && !yield(one) {
				return
			}
		}
	}
}

// keep decides by the name alone, so that a narrow choice builds few programs.
func (p *Plan) keep(name string) bool {
	if !p.filter.Match(name) {
		return false
	}
	of, _, _ := strings.Cut(name, "/")
	for _, g := range p.sel.Groups {
		if g == of || generators.Find(g) == nil && g != "regress" {
			return true
		}
	}
	return len(p.sel.Groups) == 0
}

// wants decides by the groups of a program.
func (p *Plan) wants(one *prog.Prog, quick bool, more ...string) bool {
	groups := append(append(family.Labels(one), more...), "auto")
	if quick {
		groups = append(groups, "quick")
	}
	in := func(g string) bool { return slices.Contains(groups, g) }
	if slices.ContainsFunc(p.sel.Exclude, in) {
		return false
	}
	return len(p.sel.Groups) == 0 || slices.ContainsFunc(p.sel.Groups, in)
}

func quickNames(seed uint64) map[string]bool {
	names := map[string]bool{}
	for _, f := range generators.All {
		for point := range f.QuickPoints(seed) {
			names[f.Name+"/"+point.Path()] = true
		}
	}
	return names
}

// Count is the number of programs. Where names decide, none is built for it.
func (p *Plan) Count() int {
	n := 0
	byName := len(p.sel.Exclude) == 0
	for _, g := range p.sel.Groups {
		byName = byName && (g == "auto" || g == "quick" && len(p.sel.Groups) == 1 || generators.Find(g) != nil)
	}
	if !byName {
		for range p.Programs() {
			n++
		}
		return n
	}
	for _, one := range p.sel.Regressions {
		if p.filter.Match(one.Name) && p.wants(one, true, "regress") {
			n++
		}
	}
	quick := len(p.sel.Groups) == 1 && p.sel.Groups[0] == "quick"
	for _, f := range generators.All {
		points := f.Points(p.sel.Seed)
		if quick {
			points = f.QuickPoints(p.sel.Seed)
		}
		for point := range points {
			if p.keep(f.Name + "/" + point.Path()) {
				n++
			}
		}
	}
	return n
}

// Find is the program of that name, in the regressions or the families, or nil.
func Find(name string, regressions []*prog.Prog) *prog.Prog {
	for _, one := range regressions {
		if one.Name == name {
			return one
		}
	}
	return generators.Program(name)
}
