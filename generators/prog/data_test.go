package prog

import (
	"math/rand/v2"
	"testing"

	"github.com/onsi/gomega"
)

// pageSizes are those of the machines a text serves.
var pageSizes = []int64{4096, 16384, 65536}

func TestSizes(t *testing.T) {
	g := gomega.NewWithT(t)
	for text, want := range map[string]Size{
		"0": {}, "512": {0, 512}, "-1": {0, -1}, "1p": {1, 0}, "1p-1": {1, -1}, "2p+512": {2, 512}, "-1p": {-1, 0}, "-1p+1": {-1, 1}, "0p+7": {0, 7},
		"70368744177664": {0, maxSize}, "1073741824p": {maxSize >> 16, 0},
	} {
		s, err := ParseSize(text)
		g.Expect(err).NotTo(gomega.HaveOccurred(), text)
		g.Expect(s).To(gomega.Equal(want), text)
	}
	for text, want := range map[string]string{
		"":               `found "", wanted a size such as 1p, 2p+512 or 40`,
		"p":              `found "p", wanted a size such as 1p, 2p+512 or 40`,
		"1p5":            `found "5", wanted + or - behind the p of "1p5"`,
		"1p+":            `found "1p+", wanted a size such as 1p, 2p+512 or 40`,
		"1p+-5":          `found "1p+-5", wanted a size such as 1p, 2p+512 or 40`,
		"1.5p":           `found "1.5p", wanted a size such as 1p, 2p+512 or 40`,
		"70368744177665": `found "70368744177665", wanted a size such as 1p, 2p+512 or 40`,
		"1073741825p":    `found "1073741825p", wanted a size such as 1p, 2p+512 or 40`,
	} {
		_, err := ParseSize(text)
		g.Expect(err).To(gomega.MatchError(want), text)
	}
	for n := int64(-20000); n < 20000; n += 37 {
		s := SizeOf(n, 4096)
		g.Expect(s.In(4096)).To(gomega.Equal(n))
		g.Expect(-2048 <= s.Bytes && s.Bytes <= 2048).To(gomega.BeTrue(), "%v is not near a page boundary", s)
		g.Expect(SizeOf(-n, 4096)).To(gomega.Equal(Size{-s.Pages, -s.Bytes}))
	}
	g.Expect(Pages(2).Plus(Bytes(5)).Minus(Pages(1)).Times(3)).To(gomega.Equal(Size{3, 15}))
	g.Expect(Size{1, -4096}.AtMost(Bytes(0))).To(gomega.BeFalse(), "with pages of 64 KiB it is more")
	g.Expect(Bytes(4097).AtMost(Pages(1))).To(gomega.BeFalse(), "with pages of 4 KiB it is more")
	g.Expect(Bytes(4096).AtMost(Pages(1))).To(gomega.BeTrue())
}

func TestExpectations(t *testing.T) {
	g := gomega.NewWithT(t)
	ok := func(v int64) Result { return Result{Value: v} }
	bad := func(name string) Result { return Result{Err: name} }
	for _, c := range []struct {
		want   string
		result Result
		page   int64
		allows bool
	}{
		{"", ok(0), 4096, true}, {"", ok(99), 4096, true}, {"", bad("EIO"), 4096, false},
		{"any", ok(1), 4096, true}, {"any", bad("EIO"), 4096, true},
		{"ok", ok(-1), 4096, true}, {"ok", bad("EIO"), 4096, false},
		{"EIO", bad("EIO"), 4096, true}, {"EIO", bad("EINVAL"), 4096, false}, {"EIO", ok(0), 4096, false},
		{"0", ok(0), 4096, true}, {"0", bad("EIO"), 4096, false}, {"ok | EIO", bad("EIO"), 4096, true},
		{"1p", ok(4096), 4096, true}, {"1p", ok(4096), 65536, false}, {"1p", ok(65536), 65536, true}, {"1p", ok(4095), 4096, false},
		{"1..1p", ok(0), 4096, false}, {"1..1p", ok(1), 4096, true}, {"1..1p", ok(4096), 4096, true}, {"1..1p", ok(4097), 4096, false},
		{"0 | 1p-1..1p | EFAULT", ok(0), 4096, true}, {"0 | 1p-1..1p | EFAULT", ok(1), 4096, false},
		{"0 | 1p-1..1p | EFAULT", ok(4095), 4096, true}, {"0 | 1p-1..1p | EFAULT", bad("EFAULT"), 4096, true},
	} {
		var e Expect
		if c.want != "" {
			var err error
			e, err = (&lexer{rest: c.want}).outcomes()
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(e.String()).To(gomega.Equal(c.want))
		}
		g.Expect(e.Allows(c.result, c.page)).To(gomega.Equal(c.allows), "%q and %v", c.want, c.result)
	}
	g.Expect(Expect{}.Allows(ok(0), 4096)).To(gomega.BeTrue())
	g.Expect(ok(4608).In(4096)).To(gomega.Equal("1p+512"))
	g.Expect(bad("SIGBUS").In(4096)).To(gomega.Equal("SIGBUS"))
}

