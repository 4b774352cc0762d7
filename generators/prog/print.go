package prog

import (
	"fmt"
	"strings"
)

// String writes the program as text that Parse reads back to an equal program.
func (p *Prog) String() string {
	var b strings.Builder
	comment(&b, p.Doc)
	fmt.Fprintf(&b, "prog %s\n", p.Name)
	if len(p.Needs) > 0 {
		fmt.Fprintf(&b, "needs %s\n", strings.Join(p.Needs, " "))
	}
	for _, f := range p.Files {
		comment(&b, f.Note)
		fmt.Fprintf(&b, "%s\n", f)
	}
	for i := range p.Steps {
		comment(&b, p.Steps[i].Note)
		fmt.Fprintf(&b, "%s\n", &p.Steps[i])
	}
	comment(&b, p.Tail)
	return b.String()
}

func comment(b *strings.Builder, lines []string) {
	for _, line := range lines {
		b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
}

func (f File) String() string {
	place := ""
	if f.Elsewhere {
		place = " on other"
	}
	return fmt.Sprintf("file %s%s = %s", f.Name, place, f.Data)
}

func (s *Step) String() string {
	text := s.Call()
	if s.Actor != "" {
		text = s.Actor + ": " + text
	}
	if len(s.Want) > 0 {
		text += " -> " + s.Want.String()
	}
	return text
}

// Call writes the step without actor and expectation: "d = open(A, rdwr)".
func (s *Step) Call() string {
	args := make([]string, len(s.Args))
	for i, a := range s.Args {
		args[i] = fmt.Sprint(a)
	}
	text := s.Op + "(" + strings.Join(args, ", ") + ")"
	if s.Makes != "" {
		text = s.Makes + " = " + text
	}
	return text
}

func (w Words) String() string { return strings.Join(w, "|") }

func (b Buf) String() string {
	parts := make([]string, len(b.Ranges))
	for i, r := range b.Ranges {
		parts[i] = r.String()
	}
	text := strings.Join(parts, ", ")
	if b.Vector {
		return "{" + text + "}"
	}
	return text
}

func (r Range) String() string {
	text := r.Of
	if !r.Whole {
		text += fmt.Sprintf("[%v:%v]", r.From, r.To)
	}
	if r.Count > 1 {
		text += fmt.Sprintf("*%d@%v", r.Count, r.Stride)
	}
	if r.Faults {
		text += "!"
	}
	return text
}
