// Package prog says what a program is: a short list of steps (open, mmap, pread, ...) over a few files, with what each step may
// return and which bytes may be seen. One text is used everywhere: log, wire format, corpus, regression test, JUnit body and bug
// report. The package knows how a program is written, not what a file system does with it (that is package model) nor how it
// is run (package worker). It imports the standard library only.
//
//	# Read from disk, directly, into a private mapping of the same file.
//	prog selfio/pread/direct/private/data-to-hole
//	needs odirect
//	file A = hole*1p + 'b'*1p
//	d = open(A, rdwr|direct)
//	m = mmap(d, private, rw, 0, 2p)
//	pread(d, m[0:1p], 1p) -> 1p
//	check(m[0:1p], 'b'*1p)
//	check(A, hole*1p + 'b'*1p)
package prog

// Prog is one program.
type Prog struct {
	// Doc is the comment above the program and its needs, one line an element, without "# ".
	Doc []string
	// Name is a stable identity made of the parameters, such as "selfio/pread/direct/private/data-to-hole".
	Name string
	// Needs are the abilities and guarantees the program relies on; see the table Needs. A target that lacks one skips it.
	Needs []string
	// Files exist before the first step.
	Files []File
	Steps []Step
	// Tail is the comment behind the last step.
	Tail []string
}

// File is a file that exists before the first step.
type File struct {
	// Note is the comment above the file.
	Note []string
	Name string
	// Elsewhere puts the file on another file system than the one under test ("file A on other = ...").
	Elsewhere bool
	Data      Data
}

// Step is one line: an actor performs one operation.
type Step struct {
	// Note is the comment above the step.
	Note []string
	// Actor is "" for the main thread, "t1" for a thread of the same process, "p1" for a process of its own.
	Actor string
	// Makes is the name that the step defines ("d" in "d = open(...)"), or "".
	Makes string
	// Op names a row of the table Ops.
	Op   string
	Args []Arg
	// Want are the results the step may have; nil means that it must succeed, with whatever value.
	Want Expect
}

// Process reports whether the step belongs to an actor with its own address space.
func (s *Step) Process() bool { return len(s.Actor) > 0 && s.Actor[0] == 'p' }

// Arg is one argument: Name, Names, Words, Size, Buf, Data, Alts or Value.
type Arg interface{ isArg() }

// Name is an argument that refers to a descriptor (d), a file (A, D/B) or an actor (t1).
type Name string

// Words is an argument of flags: "rdwr|direct".
type Words []string

// Buf is an argument that names memory: one range, or the several ranges of an iovec.
type Buf struct {
	Ranges []Range
	// Vector is set when it was written with braces; {m[0:1p]} and m[0:1p] differ in the system call they reach.
	Vector bool
}

// Range is a piece of a mapping or of an anonymous buffer, or of the address range Bad, where nothing is ever mapped.
type Range struct {
	Of string
	// From and To are offsets in bytes from the start of what the name means; Whole means that no bounds were written.
	From, To Size
	Whole    bool
	// Faults declares that part of the range is not mapped or not permitted: "m[1p:3p]!".
	Faults bool
	// Count > 1 repeats the range, each Stride further on: "b[0:1]*1024@1p" is an iovec of 1024 pieces.
	Count  int
	Stride Size
}

// Bad is the name of a range of addresses where nothing is ever mapped.
const Bad = "bad"

func (Name) isArg()  {}
func (Words) isArg() {}
func (Size) isArg()  {}
func (Buf) isArg()   {}
func (Data) isArg()  {}
func (Alts) isArg()  {}

// Has reports whether the word is among the flags.
func (w Words) Has(word string) bool {
	for _, have := range w {
		if have == word {
			return true
		}
	}
	return false
}

// Each calls f for every single piece of the buffer in order, with repeated ranges spelled out.
func (b Buf) Each(f func(piece Range)) {
	for _, r := range b.Ranges {
		for i := range max(r.Count, 1) {
			shift := r.Stride.Times(int64(i))
			f(Range{Of: r.Of, From: r.From.Plus(shift), To: r.To.Plus(shift), Whole: r.Whole, Faults: r.Faults})
		}
	}
}

// Actors lists the actors other than the main thread, in the order of their first step.
func (p *Prog) Actors() []string {
	var all []string
	seen := map[string]bool{"": true}
	for i := range p.Steps {
		if a := p.Steps[i].Actor; !seen[a] {
			seen[a] = true
			all = append(all, a)
		}
	}
	return all
}

// Need adds an ability to the program's needs unless it is there.
func (p *Prog) Need(name string) {
	for _, have := range p.Needs {
		if have == name {
			return
		}
	}
	p.Needs = append(p.Needs, name)
}
