package model

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
)

// schedule is a moment of a concurrent program: what memory and files hold, and how far each actor is, byte by byte.
type schedule struct {
	n      *naive
	done   []bool
	frames map[string]*frame
}

// explorer walks through all orders in which the actors of a program can move.
type explorer struct {
	p      *prog.Prog
	seen   map[string]bool
	wrong  string
	values map[[2]int]map[byte]bool // what was seen at each byte of each check
}

// tooMany moments: the program is left out.
const tooMany = 60000

func explore(p *prog.Prog, bug string) *explorer {
	x := &explorer{p: p, seen: map[string]bool{}, values: map[[2]int]map[byte]bool{}}
	n := newNaive(p, tiny, nil)
	n.bug = bug
	x.walk(&schedule{n: n, done: make([]bool, len(p.Steps)), frames: map[string]*frame{}})
	return x
}

// next is the actor's next step, or -1 if it has to wait. Steps are handed out in the order of the text by the main thread.
func (x *explorer) next(m *schedule, actor string) int {
	for k := range x.p.Steps {
		s := &x.p.Steps[k]
		switch {
		case m.done[k]:
		case s.Actor == actor && actor == "" && s.Op == "wait":
			for i := range k {
				if x.p.Steps[i].Actor == string(s.Args[0].(prog.Name)) && !m.done[i] {
					return -1
				}
			}
			return k
		case s.Actor == actor:
			return k
		case s.Actor == "":
			return -1
		}
	}
	return -1
}

func (x *explorer) walk(m *schedule) {
	if x.wrong != "" || len(x.seen) > tooMany {
		return
	}
	key := m.key()
	if x.seen[key] {
		return
	}
	x.seen[key] = true
	for _, actor := range append([]string{""}, x.p.Actors()...) {
		k := x.next(m, actor)
		if k < 0 {
			continue
		}
		c := m.clone()
		x.move(c, actor, k)
		x.walk(c)
	}
}

// move is one move of one actor: the beginning of its next step, or one more byte.
func (x *explorer) move(m *schedule, actor string, k int) {
	f := m.frames[actor]
	if f == nil {
		f = m.n.begin(&x.p.Steps[k])
		m.frames[actor] = f
	} else {
		m.n.move(f)
	}
	if !f.over {
		return
	}
	delete(m.frames, actor)
	m.done[k] = true
	if wrong := judge(f, tiny); wrong != "" {
		x.wrong = fmt.Sprintf("step %d, %s: %s", k+1, f.s, wrong)
	}
	for i, b := range f.bytes {
		at := [2]int{k, i}
		if x.values[at] == nil {
			x.values[at] = map[byte]bool{}
		}
		x.values[at][b] = true
	}
}

func (m *schedule) clone() *schedule {
	c := &schedule{m.n.clone(), slices.Clone(m.done), map[string]*frame{}}
	for actor, f := range m.frames {
		g := *f
		if f.fd != nil {
			g.fd = c.n.scope(process(f.s)).fds[string(f.s.Args[0].(prog.Name))]
		}
		c.frames[actor] = &g
	}
	return c
}

func (m *schedule) key() string {
	var b strings.Builder
	fmt.Fprint(&b, m.done)
	for _, f := range m.n.files {
		fmt.Fprint(&b, f.size, f.data)
	}
	for _, process := range sortedKeys(m.n.scopes) {
		sc := m.n.scopes[process]
		for _, name := range sortedKeys(sc.areas) {
			for _, p := range sc.areas[name].pages {
				fmt.Fprint(&b, p)
			}
		}
		for _, name := range sortedKeys(sc.fds) {
			fmt.Fprint(&b, sc.fds[name].pos, " ")
		}
	}
	for _, actor := range sortedKeys(m.frames) {
		f := m.frames[actor]
		fmt.Fprint(&b, actor, f.off, f.done, f.stored, f.fault, f.regs)
	}
	return b.String()
}

