package eof

import (
	"fmt"

	"faultline/generators/family"
	"faultline/generators/prog"
)

// layout writes one program. A is mapped as m, through d; i is the descriptor of A for transfers, o that of B.
type layout struct {
	*family.Builder
	p family.Point
	// size is that of A at this point of the program.
	size prog.Size
}

// mapPages is the length of the mapping: longer than any size A gets.
const mapPages = 8

var tailDocs = map[string]string{
	"clean":    "nothing",
	"stored":   "a store",
	"synced":   "a store and its way to the disk",
	"received": "read(2)",
}

var touchDocs = map[string]string{
	"load":       "loads",
	"store":      "stores",
	"read":       "a read",
	"receive":    "a read of B into the mapping",
	"send":       "a write to B from the mapping",
	"self-read":  "a read of A into the mapping",
	"self-write": "a write to A from the mapping",
}

func (l *layout) describe() {
	if !l.p.Is("tail", "clean") {
		l.Doc("Put something behind the end of A by %s.", tailDocs[l.p.Get("tail")])
	}
	l.Doc("%s; then %s across its end.", changes[l.p.Get("change")].doc, touchDocs[l.p.Get("touch")])
}

func (l *layout) open() {
	data := "empty"
	if l.size != (prog.Size{}) {
		data = fmt.Sprintf("pat1*%v", l.size)
	}
	l.File("A", data)
	l.Line("d = open(A, rdwr)")
	l.Line("m = mmap(d, %s, rw, 0, %dp)", l.p.Get("map"), mapPages)
	if l.p.Is("touch", "receive", "send") || l.p.Is("tail", "received") {
		l.File("B", "pat2*4p")
	}
}

func (l *layout) warm() {
	switch l.p.Get("cache") {
	case "loaded":
		if end := pageEnd(l.size); end != (prog.Size{}) {
			l.Line("load(m[0:%v])", end)
		}
	case "evicted":
		l.Line("fsync(d)")
		l.Line("fadvise(d, 0, 0, dontneed)")
	}
}

// tail puts bytes behind the end that only the last page may hold.
func (l *layout) tail() {
	from, to := l.size, pageEnd(l.size)
	switch l.p.Get("tail") {
	case "stored":
		l.Line("store(m[%v:%v], pat9*%v)", from, to, to.Minus(from))
	case "synced":
		l.Line("store(m[%v:%v], pat9*%v)", from, to, to.Minus(from))
		l.Line("msync(m[0:%v], sync)", to)
	case "received":
		l.Line("r = open(B, rdonly)")
		l.Line("pread(r, m[%v:%v], 0)", from, to)
	}
}

// touch crosses the end of A, as it is now.
func (l *layout) touch() {
	from, end := before(l.size), pageEnd(l.size)
	if l.p.Is("mode", "direct") {
		from = pageStart(l.size)
	}
	behind := end.Plus(prog.Pages(1))
	across := fmt.Sprintf("m[%v:%v]", from, behind)
	switch l.p.Get("touch") {
	case "load":
		l.pieces(from, end, "load(m[%v:%v])")
	case "store":
		l.pieces(from, end, "store(m[%v:%v], pat4[%[1]v:%[2]v])")
	case "read":
		l.transfer("A")
		l.Line("b = anon(pat5*%v)", behind.Minus(from))
		l.Line("pread(i, b, %v)", from)
		l.Line("check(b)")
	case "receive":
		l.transfer("B")
		l.Line("pread(i, %s, 0)", across)
	case "send":
		l.transfer("B")
		l.Line("pwrite(i, %s, 0)", across)
		l.Line("check(B)")
	case "self-read":
		l.transfer("A")
		l.Line("pread(i, %s, 0)", across)
	case "self-write":
		l.selfWrite(from, end)
	}
}

// pieces touches what is left of the last page, and then the page behind it.
func (l *layout) pieces(from, end prog.Size, format string) {
	if from != end {
		l.Line(format, from, end)
	}
	l.Line(format, end, end.Plus(prog.Bytes(8)))
}

// transfer opens the file that the transfer is from or to.
func (l *layout) transfer(file string) { l.Line("i = open(%s, rdwr%s)", file, l.directFlag()) }

// selfWrite writes the last page of A, with what is behind its end, one page further on. An empty file has no page; then the whole buffer is bad.
func (l *layout) selfWrite(from, end prog.Size) {
	l.transfer("A")
	if from == end {
		l.Line("pwrite(i, m[0:1p], 0)")
		return
	}
	at := end.Plus(prog.Pages(1))
	l.Line("pwrite(i, m[%v:%v], %v)", from, end, at)
	l.size = at.Plus(end.Minus(from))
}

// look compares mapping and file, then the file without the mapping, and last a page more of it.
func (l *layout) look() {
	if end := pageEnd(l.size); end != (prog.Size{}) {
		l.Line("check(m[0:%v])", end)
	}
	l.Line("check(A)")
	l.Line("munmap(m)")
	if l.p.Is("cache", "evicted") {
		l.Line("fsync(d)")
		l.Line("fadvise(d, 0, 0, dontneed)")
		l.Line("check(A)")
	}
	l.Line("ftruncate(d, %v)", pageEnd(l.size).Plus(prog.Pages(1)))
	l.Line("check(A)")
}
