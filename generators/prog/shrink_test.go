package prog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"
)

// plenty is more tries than any test here needs.
const plenty = 1 << 20

func parsed(t *testing.T, text string) *Prog {
	t.Helper()
	p, err := Parse(text)
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

// madeBy is the step that makes a name in the address space of the user.
func madeBy(p *Prog, user *Step, name string) *Step {
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Makes == name && s.Process() == user.Process() && (!s.Process() || s.Actor == user.Actor) {
			return s
		}
	}
	return nil
}

// readsIntoItself reports whether the program has a direct pread into a mapping of the file it reads.
func readsIntoItself(p *Prog) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool {
		if s.Op != "pread" {
			return false
		}
		opened := madeBy(p, &s, string(s.Args[0].(Name)))
		made := madeBy(p, &s, s.Args[1].(Buf).Ranges[0].Of)
		if made == nil || made.Op != "mmap" || !opened.Args[1].(Words).Has("direct") {
			return false
		}
		return madeBy(p, made, string(made.Args[0].(Name))).Args[0] == opened.Args[0]
	})
}

// Whatever stands around it, only the shape that is looked for is left.
func TestShrinkLeavesTheShape(t *testing.T) {
	const shape = `prog big
file A = empty
d = open(A, rdwr|direct)
m = mmap(d, private, rw, 0, 1)
pread(d, m, 0)
`
	for name, text := range map[string]string{
		"alone": "file A = pat1*1p\nd = open(A, rdwr|direct)\nm = mmap(d, private, rw, 0, 1p)\npread(d, m, 0)",
		"among others": `file A = hole*1p + pat1[1p:2p] + unwritten*3p
file B on other = 'b'*7p+3
file C = zero*2p
# the first descriptor
d = open(A, rdwr|direct|sync)
e = open(B, rdonly)
c = anon(pat3*9p, 512)
store(c[1p:2p], 'x'*1p)
m = mmap(d, private|populate, rw, 1p, 8p)
preadv(e, {c[0:10]*200@20, m[2p:3p], c[1p:2p]}, 3p)
madvise(m[2p:3p], dontneed)
pread(d, m[3p+512:4p+512], 2p+512)
check(m[0:1p])
munmap(m[1p:8p])
check(A, any*5p | empty)`,
		"in a thread":  "file A = pat1*3p\nd = open(A, rdwr|direct)\nt1: m = mmap(d, private, rw, 0, 3p)\nt2: fsync(d)\nt1: pread(d, m[1p:2p], 0)\nwait(t1)\nwait(t2)",
		"in a process": "file A = pat1*3p\np7: d = open(A, rdwr|direct)\np7: m = mmap(d, private, rw, 0, 3p)\nwait(p7)\np7: pread(d, m[0:3p], 0)\nwait(p7)",
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			p := parsed(t, "# made for this test\nprog big\n"+text+"\n# and no more\n")
			before := p.String()
			step := slices.IndexFunc(p.Steps, func(s Step) bool { return s.Op == "pread" })
			small := Shrinker{Fails: readsIntoItself, Tries: plenty}.Shrink(p, step)
			got := strings.TrimPrefix(small.String(), "# made for this test\n")
			g.Expect(strings.ReplaceAll(got, "pread(d, m[0:1], 0)", "pread(d, m, 0)")).To(gomega.Equal(shape))
			g.Expect(p.String()).To(gomega.Equal(before), "the program itself is left alone")
			unknown := Shrinker{Fails: readsIntoItself, Tries: plenty}.Shrink(p, -1)
			g.Expect(unknown.Steps).To(gomega.Equal(small.Steps), "without knowing the step")
		})
	}
}

func TestShrinkKeepsWhatMatters(t *testing.T) {
	g := gomega.NewWithT(t)
	p := parsed(t, `prog big
needs atomic-read odirect
file A = 'a'*4p
d = open(A, rdwr|append)
b = anon(zero*4p)
t1: fsync(d)
t2: pwritev(d, {b[0:1p], b[1:2]*100@2, b[1p:2p], bad[0:1]!}, 2p+512) -> 3p | EFAULT
wait(t2)
`)
	fails := func(c *Prog) bool {
		return strings.Contains(c.String(), "t2: pwritev") && strings.Contains(c.String(), "bad[") && slices.Contains(c.Needs, "atomic-read")
	}
	derive := func(c *Prog) error {
		c.Need("shared-mmap")
		for i := range c.Steps {
			c.Steps[i].Want = Expect{Anything}
		}
		return nil
	}
	p.Need("shared-mmap")
	small := Shrinker{Derive: derive, Fails: fails, Tries: plenty}.Shrink(p, 3)
	g.Expect(small.String()).To(gomega.Equal(`prog big
needs atomic-read odirect shared-mmap
file A = empty
d = open(A, rdwr) -> any
t2: pwritev(d, {bad[0:1]!}, 0) -> any
`))
}

func TestShrinkGivesTheProgramBack(t *testing.T) {
	g := gomega.NewWithT(t)
	p := parsed(t, "prog x\nfile A = 'a'*4p\nd = open(A, rdwr)\nfsync(d)\nfsync(d)\n")
	never, asked := func(*Prog) bool { return false }, 0
	g.Expect(Shrinker{Fails: never, Tries: plenty}.Shrink(p, 1)).To(gomega.BeIdenticalTo(p), "nothing smaller fails")
	count := func(*Prog) bool { asked++; return true }
	g.Expect(Shrinker{Fails: count, Tries: 0}.Shrink(p, 1)).To(gomega.BeIdenticalTo(p), "no tries")
	refuse := func(*Prog) error { return errors.New("no") }
	g.Expect(Shrinker{Derive: refuse, Fails: count, Tries: plenty}.Shrink(p, 1)).To(gomega.BeIdenticalTo(p), "nothing can be derived")
	g.Expect(asked).To(gomega.BeZero())
}