// naive is what a byte of a run may be, one source at a time; any is nil.
func naive(r Run, i, page int64) []byte {
	var may []byte
	for _, s := range r.May {
		switch s.Kind {
		case Any:
			return nil
		case Fill:
			may = append(may, byte(s.ID))
		case Pattern:
			may = append(may, PatternByte(s.ID, s.From.Pages*page+s.From.Bytes+i))
		default:
			may = append(may, 0)
		}
	}
	return may
}

// smallData is data of a few thousand bytes.
func (r random) smallData() Data {
	d := Data{}
	for range 1 + r.IntN(4) {
		run := Run{Len: Bytes(r.Int64N(40)), May: []Source{r.source()}}
		if r.IntN(20) == 0 {
			run.Len = Size{1, r.Int64N(20) - 10}
		}
		for range r.IntN(3) {
			run.May = append(run.May, r.source())
		}
		d = append(d, run)
	}
	return d
}

// Bytes and Match agree with one byte at a time, and Match finds each single byte that is changed.
func TestDataAgainstANaiveReference(t *testing.T) {
	g := gomega.NewWithT(t)
	r := random{rand.New(rand.NewPCG(5, 6))}
	caught := 0
	for range 1000 {
		d := r.smallData()
		page := pageSizes[r.IntN(len(pageSizes))]
		buf := make([]byte, d.Len().In(page))
		d.Bytes(buf, page)
		var may [][]byte
		for _, run := range d {
			for i := range run.Len.In(page) {
				may = append(may, naive(run, i, page))
			}
		}
		g.Expect(may).To(gomega.HaveLen(len(buf)))
		for i := range buf {
			if m := may[i]; m != nil {
				if buf[i] != m[0] {
					t.Fatalf("%v, page %d: byte %d is %d, wanted %v", d, page, i, buf[i], m)
				}
				buf[i] = m[r.IntN(len(m))]
			}
		}
		g.Expect(d.Match(buf, page)).To(gomega.BeNil(), d.String())
		for range min(len(buf), 20) {
			i := r.IntN(len(buf))
			was := buf[i]
			buf[i] = byte(r.IntN(256))
			var want *Mismatch
			if m := may[i]; m != nil && !contains(m, buf[i]) {
				want = &Mismatch{Offset: int64(i), Got: buf[i], Want: m}
				caught++
			}
			g.Expect(d.Match(buf, page)).To(gomega.Equal(want), "%v, byte %d", d, i)
			buf[i] = was
		}
	}
	g.Expect(caught).To(gomega.BeNumerically(">", 1000))
}

func contains(m []byte, b byte) bool {
	for _, x := range m {
		if x == b {
			return true
		}
	}
	return false
}

func TestPatterns(t *testing.T) {
	g := gomega.NewWithT(t)
	const n = 1 << 16
	for _, id := range []int{0, 1, 2, 3, 1000, 1 << 30} {
		var count [256]int
		buf := make([]byte, n)
		fillPattern(buf, id, 3)
		for i, b := range buf {
			if want := PatternByte(id, int64(i)+3); b != want {
				t.Fatalf("pattern %d, byte %d: %d, wanted %d", id, i, b, want)
			}
			count[b]++
		}
		g.Expect(count[0]).To(gomega.BeZero(), "a zero byte would look like a hole")
		for b, c := range count[1:] {
			g.Expect(c).To(gomega.And(gomega.BeNumerically(">", n/256/2), gomega.BeNumerically("<", n/256*3)), "byte %d of pattern %d", b+1, id)
		}
	}
}

