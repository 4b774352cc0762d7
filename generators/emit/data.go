package emit

import (
	"fmt"
	"strings"

	"faultline/generators/prog"
)

// size is a size as a C expression.
func size(s prog.Size) string {
	pages := "P"
	if s.Pages != 1 {
		pages = fmt.Sprintf("%d * P", s.Pages)
	}
	switch {
	case s.Pages == 0:
		return fmt.Sprint(s.Bytes)
	case s.Bytes == 0:
		return pages
	case s.Bytes < 0:
		return fmt.Sprintf("%s - %d", pages, -s.Bytes)
	}
	return fmt.Sprintf("%s + %d", pages, s.Bytes)
}

// at is a pointer some way into something.
func at(base string, off prog.Size) string {
	if off == (prog.Size{}) {
		return base
	}
	if text := size(off); strings.HasPrefix(text, "-") {
		return base + " - " + text[1:]
	} else {
		return base + " + " + text
	}
}

// bytes writes a run to memory and is its address: a call of memset, or of fill where there are patterns.
func (g *writer) bytes(at string, r prog.Run) string {
	if !g.dialect.patterns {
		return fmt.Sprintf("memset(%s, %s, %s)", at, g.source(r.May[0]), size(r.Len))
	}
	return fmt.Sprintf("fill(%s, %s, %s)", at, size(r.Len), g.source(r.May[0]))
}

// source is where bytes come from, as the arguments of fill, mix and is.
func (g *writer) source(s prog.Source) string {
	what := "0"
	switch {
	case s.Kind == prog.Fill && s.ID >= ' ' && s.ID <= '~' && s.ID != '\'' && s.ID != '\\':
		what = fmt.Sprintf("'%c'", s.ID)
	case s.Kind == prog.Fill:
		what = fmt.Sprint(s.ID)
	case s.Kind == prog.Pattern:
		what = fmt.Sprintf("PAT(%d)", s.ID)
	}
	if !g.dialect.patterns {
		return what
	}
	return what + ", " + size(s.From)
}

// equals is a condition: the bytes at base are the data. It is "" if nothing is said of any of them.
func (g *writer) equals(base string, d prog.Data) string {
	var parts []string
	var off prog.Size
	for _, r := range d {
		if part := g.equalsRun(at(base, off), r); part != "" {
			parts = append(parts, part)
		}
		off = off.Plus(r.Len)
	}
	return strings.Join(parts, " && ")
}

func (g *writer) equalsRun(p string, r prog.Run) string {
	var may []string
	for _, s := range r.May {
		if s.Kind == prog.Any {
			return ""
		}
		may = append(may, g.source(s))
	}
	if len(may) == 1 {
		return fmt.Sprintf("is(%s, %s, %s)", p, size(r.Len), may[0])
	}
	return fmt.Sprintf("mix(%s, %s, %d, (long[]){%s})", p, size(r.Len), len(may), strings.Join(may, ", "))
}

// files makes the files that exist before the first step.
func (g *writer) files() {
	t := &g.main
	for _, f := range g.prog.Files {
		t.comment(f.Note)
		t.comment([]string{f.String()})
		t.line("STEP(fd = open(%s, O_RDWR | O_CREAT | O_EXCL, 0644), ret >= 0);", g.path(f.Name))
		g.fill(t, f.Data)
		t.line("close(fd);")
	}
}

// fill lays out the runs of a file from left to right, holes by passing over them.
func (g *writer) fill(t *text, d prog.Data) {
	var off, end prog.Size
	for _, r := range d {
		from := off
		off = off.Plus(r.Len)
		switch kind := r.May[0].Kind; {
		case kind == prog.Hole, r.Len == prog.Size{}:
			continue
		case kind == prog.Unwritten:
			t.line("STEP(fallocate(fd, 0, %s, %s), ret == 0);", size(from), size(r.Len))
		default:
			n := size(r.Len)
			t.step(fmt.Sprintf("pwrite(fd, %s, %s, %s)", g.bytes("malloc("+n+")", r), n, size(from)), "ret == "+n)
		}
		end = off
	}
	if off != end {
		t.line("STEP(ftruncate(fd, %s), ret == 0);", size(off))
	}
}

// path is a file's name as a C expression. All work in one directory, except files on another file system.
func (g *writer) path(name string) string {
	if g.elsewhere[name] {
		return "path_" + name
	}
	return fmt.Sprintf("%q", name)
}