// valid writes random programs that mean something: nonsense, with all that is refused taken out.
func (r random) valid() *Prog {
	p := &Prog{Name: "r/valid", Files: []File{{Name: "A", Data: Pat(1, Pages(4))}, {Name: "B", Elsewhere: true, Data: FillOf('b', Bytes(100))}}}
	actor := func() string { return []string{"", "", "", "t1: ", "t2: ", "p1: "}[r.IntN(6)] }
	name := func(kind string) string { return fmt.Sprint(kind, r.IntN(4)) }
	for len(p.Steps) < 40 {
		lines := []string{
			name("d") + " = open(" + r.pick("AB") + ", rdwr|direct)", name("d") + " = open(A, rdonly)",
			fmt.Sprintf("%s = mmap(%s, private, rw, %dp, %dp)", name("m"), name("d"), r.IntN(4), 1+r.IntN(8)),
			fmt.Sprintf("%s = anon('x'*%d + hole*2p)", name("m"), r.IntN(9000)),
			fmt.Sprintf("pread(%s, %s[%d:%dp], %dp+%d)", name("d"), name("m"), r.IntN(4096), 1+r.IntN(4), r.IntN(4), r.IntN(600)),
			fmt.Sprintf("writev(%s, {%s, %s[1:2]*%d@3})", name("d"), name("m"), name("m"), 2+r.IntN(50)),
			fmt.Sprintf("store(%s[1p:%dp], pat2[5:%dp+5])", name("m"), 2+r.IntN(2), 1+r.IntN(2)),
			fmt.Sprintf("munmap(%s[%dp:2p])", name("m"), r.IntN(2)), "close(" + name("d") + ")",
			"msync(" + name("m") + ", sync|invalidate)", "check(" + r.pick("AB") + ", 'b'*100)", "wait(t1)", "wait(p1)", "rename(A, B)",
		}
		line := lines[r.IntN(len(lines))]
		if !strings.HasPrefix(line, "wait") {
			line = actor() + line
		}
		s, err := ParseStep(line)
		if err != nil {
			panic(line + ": " + err.Error())
		}
		p.Steps = append(p.Steps, *s)
		p.prune()
	}
	return p
}

// On random programs with random ideas of what fails: every candidate is valid and new, the result fails, no single cut of it does, and all
// of it comes out the same again.
func TestShrinkRandomPrograms(t *testing.T) {
	g := gomega.NewWithT(t)
	r := random{rand.New(rand.NewPCG(5, 6))}
	for range 60 {
		p := r.valid()
		g.Expect(p.Validate()).To(gomega.Succeed())
		step := r.IntN(len(p.Steps))
		op, other := p.Steps[step].Op, p.Steps[r.IntN(step+1)].Op
		wanted := func(c *Prog) bool {
			return strings.Contains(c.String(), op+"(") && strings.Contains(c.String(), other+"(")
		}
		asked := map[string]bool{}
		fails := func(c *Prog) bool {
			if err := c.Validate(); err != nil {
				t.Fatalf("%v\n%s", err, c)
			}
			if asked[c.String()] {
				t.Fatalf("asked twice:\n%s", c)
			}
			asked[c.String()] = true
			return wanted(c)
		}
		small := Shrinker{Fails: fails, Tries: plenty}.Shrink(p, step)
		g.Expect(wanted(small)).To(gomega.BeTrue())
		g.Expect(len(small.Steps)).To(gomega.BeNumerically("<", 9), "%v", small)
		for _, list := range []edits{withoutActors, withoutSteps(1), withoutFiles, withoutPieces, withoutFlags, withSimplerSizes, withSimplerData} {
			for _, change := range list(small) {
				c := bare(small)
				change(c)
				if c.prune(); c.Validate() == nil && c.String() != small.String() && wanted(c) {
					t.Fatalf("%s\ncan still be cut to\n%s", small, c)
				}
			}
		}
		clear(asked)
		g.Expect(Shrinker{Fails: fails, Tries: plenty}.Shrink(p, step).String()).To(gomega.Equal(small.String()))
		clear(asked)
		tries := r.IntN(10)
		Shrinker{Fails: fails, Tries: tries}.Shrink(p, step)
		g.Expect(len(asked)).To(gomega.BeNumerically("<=", tries))
	}
}

// If everything fails, what is left is the operation and what it cannot be without.
func TestShrinkOfWhatAlwaysFails(t *testing.T) {
	g := gomega.NewWithT(t)
	r := random{rand.New(rand.NewPCG(7, 8))}
	for range 60 {
		p := r.valid()
		step := r.IntN(len(p.Steps))
		small := Shrinker{Fails: func(*Prog) bool { return true }, Tries: plenty}.Shrink(p, step)
		g.Expect(len(small.Steps)).To(gomega.BeNumerically("<=", 4), "%v", small)
		g.Expect(small.Steps[len(small.Steps)-1].Op).To(gomega.Equal(p.Steps[step].Op))
	}
}
