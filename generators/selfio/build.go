package selfio

import (
	"fmt"
	"strings"

	"faultline/generators/family"
	"faultline/generators/prog"
)

// build lays out file, mapping, warmth, call and checks.
func build(b *family.Builder, p family.Point) {
	l, _ := plan(p)
	l.describe(b)
	b.File("A", l.data().String())
	b.Line("d = open(A, rdwr%s)", l.openFlag())
	if l.mode == "direct" && l.shape == "straddling" {
		b.Need("dio512")
	}
	l.chill(b)
	b.Line("m = mmap(d, %s, rw, 0, %v)", l.share, l.reach())
	l.heat(b)
	l.call(b)
	l.check(b)
}

func (l *layout) describe(b *family.Builder) {
	verb := "writes"
	if l.reads {
		verb = "reads"
	}
	b.Doc("The buffer of %s %s is a %s mapping of the file it %s: %s,", modeWords[l.mode], l.op, l.share, verb, kindWords[l.memory()])
	b.Doc("%s; %s. It moves %s, %s.", warmWords[l.warm], placeWords[l.place], shapeWords[l.shape], strings.ReplaceAll(l.from+" to "+l.to, "beyond", "beyond EOF"))
}

var (
	modeWords = map[string]string{"buffered": "a buffered", "direct": "a direct", "sync": "a synchronous", "append": "an appending"}
	kindWords = map[string]string{
		"data": "a range that holds data", "hole": "a hole", "unwritten": "an unwritten extent",
		"across": "a range across EOF", "beyond": "a range beyond EOF", "stuffed": "part of a very small file",
	}
	warmWords = map[string]string{
		"cold": "nothing of it is mapped or cached", "first-warm": "its first page is mapped, the others are not cached", "all-warm": "all of it is mapped",
		"paged-out": "all of it was mapped and is paged out", "dirty": "all of it was stored to",
	}
	placeWords = map[string]string{
		"same-page": "source and destination are on the same pages", "other-page": "source and destination are on different pages",
		"forwards": "the destination overlaps the end of the source", "backwards": "the destination overlaps the start of the source",
		"whole": "it is the whole file",
	}
	shapeWords = map[string]string{
		"aligned": "whole pages", "straddling": "bytes across a page boundary", "sub-page": "less than a page", "many-pages": "nine pages",
	}
)

// openFlag is the flag of open; preadv2 and pwritev2 have flags of their own for sync and append.
func (l *layout) openFlag() string {
	if l.mode == "buffered" || l.flags() == "dsync" || l.flags() == "append" {
		return ""
	}
	return "|" + l.mode
}

// flags are those of preadv2 and pwritev2.
func (l *layout) flags() string {
	if l.op != "preadv2" && l.op != "pwritev2" {
		return ""
	}
	return map[string]string{"buffered": "hipri", "direct": "hipri", "sync": "dsync", "append": "append"}[l.mode]
}

// chill writes the file back and drops it from the page cache, unless all of it is to be warm.
func (l *layout) chill(b *family.Builder) {
	if l.warm == "all-warm" || l.warm == "dirty" {
		return
	}
	b.Line("fsync(d)")
	b.Line("fadvise(d, 0, %v, dontneed)", l.reach())
}

// heat touches the part of the buffer that is before the end of the file's last page.
func (l *layout) heat(b *family.Builder) {
	from, to := l.buffer(), l.buffer().Plus(l.n)
	if end := roundUp(l.eof); end.AtMost(to) {
		to = end
	}
	pages := fmt.Sprintf("m[%v:%v]", prog.Pages(from.Pages), roundUp(to))
	switch l.warm {
	case "first-warm":
		b.Line("load(m[%v:%v])", prog.Pages(from.Pages), prog.Pages(from.Pages+1))
	case "all-warm":
		b.Line("load(%s)", pages)
	case "paged-out":
		b.Line("load(%s)", pages)
		b.Line("madvise(%s, pageout)", pages)
	case "dirty":
		b.Line("store(m[%v:%v], pat2*%v)", from, to, to.Minus(from))
	}
}

// call is the system call that the program is about.
func (l *layout) call(b *family.Builder) {
	positional := strings.HasPrefix(l.op, "p")
	if !positional && l.mode != "append" {
		b.Line("lseek(d, %v, set)", l.target())
	}
	args := []any{"d", l.iov()}
	if positional {
		args = append(args, l.target())
	}
	if flags := l.flags(); flags != "" {
		args = append(args, flags)
	}
	b.Do(l.op, args...)
}

// iov writes the buffer: one range, or for the vector forms the range cut at its first and last page boundary, or within its only page.
func (l *layout) iov() string {
	from, to := l.buffer(), l.buffer().Plus(l.n)
	if !strings.Contains(l.op, "v") {
		return fmt.Sprintf("m[%v:%v]", from, to)
	}
	cuts := []prog.Size{prog.Pages(from.Pages + 1), prog.Pages(roundUp(to).Pages - 1)}
	if within := prog.Bytes(512); to.AtMost(cuts[0]) {
		if l.n.Pages == 0 && l.n.Bytes <= 512 {
			within = prog.Bytes((l.n.Bytes + 1) / 2)
		}
		cuts = []prog.Size{from.Plus(within)}
	}
	var pieces []string
	for _, cut := range append(cuts, to) {
		if cut != from {
			pieces = append(pieces, fmt.Sprintf("m[%v:%v]", from, cut))
		}
		from = cut
	}
	return "{" + strings.Join(pieces, ", ") + "}"
}

// check looks at the mapping and at the file, and where the file was changed once more at what has reached the disk.
func (l *layout) check(b *family.Builder) {
	before := roundUp(l.eof)
	b.Line("check(m[0:%v])", before)
	if end := roundUp(l.dst.Plus(l.n)); !l.reads && !end.AtMost(before) {
		b.Line("check(m[%v:%v])", before, end)
	}
	b.Line("check(A)")
	if l.reads && l.share == "private" {
		return
	}
	b.Line("msync(m, sync)")
	b.Line("munmap(m)")
	b.Line("fsync(d)")
	b.Line("fadvise(d, 0, %v, dontneed)", l.reach())
	b.Line("check(A)")
}
