package prog

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/onsi/gomega"
)

// random writes well-formed programs: all that Parse can return, whether it means anything or not.
type random struct{ *rand.Rand }

func (r random) program() *Prog {
	p := &Prog{Doc: r.comment(), Name: "r/" + r.lower(), Tail: r.comment(), Steps: []Step{}}
	for range r.IntN(3) {
		p.Needs = append(p.Needs, Needs[r.IntN(len(Needs))].Name)
	}
	for range r.IntN(4) {
		p.Files = append(p.Files, File{Note: r.comment(), Name: r.path(), Elsewhere: r.IntN(3) == 0, Data: r.data()})
	}
	for range r.IntN(12) {
		p.Steps = append(p.Steps, r.step(OpNames()[r.IntN(len(Ops))]))
	}
	return p
}

func (r random) step(name string) Step {
	op := Ops[name]
	s := Step{Note: r.comment(), Op: name, Args: []Arg{}}
	if r.IntN(3) == 0 {
		s.Actor = fmt.Sprintf("%c%d", "tp"[r.IntN(2)], r.IntN(100))
	}
	if op.Makes != KindNone {
		s.Makes = r.lower()
	}
	for _, p := range op.Params {
		if p.Optional && r.IntN(2) == 0 {
			break
		}
		s.Args = append(s.Args, r.arg(p))
	}
	for range r.IntN(4) {
		s.Want = append(s.Want, r.outcome())
	}
	return s
}

func (r random) arg(p Param) Arg {
	switch p.Kind {
	case KindFD, KindActor:
		return Name(r.lower())
	case KindFile:
		return Name(r.path())
	case KindSize:
		return r.size()
	case KindWords:
		return r.words(p.Words)
	case KindData:
		return r.data()
	case KindAlts:
		return r.alts()
	case KindStruct:
		return r.value()
	case KindNames:
		n := Names{}
		for range r.IntN(3) {
			n = append(n, r.path())
		}
		return n
	case KindVector:
		b := Buf{Vector: true}
		for range 1 + r.IntN(4) {
			b.Ranges = append(b.Ranges, r.memory())
		}
		return b
	case KindObject:
		if r.IntN(2) == 0 {
			return Name(r.path())
		}
	}
	return Buf{Ranges: []Range{r.memory()}}
}

func (r random) value() Value {
	s := Structs[slices.Sorted(maps.Keys(Structs))[r.IntN(len(Structs))]]
	v := Value{Struct: s.Name}
	for _, f := range s.Fields {
		fv := FieldValue{Name: f.Name}
		switch f.Kind {
		case KindFD:
			fv.Of = Name(r.lower())
		case KindMemory:
			fv.Of = Buf{Ranges: []Range{r.memory()}}
		default:
			fv.Lo = r.size()
			if fv.Hi = fv.Lo; r.IntN(2) == 0 {
				fv.Hi = r.size()
			}
		}
		if r.IntN(2) == 0 {
			v.Fields = append(v.Fields, fv)
		}
	}
	return v
}

func (r random) words(all []string) Words {
	var w Words
	for range 1 + r.IntN(3) {
		w = append(w, all[r.IntN(len(all))])
	}
	return w
}

func (r random) alts() Alts {
	var a Alts
	for range 1 + r.IntN(3) {
		a = append(a, r.data())
	}
	return a
}

func (r random) data() Data {
	d := Data{}
	for range r.IntN(4) {
		n := r.length()
		run := Run{Len: n, May: []Source{r.source()}}
		for range r.IntN(8) / 6 * 2 {
			run.May = append(run.May, r.source())
		}
		d = append(d, run)
	}
	return d
}

func (r random) source() Source {
	s := Source{Kind: SourceKind(r.IntN(int(Any) + 1))}
	switch s.Kind {
	case Fill:
		s.ID = r.IntN(256)
	case Pattern:
		s.ID = r.IntN(1 << r.IntN(31))
		if r.IntN(2) == 0 {
			s.From = r.length()
		}
	}
	return s
}

func (r random) memory() Range {
	m := Range{Of: r.lower(), Whole: r.IntN(3) == 0, Faults: r.IntN(4) == 0}
	if !m.Whole {
		m.From, m.To = r.size(), r.size()
	}
	if r.IntN(4) == 0 {
		m.Count, m.Stride = 2+r.IntN(maxPieces-1), r.size()
	}
	return m
}

