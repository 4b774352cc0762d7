package prog

import (
	"fmt"
	"strings"
)

// A SyntaxError names the line, what was found there and what was wanted.
type SyntaxError struct {
	Line int
	Msg  string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// Parse reads one program. The result is well formed but may still mean nothing: see Validate.
func Parse(text string) (*Prog, error) {
	lines := strings.Split(text, "\n")
	p := &Prog{Steps: make([]Step, 0, len(lines))}
	var notes []string
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			notes = append(notes, strings.TrimPrefix(strings.TrimPrefix(line, "#"), " "))
			continue
		}
		if line == "" {
			continue
		}
		if err := p.parseLine(line, notes); err != nil {
			return nil, &SyntaxError{i + 1, err.Error()}
		}
		notes = nil
	}
	p.Tail = notes
	if p.Name == "" {
		return nil, &SyntaxError{1, "found no program, wanted a line \"prog NAME\""}
	}
	return p, nil
}

func (p *Prog) parseLine(line string, notes []string) error {
	word, rest := line, ""
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		word, rest = line[:i], strings.TrimSpace(line[i:])
	}
	if p.Name == "" {
		if word != "prog" || rest == "" || strings.ContainsAny(rest, " \t") {
			return fmt.Errorf("found %q, wanted \"prog NAME\"", line)
		}
		p.Name, p.Doc = rest, notes
		return nil
	}
	switch word {
	case "prog":
		return fmt.Errorf("found a second program, wanted one program a file")
	case "needs":
		if len(p.Files)+len(p.Steps) > 0 {
			return fmt.Errorf("found needs behind a file or a step, wanted it above them")
		}
		p.Doc = append(p.Doc, notes...)
		p.Needs = append(p.Needs, strings.Fields(rest)...)
		return nil
	case "file":
		if len(p.Steps) > 0 {
			return fmt.Errorf("found a file behind a step, wanted all files first")
		}
		f, err := parseFile(rest)
		f.Note = notes
		p.Files = append(p.Files, f)
		return err
	}
	p.Steps = append(p.Steps, Step{Note: notes})
	return p.Steps[len(p.Steps)-1].parse(line)
}

func parseFile(text string) (f File, err error) {
	l := &lexer{rest: text}
	if f.Name, err = l.fileName(); err != nil {
		return f, err
	}
	if l.word("on") {
		f.Elsewhere = true
		if !l.word("other") {
			return f, l.wanted(`"other"`)
		}
	}
	if err := l.expect("="); err != nil {
		return f, err
	}
	if f.Data, err = l.data(); err != nil {
		return f, err
	}
	return f, l.end()
}

// ParseStep reads one step, without comment.
func ParseStep(line string) (*Step, error) {
	s := &Step{}
	if err := s.parse(line); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Step) parse(line string) error {
	l := &lexer{rest: line}
	word, err := l.ident("a step such as d = open(A, rdwr)")
	if err != nil {
		return err
	}
	if l.accept(":") {
		if !actorName(word) {
			return fmt.Errorf("found actor %q, wanted t1, t2, ... for a thread or p1, p2, ... for a process", word)
		}
		s.Actor = word
		if word, err = l.ident("a step"); err != nil {
			return err
		}
	}
	if l.accept("=") {
		if reserved[word] {
			return fmt.Errorf("found the name %q, wanted one that means nothing else", word)
		}
		s.Makes = word
		if word, err = l.ident("an operation"); err != nil {
			return err
		}
	}
	op := Ops[word]
	if op == nil {
		return fmt.Errorf("found %q, wanted an operation: %s", word, strings.Join(OpNames(), " "))
	}
	s.Op = op.Name
	if (s.Makes != "") != (op.Makes != KindNone) {
		if op.Makes == KindNone {
			return fmt.Errorf("found %q in front of %s, which makes nothing to be named", s.Makes+" =", op.Name)
		}
		return fmt.Errorf("found no name for what %s makes, wanted \"x = %s\"", op.Name, op.Usage())
	}
	if s.Args, err = l.args(op); err != nil {
		return fmt.Errorf("%s: %w", op.Usage(), err)
	}
	if l.accept("->") {
		if s.Want, err = l.outcomes(); err != nil {
			return err
		}
	}
	return l.end()
}

func actorName(s string) bool {
	return len(s) >= 2 && len(s) <= 3 && (s[0] == 't' || s[0] == 'p') && strings.Trim(s[1:], "0123456789") == ""
}

func (l *lexer) args(op *Op) ([]Arg, error) {
	if err := l.expect("("); err != nil {
		return nil, err
	}
	args := make([]Arg, 0, len(op.Params))
	for i, param := range op.Params {
		if i > 0 {
			if l.next(")") && param.Optional {
				break
			}
			if err := l.expect(","); err != nil {
				return nil, err
			}
		}
		a, err := l.arg(param)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", param.Name, err)
		}
		args = append(args, a)
	}
	return args, l.expect(")")
}

func (l *lexer) arg(p Param) (Arg, error) {
	switch p.Kind {
	case KindFD:
		name, err := l.ident("a descriptor")
		return Name(name), err
	case KindActor:
		name, err := l.ident("an actor")
		return Name(name), err
	case KindFile:
		name, err := l.fileName()
		return Name(name), err
	case KindWords:
		return l.words(p.Words)
	case KindSize:
		return l.size()
	case KindData:
		return l.data()
	case KindAlts:
		return l.alts()
	case KindStruct:
		return l.value()
	case KindNames:
		return l.names()
	case KindVector:
		if !l.next("{") {
			return nil, l.wanted(p.Kind.String())
		}
		return l.buf()
	case KindObject:
		if l.upper() {
			name, err := l.fileName()
			return Name(name), err
		}
	}
	if l.next("{") {
		return nil, l.wanted("a range such as m[0:1p]")
	}
	return l.buf()
}
