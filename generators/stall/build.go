package stall

import (
	"fmt"
	"slices"
	"strings"

	"faultline/generators/family"
)

// layout writes one program.
type layout struct {
	*family.Builder
	params
	// pages is the length of the stall, or how many there are of one page. pieces are the memory of the call, stops the pages where it will be
	// stopped, in order.
	pages  int
	pieces []piece
	stops  []int
}

// piece is memory, and how long it is.
type piece struct{ memory, length string }

// What the files hold: data, and behind it a hole that a page fault has to fill.
const (
	fileA = "pat1*6p + hole*2p"
	fileB = "pat2*6p + hole*2p"
)

func newLayout(b *family.Builder, c params) *layout {
	l := &layout{Builder: b, params: c, pages: 3}
	switch c.stop {
	case "first":
		l.stops, l.pieces = []int{0}, []piece{{"u[1p-1:3p-1]", "2p"}}
	case "middle":
		l.stops, l.pieces = []int{1}, []piece{{"u[512:3p-512]", "3p-1024"}}
	case "last":
		l.stops, l.pieces = []int{2}, []piece{{"u[1:2p+1]", "2p"}}
	case "all":
		l.stops, l.pieces = []int{0, 1, 2}, whole
	case "several":
		l.stops, l.pieces = []int{0, 1, 2}, []piece{{"u", "1p"}, {"v", "1p"}, {"w", "1p"}}
	case "between":
		l.pages, l.stops, l.pieces = 1, []int{0}, []piece{{"m[2p:3p]", "1p"}, {"u", "1p"}, {"m[3p:4p]", "1p"}}
	case "guard":
		l.pages, l.stops, l.pieces = 1, []int{0}, []piece{{"u", "1p"}}
	}
	if c.mode == "direct" && len(l.pieces) == 1 && c.stop != "guard" {
		l.pieces = whole
	}
	switch c.op {
	case "fiemap":
		l.pages, l.stops, l.pieces = 2, []int{1}, []piece{{"u[1p-32:1p+448]", "480"}}
	case "getdents":
		l.pages, l.pieces = 1, []piece{{"u", "1p"}}
	case "statx":
		l.pages, l.pieces = 2, []piece{{"u[1p-100:1p+156]", "256"}}
	case "readlink", "getxattr", "setxattr":
		l.pages, l.pieces = 2, []piece{{"u[1p-20:1p+20]", "40"}}
	}
	if c.vector() && l.pieces[0] == whole[0] {
		l.pieces = []piece{{"u[0:1p]", "1p"}, {"u[1p:3p]", "2p"}}
	}
	return l
}

// whole is all memory of a stall.
var whole = []piece{{"u", "3p"}}

// iov is the memory of the call as it stands in a step.
func (l *layout) iov() string {
	parts := make([]string, len(l.pieces))
	for i, p := range l.pieces {
		parts[i] = p.memory
	}
	if text := strings.Join(parts, ", "); !l.vector() {
		return text
	} else {
		return "{" + text + "}"
	}
}

func (l *layout) build() {
	l.describe()
	l.File("A", fileA)
	if l.further() != nil {
		l.buildFurther()
		return
	}
	if l.crossed() {
		l.buildCrossed()
		return
	}
	if l.stop == "between" || strings.HasSuffix(l.meanwhile, "-other") {
		l.File("B", fileB)
	}
	if l.op == "fiemap" && l.faultsIn() {
		l.Need("unlocked-fiemap")
	}
	l.open()
	l.onlookerSetup()
	l.Line("fsync(d)")
	l.Line("fadvise(d, 0, 8p, dontneed)")
	if l.handled() {
		l.buildHandled()
		return
	}
	l.call("t1")
	for k, page := range l.stops {
		l.Line("stalled(%s, t1)", l.within(page))
		if k == 0 {
			l.onlook()
		}
		l.letGo(page)
	}
	l.Line("wait(t1)")
	if !l.touches() && l.meanwhile != "nothing" {
		l.Line("wait(p2)")
	}
	l.inspect()
}

func (l *layout) describe() {
	what := l.op
	if l.reads() || l.writes() {
		what = map[string]string{"buffered": "buffered", "direct": "direct", "sync": "synchronous"}[l.mode] + " " + l.op
	}
	what = "A " + what
	if call := l.further(); call != nil {
		what = call.Doc
	}
	l.Doc("%s is stopped in its user copy: %s. It is let go %s.", what, stopWords[l.stop], endWords[l.end])
	l.Doc("Meanwhile %s.", meanwhileWords[l.meanwhile])
}