// concurrent writes a random small program of two or three actors.
func concurrent(seed uint64) string {
	r := &sequences{Rand: rand.New(rand.NewPCG(seed, 11))}
	piece := func(name string) string {
		from := r.IntN(3)
		return fmt.Sprintf("%s[%d:%d]!", name, from, from+1+r.IntN(3))
	}
	r.line("prog concurrent/%d", seed)
	r.line("file A = pat1*%d\nfile B = pat2*3", 1+r.IntN(4))
	r.line("d = open(A, rdwr)\ne = open(B, rdwr)\nm = mmap(d, shared, rw, 0, 1p)\nx = mmap(e, shared, rw, 0, 1p)\nv = mmap(d, private, rw, 0, 1p)\nb = anon(pat3*6)\nc = anon(pat4*6)")
	memory := func() string { return piece(r.pick("m", "m", "x", "v", "b", "c")) }
	step := func(actor string) {
		switch r.IntN(14) {
		default:
			r.line("%spread(%s, %s, %d)", actor, r.pick("d", "e"), memory(), r.IntN(3))
		case 5, 6, 7, 8:
			r.line("%spwrite(%s, %s, %d)", actor, r.pick("d", "e"), memory(), r.IntN(4))
		case 9:
			from := r.IntN(2)
			r.line("%sstore(%s[%d:%d]!, pat%d*2)", actor, r.pick("m", "x", "v", "b"), from, from+2, 5+r.IntN(4))
		case 10:
			r.line("%struncate(%s, %d)", actor, r.pick("A", "B"), r.IntN(5))
		case 11:
			r.line("%s%s", actor, r.pick("stat(A, size)", "load(m[0:1]!)", "check(A)", "check(v[0:2]!)", "check(b[0:2])"))
		case 12:
			r.line("%s%s", actor, r.pick("fallocate(d, punch, 0, 2)", "fallocate(e, zero, 1, 4)", "madvise(v, dontneed)"))
		case 13:
			r.line("%s%s(%s, %s)", actor, r.pick("read", "write"), map[string]string{"t1: ": "d", "t2: ": "e"}[actor]+map[string]string{"t3: ": "e", "": "d"}[actor], memory())
		}
	}
	actors := 2 + r.IntN(4)/3
	for t := 1; t <= actors; t++ {
		step(fmt.Sprintf("t%d: ", t))
		if actors == 2 && r.IntN(2) == 0 {
			step(fmt.Sprintf("t%d: ", t))
		}
	}
	for _, t := range r.Perm(actors) {
		r.line("wait(t%d)", t+1)
	}
	if r.IntN(2) == 0 {
		step("")
	}
	r.line("check(A)\ncheck(B)\nstat(A, size)\ncheck(m[0:4]!)\ncheck(v[0:4]!)\ncheck(b)\ncheck(c)")
	return r.text.String()
}

// In whatever order the actors of a small program copy their bytes, all that they and the checks behind them see is allowed.
func TestConcurrentProgramsInEveryOrder(t *testing.T) {
	programs := uint64(200)
	if os.Getenv("FAULTLINE_SOAK") != "" {
		programs = 5000
	}
	followed, moments, reached, allowed := uint64(0), 0, 0, 0
	for seed := range programs {
		p := derived(t, concurrent(seed))
		if p == nil {
			continue
		}
		x := explore(p, "")
		if x.wrong != "" {
			t.Fatalf("%s\n%s", x.wrong, p)
		}
		if len(x.seen) > tooMany {
			continue
		}
		followed, moments = followed+1, moments+len(x.seen)
		for at, values := range x.values {
			reached += len(values)
			allowed += mayBe(&p.Steps[at[0]], at[1], len(values))
		}
	}
	t.Logf("%d of %d programs followed through %d moments; %d values of bytes reached, %d allowed", followed, programs, moments, reached, allowed)
	gomega.NewWithT(t).Expect(followed).To(gomega.BeNumerically(">", programs/2))
}

// mayBe counts the values a byte of a check may have. Where anything goes, it says what was reached.
func mayBe(s *prog.Step, i, reached int) int {
	if len(s.Args) < 2 {
		return reached
	}
	values := map[byte]bool{}
	for _, d := range s.Args[1].(prog.Alts) {
		at := 0
		for _, r := range d {
			n := int(r.Len.In(tiny))
			for _, src := range r.May {
				if src.Kind == prog.Any {
					return reached
				}
				if at <= i && i < at+n {
					one := make([]byte, n)
					prog.Data{{Len: r.Len, May: []prog.Source{src}}}.Bytes(one, tiny)
					values[one[i-at]] = true
				}
			}
			at += n
		}
	}
	return len(values)
}

// Faults of file systems are found out beside other actors too.
func TestPlantedFaultsAreNotAllowedInSomeOrder(t *testing.T) {
	for _, bug := range []string{"private", "size"} {
		t.Run(bug, func(t *testing.T) {
			for seed := range uint64(300) {
				p := derived(t, concurrent(seed))
				if p == nil {
					continue
				}
				if x := explore(p, bug); x.wrong != "" {
					t.Logf("program %d: %s", seed, x.wrong)
					return
				}
			}
			t.Fatal("no program shows the fault")
		})
	}
}
