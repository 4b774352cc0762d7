package prog

import (
	"fmt"
	"slices"
	"strings"
)

// Validate refuses a program that cannot mean anything: unknown names, use after close or munmap, a range outside its mapping that is not
// declared to fault, flags that exclude each other. The error names the step.
func (p *Prog) Validate() error {
	v := newValidator()
	for _, need := range p.Needs {
		if !KnownNeed(need) {
			return fmt.Errorf("needs %s: unknown; see the list of needs", need)
		}
	}
	for _, f := range p.Files {
		if err := v.file(f); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	for i := range p.Steps {
		if err := v.step(&p.Steps[i]); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, p.Steps[i].Call(), err)
		}
		v.acted[p.Steps[i].Actor] = true
	}
	return nil
}

type validator struct {
	files map[string]bool
	// scopes holds the names by address space: "" for the main process, "p1" for a process.
	scopes map[string]map[string]*object
	acted  map[string]bool
}

func newValidator() *validator {
	return &validator{files: map[string]bool{}, scopes: map[string]map[string]*object{}, acted: map[string]bool{}}
}

// object is what a lower-case name stands for.
type object struct {
	kind   Kind
	length Size
	align  Size
	gone   string // the operation that ended it
	// lost are ranges that are no longer mapped or no longer permitted.
	lost []Range
	// guard tells a guard from a stall.
	guard bool
}

func (v *validator) file(f File) error {
	if v.files[f.Name] {
		return fmt.Errorf("the file is declared twice")
	}
	if strings.Contains(f.Name, "/") {
		return fmt.Errorf("a file that exists before the first step is in no directory")
	}
	if !f.Data.Definite() {
		return fmt.Errorf("mix and any are for what is expected, not for what is written")
	}
	v.files[f.Name] = true
	return nil
}

func (v *validator) scope(s *Step) map[string]*object {
	key := ""
	if s.Process() {
		key = s.Actor
	}
	if v.scopes[key] == nil {
		v.scopes[key] = map[string]*object{}
	}
	return v.scopes[key]
}

func (v *validator) step(s *Step) error {
	op := Ops[s.Op]
	if op == nil {
		return fmt.Errorf("unknown operation")
	}
	if err := s.shaped(op); err != nil {
		return err
	}
	for i, a := range s.Args {
		if err := v.arg(s, op.Params[i], a); err != nil {
			return fmt.Errorf("%s: %w", op.Params[i].Name, err)
		}
	}
	for _, o := range s.Want {
		if o.Err != "" && !strings.HasPrefix(o.Err, "E") && !strings.HasPrefix(o.Err, "SIG") {
			return fmt.Errorf("%q is neither an errno nor a signal", o.Err)
		}
		if !o.Lo.AtMost(o.Hi) {
			return fmt.Errorf("found %v, wanted the smaller value first", o)
		}
	}
	if rule := rules[s.Op]; rule != nil {
		if err := rule(v, s); err != nil {
			return err
		}
	}
	return v.define(s, op)
}

// shaped demands what the parser demands, of steps that were put together in Go: the operation's arguments, and a name if it makes something.
func (s *Step) shaped(op *Op) error {
	most, least := len(op.Params), 0
	for _, p := range op.Params {
		if !p.Optional {
			least++
		}
	}
	if len(s.Args) < least || len(s.Args) > most {
		return fmt.Errorf("found %d arguments, wanted %s", len(s.Args), op.Usage())
	}
	if (s.Makes != "") != (op.Makes != KindNone) {
		return fmt.Errorf("found the name %q, wanted one for what an operation makes, and none where it makes nothing", s.Makes)
	}
	for i, p := range op.Params[:len(s.Args)] {
		if !p.takes(s.Args[i]) {
			return fmt.Errorf("%s: found %v, wanted %v", p.Name, s.Args[i], p.Kind)
		}
	}
	return nil
}

// takes reports whether the argument is of the parameter's kind.
func (p Param) takes(a Arg) bool {
	switch a := a.(type) {
	case Name:
		return p.Kind == KindFD || p.Kind == KindFile || p.Kind == KindActor || p.Kind == KindObject
	case Buf:
		if p.Kind == KindVector {
			return a.Vector && len(a.Ranges) > 0
		}
		return (p.Kind == KindMemory || p.Kind == KindObject) && !a.Vector && len(a.Ranges) == 1
	case Words:
		return p.Kind == KindWords && len(a) > 0 && !slices.ContainsFunc(a, func(w string) bool { return !slices.Contains(p.Words, w) })
	case Size:
		return p.Kind == KindSize
	case Data:
		return p.Kind == KindData
	case Alts:
		return p.Kind == KindAlts && len(a) > 0
	case Value:
		return p.Kind == KindStruct
	case Names:
		return p.Kind == KindNames
	}
	return false
}

func (v *validator) arg(s *Step, p Param, a Arg) error {
	switch a := a.(type) {
	case Name:
		switch p.Kind {
		case KindFD:
			return v.descriptor(s, string(a))
		case KindActor:
			return v.actor(s, string(a))
		}
		return v.fileArg(s, p, string(a))
	case Buf:
		return v.buf(s, a)
	case Value:
		return v.value(s, a)
	case Names:
		for _, name := range a {
			if !v.files[name] {
				return fmt.Errorf("file %s is not known here", name)
			}
		}
	case Data:
		if !a.Definite() {
			return fmt.Errorf("mix and any are for what is expected, not for what is written")
		}
	}
	return nil
}

