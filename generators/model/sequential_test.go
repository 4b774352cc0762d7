package model

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
)

// tiny is the page size of these tests: small enough to follow every byte.
const tiny = 16

// sequences writes random sequential programs over three files.
type sequences struct {
	*rand.Rand
	text  strings.Builder
	fds   []string
	areas map[string]int // pages by name
	order []string
	made  int
}

func (r *sequences) line(format string, args ...any) {
	fmt.Fprintf(&r.text, format+"\n", args...)
}

func (r *sequences) pick(list ...string) string { return list[r.IntN(len(list))] }

func (r *sequences) fresh(letter string) string {
	r.made++
	return fmt.Sprintf("%s%d", letter, r.made)
}

// at is a place up to so many pages: often a boundary or just beside it.
func (r *sequences) at(pages int) prog.Size {
	n := prog.Size{Pages: r.Int64N(int64(pages) + 1)}
	if r.IntN(3) == 0 {
		n.Bytes = r.Int64N(8)
		if n.Pages > 0 && r.IntN(2) == 0 {
			n.Bytes = -n.Bytes
		}
	}
	return n
}

// piece is a range of memory; it is declared to fault, so that it may lie anywhere.
func (r *sequences) piece() string {
	if r.IntN(20) == 0 {
		return "bad[0:3]!"
	}
	name := r.pick(r.order...)
	from, to := r.at(r.areas[name]), r.at(r.areas[name])
	if !from.AtMost(to) || from.In(tiny) > to.In(tiny) {
		from, to = to, from
	}
	return fmt.Sprintf("%s[%v:%v]!", name, from, to)
}

