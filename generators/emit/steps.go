package emit

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"faultline/generators/prog"
)

// steps writes every step into the body of its actor. As in a worker, what an actor has to do is released when the main thread comes to its
// own next step.
func (g *writer) steps() {
	for _, a := range g.prog.Actors() {
		g.actors[a] = &text{}
	}
	for i := range g.prog.Steps {
		s := &g.prog.Steps[i]
		body := &g.main
		switch {
		case s.Actor == "":
			g.release()
		case !g.queued[s.Actor]:
			body = g.actors[s.Actor]
			if len(*body) > 0 {
				body.line("sem_post(&me->done);")
			}
			body.line("sem_wait(&me->go);")
			g.queued[s.Actor] = true
		default:
			body = g.actors[s.Actor]
		}
		body.comment(s.Note)
		if s.Op == "wait" {
			g.join(string(s.Args[0].(prog.Name)))
			continue
		}
		g.step(body, i)
	}
	g.release()
	for _, a := range g.prog.Actors() {
		g.join(a)
	}
	g.main.comment(g.prog.Tail)
}

// release lets the actors do what they have to do up to here.
func (g *writer) release() {
	for _, a := range g.prog.Actors() {
		if g.queued[a] {
			g.main.line("sem_post(&%s->go);", a)
			g.unjoined[a]++
			g.queued[a] = false
		}
	}
}

// join waits for all that an actor was released to do.
func (g *writer) join(actor string) {
	for ; g.unjoined[actor] > 0; g.unjoined[actor]-- {
		g.main.line("sem_wait(&%s->done);", actor)
	}
	for _, o := range g.order {
		if o.maker == actor {
			o.maker = "" // whoever comes later finds it made
		}
	}
}

// step writes one step, with what has to hold before it.
func (g *writer) step(body *text, i int) {
	s := &g.prog.Steps[i]
	var lines text
	var guard []string
	for _, o := range g.uses(s) {
		if o.maker != "" && o.maker != s.Actor && !o.perhaps {
			o.awaited = true
			lines.line("AWAIT(%s, %s);", o.name, o.unset())
		}
		if o.perhaps {
			guard = append(guard, o.there())
		}
	}
	if s.Makes != "" {
		g.define(s, i, len(guard) > 0)
	}
	g.perform(&lines, s, i)
	if len(guard) == 0 {
		*body = append(*body, lines...)
		return
	}
	if len(lines) > 1 {
		lines.block()
	} else {
		lines[0] = "\t" + lines[0]
	}
	body.line("if (%s)", strings.Join(guard, " && "))
	*body = append(*body, lines...)
}

// uses are the objects among the arguments.
func (g *writer) uses(s *prog.Step) (list []*object) {
	add := func(name string) {
		if o := g.objects[g.ident(s, name)]; o != nil && !slices.Contains(list, o) {
			list = append(list, o)
		}
	}
	if prog.OnStall(s.Op) {
		return nil // a stall is waited for in another way
	}
	for i, a := range s.Args {
		switch a := a.(type) {
		case prog.Name:
			if prog.Ops[s.Op].Params[i].Kind == prog.KindFD {
				add(string(a))
			}
		case prog.Buf:
			for _, r := range a.Ranges {
				add(r.Of)
			}
		}
	}
	return list
}

// define makes the object that a step makes. It may come to nothing if the step may fail or may be passed over.
func (g *writer) define(s *prog.Step, i int, guarded bool) {
	o := &object{name: g.ident(s, s.Makes), fd: prog.Ops[s.Op].Makes == prog.KindFD, maker: s.Actor, made: i}
	o.perhaps = guarded || slices.ContainsFunc(s.Want, func(w prog.Outcome) bool { return w.Any || w.Err != "" })
	switch s.Op {
	case "mmap":
		o.length = s.Args[4].(prog.Size)
	case "mremap":
		o.length = s.Args[1].(prog.Size)
	case "stall", "guard_struct":
		o.length = s.Args[0].(prog.Size)
	case "anon", "guard":
		o.length = s.Args[0].(prog.Data).Len()
	}
	if prog.Ops[s.Op].Makes == prog.KindStall {
		o.stall, o.called, o.guard = "stall_of_"+o.name, s.Makes, prog.IsGuard(s.Op)
	}
	g.objects[o.name] = o
	g.order = append(g.order, o)
}

// plain are names that nothing else in a C program has: a letter with a number. The excepted ones are functions of the C library.
var plain = regexp.MustCompile(`^([a-ik-xz]\d*|[jy]|[jy][2-9]\d*|[jy]1\d+)$`)

// ident is the C name of what a step calls name. Processes have names of their own.
func (g *writer) ident(s *prog.Step, name string) string {
	switch {
	case s.Process():
		return s.Actor + "_" + name
	case plain.MatchString(name), name == prog.Bad:
		return name
	}
	return name + "_"
}

// pointer and length are those of a range of memory.
func (g *writer) pointer(s *prog.Step, r prog.Range) string {
	if r.Of == prog.Bad {
		return at(prog.Bad, r.From)
	}
	return at(g.ident(s, r.Of), r.From)
}

func (g *writer) length(s *prog.Step, r prog.Range) prog.Size {
	if !r.Whole {
		return r.To.Minus(r.From)
	}
	if o := g.objects[g.ident(s, r.Of)]; o != nil {
		return o.length
	}
	return prog.Size{}
}

// wanted is the condition under which the result of a step is right. What is checked of its value is said of value, and success is ok.
func wanted(want prog.Expect, value, ok string) string {
	var parts []string
	for _, o := range want {
		parts = append(parts, outcome(o, value, ok))
	}
	switch {
	case len(want) == 0:
		return ok
	case slices.Contains(parts, "1"):
		return "1"
	case len(parts) == 1:
		return parts[0]
	}
	for i, p := range parts {
		if strings.Contains(p, "&&") {
			parts[i] = "(" + p + ")"
		}
	}
	return strings.Join(parts, " || ")
}

func outcome(o prog.Outcome, value, ok string) string {
	switch {
	case o.Any:
		return "1"
	case o.OK:
		return ok
	case isSignal(o.Err):
		return "ret == -" + o.Err
	case o.Err != "":
		return "err == " + o.Err
	}
	test := fmt.Sprintf("%s == %s", value, size(o.Lo))
	if o.Lo != o.Hi {
		test = fmt.Sprintf("%s >= %s && %s <= %s", value, size(o.Lo), value, size(o.Hi))
	}
	if value != "ret" {
		return ok + " && " + test
	}
	return test
}