func (v *validator) descriptor(s *Step, name string) error {
	o := v.scope(s)[name]
	switch {
	case o == nil:
		return v.unknown(s, name)
	case o.kind != KindFD:
		return fmt.Errorf("%s is %v, wanted a descriptor", name, o.kind)
	case o.gone != "":
		return fmt.Errorf("%s was ended by %s", name, o.gone)
	}
	return nil
}

func (v *validator) unknown(s *Step, name string) error {
	for _, names := range v.scopes {
		if names[name] != nil {
			return fmt.Errorf("%s belongs to another process", name)
		}
	}
	return fmt.Errorf("%s is not known here", name)
}

func (v *validator) actor(s *Step, name string) error {
	switch {
	case s.Actor != "" && s.Op != "stalled":
		return fmt.Errorf("only the main thread waits")
	case !actorName(name) || !v.acted[name]:
		return fmt.Errorf("%s has done nothing yet", name)
	}
	return nil
}

// fileArg accepts a name that exists or may exist by now; names that the step creates are new.
func (v *validator) fileArg(s *Step, p Param, name string) error {
	creates := p.Name == "new" || s.Op == "mkdir" || s.Op == "open" && s.words(1).Has("creat")
	if dir, _, nested := cutLast(name); nested && !v.files[dir] {
		return fmt.Errorf("directory %s is not known here", dir)
	}
	if creates {
		v.files[name] = true
	}
	if !v.files[name] {
		return fmt.Errorf("file %s is not known here", name)
	}
	return nil
}

func cutLast(name string) (dir, base string, nested bool) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}

func (v *validator) buf(s *Step, b Buf) error {
	var total Size
	for _, r := range b.Ranges {
		if err := v.memory(s, r); err != nil {
			return fmt.Errorf("%v: %w", r, err)
		}
		n := r.To.Minus(r.From)
		if o := v.named(s, r.Of); r.Whole && o != nil {
			n = o.length
		}
		total = total.Plus(n.Times(int64(max(r.Count, 1))))
	}
	if !total.AtMost(maxRoom) {
		return fmt.Errorf("found %v in all, wanted at most %v", total, maxRoom)
	}
	return nil
}

func (v *validator) memory(s *Step, r Range) error {
	if !r.Whole && (!r.From.AtMost(r.To) || !Bytes(0).AtMost(r.From)) {
		return fmt.Errorf("wanted 0 <= from <= to")
	}
	if r.Count > 1 && (r.Whole || !Bytes(0).AtMost(r.Stride)) {
		return fmt.Errorf("a repeated range needs bounds, and goes upwards")
	}
	if r.Of == Bad {
		if r.Whole || !r.Faults {
			return fmt.Errorf("wanted bounds and a declared fault, such as bad[0:1p]!")
		}
		return nil
	}
	o := v.named(s, r.Of)
	switch {
	case o == nil:
		return v.unknown(s, r.Of)
	case o.kind == KindFD:
		return fmt.Errorf("%s is a descriptor, wanted a mapping or a buffer", r.Of)
	case o.gone != "":
		return fmt.Errorf("%s was ended by %s", r.Of, o.gone)
	case r.Faults:
		return nil
	}
	return o.covers(r)
}

// covers says whether the range can be touched without a declared fault.
func (o *object) covers(r Range) error {
	from, to := r.bounds(o.length)
	if !to.AtMost(o.length) {
		return fmt.Errorf("ends behind the %v that are mapped; write ! behind a range that is meant to fault", o.length)
	}
	for _, gone := range o.lost {
		if !to.AtMost(gone.From) && !gone.To.AtMost(from) {
			return fmt.Errorf("overlaps [%v:%v], which is not accessible; write ! behind a range that is meant to fault", gone.From, gone.To)
		}
	}
	return nil
}

// bounds are the first and last byte the range reaches, repeated pieces included.
func (r Range) bounds(length Size) (from, to Size) {
	if r.Whole {
		return Size{}, length
	}
	return r.From, r.To.Plus(r.Stride.Times(int64(max(r.Count, 1) - 1)))
}

// reserved are the names that mean something else at the beginning of a line or in a range.
var reserved = map[string]bool{Bad: true, "prog": true, "needs": true, "file": true}

func (v *validator) define(s *Step, op *Op) error {
	if s.Makes == "" {
		return nil
	}
	names := v.scope(s)
	if names[s.Makes] != nil || reserved[s.Makes] || actorName(s.Makes) {
		return fmt.Errorf("the name %s is taken", s.Makes)
	}
	o := &object{kind: op.Makes, guard: IsGuard(s.Op)}
	switch s.Op {
	case "mmap":
		o.length = s.Args[4].(Size)
	case "mremap":
		o.length = s.Args[1].(Size)
	case "stall", "guard_struct":
		o.length = s.Args[0].(Size)
	case "anon", "guard":
		o.length = s.Args[0].(Data).Len()
		if len(s.Args) > 1 {
			o.align = s.Args[1].(Size)
		}
	}
	names[s.Makes] = o
	return nil
}

// words is argument i as flags.
func (s *Step) words(i int) Words {
	w, _ := s.Args[i].(Words)
	return w
}
