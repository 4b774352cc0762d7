package eof

import (
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/family"
	"faultline/generators/family/familytest"
	"faultline/generators/prog"
)

func TestFamily(t *testing.T) { familytest.Check(t, Family) }

// Positions must be right for every page size that a machine may have.
func TestPositions(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, page := range []int64{4096, 16384, 65536} {
		for _, size := range append([]prog.Size{far, {Pages: 1}, {Pages: 2, Bytes: -3}, {Bytes: 1}}, ends["tiny"], ends["mid"], ends["block"], ends["last"], ends["page"]) {
			n := size.In(page)
			end := (n + page - 1) / page * page
			g.Expect(pageEnd(size).In(page)).To(gomega.Equal(end), "%v", size)
			g.Expect(pageStart(size).In(page)).To(gomega.Equal((n-1)/page*page), "%v", size)
			g.Expect(before(size).In(page)).To(gomega.And(gomega.BeNumerically("<", n), gomega.BeNumerically(">=", pageStart(size).In(page))), "%v", size)
		}
	}
	g.Expect(pageStart(prog.Size{})).To(gomega.Equal(prog.Size{}))
	g.Expect(before(prog.Size{})).To(gomega.Equal(prog.Size{}))
}

// What was stored behind the end must not be in the file, however the file grows.
func TestTheTailNeverReachesTheFile(t *testing.T) {
	g := gomega.NewWithT(t)
	n := 0
	for p := range Family.Points(family.DefaultSeed) {
		if p.Is("tail", "clean") || !p.Is("touch", "load", "read") || !p.Is("cache", "cold") {
			continue
		}
		n++
		built := Family.At(p)
		for _, s := range built.Steps {
			if name, isFile := s.Args[0].(prog.Name); s.Op != "check" || !isFile || name != "A" {
				continue
			}
			g.Expect(s.Args).To(gomega.HaveLen(2), built.Name)
			g.Expect(s.String()).NotTo(gomega.MatchRegexp(`pat9|pat2|any`), built.Name)
		}
	}
	g.Expect(n).To(gomega.BeNumerically(">", 100))
}

// What an eof program is about, line by line.
func TestShape(t *testing.T) {
	g := gomega.NewWithT(t)
	text := Family.Find("eof/mid/stored/up-far/load/buffered/shared/cold").String()
	var calls []string
	p, err := prog.Parse(text)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Op != "check" {
			calls = append(calls, s.Call())
		}
	}
	g.Expect(calls).To(gomega.Equal([]string{
		"d = open(A, rdwr)", "m = mmap(d, shared, rw, 0, 8p)", "store(m[1p+100:2p], pat9*1p-100)", "ftruncate(d, 4p+100)",
		"load(m[4p+50:5p])", "load(m[5p:5p+8])", "munmap(m)", "ftruncate(d, 6p)",
	}))
}
