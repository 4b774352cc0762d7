// Package familytest holds the demands on every family, for the tests of the families. It imports family, prog and gomega.
//
//	func TestFamily(t *testing.T) { familytest.Check(t, eof.Family) }
package familytest

import (
	"go/parser"
	"go/token"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/family"
	"faultline/generators/prog"
)

// sample is how many programs of a large family are built.
const sample = 3000

// Check demands what holds for every family: its dimensions are documented in the package comment (the test runs in the package's folder),
// programs are valid, read back to themselves, are found by name, and are the same when built again. Families with more than 3000 programs
// are sampled. It prints how many programs there are.
func Check(t *testing.T, f *family.Family) {
	t.Run("comment", func(t *testing.T) { comment(t, f) })
	t.Run("names", func(t *testing.T) { names(t, f) })
	t.Run("programs", func(t *testing.T) { programs(t, f) })
	t.Run("count", func(t *testing.T) { count(t, f) })
}

func comment(t *testing.T, f *family.Family) {
	g := gomega.NewWithT(t)
	pkgs, err := parser.ParseDir(token.NewFileSet(), ".", nil, parser.ParseComments|parser.PackageClauseOnly)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	var doc string
	for _, file := range pkgs[f.Name].Files {
		doc += file.Doc.Text()
	}
	doc = strings.Join(strings.Fields(doc), " ")
	for _, d := range f.Dims {
		g.Expect(doc).To(gomega.ContainSubstring(d.Name+": "+strings.Join(d.Values, " ")+";"),
			"package comment, dimension %s: wanted its name, a colon, its values, a semicolon, what they mean", d.Name)
		g.Expect(d.Doc).NotTo(gomega.BeEmpty())
	}
	g.Expect(f.Doc).NotTo(gomega.BeEmpty())
}

func names(t *testing.T, f *family.Family) {
	g := gomega.NewWithT(t)
	seen := map[string]bool{}
	for p := range f.Points(family.DefaultSeed) {
		path := p.Path()
		if seen[path] {
			t.Fatalf("name %s stands for two programs", path)
		}
		seen[path] = true
	}
	for _, d := range f.Dims {
		for _, v := range d.Values {
			g.Expect(v).To(gomega.MatchRegexp(`^[a-z0-9][a-z0-9.+-]*$`), "value of dimension %s", d.Name)
		}
	}
}

func programs(t *testing.T, f *family.Family) {
	all, _, _ := f.Count()
	random := rand.New(rand.NewPCG(family.DefaultSeed, 0))
	for p := range f.Points(family.DefaultSeed) {
		if random.IntN(all) >= sample {
			continue
		}
		if one(t, f, f.At(p)); t.Failed() {
			return
		}
	}
}

func one(t *testing.T, f *family.Family, p *prog.Prog) {
	g := gomega.NewWithT(t)
	text := p.String()
	g.Expect(p.Validate()).To(gomega.Succeed(), text)
	again, err := prog.Parse(text)
	g.Expect(err).NotTo(gomega.HaveOccurred(), text)
	g.Expect(again.String()).To(gomega.Equal(text))
	found := f.Find(p.Name)
	g.Expect(found).NotTo(gomega.BeNil(), p.Name)
	g.Expect(found.String()).To(gomega.Equal(text))
	g.Expect(p.Doc).NotTo(gomega.BeEmpty(), text)
	g.Expect(family.Labels(p)).NotTo(gomega.BeEmpty(), text)
}

// Cover demands by brute force that Quick has every pair of values that All has, that it is small, that it depends on the seed alone, and
// that its programs can be built.
func Cover(t *testing.T, f *family.Family) {
	g := gomega.NewWithT(t)
	wanted := map[string]bool{}
	for p := range f.Points(family.DefaultSeed) {
		pairs(f, p, func(pair string) { wanted[pair] = true })
	}
	var first, second []string
	for p := range f.QuickPoints(family.DefaultSeed) {
		pairs(f, p, func(pair string) { delete(wanted, pair) })
		first = append(first, p.Path())
	}
	for p := range f.Quick(family.DefaultSeed) {
		second = append(second, strings.TrimPrefix(p.Name, f.Name+"/"))
	}
	g.Expect(wanted).To(gomega.BeEmpty(), "pairs of values that the quick subset lacks")
	g.Expect(second).To(gomega.Equal(first))
}

// pairs calls visit for the text of every pair of values of a point.
func pairs(f *family.Family, p family.Point, visit func(string)) {
	for i, d := range f.Dims {
		for _, e := range f.Dims[i+1:] {
			visit(d.Name + "=" + p.Get(d.Name) + " " + e.Name + "=" + p.Get(e.Name))
		}
	}
}

func count(t *testing.T, f *family.Family) {
	g := gomega.NewWithT(t)
	all, quick, leftOut := f.Count()
	g.Expect(quick).To(gomega.And(gomega.BeNumerically(">", 0), gomega.BeNumerically("<=", all)))
	combinations := max(f.Seeds, 1)
	for _, d := range f.Dims {
		combinations *= len(d.Values)
	}
	left := 0
	for _, n := range leftOut {
		left += n * max(f.Seeds, 1)
	}
	g.Expect(all + left).To(gomega.Equal(combinations))
	t.Logf("%s: %d programs, %d in quick, left out: %v", f.Name, all, quick, leftOut)
}
