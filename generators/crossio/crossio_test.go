package crossio

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/family"
	"faultline/generators/family/familytest"
)

func TestFamily(t *testing.T) { familytest.Check(t, Family) }

// A crossed program has A read into a mapping of B, and B into a mapping of A, by two actors with the calls in turn.
func TestCrossed(t *testing.T) {
	g := gomega.NewWithT(t)
	text := Family.Find("crossio/crossed/read/buffered/shared/threads/cold/apart/page/none").String()
	g.Expect(text).To(gomega.ContainSubstring("d1 = open(A, rdwr)\ne1 = open(B, rdwr)\nm1 = mmap(e1, shared, rw, 0, 6p)\n"))
	g.Expect(text).To(gomega.ContainSubstring("d2 = open(B, rdwr)\ne2 = open(A, rdwr)\nm2 = mmap(e2, shared, rw, 0, 6p)\n"))
	g.Expect(calls(text, "pread(")).To(gomega.Equal([]string{
		"t1: pread(d1, m1[2p:3p], 0)", "t2: pread(d2, m2[2p:3p], 0)", "t1: pread(d1, m1[3p:4p], 1p)", "t2: pread(d2, m2[3p:4p], 1p)",
		"t1: pread(d1, m1[2p:3p], 0)", "t2: pread(d2, m2[2p:3p], 0)", "t1: pread(d1, m1[3p:4p], 1p)", "t2: pread(d2, m2[3p:4p], 1p)",
	}))
}

// Every actor of a ring maps the file of the next, and the last one that of the first.
func TestRingsAreClosed(t *testing.T) {
	for shape, files := range rings {
		if shape == "alone" {
			continue
		}
		g := gomega.NewWithT(t)
		text := Family.Find("crossio/" + shape + "/vector/direct/private/processes/evicted/meet/straddling/none").String()
		opens := calls(text, "open(")
		for i, file := range files {
			g.Expect(opens[2*i]).To(gomega.HaveSuffix("open(" + file + ", rdwr|direct)"))
			g.Expect(opens[2*i+1]).To(gomega.HaveSuffix("open(" + files[(i+1)%len(files)] + ", rdwr)"))
		}
		g.Expect(strings.Contains(text, "file S on other = pat2*6p")).To(gomega.Equal(shape == "chain"))
	}
}

// The third actor does what its value says, to file B, in every round, beside the others.
func TestThird(t *testing.T) {
	for what, call := range map[string]string{
		"truncate": "ftruncate(x, 1p)", "punch": "fallocate(x, punch, 0, 1p)", "sync": "msync(y, sync)", "evict": "fadvise(x, 0, 0, dontneed)",
		"drop": "drop_caches()", "store": "store(y[0:64], pat9*64)", "remap": "munmap(y4)", "none": "",
	} {
		g := gomega.NewWithT(t)
		text := Family.Find("crossio/crossed/read/buffered/shared/processes/cold/apart/page/" + what).String()
		g.Expect(len(calls(text, "p9: ")) > 0).To(gomega.Equal(what != "none"), what)
		if what == "none" {
			continue
		}
		g.Expect(calls(text, "p9: ")).To(gomega.ContainElement("p9: "+call), what)
		g.Expect(calls(text, "x = open(")).To(gomega.Equal([]string{"p9: x = open(B, rdwr)"}), what)
		g.Expect(strings.Index(text, "p9: "+call)).To(gomega.BeNumerically("<", strings.Index(text, "wait(p1)")), what)
	}
}

// Alone, the main thread does everything. Undisturbed and apart, every byte is known in the end, whoever was first; where reads and writes change
// one file, the model does not tell their pages apart, and direct transfers may collide with stores.
func TestApartIsExact(t *testing.T) {
	g := gomega.NewWithT(t)
	for p := range Family.Points(family.DefaultSeed) {
		if !p.Is("third", "none") || !p.Is("shape", "alone") && !(p.Is("place", "apart") && p.Is("op", "read", "write") && p.Is("mode", "buffered")) {
			continue
		}
		built := Family.At(p)
		g.Expect(len(built.Actors()) == 0).To(gomega.Equal(p.Is("shape", "alone")))
		for i := range built.Steps {
			if s := &built.Steps[i]; s.Op == "check" {
				g.Expect(s.Args).To(gomega.HaveLen(2), built.Name)
				g.Expect(s.String()).NotTo(gomega.MatchRegexp(`mix|any|->`), built.Name)
			}
		}
	}
}

// calls lists the steps that hold the text, without what they may return.
func calls(text, call string) []string {
	var list []string
	for _, line := range strings.Split(text, "\n") {
		if step, _, _ := strings.Cut(line, " -> "); strings.Contains(step, call) {
			list = append(list, step)
		}
	}
	return list
}
