// Package emit writes a program in other languages: as one readable C file that makes the same system calls by their libc names, checks
// each result as the expectation says, and needs nothing but a C compiler. It imports prog only.
//
//	os.WriteFile("repro.c", []byte(emit.C(p)), 0o644) // cc -O1 -o repro repro.c -lpthread && ./repro DIR
package emit

import (
	"fmt"
	"slices"
	"strings"

	"faultline/generators/prog"
)

// C is the program, which must be valid, as a C file for Linux on a 64-bit machine. The file's program exits with 0 if every step did what it may do and with 1 behind
// a line that says which did not; a step that hangs hangs. It works in a new directory that it makes in the one it is given, and leaves
// it there. Pages are those of the machine. Actors of a program are threads and forked processes; the processes are forked before anything
// else, so that they share no memory with the rest.
func C(p *prog.Prog) string {
	g := &writer{
		prog: p, dialect: dialectOf(p), elsewhere: map[string]bool{}, objects: map[string]*object{},
		actors: map[string]*text{}, queued: map[string]bool{}, unjoined: map[string]int{},
	}
	for _, f := range p.Files {
		g.elsewhere[f.Name] = f.Elsewhere
	}
	g.files()
	g.steps()
	body := g.functions() + g.mainFunction()
	declared := g.variables() + body
	helpers := g.dialect.helpers(declared)
	return g.head(helpers+declared) + layouts(declared) + helpers + declared
}

// text is C code under way, a line an element, without the indentation of its function.
type text []string

func (t *text) line(format string, args ...any) { *t = append(*t, fmt.Sprintf(format, args...)) }

// comment writes lines of a program's comment. A backslash at the end of a line would join it with the next one.
func (t *text) comment(lines []string) {
	for _, l := range lines {
		t.line("%s", strings.TrimRight("// "+strings.TrimRight(l, "\\"), " "))
	}
}

// function is the text as the body of a C function.
func (t text) function(head string) string {
	return head + "\n{\n\t" + strings.Join(t, "\n\t") + "\n}\n"
}

// writer turns one program into C.
type writer struct {
	prog      *prog.Prog
	dialect   dialect
	elsewhere map[string]bool
	// objects are by C name; order keeps that of their making.
	objects map[string]*object
	order   []*object
	// main is the body of main behind its beginning, actors the bodies of the others.
	main   text
	actors map[string]*text
	// queued are the actors with steps that the main thread has not released yet; unjoined counts the releases not waited for.
	queued   map[string]bool
	unjoined map[string]int
}

// object is a C variable: a descriptor, a mapping or a buffer.
type object struct {
	name   string
	fd     bool
	length prog.Size
	// stall is the C name of what is known of a stall or guard, called its name in the program.
	stall, called string
	guard         bool
	// maker is the actor that makes it, in step number made; perhaps says that this may fail.
	maker   string
	made    int
	perhaps bool
	// awaited says that others wait until it is made.
	awaited bool
}

// unset is the value before the object is made, and of one that could not be.
func (o *object) unset() string {
	switch {
	case o.fd:
		return "-1"
	case o.perhaps:
		return "MAP_FAILED"
	}
	return "NULL"
}

// there is the condition that the object was made.
func (o *object) there() string {
	if o.fd {
		return o.name + " >= 0"
	}
	return o.name + " != MAP_FAILED"
}

// head is the comment above the file and what it includes.
func (g *writer) head(code string) string {
	var t text
	t.line("// %s", g.prog.Name)
	t.comment(g.prog.Doc)
	if len(g.prog.Needs) > 0 {
		t.line("// needs %s", strings.Join(g.prog.Needs, " "))
	}
	t.line("// cc -O1 -o repro repro.c%s && ./repro %s", g.dialect.libraries, g.arguments())
	t.line("#define _GNU_SOURCE")
	for _, h := range headers {
		if h.marks == nil || containsAny(code, h.marks) {
			t.line("#include <%s>", h.name)
		}
	}
	for _, name := range includes(code) {
		t.line("#include <%s>", name)
	}
	return strings.Join(t, "\n") + "\n\n"
}

// arguments are those of the finished program.
func (g *writer) arguments() string {
	if slices.ContainsFunc(g.prog.Files, func(f prog.File) bool { return f.Elsewhere }) {
		return "DIR DIR-ON-ANOTHER-FILE-SYSTEM"
	}
	return "DIR"
}

// variables declares what the steps make, and the actors.
func (g *writer) variables() string {
	var out string
	for _, fd := range []bool{true, false} {
		kind, star := "static char ", "*"
		var list []string
		if fd {
			kind, star = "static int ", ""
			if len(g.prog.Files) > 0 {
				list = append(list, "fd")
			}
		}
		for _, o := range g.order {
			if o.fd != fd {
				continue
			}
			name := star + o.name
			if o.perhaps || o.awaited {
				name += " = " + o.unset()
			}
			list = append(list, name)
		}
		out += declaration(kind, list)
	}
	var paths, actors, stalls []string
	for _, o := range g.order {
		if o.stall != "" {
			stalls = append(stalls, "*"+o.stall)
		}
	}
	for _, f := range g.prog.Files {
		if f.Elsewhere {
			paths = append(paths, "*path_"+f.Name)
		}
	}
	for _, a := range g.prog.Actors() {
		actors = append(actors, "*"+a)
	}
	out += declaration("static char ", paths) + declaration("static struct actor ", actors) + declaration("static struct stall ", stalls)
	return "\n" + out + "\n"
}

func declaration(kind string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return kind + strings.Join(names, ", ") + ";\n"
}

// functions are the bodies of the actors.
func (g *writer) functions() string {
	out := ""
	for _, a := range g.prog.Actors() {
		body := append(text{"struct actor *me = self;"}, *g.actors[a]...)
		body = append(body, "sem_post(&me->done);")
		if process(a) {
			body = append(body, "pause();")
		}
		body = append(body, "return NULL;")
		out += body.function("static void *"+a+"_steps(void *self)") + "\n"
	}
	return out
}

func process(actor string) bool { return strings.HasPrefix(actor, "p") }

// mainFunction goes into a directory of its own, starts the actors, and does the steps.
func (g *writer) mainFunction() string {
	var t text
	elsewhere := ""
	for _, f := range g.prog.Files {
		if f.Elsewhere {
			elsewhere += fmt.Sprintf(" || !(path_%s = elsewhere(argv[2], %q))", f.Name, f.Name)
		}
	}
	t.line(`if (argc != %d%s || chdir(argv[1]) || chdir(mkdtemp((char[]){"repro-XXXXXX"})))`, len(strings.Fields(g.arguments()))+1, elsewhere)
	t.line("\terr(2, \"usage: repro %s\");", g.arguments())
	if g.dialect.signals {
		t.line("signal(SIGBUS, trap);")
		t.line("signal(SIGSEGV, trap);")
	}
	t = append(t, g.stalls()...)
	t = append(t, g.starts()...)
	t = append(t, g.main...)
	t.line("return 0;")
	return t.function("int main(int argc, char **argv)")
}

// starts starts the actors, processes first: a fork copies one thread only.
func (g *writer) starts() (t text) {
	if g.dialect.processes {
		t.line("signal(SIGCHLD, failed);")
	}
	for _, kind := range []string{"process", "thread"} {
		for _, a := range g.prog.Actors() {
			if process(a) == (kind == "process") {
				t.line("%s = start_%s(%s_steps);", a, kind, a)
			}
		}
	}
	return t
}

func containsAny(s string, marks []string) bool {
	return slices.ContainsFunc(marks, func(m string) bool { return strings.Contains(s, m) })
}
