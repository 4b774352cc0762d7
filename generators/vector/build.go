package vector

import (
	"fmt"
	"slices"
	"strings"

	"faultline/generators/family"
	"faultline/generators/prog"
)

func (l *layout) build(b *family.Builder) {
	l.describe(b)
	l.promise(b)
	l.openA(b)
	names := l.objects()
	if l.memory == "tail-other" {
		names = append(names, "o")
	}
	for _, name := range names {
		l.memoryStep(b, name)
	}
	l.breakOne(b)
	l.call(b)
	l.back(b)
	l.check(b, names)
}

func (l *layout) describe(b *family.Builder) {
	b.Doc("%s %s of %d pieces: %s.", modeWords[l.mode], l.op, l.pieces, memoryWords[l.memory])
	if l.fault != "none" {
		b.Doc("%s: %s.", strings.ToUpper(atWords[l.at][:1])+atWords[l.at][1:], faultWords[l.fault])
	}
}

var (
	modeWords = map[string]string{
		"buffered": "A buffered", "direct": "A direct", "append": "An appending", "direct-append": "A direct and appending",
	}
	memoryWords = map[string]string{
		"anon": "anonymous memory that is there", "untouched": "anonymous memory that was never touched",
		"first-touched": "anonymous memory of which only the first page is there",
		"shared":        "a cold shared mapping of the same file", "shared-warm": "a warm shared mapping of the same file",
		"private": "a cold private mapping of the same file", "private-warm": "a warm private mapping of the same file",
		"other": "a cold shared mapping of another file", "other-private": "a private mapping of another file with its first page warm",
		"tail-other": "constants, and at the end a cold read-only mapping of another file, into a new file",
		"mixed":      "anonymous memory, mappings of the same file, cold and warm, and a mapping of another file",
		"overlap":    "the first bytes of every page of the file, with the end of its last page on the other side",
	}
	atWords = map[string]string{
		"first": "the first piece cannot be touched", "second": "the second piece cannot be touched", "middle": "the piece in the middle cannot be touched",
		"last": "the last piece cannot be touched", "inside": "the second half of the last piece cannot be touched",
	}
	faultWords = map[string]string{
		"unmapped": "nothing was ever mapped there", "munmapped": "it was unmapped", "no-access": "it is protected from everything",
		"read-only": "it is protected from being written to", "behind-eof": "it maps pages behind the end of a file",
	}
)

// promise adds the guarantee that a strict program relies on.
func (l *layout) promise(b *family.Builder) {
	switch {
	case l.strict && l.direct:
		b.Need("whole-dio")
	case l.strict:
		b.Need("exact-short-write")
	}
}

// openA makes the file that is read or written. The constants of tail-other go to a new one.
func (l *layout) openA(b *family.Builder) {
	flags := "rdwr"
	if l.direct {
		flags += "|direct"
	}
	if strings.HasSuffix(l.mode, "append") {
		flags += "|append"
	}
	if l.memory == "tail-other" {
		flags += "|creat"
	} else {
		b.File("A", l.fileData())
	}
	b.Line("d = open(A, %s)", flags)
}

// memoryStep makes the memory of one name: b is anonymous, m and q map file A, o maps file B.
func (l *layout) memoryStep(b *family.Builder, name string) {
	switch name {
	case "b":
		b.Line("b = anon(%s)", l.anonData())
	case "m":
		l.mapCold(b, "m", "d", map[bool]string{true: "private", false: "shared"}[strings.HasPrefix(l.memory, "private")], "rw", l.base)
		if strings.HasSuffix(l.memory, "-warm") {
			b.Line("load(m)")
		}
	case "q":
		b.Line("q = mmap(d, private, rw, %v, %v)", l.base, l.reach)
		b.Line("load(q)")
	case "o":
		l.mapOther(b)
	}
}

func (l *layout) anonData() string {
	switch l.memory {
	case "untouched":
		return fmt.Sprintf("hole*%v", l.reach)
	case "first-touched":
		if l.reach != prog.Pages(1) {
			return fmt.Sprintf("pat3*1p + hole*%v", l.reach.Minus(prog.Pages(1)))
		}
	}
	return l.fill(3)
}

func (l *layout) mapOther(b *family.Builder) {
	b.File("B", l.fill(4))
	b.Line("e = open(B, rdwr)")
	share, prot := "shared", "rw"
	switch {
	case l.memory == "tail-other":
		prot = "r"
	case l.memory == "other-private" && l.reads:
		share = "private"
	case l.memory == "other-private":
		share, prot = "private", "r"
	}
	l.mapCold(b, "o", "e", share, prot, prog.Size{})
	if l.memory == "other-private" {
		b.Line("load(o[0:1p])")
	}
}

// mapCold maps a file whose pages were dropped from the cache.
func (l *layout) mapCold(b *family.Builder, name, fd, share, prot string, from prog.Size) {
	b.Line("fsync(%s)", fd)
	b.Line("fadvise(%s, 0, %v, dontneed)", fd, from.Plus(l.reach))
	b.Line("%s = mmap(%s, %s, %s, %v, %v)", name, fd, share, prot, from, l.reach)
}

// breakOne makes the memory f, whose second page cannot be touched.
func (l *layout) breakOne(b *family.Builder) {
	switch l.fault {
	case "none", "unmapped":
		return
	case "behind-eof":
		b.File("C", "pat5*1p")
		b.Line("c = open(C, rdwr)")
		b.Line("f = mmap(c, shared, rw, 0, 3p)")
		return
	}
	b.Line("f = anon(pat5*3p)")
	switch l.fault {
	case "munmapped":
		b.Line("munmap(f[1p:2p])")
	case "no-access":
		b.Line("mprotect(f[1p:2p], none)")
	case "read-only":
		b.Line("mprotect(f[1p:2p], r)")
	}
}

func (l *layout) call(b *family.Builder) {
	positional := strings.HasPrefix(l.op, "p")
	off := l.off.String()
	if (!positional || l.flags == "here") && !l.appends {
		b.Line("lseek(d, %s, set)", off)
	}
	args := []any{"d", l.iov()}
	if l.flags == "here" {
		off = "-1"
	}
	if positional {
		args = append(args, off)
	}
	switch l.flags {
	case "":
	case "here":
		args = append(args, "hipri")
	default:
		args = append(args, l.flags)
	}
	b.Do(l.op, args...)
}

// back reads what was written back into the mapping of the other file it came from.
func (l *layout) back(b *family.Builder) {
	if l.reads || l.memory != "other" || l.appends || l.flags != "" {
		return
	}
	b.Do("preadv", "d", l.iov(), l.off)
}

// check looks at memory and files. Of a thousand pieces the first and the last pages are looked at.
func (l *layout) check(b *family.Builder, names []string) {
	for _, name := range names {
		if !l.many() {
			b.Line("check(%s)", name)
			continue
		}
		last := l.reach.Minus(prog.Pages(1))
		b.Line("check(%s[0:1p])", name)
		b.Line("check(%s[%v:%v])", name, last, l.reach)
	}
	if l.at == "inside" {
		b.Line("check(f[0:1p])")
	}
	b.Line("check(A)")
	if l.reads && slices.Contains(names, "o") {
		b.Line("check(B)")
	}
}