func (r random) outcome() Outcome {
	switch r.IntN(5) {
	case 0:
		return Anything
	case 1:
		return Succeeds
	case 2:
		return Fails([]string{"EFAULT", "SIGBUS", "EIO", "E2BIG"}[r.IntN(4)])
	case 3:
		return Exactly(r.size())
	}
	return Between(r.size(), r.size())
}

func (r random) size() Size {
	s := Size{Bytes: r.Int64N(1<<r.IntN(46)) * int64(1-2*r.IntN(2))}
	if r.IntN(2) == 0 {
		s = Size{Pages: r.Int64N(1<<r.IntN(30)) * int64(1-2*r.IntN(2)), Bytes: s.Bytes * int64(r.IntN(2))}
	}
	return s
}

// length is a size that is not negative with any page size.
func (r random) length() Size {
	n := Size{Bytes: r.Int64N(1 << r.IntN(40))}
	if r.IntN(2) == 0 {
		n = Size{Pages: r.Int64N(1 << r.IntN(30)), Bytes: r.Int64N(4096)}
		if n.Pages > 0 && r.IntN(2) == 0 {
			n.Bytes = -n.Bytes
		}
	}
	return n
}

func (r random) comment() []string {
	var lines []string
	for range r.IntN(8) / 5 {
		lines = append(lines, []string{"", "x", " indented", "# twice", "prog no", "d = open(A)", "päge\u00a0"[:6], "a\tb"}[r.IntN(8)])
	}
	return lines
}

func (r random) lower() string { return r.pick("abdm") + r.tail() }

func (r random) path() string {
	name := r.pick("ABD") + r.tail()
	for range r.IntN(3) {
		name += "/" + r.pick("ABD") + r.tail()
	}
	return name
}

func (r random) tail() string {
	text := ""
	for range r.IntN(3) {
		text += r.pick("aZ0_pt1")
	}
	return text
}

func (r random) pick(letters string) string { i := r.IntN(len(letters)); return letters[i : i+1] }

func TestPrintingAndParsingAreInverses(t *testing.T) {
	g := gomega.NewWithT(t)
	r := random{rand.New(rand.NewPCG(1, 2))}
	ops, kinds := map[string]bool{}, map[Kind]bool{}
	for i := range 10000 {
		p := r.program()
		text := p.String()
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("program %d: %v\n%s", i, err, text)
		}
		if !reflect.DeepEqual(again, p) || again.String() != text {
			t.Fatalf("program %d is read back as another:\n%s\n%s", i, text, again)
		}
		for k := range p.Steps {
			s := &p.Steps[k]
			ops[s.Op] = true
			for n := range s.Args {
				kinds[Ops[s.Op].Params[n].Kind] = true
			}
			if err := s.shaped(Ops[s.Op]); err != nil {
				t.Fatalf("program %d, %s: %v", i, s, err)
			}
			one, err := ParseStep(s.String())
			if err != nil || one.String() != s.String() {
				t.Fatalf("program %d, step %s: %v, %v", i, s, one, err)
			}
		}
	}
	g.Expect(ops).To(gomega.HaveLen(len(Ops)), "every operation was there")
	g.Expect(kinds).To(gomega.HaveLen(len(kindNames)-3), "every kind of argument was there")
}

// Whatever is read is printed as text that is read as the same, and none of it makes the parser or the validator fall over.
func FuzzParse(f *testing.F) {
	for _, name := range Examples() {
		f.Add(Example(name))
	}
	r := random{rand.New(rand.NewPCG(3, 4))}
	for range 20 {
		f.Add(r.program().String())
	}
	f.Add("prog x\nfile A on other = mix('\\xff'*1p, any*1p)\nd = open(A, rdwr)\ncheck(d[1p-1:2p+5]*3@-1!, empty | 'b')\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		printed := p.String()
		again, err := Parse(printed)
		if err != nil {
			t.Fatalf("%v\n%s", err, printed)
		}
		if second := again.String(); second != printed {
			t.Fatalf("printed as\n%s\nand then as\n%s", printed, second)
		}
		if (p.Validate() == nil) != (again.Validate() == nil) {
			t.Fatalf("valid or not: %v, %v\n%s", p.Validate(), again.Validate(), printed)
		}
		if p.Validate() == nil {
			Requires(p)
		}
	})
}
