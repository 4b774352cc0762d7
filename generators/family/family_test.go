package family

import (
	"maps"
	"slices"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
)

// tiny is a family with a rule that couples three dimensions.
func tiny(seeds int) *Family {
	return &Family{
		Name:  "tiny",
		Seeds: seeds,
		Dims: []Dim{
			{Name: "op", Doc: "the call", Values: []string{"pread", "pwrite"}},
			{Name: "mode", Doc: "the flags", Values: []string{"buffered", "direct", "append"}},
			{Name: "kind", Doc: "the mapping", Values: []string{"shared", "private"}},
			{Name: "offset", Doc: "the page", Values: []string{"0p", "1p", "2p", "3p", "4p"}},
		},
		Rule: func(p Point) string {
			switch {
			case p.Is("mode", "append") && p.Is("op", "pread"):
				return "append reads nothing"
			case p.Is("mode", "append") && !p.Is("offset", "0p"):
				return "append chooses the offset"
			}
			return ""
		},
		Build: func(b *Builder, p Point) {
			b.Doc("A %s of one page.", p.Get("op"))
			b.Line("d = open(A, rdwr)")
			b.File("A", "pat1*8p")
			b.Line("m = mmap(d, %s, rw, 0, 8p)", p.Get("kind"))
			b.Note("seed %d, random %d", p.Seed(), b.Rand().IntN(1000))
			b.Do(p.Get("op"), "d", "m[0:1p]", p.Get("offset"))
			b.Line("check(A)")
		},
	}
}

func TestAllFollowsTheRuleAndTheOrder(t *testing.T) {
	g := gomega.NewWithT(t)
	f := tiny(0)
	var names []string
	for p := range f.All(DefaultSeed) {
		names = append(names, p.Name)
		g.Expect(p.Validate()).To(gomega.Succeed())
		g.Expect(f.Find(p.Name).String()).To(gomega.Equal(p.String()))
	}
	// 2*2*2*5 without append, and append: pwrite, two kinds, one offset.
	g.Expect(names).To(gomega.HaveLen(42))
	g.Expect(names[0]).To(gomega.Equal("tiny/pread/buffered/shared/0p"))
	g.Expect(names[41]).To(gomega.Equal("tiny/pwrite/append/private/0p"))
	all, quick, leftOut := f.Count()
	g.Expect(all).To(gomega.Equal(42))
	g.Expect(quick).To(gomega.BeNumerically("<", 25))
	g.Expect(leftOut).To(gomega.Equal(map[string]int{"append reads nothing": 10, "append chooses the offset": 8}))
}

func TestFindRefusesOtherNames(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, name := range []string{"", "tiny", "other/pread/buffered/shared/0p", "tiny/pread/buffered/shared", "tiny/pread/buffered/shared/9p",
		"tiny/pread/append/shared/0p", "tiny/pread/buffered/shared/0p/seed-1"} {
		g.Expect(tiny(0).Find(name)).To(gomega.BeNil(), name)
	}
	for _, name := range []string{"tiny/pread/buffered/shared/0p", "tiny/pread/buffered/shared/0p/seed-x", "tiny/pread/buffered/shared/0p/seed-01"} {
		g.Expect(tiny(3).Find(name)).To(gomega.BeNil(), name)
	}
	g.Expect(tiny(3).Find("tiny/pread/buffered/shared/0p/seed-12345").Name).To(gomega.HaveSuffix("/seed-12345"))
}

func TestQuickCoversEveryPairThatIsValid(t *testing.T) {
	for _, seeds := range []int{0, 4} {
		for seed := range uint64(20) {
			g := gomega.NewWithT(t)
			f := tiny(seeds)
			wanted := map[pair]bool{}
			for p := range f.Points(seed) {
				pairsOf(p.values, func(pr pair) { wanted[pr] = true })
			}
			got := map[pair]bool{}
			for p := range f.QuickPoints(seed) {
				g.Expect(f.Rule(p)).To(gomega.BeEmpty())
				pairsOf(p.values, func(pr pair) { got[pr] = true })
			}
			g.Expect(got).To(gomega.Equal(wanted))
		}
	}
}

// A cover that leaves out one row must be noticed, or the test above proves nothing.
func TestEveryRowOfTheCoverIsThereForAPair(t *testing.T) {
	g := gomega.NewWithT(t)
	table := tiny(0).pairTable()
	rows := table.cover(DefaultSeed)
	needed := 0
	for i := range rows {
		got := map[pair]bool{}
		for j, values := range rows {
			if j != i {
				pairsOf(values, func(pr pair) { got[pr] = true })
			}
		}
		if len(got) < len(table.pairs) {
			needed++
		}
	}
	g.Expect(needed).To(gomega.BeNumerically(">", len(rows)/2))
}

func TestTheSeedDecidesAndNothingElse(t *testing.T) {
	g := gomega.NewWithT(t)
	texts := func(seed uint64) (list []string) {
		for p := range tiny(2).Quick(seed) {
			list = append(list, p.String())
		}
		return list
	}
	for range 20 {
		g.Expect(texts(7)).To(gomega.Equal(texts(7)))
	}
	g.Expect(texts(7)).NotTo(gomega.Equal(texts(8)))
	byName := map[string]string{}
	for seed := range uint64(4) {
		for p := range tiny(2).All(seed) {
			if before, seen := byName[p.Name]; seen {
				g.Expect(p.String()).To(gomega.Equal(before), "one name, one program")
			}
			byName[p.Name] = p.String()
		}
	}
	g.Expect(slices.Collect(maps.Keys(byName))).To(gomega.HaveLen(42 * 5))
}

func TestBuildBugsNameTheProgram(t *testing.T) {
	g := gomega.NewWithT(t)
	f := tiny(0)
	f.Build = func(b *Builder, p Point) { b.Line("pread(d, nonsense") }
	g.Expect(func() { f.Find("tiny/pread/buffered/shared/0p") }).To(gomega.PanicWith(gomega.ContainSubstring("prog tiny/pread/buffered/shared/0p")))
	g.Expect(func() {
		for p := range tiny(0).Points(1) {
			p.Get("nothing")
		}
	}).To(gomega.PanicWith(gomega.ContainSubstring("no dimension nothing")))
}

func TestLabels(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, c := range []struct {
		steps  string
		labels []string
	}{
		{"d = open(A, rdwr)\npread(d, bad[0:1]!, 0)", []string{"fault", "rw"}},
		{"d = open(A, rdwr|direct)\nm = mmap(d, shared, rw, 0, 1p)\nreadv(d, {m})", []string{"dio", "mmap", "rw", "shared", "vector"}},
		{"d = open(A, rdwr)\nm = mmap(d, private, r, 1p, 1p)\nfallocate(d, punch, 0, 1p)", []string{"eof", "mmap", "prealloc", "private", "punch"}},
		{"d = open(A, rdwr)\nt1: fsync(d)\np1: d = open(A, rdonly)", []string{"process", "sync", "thread"}},
		{"truncate(A, 0)", []string{"trunc"}},
	} {
		p, err := prog.Parse("prog x\nfile A = pat1*1p\n" + c.steps)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(Labels(p)).To(gomega.Equal(c.labels), c.steps)
	}
}