func (r *sequences) vector() string {
	parts := make([]string, 1+r.IntN(3))
	for i := range parts {
		parts[i] = r.piece()
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (r *sequences) wholePages() string {
	name := r.pick(r.order...)
	if name == "u" {
		name = "b" // u does not begin at a page
	}
	from := r.IntN(r.areas[name])
	return fmt.Sprintf("%s[%dp:%dp]!", name, from, from+1+r.IntN(r.areas[name]-from))
}

func (r *sequences) step() {
	d := r.pick(r.fds...)
	switch r.IntN(24) {
	case 0:
		name := r.fresh("d")
		r.line("%s = open(%s, %s)", name, r.pick("A", "B", "C"), r.pick("rdonly", "rdwr", "wronly|creat", "rdwr|append|creat", "rdwr|direct", "rdwr|trunc|creat"))
		r.fds = append(r.fds, name)
	case 1:
		name, pages := r.fresh("m"), 1+r.IntN(4)
		r.line("%s = mmap(%s, %s, %s, %dp, %dp)", name, d, r.pick("shared", "private", "private|populate"), r.pick("r", "rw", "rw"), r.IntN(2), pages)
		r.order, r.areas[name] = append(r.order, name), pages
	case 2, 3, 4, 5:
		r.line("%s(%s, %s, %v)", r.pick("pread", "pwrite"), d, r.piece(), r.at(5))
	case 6, 7:
		r.line("%s(%s, %s)", r.pick("read", "write"), d, r.piece())
		r.line("%s(%s, %s)", r.pick("readv", "writev"), d, r.vector())
	case 8, 9:
		r.line("%s(%s, %s, %v)", r.pick("preadv", "pwritev"), d, r.vector(), r.at(5))
	case 10, 11:
		piece := r.piece()
		b, _ := prog.ParseStep("load(" + piece + ")")
		m := b.Args[0].(prog.Buf).Ranges[0]
		r.line("store(%s, %s)", piece, prog.Pat(10+r.IntN(9), m.To.Minus(m.From)))
	case 12:
		r.line("load(%s)", r.piece())
	case 13, 14:
		r.line("%s(%s, %v)", "truncate", r.pick("A", "B"), r.at(5))
	case 15:
		r.line("ftruncate(%s, %v)", d, r.at(5))
	case 16:
		r.line("fallocate(%s, %s, %v, %v)", d, r.pick("alloc", "keep", "punch", "zero", "zero|keep"), r.at(4), r.at(4))
	case 17:
		r.line("fallocate(%s, %s, %dp, %dp)", d, r.pick("collapse", "insert"), r.IntN(3), 1+r.IntN(2))
	case 18:
		r.line("lseek(%s, %v, %s)", d, r.at(5), r.pick("set", "cur", "end", "data", "hole"))
	case 19:
		r.line("madvise(%s, %s)", r.wholePages(), r.pick("dontneed", "dontneed", "willneed"))
	case 20:
		r.line("mprotect(%s, %s)", r.wholePages(), r.pick("none", "r", "rw", "rw"))
	case 21:
		r.line("munmap(%s)", r.wholePages())
	case 22:
		r.line("%s", r.pick("stat(A, size)", "rename(A, B)", "link(A, C)", "unlink(B)", "fsync("+d+")", "stat(B, size)"))
	case 23:
		r.line("check(%s)", r.pick("A", "B", r.piece()))
	}
}

// sequence is a random program with checks of everything at its end.
func sequence(seed uint64) string {
	r := &sequences{Rand: rand.New(rand.NewPCG(seed, 7)), areas: map[string]int{"b": 3, "u": 1, "m": 4, "v": 3}, order: []string{"b", "u", "m", "m", "v"}, fds: []string{"d", "e"}}
	r.line("prog random/%d", seed)
	if r.IntN(3) == 0 {
		r.line("needs %s", r.pick("exact-short-write", "whole-dio"))
	}
	r.line("file A = pat1*%v + hole*2p + 'a'*%v", r.at(2), r.at(1))
	r.line("file B = pat2*%v", r.at(3))
	r.line("d = open(A, rdwr)\ne = open(B, rdwr)\nb = anon(pat3*1p + hole*2p)\nu = anon(pat4*1p, 5)\nm = mmap(d, shared, rw, 0, 4p)\nv = mmap(e, private, rw, 0, 3p)")
	for range 4 + r.IntN(12) {
		r.step()
	}
	r.line("check(A)\ncheck(B)\nstat(A, size)")
	for _, name := range r.order {
		r.line("check(%s[0:%dp]!)", name, r.areas[name])
	}
	return r.text.String()
}

// derived parses a program and derives its expectations; nil if it means nothing or the model cannot follow.
func derived(t *testing.T, text string) *prog.Prog {
	t.Helper()
	p, err := prog.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if Derive(p, tiny) != nil {
		return nil
	}
	return p
}

// complaint runs a program in the naive model and says what Derive does not allow.
func complaint(p *prog.Prog, dice *rand.Rand, bug string) string {
	n := newNaive(p, tiny, dice)
	n.bug = bug
	for k := range p.Steps {
		s := &p.Steps[k]
		if n.skipped(s) {
			continue
		}
		f := n.run(s)
		if wrong := judge(f, tiny); wrong != "" {
			return fmt.Sprintf("step %d, %s: %s", k+1, s, wrong)
		}
	}
	return ""
}

// skipped reports whether the step uses what an earlier step failed to make.
func (n *naive) skipped(s *prog.Step) bool {
	sc := n.scope(process(s))
	for i, a := range s.Args {
		switch a := a.(type) {
		case prog.Name:
			if prog.Ops[s.Op].Params[i].Kind == prog.KindFD && sc.fds[string(a)] == nil {
				return true
			}
		case prog.Buf:
			for _, r := range a.Ranges {
				if r.Of != prog.Bad && sc.areas[r.Of] == nil {
					return true
				}
			}
		}
	}
	return false
}

// Whatever the naive model does in a random sequential program is allowed, whichever liberties it takes.
func TestSequentialProgramsAgainstANaiveModel(t *testing.T) {
	programs := uint64(1500)
	if os.Getenv("FAULTLINE_SOAK") != "" {
		programs = 100000
	}
	followed, sure, all := uint64(0), 0, 0
	// The last two showed a value seen within one copy, and a tail kept by a write that may have grown the file.
	for _, seed := range append(slices.Collect(numbers(programs)), 2730, 6120) {
		text := sequence(seed)
		p := derived(t, text)
		if p == nil {
			continue
		}
		followed++
		for turn := range uint64(8) {
			if wrong := complaint(p, rand.New(rand.NewPCG(seed, turn)), ""); wrong != "" {
				t.Fatalf("%s\n%s", wrong, p)
			}
		}
		s, a := tightness(p)
		sure, all = sure+s, all+a
	}
	t.Logf("%d of %d programs followed; %d of %d checked bytes are known exactly", followed, programs, sure, all)
	gomega.NewWithT(t).Expect(followed).To(gomega.BeNumerically(">", programs/2))
}

func numbers(n uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for i := uint64(0); i < n && yield(i); i++ {
		}
	}
}

// tightness counts the bytes of checks that can be one thing only.
func tightness(p *prog.Prog) (sure, all int) {
	for k := range p.Steps {
		s := &p.Steps[k]
		if s.Op != "check" || len(s.Args) < 2 {
			continue
		}
		for _, d := range s.Args[1].(prog.Alts) {
			for _, r := range d {
				n := int(r.Len.In(tiny))
				all += n
				if len(r.May) == 1 && r.May[0].Kind != prog.Any && len(s.Args[1].(prog.Alts)) == 1 {
					sure += n
				}
			}
		}
	}
	return sure, all
}

// A file system with any of these faults is found out.
func TestPlantedFaultsAreNotAllowed(t *testing.T) {
	for _, bug := range []string{"tail", "copies", "private", "shift", "size"} {
		t.Run(bug, func(t *testing.T) {
			for seed := range uint64(3000) {
				p := derived(t, sequence(seed))
				if p == nil {
					continue
				}
				if wrong := complaint(p, rand.New(rand.NewPCG(seed, 0)), bug); wrong != "" {
					t.Logf("program %d: %s", seed, wrong)
					return
				}
			}
			t.Fatal("no program shows the fault")
		})
	}
}
