package prog

import (
	"fmt"
	"slices"
	"strings"
)

// Value is an argument that says what the fields of a struct are: fiemap{fm_length=4p, fm_extent_count=2}.
type Value struct {
	// Struct names a row of the table Structs.
	Struct string
	Fields []FieldValue
}

// FieldValue is a field with what it holds: a number, or for what is looked at a range of numbers; a descriptor; or an address.
type FieldValue struct {
	Name string
	// Lo and Hi bound a number, both inclusive.
	Lo, Hi Size
	// Of is the descriptor (a Name) or the memory (a Buf with one range) that the field refers to; nil for a number.
	Of Arg
}

func (Value) isArg() {}

func (v Value) String() string {
	parts := make([]string, len(v.Fields))
	for i, f := range v.Fields {
		if f.Of != nil {
			parts[i] = fmt.Sprintf("%s=%v", f.Name, f.Of)
		} else {
			parts[i] = fmt.Sprintf("%s=%v", f.Name, Between(f.Lo, f.Hi))
		}
	}
	return v.Struct + "{" + strings.Join(parts, ", ") + "}"
}

// Names is an argument that lists files: A|B. Without any it is "none".
type Names []string

func (Names) isArg() {}

func (n Names) String() string {
	if len(n) == 0 {
		return "none"
	}
	return strings.Join(n, "|")
}

func (l *lexer) names() (Names, error) {
	if l.word("none") {
		return Names{}, nil
	}
	var list Names
	for {
		name, err := l.fileName()
		if err != nil {
			return nil, err
		}
		list = append(list, name)
		if !l.accept("|") {
			return list, nil
		}
	}
}

func (l *lexer) value() (v Value, err error) {
	const what = "a struct such as fiemap{fm_extent_count=1}"
	if v.Struct, err = l.ident(what); err != nil {
		return v, err
	}
	s := Structs[v.Struct]
	if s == nil {
		return v, fmt.Errorf("found %q, wanted %s", v.Struct, what)
	}
	if err := l.expect("{"); err != nil {
		return v, err
	}
	for !l.accept("}") {
		if len(v.Fields) > 0 {
			if err := l.expect(","); err != nil {
				return v, err
			}
		}
		f, err := l.field(s)
		if err != nil {
			return v, err
		}
		v.Fields = append(v.Fields, f)
	}
	return v, nil
}

func (l *lexer) field(s *Struct) (v FieldValue, err error) {
	if v.Name, err = l.ident("a field of " + s.Name); err != nil {
		return v, err
	}
	f := s.Field(v.Name)
	if f == nil {
		return v, fmt.Errorf("found %q, wanted a field of %s", v.Name, s.Name)
	}
	if err = l.expect("="); err != nil {
		return v, err
	}
	switch f.Kind {
	case KindFD:
		name, err := l.ident("a descriptor")
		v.Of = Name(name)
		return v, err
	case KindMemory:
		v.Of, err = l.buf()
		return v, err
	}
	if v.Lo, err = l.size(); err != nil {
		return v, err
	}
	v.Hi = v.Lo
	if l.accept("..") {
		v.Hi, err = l.size()
	}
	return v, err
}

// value checks a struct's fields; what is put into memory is definite.
func (v *validator) value(s *Step, a Value) error {
	st := Structs[a.Struct]
	if st == nil {
		return fmt.Errorf("found struct %q, which is not known", a.Struct)
	}
	for i, fv := range a.Fields {
		f := st.Field(fv.Name)
		switch {
		case f == nil:
			return fmt.Errorf("%s has no field %s", a.Struct, fv.Name)
		case slices.ContainsFunc(a.Fields[:i], func(o FieldValue) bool { return o.Name == fv.Name }):
			return fmt.Errorf("%s is given twice", fv.Name)
		case s.Op != "look" && fv.Lo != fv.Hi, !fv.Lo.AtMost(fv.Hi):
			return fmt.Errorf("%s: found %v, wanted one number", fv.Name, Between(fv.Lo, fv.Hi))
		}
		if err := v.reference(s, f, fv.Of); err != nil {
			return fmt.Errorf("%s: %w", fv.Name, err)
		}
	}
	return nil
}

func (v *validator) reference(s *Step, f *Field, of Arg) error {
	switch of := of.(type) {
	case Name:
		if f.Kind == KindFD {
			return v.descriptor(s, string(of))
		}
	case Buf:
		if f.Kind == KindMemory && !of.Vector && len(of.Ranges) == 1 && of.Ranges[0].Count < 2 {
			return v.buf(s, of)
		}
	case nil:
		if f.Kind == KindSize {
			return nil
		}
	}
	return fmt.Errorf("found %v, wanted %v", of, f.Kind)
}

// structRule demands memory of the struct's length.
func structRule(v *validator, s *Step) error {
	return v.sameLength(s, HoleOf(Bytes(Structs[s.Args[1].(Value).Struct].Size)))
}
