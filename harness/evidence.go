package harness

import (
	"fmt"
	"strings"
	"time"

	"faultline/generators/prog"
	"faultline/harness/machine"
	"faultline/harness/worker"
)

// stepText is a step for people.
func stepText(p *prog.Prog, step int) string {
	switch {
	case step == worker.StepSetup:
		return "the set-up of the program's files"
	case step == worker.StepCleanup:
		return "the removal of the program's files"
	case step < 0 || step >= len(p.Steps):
		return fmt.Sprintf("step %d", step+1)
	}
	return p.Steps[step].Call()
}

// bufferText says what the memory of a step's first range is: "maps A", "maps A, the file it reads".
func bufferText(p *prog.Prog, step int) string {
	if step < 0 || step >= len(p.Steps) {
		return ""
	}
	s := &p.Steps[step]
	for _, a := range s.Args {
		b, ok := a.(prog.Buf)
		if !ok {
			continue
		}
		file := mappedFile(p, s, b.Ranges[0].Of)
		if file == "" {
			return ""
		}
		if fd, isName := s.Args[0].(prog.Name); isName && openedFile(p, s, string(fd)) == file {
			return "maps " + file + ", the same file"
		}
		return "maps " + file
	}
	return ""
}

// mappedFile is the file that a mapping shows, "" for other memory.
func mappedFile(p *prog.Prog, user *prog.Step, name string) string {
	for hops := 0; hops < len(p.Steps); hops++ {
		made := maker(p, user, name)
		switch {
		case made == nil:
			return ""
		case made.Op == "mmap":
			return openedFile(p, made, string(made.Args[0].(prog.Name)))
		case made.Op != "mremap":
			return ""
		}
		name = made.Args[0].(prog.Buf).Ranges[0].Of
	}
	return ""
}

func openedFile(p *prog.Prog, user *prog.Step, fd string) string {
	if made := maker(p, user, fd); made != nil && made.Op == "open" {
		return string(made.Args[0].(prog.Name))
	}
	return ""
}

// maker is the step that makes a name in the address space of its user.
func maker(p *prog.Prog, user *prog.Step, name string) *prog.Step {
	for i := range p.Steps {
		s := &p.Steps[i]
		same := s.Process() == user.Process() && (!s.Process() || s.Actor == user.Actor)
		if s.Makes == name && same {
			return s
		}
	}
	return nil
}

// history is what the worker did, step by step, with times from the first event on.
func history(j *job, proc machine.Worker) Section {
	var b strings.Builder
	events := proc.Events(j.seq)
	for _, e := range events {
		at := e.Time.Sub(events[0].Time).Round(time.Microsecond)
		text := stepText(j.p, e.Step)
		if !e.End {
			fmt.Fprintf(&b, "%12v %-4s begin %s\n", at, e.Actor, text)
			continue
		}
		result := e.Result.Err
		if result == "" {
			result = fmt.Sprint(e.Result.Value)
		}
		if e.Wrong {
			result += ", wrong data"
		}
		fmt.Fprintf(&b, "%12v %-4s end   %s = %s\n", at, e.Actor, text, result)
	}
	if len(events) == 0 {
		b.WriteString("no events are left\n")
	}
	return Section{"events.txt", b.String()}
}
