package model

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
)

// plain is a content as one sorted set of sources for each byte.
type plain [][]source

func (c content) plain() plain {
	var p plain
	for _, r := range c {
		for i := range r.n {
			p = append(p, advance(r.may, i))
		}
	}
	return p
}

// canonical reports whether no run could be joined to the one before it, and none is empty.
func (c content) canonical() bool {
	for i, r := range c {
		if r.n <= 0 || i > 0 && slices.Equal(advance(c[i-1].may, c[i-1].n), r.may) {
			return false
		}
	}
	return true
}

func randomContent(r *rand.Rand) content {
	var c content
	for range r.IntN(5) {
		var may []source
		for range 1 + r.IntN(2) {
			switch r.IntN(4) {
			case 0:
				may = union(may, zeroSet)
			case 1:
				may = union(may, []source{{prog.Fill, 'a' + r.IntN(2), 0}})
			default:
				may = union(may, []source{{prog.Pattern, 1 + r.IntN(2), r.Int64N(6)}})
			}
		}
		if r.IntN(12) == 0 {
			may = anySet
		}
		c = join(c, uniform(1+r.Int64N(5), may))
	}
	return c
}

// set is the union of two sets, one byte at a time.
func set(a, b []source) []source {
	var all []source
	for _, s := range append(slices.Clone(a), b...) {
		if s.kind == prog.Any {
			return anySet
		}
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	if slices.SortFunc(all, compare); len(all) > maxMay {
		return anySet
	}
	return all
}

// Contents do what arrays of sets do, and stay canonical; nothing changes its arguments.
func TestContentsAgainstSetsOfBytes(t *testing.T) {
	g := gomega.NewWithT(t)
	r := rand.New(rand.NewPCG(1, 1))
	zero := func(n int) plain { return zeros(int64(n)).plain() }
	for range 20000 {
		a, b := randomContent(r), randomContent(r)
		pa, pb := a.plain(), b.plain()
		from := r.IntN(len(pa) + 3)
		to := from + r.IntN(8)
		at := r.IntN(len(pa) + 3)
		n := min(len(pa), len(pb))

		long := append(slices.Clone(pa), zero(16)...)
		over := slices.Clone(pa)
		if len(pb) > 0 {
			over = append(slices.Clone(long[:max(at, min(len(pa), at))]), pb...)
			if at+len(pb) < len(pa) {
				over = append(over, pa[at+len(pb):]...)
			}
		}
		var mixed plain
		for i := range n {
			mixed = append(mixed, set(pa[i], pb[i]))
		}
		for name, c := range map[string]struct {
			got  content
			want plain
		}{
			"join":    {join(a, b), append(slices.Clone(pa), pb...)},
			"slice":   {a.slice(int64(from), int64(to)), long[from:to]},
			"overlay": {a.overlay(int64(at), b), over},
			"mix":     {mix(a.slice(0, int64(n)), b.slice(0, int64(n))), mixed},
		} {
			if !slices.EqualFunc(c.got.plain(), c.want, func(x, y []source) bool { return slices.Equal(x, y) }) {
				t.Fatalf("%s of %v and %v (%d:%d, %d) is %v, wanted %v", name, a, b, from, to, at, c.got, c.want)
			}
			if !c.got.canonical() || c.got.len() != int64(len(c.want)) {
				t.Fatalf("%s of %v and %v is not canonical: %v", name, a, b, c.got)
			}
		}
		g.Expect(equal(a, b)).To(gomega.Equal(slices.EqualFunc(pa, pb, func(x, y []source) bool { return slices.Equal(x, y) })))
		if !slices.EqualFunc(a.plain(), pa, func(x, y []source) bool { return slices.Equal(x, y) }) {
			t.Fatal("an argument was changed")
		}
	}
}

// A byte that may be more than eight things is unknown.
func TestSetsAreBounded(t *testing.T) {
	g := gomega.NewWithT(t)
	may := zeroSet
	for id := range maxMay - 1 {
		may = union(may, []source{{prog.Pattern, id, 0}})
	}
	g.Expect(may).To(gomega.HaveLen(maxMay))
	g.Expect(union(may, zeroSet)).To(gomega.Equal(may))
	g.Expect(union(may, []source{{prog.Pattern, 99, 0}})).To(gomega.Equal(anySet))
	g.Expect(union(may, anySet)).To(gomega.Equal(anySet))
}

// Contents written as data are read back as the same bytes, and their length is the one that was asked for.
func TestContentsAsData(t *testing.T) {
	g := gomega.NewWithT(t)
	r := rand.New(rand.NewPCG(2, 2))
	for range 2000 {
		c := randomContent(r)
		total := prog.Size{Pages: 1, Bytes: c.len() - tiny}
		if len(c) == 0 {
			total = prog.Size{}
		}
		d := c.data(total, tiny)
		g.Expect(d.Len()).To(gomega.Equal(total))
		at := int64(0)
		for i, run := range d {
			g.Expect(run.Len.In(tiny)).To(gomega.Equal(c[i].n))
			for k, s := range run.May {
				g.Expect(source{s.Kind, s.ID, s.From.In(tiny)}).To(gomega.Equal(c[i].may[k]))
			}
			at += c[i].n
		}
		if d.Definite() {
			g.Expect(fromData(d, tiny)).To(gomega.Equal(c))
		}
	}
}
