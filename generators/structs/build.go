package structs

import (
	"fmt"
	"strings"

	"faultline/generators/entry"
	"faultline/generators/family"
	"faultline/generators/prog"
)

// layout writes one program. a is a descriptor of A, x one of X, m the mapping of X.
type layout struct {
	*family.Builder
	p family.Point
	c *entry.Call
	// at is where the bytes are in X.
	at prog.Size
}

// X has three pages, and one more is mapped: what lies behind its end cannot be touched.
const (
	pagesOfX = 3
	mapped   = 4
)

func build(b *family.Builder, p family.Point) {
	l := &layout{Builder: b, p: p, c: entry.Find(p.Get("call"))}
	l.locate()
	l.describe()
	l.files()
	l.fill()
	l.Line("m = mmap(x, %s, 0, %dp)", l.flags(), mapped)
	l.warm()
	l.call()
	l.check()
}

// locate says where the bytes lie: those across a boundary or the end have at least a byte on either side.
func (l *layout) locate() {
	half := prog.Bytes(int64(l.c.Room+1) / 2)
	switch l.p.Get("place") {
	case "inside":
		l.at = prog.Pages(1).Plus(prog.Bytes(64))
		if l.c.Room > 4096-64 {
			l.at = prog.Pages(1)
		}
	case "across":
		l.at = prog.Pages(2).Minus(half)
	case "end":
		l.at = prog.Pages(pagesOfX).Minus(half)
	}
}

func (l *layout) describe() {
	what := map[string]string{
		"self": "the file that the call is about", "other": "another file", "elsewhere": "a file on another file system",
	}[l.p.Get("file")]
	where := map[string]string{"inside": "on one page", "across": "across a page boundary", "end": "across the end of the file"}[l.p.Get("place")]
	l.Doc("%s, in a %s mapping of %s, %s.", l.c.Doc, l.p.Get("map"), what, where)
}

// files makes A, what else the call needs, and X: a name for A, or a file of its own.
func (l *layout) files() {
	const data = "pat1*%dp"
	directory := l.p.Is("call", "getdents")
	l.File("A", fmt.Sprintf(data, pagesOfX))
	if l.c.Copied {
		l.File("C", "pat1*1p + pat2*3p")
	}
	if strings.Contains(l.p.Get("call"), "readlink") {
		l.File("Target_with_a_long_name", "empty")
	}
	switch {
	case l.p.Is("file", "elsewhere"):
		l.Elsewhere("X", fmt.Sprintf(data, pagesOfX))
	case l.p.Is("file", "other"):
		l.File("X", fmt.Sprintf(data, pagesOfX))
	}
	if directory {
		l.Line("mkdir(D)")
		l.Line("e = open(D/B, rdwr|creat)")
	}
	switch {
	case !l.p.Is("file", "self"):
		l.Line("x = open(X, rdwr)")
	case directory:
		l.Line("x = open(D/X, rdwr|creat)")
		l.Line("ftruncate(x, %dp)", pagesOfX)
	default:
		l.Line("x = open(A, rdwr)")
	}
	l.Line("a = open(A, rdwr)")
	l.lines(l.c.Before)
}

// fill writes the bytes into X.
func (l *layout) fill() {
	bytes := "b"
	switch text := l.c.Text; {
	case l.c.From != "":
		bytes = l.c.From
	case text != "":
		l.Line("b = anon(%s)", text)
	default:
		l.Line("b = anon(zero*%d)", l.c.Room)
	}
	if l.c.Arg != "" {
		record, _, _ := strings.Cut(l.c.Arg, "{")
		l.Line("put(b[0:%d], %s)", prog.Structs[record].Size, l.c.Arg)
	}
	// What would be behind the end of X is not written: X stays as long as it is.
	inside := prog.Bytes(int64(l.c.Room))
	if l.p.Is("place", "end") {
		inside = prog.Pages(pagesOfX).Minus(l.at)
	}
	l.Line("pwrite(x, %s[0:%v], %v)", bytes, inside, l.at)
	l.chill()
}

// chill writes X back and drops it from the page cache.
func (l *layout) chill() {
	if l.p.Is("warm", "all-warm") {
		return
	}
	l.Line("fsync(x)")
	l.Line("fadvise(x, 0, 0, dontneed)")
}

func (l *layout) flags() string {
	return map[string]string{"private": "private, rw", "shared": "shared, rw", "read-only": "private, r"}[l.p.Get("map")]
}

func (l *layout) warm() {
	switch l.p.Get("warm") {
	case "first-warm":
		l.Line("load(m[1p:2p])")
	case "all-warm":
		l.Line("load(m[0:%dp])", pagesOfX)
	}
}

// lines adds lines of the table.
func (l *layout) lines(lines []string) {
	for _, line := range lines {
		l.Line("%s", entry.In(line, l.piece, l.c.Room))
	}
}

// call makes the call and looks at what it left. Where a request, or the pointer to it, cannot be read there is no event, nor where the kernel cannot
// write to the request.
func (l *layout) call() {
	l.lines(l.c.Ready)
	l.lines(l.c.Own)
	l.lines([]string{l.c.Do})
	submitted := l.c.Out || !l.p.Is("place", "end") && !(l.c.Request == "$" && l.p.Is("map", "read-only"))
	if l.c.Request != "" && submitted {
		l.lines(entry.Events)
	}
	l.lines(l.c.After)
}

// piece is a part of the memory that the call is given.
func (l *layout) piece(from, to int) string {
	return fmt.Sprintf("m[%v:%v]", l.at.Plus(prog.Bytes(int64(from))), l.at.Plus(prog.Bytes(int64(to))))
}

// check looks at the mapping and the files, and at what has reached the disk.
func (l *layout) check() {
	name := "X"
	switch {
	case !l.p.Is("file", "self"):
		l.Line("check(A)")
	case l.p.Is("call", "getdents"):
		name = "D/X"
	default:
		name = "A"
	}
	l.Line("check(m[0:%dp])", pagesOfX)
	l.Line("check(%s)", name)
	if l.p.Is("map", "shared") {
		l.Line("msync(m, sync)")
		l.Line("munmap(m)")
		l.Line("fsync(x)")
		l.Line("fadvise(x, 0, 0, dontneed)")
		l.Line("check(%s)", name)
	}
}