var (
	stopWords = map[string]string{
		"first": "at its first page", "middle": "in the middle", "last": "at its last byte", "all": "at each page", "several": "in each of three stalls",
		"between": "between two pieces that map another file", "guard": "where its memory must not be written to",
	}
	endWords = map[string]string{
		"serve": "with the bytes it waits for", "unregister": "as the memory becomes ordinary", "poison": "with an error, the memory being bad",
		"munmap": "with an error, the memory being gone",
	}
	meanwhileWords = map[string]string{
		"nothing": "nothing happens", "load-same": "another process loads a page of the transfer, which nothing may hinder",
		"store-same": "another process stores to a page of the transfer, which nothing may hinder",
		"load-far":   "another process loads another page of the file, which nothing may hinder",
		"store-far":  "another process stores to a hole of the file, which nothing may hinder",
		"load-other": "another process loads a page of another file, which nothing may hinder", "store-other": "another process stores to another file, which nothing may hinder",
		"pread": "another process reads the file", "pread-direct": "another process reads the file directly", "pwrite": "another process writes the file",
		"pwrite-direct": "another process writes the file directly", "truncate": "another process truncates the file", "punch": "another process punches a hole",
		"fsync": "another process syncs the file", "stat": "another process asks for its size", "syncfs": "another process syncs the file system",
		"create": "another process makes a file", "pwrite-other": "another process writes another file",
		"handler-mmap":      "the thread that will let it go maps the same file and stores to it, in the same address space",
		"handler-pread":     "the thread that will let it go reads the same file",
		"handler-pwrite":    "the thread that will let it go writes the same file, where it is being read",
		"handler-truncate":  "the thread that will let it go truncates the same file",
		"handler-fsync":     "the thread that will let it go syncs the same file",
		"crossed":           "another thread's call is stopped in the same way on another file, and then both go on into a mapping of the other's",
		"crossed-processes": "another process's call is stopped in the same way on another file, and then both go on into a mapping of the other's",
	}
)

// open opens the file, makes the stall, and serves the pages where the call shall not be stopped.
func (l *layout) open() {
	flags := "rdwr"
	if l.mode != "buffered" {
		flags += "|" + l.mode
	}
	l.Line("d = open(A, %s)", flags)
	if l.op == "getdents" {
		l.Line("mkdir(D)")
		l.Line("a = open(D/A, rdwr|creat)")
		l.Line("g = open(D, rdonly)")
	}
	switch l.op {
	case "readlink":
		l.Line("symlink(A, L)")
	case "getxattr", "setxattr":
		l.Line("v = anon(\"user.a\" + zero*1 + 'v'*40)")
	}
	if l.op == "getxattr" {
		l.Line("setxattr(d, v[0:7], v[7:47], set)")
	}
	if l.stop == "between" {
		l.Line("e = open(B, rdwr)")
		l.Line("m = mmap(e, shared, rw, 0, 8p)")
	}
	if l.stop == "guard" {
		l.Line("u = guard('g'*1p)")
		return
	}
	if l.stop == "several" {
		for page := range l.pages {
			l.Line("%s = stall(1p)", l.within(page))
		}
	} else {
		l.Line("u = stall(%dp)", l.pages)
	}
	for page := range l.pages {
		if !l.stopsAt(page) {
			l.Line("serve(%s, %s)", l.within(page), pattern(page))
		}
	}
	l.request()
	if l.op == "fiemap" {
		l.Line("put(u[1p-32:1p], fiemap{fm_length=-1, fm_flags=1, fm_extent_count=8})")
	}
}

func (l *layout) stopsAt(page int) bool { return slices.Contains(l.stops, page) }

// within is one page of the stall, or one of several stalls.
func (l *layout) within(page int) string {
	switch {
	case l.stop == "several":
		return []string{"u", "v", "w"}[page]
	case page == 0:
		return "u[0:1p]"
	}
	return fmt.Sprintf("u[%dp:%dp]", page, page+1)
}

// pattern are the bytes that a page is served with.
func pattern(page int) string { return fmt.Sprintf("pat%d*1p", 3+page) }

// call is the system call that will be stopped.
func (l *layout) call(actor string) {
	switch {
	case l.op == "fiemap":
		l.Line("%s: ioctl(d, fiemap, %s)", actor, l.iov())
	case l.op == "getdents":
		l.Line("%s: getdents(g, %s)", actor, l.iov())
	case l.op == "statx":
		l.Line("%s: statx(A, %s)", actor, l.iov())
	case l.op == "readlink":
		l.Line("%s: readlink(L, %s)", actor, l.iov())
	case l.op == "getxattr":
		l.Line("%s: getxattr(d, v[0:7], %s)", actor, l.iov())
	case l.op == "setxattr":
		l.Line("%s: setxattr(d, v[0:7], %s, set)", actor, l.iov())
	case l.aio():
		l.Line("%s: io_submit(n[64:72])", actor)
		l.Line("%s: io_getevents(n[72:104])", actor)
	case l.op[0] == 'p', l.op[0] == 'u':
		l.Line("%s: %s(d, %s, 0)", actor, strings.ReplaceAll(l.op, "-", "_"), l.iov())
	default:
		l.Line("%s: %s(d, %s)", actor, l.op, l.iov())
	}
}

// letGo lets go who is stopped at a page.
func (l *layout) letGo(page int) {
	switch {
	case l.end == "serve" && l.stop == "guard":
		l.Line("serve(%s)", l.within(page))
	case l.end == "serve":
		l.Line("serve(%s, %s)", l.within(page), pattern(page))
	default:
		l.Line("%s(%s)", l.end, l.within(page))
	}
}

// inspect looks at the memory, where it is still there, and at the files.
func (l *layout) inspect() {
	switch there := l.end == "serve" || l.end == "unregister"; {
	case l.reads() && there && l.stop == "several":
		for page := range l.pages {
			l.Line("check(%s)", l.within(page))
		}
	case l.reads() && there:
		l.Line("check(u)")
	case l.op == "statx" && l.end == "serve":
		l.Line("look(%s, statx{})", l.iov())
	}
	if l.aio() {
		l.Line("look(n[72:104], io_event{})")
	}
	l.Line("check(A)")
	if l.stop == "between" || strings.HasSuffix(l.meanwhile, "-other") {
		l.Line("check(B)")
	}
}