// Eight bytes in a row name their pattern and offset, wherever they begin.
func TestOrigin(t *testing.T) {
	g := gomega.NewWithT(t)
	ids := []int{4, 1, 9}
	for _, id := range ids {
		for _, off := range []int64{0, 1, 7, 8, 511, 4093, 9999} {
			got := make([]byte, 100)
			fillPattern(got, id, off)
			got[8] ^= 0xff
			who, where, ok := Origin(got, ids, 10000)
			g.Expect([]any{who, where, ok}).To(gomega.Equal([]any{id, off, true}))
			_, _, ok = Origin(got[1:], ids, 10000)
			g.Expect(ok).To(gomega.BeFalse(), "one of the eight is wrong")
			_, _, ok = Origin(got[:7], ids, 10000)
			g.Expect(ok).To(gomega.BeFalse(), "seven bytes are too few")
			_, _, ok = Origin(got, ids, off)
			g.Expect(ok).To(gomega.BeFalse(), "out of reach")
			_, _, ok = Origin(got, []int{5, 6}, 10000)
			g.Expect(ok).To(gomega.BeFalse(), "another pattern")
		}
	}
}

func TestRequires(t *testing.T) {
	const need = "file A = pat1*1p\nd = open(A, rdwr)\n"
	for text, want := range map[string][]string{
		need:                      nil,
		"file A on other = empty": {"other"},
		"file A = unwritten*1p":   {"unwritten"},
		"file A = empty\nd = open(A, rdwr|direct)":                         {"odirect"},
		need + "m = mmap(d, shared, r, 0, 1p)":                             {"shared-mmap"},
		need + "m = mmap(d, private|populate, r, 0, 1p)":                   nil,
		need + "fallocate(d, alloc, 0, 1)":                                 {"unwritten"},
		need + "fallocate(d, keep, 0, 1)":                                  {"unwritten"},
		need + "fallocate(d, punch, 0, 1)":                                 {"punch"},
		need + "fallocate(d, zero|keep, 0, 1)":                             {"unwritten", "zero-range"},
		need + "fallocate(d, collapse, 0, 1p)":                             {"collapse"},
		need + "fallocate(d, insert, 0, 1p)":                               {"insert"},
		need + "b = anon('b')\nmadvise(b, pageout)":                        {"pageout"},
		need + "b = anon('b')\nmadvise(b, dontneed)":                       nil,
		need + "b = anon('b')\nmadvise(b, populate_read)":                  {"populate"},
		need + "b = anon('b')\nmlock(b)\nlink(A, B)\ndrop_caches()":        {"link", "drop-caches", "mlock"},
		need + "b = anon('b')\npwritev2(d, {b}, 0, append|nowait|hipri)":   {"hipri", "append-flag"},
		need + "b = anon('b')\npwritev2(d, {b}, 0, dsync|sync)":            {"sync-flag"},
		need + "b = anon('b')\npreadv2(d, {b}, 0, nowait)\npread(d, b, 0)": {"nowait"},
		// Two actors at one page of a stall are an affair of userfaultfd, unless the page is let go between.
		need + "u = stall(2p)\nt1: pread(d, u, 0)\nserve(u[0:1p])\nserve(u[1p:2p])\ncheck(u)":   {"stall"},
		need + "u = stall(2p)\nt1: pread(d, u[1:1p-1], 0)\nt2: pread(d, u[1p:2p], 0)\nserve(u)": {"stall"},
		need + "u = stall(2p)\nt1: pread(d, u[1:1p+1], 0)\nt2: pread(d, u[1p:2p], 0)\nserve(u)": {"stall", "userfaultfd"},
		need + "u = stall(1p)\nt1: load(u)\nt2: load(u)\nt3: stalled(u)\nt3: munmap(u)":         {"stall", "userfaultfd"},
		need + "u = stall(1p)\nt1: load(u)\nt3: poison(u)\nt2: load(u)":                         {"stall", "stall-poison"},
		need + "p1: u = stall(1p)\np1: load(u)\nserve(u)\nu = stall(1p)\nt1: load(u)\nserve(u)": {"stall"},
		need + "u = guard('g'*1p)\nt1: store(u, 'x'*1p)\nt2: store(u, 'x'*1p)\nserve(u)":        {"uffd-wp"},
	} {
		g := gomega.NewWithT(t)
		p, err := Parse("prog x\n" + text)
		g.Expect(err).NotTo(gomega.HaveOccurred(), text)
		g.Expect(p.Validate()).To(gomega.Succeed(), text)
		g.Expect(Requires(p)).To(gomega.Equal(want), text)
	}
}

