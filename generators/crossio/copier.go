package crossio

import (
	"fmt"

	"faultline/generators/family"
	"faultline/generators/prog"
)

// copier copies between one file and a mapping of another.
type copier struct {
	voice
	p family.Point
	// fd, e and m are the names of its descriptors and of its mapping, different in every actor.
	fd, e, m string
	// file is read or written, mapped is the buffer.
	file, mapped string
	reads        bool
}

// newCopier makes actor number n, from 1.
func newCopier(v voice, p family.Point, n int, file, mapped string) *copier {
	reads := p.Is("op", "read") || p.Is("op", "both", "vector") && n%2 == 1
	return &copier{
		voice: v, p: p, file: file, mapped: mapped, reads: reads,
		fd: fmt.Sprint("d", n), e: fmt.Sprint("e", n), m: fmt.Sprint("m", n),
	}
}

func (c *copier) setUp() {
	flags := "rdwr"
	if c.p.Is("mode", "direct") {
		flags += "|direct"
	}
	c.aside("%s = open(%s, %s)", c.fd, c.file, flags)
	c.aside("%s = open(%s, rdwr)", c.e, c.mapped)
	c.aside("%s = mmap(%s, %s, rw, 0, %dp)", c.m, c.e, c.p.Get("map"), filePages)
	if c.p.Is("cache", "evicted") {
		c.aside("fsync(%s)", c.e)
	}
}

func (c *copier) round(round int) {
	if !c.p.Is("cache", "warm") {
		c.line("madvise(%s, dontneed)", c.m)
	}
	if c.p.Is("cache", "evicted") {
		c.line("fadvise(%s, 0, 0, dontneed)", c.e)
	}
	at := spanOf(c.p)
	if c.p.Is("span", "page") {
		at = at.plus(prog.Pages(int64(round % 2)))
	}
	buffer, file := at, at
	switch {
	case c.p.Is("place", "meet"):
	case c.reads:
		buffer = at.plus(prog.Pages(filePages / 3))
	default:
		file = at.plus(prog.Pages(filePages * 2 / 3))
	}
	c.line("%s(%s, %s, %v)", c.call(), c.fd, c.buffer(buffer), file.from)
}

func (c *copier) call() string {
	name := map[bool]string{true: "pread", false: "pwrite"}[c.reads]
	if c.p.Is("op", "vector") {
		name += "v"
	}
	return name
}

// buffer is a range of the mapping; in a vector, cut in two at a page boundary where it has one, the later piece first.
func (c *copier) buffer(at extent) string {
	if !c.p.Is("op", "vector") {
		return c.m + at.String()
	}
	cut := at.from.Plus(prog.Bytes(straddle))
	switch c.p.Get("span") {
	case "pages":
		cut = at.from.Plus(prog.Pages(1))
	case "straddling":
		cut = at.to.Minus(prog.Bytes(straddle))
	}
	return fmt.Sprintf("{%s%v, %s%v}", c.m, extent{cut, at.to}, c.m, extent{at.from, cut})
}

func (c *copier) inspect() {
	c.aside("check(%s)", c.m)
	c.aside("munmap(%s)", c.m)
}
