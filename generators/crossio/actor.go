package crossio

import (
	"fmt"

	"faultline/generators/family"
	"faultline/generators/prog"
)

// player is an actor as the layout of a program sees it.
type player interface {
	name() string
	// setUp opens and maps, round does its part once, inspect looks at the memory and unmaps it.
	setUp()
	round(int)
	inspect()
}

// voice writes the steps of one actor.
type voice struct {
	b *family.Builder
	// actor is "" for the main thread.
	actor string
}

func (v voice) name() string { return v.actor }

func (v voice) line(format string, args ...any) {
	if v.actor != "" {
		format = v.actor + ": " + format
	}
	v.b.Line(format, args...)
}

// aside writes a step that comes before or after all rounds. The main thread does it for its threads, so that nothing is missing when the
// first of them starts; a process does it for itself.
func (v voice) aside(format string, args ...any) {
	if len(v.actor) > 0 && v.actor[0] == 't' {
		v.actor = ""
	}
	v.line(format, args...)
}

// cast lists the actors of a program, the third one last.
func cast(b *family.Builder, p family.Point, files []string) []player {
	kind := map[bool]string{true: "t", false: "p"}[p.Is("actors", "threads")]
	copiers := len(files)
	if p.Is("shape", "alone") {
		copiers = 1
	}
	var all []player
	for i := range copiers {
		name := fmt.Sprintf("%s%d", kind, i+1)
		if copiers == 1 && p.Is("third", "none") {
			name = ""
		}
		all = append(all, newCopier(voice{b, name}, p, i+1, files[i], files[(i+1)%len(files)]))
	}
	if !p.Is("third", "none") {
		all = append(all, &third{voice: voice{b, kind + "9"}, what: p.Get("third"), span: spanOf(p)})
	}
	return all
}

// straddle is where a straddling transfer starts: direct I/O needs a multiple of the sector size.
const straddle = 512

// spanOf is the first and the last byte of a transfer, within the first third of a file.
func spanOf(p family.Point) extent {
	switch p.Get("span") {
	case "pages":
		return extent{to: prog.Pages(2)}
	case "straddling":
		return extent{from: prog.Bytes(straddle), to: prog.Pages(1).Plus(prog.Bytes(straddle))}
	}
	return extent{to: prog.Pages(1)}
}

// extent is a range of bytes.
type extent struct{ from, to prog.Size }

func (e extent) plus(s prog.Size) extent { return extent{e.from.Plus(s), e.to.Plus(s)} }

func (e extent) String() string { return fmt.Sprintf("[%v:%v]", e.from, e.to) }

// dataOf is what file number i holds.
func dataOf(i int) string { return fmt.Sprintf("pat%d*%dp", i+1, filePages) }