// Every word of the tables of needs is a word of its operation, and every need is in the table.
func TestNeedsAreConsistent(t *testing.T) {
	g := gomega.NewWithT(t)
	for op, words := range wordNeeds {
		g.Expect(Ops).To(gomega.HaveKey(op))
		for word, need := range words {
			known := false
			for _, p := range Ops[op].Params {
				known = known || Words(p.Words).Has(word)
			}
			g.Expect(known).To(gomega.BeTrue(), "%s has no word %s", op, word)
			g.Expect(KnownNeed(need)).To(gomega.BeTrue(), need)
		}
	}
	for op, need := range opNeeds {
		g.Expect(Ops).To(gomega.HaveKey(op))
		g.Expect(KnownNeed(need)).To(gomega.BeTrue(), need)
	}
	g.Expect(KnownNeed("magic")).To(gomega.BeFalse())
	p := &Prog{}
	p.Need("punch")
	p.Need("other")
	p.Need("punch")
	g.Expect(p.Needs).To(gomega.Equal([]string{"punch", "other"}))
}

func TestEachPieceOfABuffer(t *testing.T) {
	g := gomega.NewWithT(t)
	l := &lexer{rest: "{a, m[1:1p]*3@2p!, bad[0:0]!}"}
	b, err := l.buf()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	var pieces []string
	b.Each(func(r Range) { pieces = append(pieces, r.String()) })
	g.Expect(pieces).To(gomega.Equal([]string{"a", "m[1:1p]!", "m[2p+1:3p]!", "m[4p+1:5p]!", "bad[0:0]!"}))
}

func TestActors(t *testing.T) {
	g := gomega.NewWithT(t)
	p, err := Parse("prog x\nt2: drop_caches()\ndrop_caches()\np1: drop_caches()\nt2: drop_caches()\n")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(p.Actors()).To(gomega.Equal([]string{"t2", "p1"}))
	g.Expect(p.Steps[0].Process()).To(gomega.BeFalse())
	g.Expect(p.Steps[1].Process()).To(gomega.BeFalse())
	g.Expect(p.Steps[2].Process()).To(gomega.BeTrue())
}

// Every operation has an example, which parses, is valid, is printed as it stands and shows the operation.
func TestExamples(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(Examples()).To(gomega.ConsistOf(OpNames()))
	for _, name := range Examples() {
		p, err := Parse(Example(name))
		g.Expect(err).NotTo(gomega.HaveOccurred(), name)
		g.Expect(p.Validate()).To(gomega.Succeed(), name)
		g.Expect(p.String()).To(gomega.Equal(Example(name)))
		g.Expect(p.Name).To(gomega.Equal("example/" + name))
		g.Expect(p.Doc).NotTo(gomega.BeEmpty(), name)
		shown := false
		for _, s := range p.Steps {
			shown = shown || s.Op == name
		}
		g.Expect(shown).To(gomega.BeTrue(), name)
	}
	g.Expect(Example("boil")).To(gomega.BeEmpty())
}

func BenchmarkParse(b *testing.B) {
	text := Example("pread")
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

// Letters in a row are a string.
func TestStringsInData(t *testing.T) {
	g := gomega.NewWithT(t)
	p, err := Parse("prog x\nfile A = 'u' + \"se\" + 'r'*2 + \"ab\" + zero*1\n")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(p.Files[0].Data.String()).To(gomega.Equal(`"use" + 'r'*2 + "ab" + zero*1`))
	for _, wrong := range []string{`""`, `"a`, `"`, "\"a\x00\""} {
		_, err := Parse("prog x\nfile A = " + wrong + "\n")
		g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("closing double quote")), wrong)
	}
}
