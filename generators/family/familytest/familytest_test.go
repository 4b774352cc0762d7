package familytest

import (
	"slices"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/family"
)

// good is a family without faults, but for the comment of its package, which is this one's.
func good() *family.Family {
	return &family.Family{
		Name: "good",
		Doc:  "a family",
		Dims: []family.Dim{
			{Name: "op", Doc: "the call", Values: []string{"pread", "pwrite"}},
			{Name: "offset", Doc: "the page", Values: []string{"0p", "1p", "2p"}},
			{Name: "map", Doc: "the mapping", Values: []string{"shared", "private"}},
		},
		Build: func(b *family.Builder, p family.Point) {
			b.Doc("A %s.", p.Get("op"))
			b.File("A", "pat1*4p")
			b.Line("d = open(A, rdwr)")
			b.Line("m = mmap(d, %s, rw, 0, 4p)", p.Get("map"))
			b.Do(p.Get("op"), "d", "m[0:1p]", p.Get("offset"))
		},
	}
}

func TestAGoodFamilyIsGood(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, demand := range []func(*family.Family) error{named, built, counted} {
		g.Expect(demand(good())).To(gomega.Succeed())
	}
	Cover(t, good())
}

// Each planted fault must be noticed, with the right words.
func TestFaultsOfFamiliesAreNoticed(t *testing.T) {
	for _, c := range []struct {
		words  string
		demand func(*family.Family) error
		plant  func(*family.Family)
	}{
		{"the package comment does not say", commented, func(*family.Family) {}},
		{"is no word", named, func(f *family.Family) { f.Dims[2].Values[0] = "a/b" }},
		{"two programs are named", named, func(f *family.Family) { f.Dims[1].Values[1] = "0p" }},
		{"it has no comment", built, func(f *family.Family) {
			f.Build = func(b *family.Builder, p family.Point) { b.Line("d = open(A, rdwr)"); b.File("A", "empty") }
		}},
		{"found by its name it is another program", built, func(f *family.Family) {
			build, n := f.Build, 0
			f.Build = func(b *family.Builder, p family.Point) { n++; b.Doc("Number %d.", n); build(b, p) }
		}},
		{"0 programs, 0 in quick", counted, func(f *family.Family) { f.Rule = func(family.Point) string { return "never" } }},
	} {
		t.Run(c.words, func(t *testing.T) {
			g := gomega.NewWithT(t)
			f := good()
			c.plant(f)
			g.Expect(c.demand(f)).To(gomega.MatchError(gomega.ContainSubstring(c.words)))
		})
	}
}

func TestALackingPairIsNoticed(t *testing.T) {
	g := gomega.NewWithT(t)
	f := good()
	points := slices.Collect(f.QuickPoints(family.DefaultSeed))
	g.Expect(uncovered(f, points)).To(gomega.BeEmpty())
	g.Expect(uncovered(f, nil)).To(gomega.HaveLen(6 + 4 + 6))
	g.Expect(uncovered(f, points[:len(points)-1])).NotTo(gomega.BeEmpty())
}
