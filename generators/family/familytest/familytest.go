// Package familytest holds the demands on every family, for the tests of the families. It imports family and prog.
//
//	func TestFamily(t *testing.T) { familytest.Check(t, eof.Family) }
package familytest

import (
	"fmt"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"faultline/generators/family"
	"faultline/generators/prog"
)

// sample is how many programs of a large family are built.
const sample = 3000

// Check demands what holds for every family: its dimensions are documented in the package comment (the test runs in the package's folder),
// names are unique words, programs are valid, read back to themselves, are found by name, and are the same when built again. Families with
// more than 3000 programs are sampled. It prints how many programs there are.
func Check(t *testing.T, f *family.Family) {
	for name, demand := range demands {
		t.Run(name, func(t *testing.T) {
			if err := demand(f); err != nil {
				t.Fatalf("family %s: %v", f.Name, err)
			}
		})
	}
	all, quick, leftOut := f.Count()
	t.Logf("%s: %d programs, %d in quick, left out: %v", f.Name, all, quick, leftOut)
}

var demands = map[string]func(*family.Family) error{
	"comment": commented, "names": named, "programs": built, "count": counted,
}

// commented demands that the package comment names every dimension with its values.
func commented(f *family.Family) error {
	pkgs, err := parser.ParseDir(token.NewFileSet(), ".", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		return fmt.Errorf("read the package comment: %w", err)
	}
	var doc strings.Builder
	for _, pkg := range pkgs {
		for _, file := range pkg.Files {
			doc.WriteString(file.Doc.Text())
		}
	}
	text := strings.Join(strings.Fields(doc.String()), " ")
	for _, d := range f.Dims {
		if line := d.Name + ": " + strings.Join(d.Values, " ") + ";"; !strings.Contains(text, line) {
			return fmt.Errorf("the package comment does not say %q", line)
		}
		if d.Doc == "" {
			return fmt.Errorf("dimension %s has no doc", d.Name)
		}
	}
	if f.Doc == "" {
		return fmt.Errorf("the family has no doc")
	}
	return nil
}

var word = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]*$`)

// named demands that values are words, and that no two points have one name.
func named(f *family.Family) error {
	for _, d := range f.Dims {
		for _, v := range d.Values {
			if !word.MatchString(v) {
				return fmt.Errorf("value %q of dimension %s is no word", v, d.Name)
			}
		}
	}
	seen := map[string]bool{}
	for p := range f.Points(family.DefaultSeed) {
		if seen[p.Path()] {
			return fmt.Errorf("two programs are named %s", p.Path())
		}
		seen[p.Path()] = true
	}
	return nil
}

// built demands of a sample of programs what holds for one.
func built(f *family.Family) error {
	all, _, _ := f.Count()
	random := rand.New(rand.NewPCG(family.DefaultSeed, 0))
	for p := range f.Points(family.DefaultSeed) {
		if random.IntN(all) >= sample {
			continue
		}
		one := f.At(p)
		if err := sound(f, one); err != nil {
			return fmt.Errorf("%w:\n%s", err, one)
		}
	}
	return nil
}

func sound(f *family.Family, p *prog.Prog) error {
	if err := p.Validate(); err != nil {
		return err
	}
	text := p.String()
	again, err := prog.Parse(text)
	if err != nil {
		return fmt.Errorf("its own text cannot be read: %w", err)
	}
	if again.String() != text {
		return fmt.Errorf("read back it is another program:\n%s", again)
	}
	found := f.Find(p.Name)
	switch {
	case found == nil:
		return fmt.Errorf("it cannot be found by its name")
	case found.String() != text:
		return fmt.Errorf("found by its name it is another program:\n%s", found)
	case len(p.Doc) == 0:
		return fmt.Errorf("it has no comment")
	case len(family.Labels(p)) == 0:
		return fmt.Errorf("it has no labels")
	}
	return nil
}

// counted demands that what is kept and what is left out are all combinations.
func counted(f *family.Family) error {
	all, quick, leftOut := f.Count()
	combinations := max(f.Seeds, 1)
	for _, d := range f.Dims {
		combinations *= len(d.Values)
	}
	kept := all
	for _, n := range leftOut {
		kept += n * max(f.Seeds, 1)
	}
	if kept != combinations || quick < 1 || quick > all {
		return fmt.Errorf("%d programs, %d in quick, and %d with those left out, of %d combinations", all, quick, kept, combinations)
	}
	return nil
}

// Cover demands by brute force that the quick subset has every pair of values that the family has, and that its programs can be built.
func Cover(t *testing.T, f *family.Family) {
	points := slices.Collect(f.QuickPoints(family.DefaultSeed))
	if missing := uncovered(f, points); len(missing) > 0 {
		t.Fatalf("family %s: the quick subset lacks %v", f.Name, missing)
	}
	i := 0
	for p := range f.Quick(family.DefaultSeed) {
		if want := f.Name + "/" + points[i].Path(); p.Name != want {
			t.Fatalf("family %s: program %d of the quick subset is %s, wanted %s", f.Name, i, p.Name, want)
		}
		i++
	}
}

// uncovered lists the pairs of values that points of the family have, but none of those given.
func uncovered(f *family.Family, points []family.Point) []string {
	wanted := map[string]bool{}
	for p := range f.Points(family.DefaultSeed) {
		eachPair(f, p, func(pair string) { wanted[pair] = true })
	}
	for _, p := range points {
		eachPair(f, p, func(pair string) { delete(wanted, pair) })
	}
	var missing []string
	for pair := range wanted {
		missing = append(missing, pair)
	}
	slices.Sort(missing)
	return missing
}

// eachPair calls visit for the text of every pair of values of a point.
func eachPair(f *family.Family, p family.Point, visit func(string)) {
	for i, d := range f.Dims {
		for _, e := range f.Dims[i+1:] {
			visit(d.Name + "=" + p.Get(d.Name) + " " + e.Name + "=" + p.Get(e.Name))
		}
	}
}
