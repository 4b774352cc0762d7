package eof

import "faultline/generators/prog"

// change is something that is done to the file.
type change struct {
	name string
	doc  string
	// needs says why the change means nothing to a file of that size, or "".
	needs func(prog.Size) string
	write func(*layout)
}

// far is the size that files grow to which grow far.
var far = prog.Size{Pages: 4, Bytes: 100}

var one = prog.Bytes(1)

// changeList is in the order of the names of programs.
var changeList = []change{
	{"stay", "Nothing happens to A", anySize, func(*layout) {}},
	{"up-byte", "A grows by a byte", anySize, func(l *layout) { l.truncate(l.size.Plus(one)) }},
	{"up-page", "A grows to the end of the page", anySize, func(l *layout) { l.truncate(pageEnd(l.size.Plus(one))) }},
	{"up-far", "A grows far", anySize, func(l *layout) { l.truncate(far) }},
	{"down-byte", "A loses a byte", notEmpty, func(l *layout) { l.truncate(l.size.Minus(one)) }},
	{"down-page", "A loses its last page", manyPages, func(l *layout) { l.truncate(pageStart(l.size)) }},
	{"down-zero", "A loses everything", notEmpty, func(l *layout) { l.truncate(prog.Size{}) }},
	{"down-up", "A shrinks and grows again", notEmpty, (*layout).downUp},
	{"across", "A is written to across its end", notEmpty, (*layout).across},
	{"append", "A is appended to", anySize, (*layout).append},
	{"gap", "A is written to behind its end", anySize, (*layout).gap},
	{"alloc", "A grows by allocation", anySize, func(l *layout) { l.allocate("alloc", prog.Size{}, far, far) }},
	{"keep", "Space is allocated behind the end of A", anySize, func(l *layout) { l.allocate("keep", prog.Size{}, far, l.size) }},
	{"punch", "A hole is punched across the end of A", notEmpty, func(l *layout) { l.allocate("punch", nearEnd(l.size), far, l.size) }},
	{"zero", "A is zeroed across its end, and grows", notEmpty, func(l *layout) { l.allocate("zero", nearEnd(l.size), far, far) }},
	{"zero-keep", "A is zeroed across its end", notEmpty, func(l *layout) { l.allocate("zero|keep", nearEnd(l.size), far, l.size) }},
	{"insert", "A page is inserted at the start of A", notEmpty, func(l *layout) {
		l.allocate("insert", prog.Size{}, prog.Pages(1), l.size.Plus(prog.Pages(1)))
	}},
	{"collapse", "The first page of A is cut out", manyPages, func(l *layout) {
		l.allocate("collapse", prog.Size{}, prog.Pages(1), l.size.Minus(prog.Pages(1)))
	}},
}

var changes = func() map[string]change {
	byName := map[string]change{}
	for _, c := range changeList {
		byName[c.name] = c
	}
	return byName
}()

func changeNames() []string {
	var names []string
	for _, c := range changeList {
		names = append(names, c.name)
	}
	return names
}

func anySize(prog.Size) string { return "" }

func notEmpty(s prog.Size) string {
	if s == (prog.Size{}) {
		return "an empty file has nothing to lose"
	}
	return ""
}

func manyPages(s prog.Size) string {
	if pageStart(s) == (prog.Size{}) {
		return "a file of one page has no page to lose"
	}
	return ""
}

// nearEnd is a position two bytes in front of the end.
func nearEnd(s prog.Size) prog.Size { return s.Minus(prog.Bytes(2)) }

func (l *layout) truncate(size prog.Size) {
	l.Line("ftruncate(d, %v)", size)
	l.size = size
}

func (l *layout) downUp() {
	size := l.size
	l.truncate(nearEnd(size))
	l.truncate(size)
}

func (l *layout) allocate(mode string, from, to, size prog.Size) {
	l.Line("fallocate(d, %s, %v, %v)", mode, from, to.Minus(from))
	l.size = size
}

// across overwrites the last bytes and more; a direct write the last page and one more.
func (l *layout) across() {
	at, n := nearEnd(l.size), l.written()
	if l.p.Is("mode", "direct") {
		at, n = pageStart(l.size), prog.Pages(2)
	}
	l.Line("w = open(A, wronly%s)", l.directFlag())
	l.Line("c = anon(pat3*%v)", n)
	l.Line("pwrite(w, c, %v)", at)
	l.size = at.Plus(n)
}

func (l *layout) append() {
	n := l.written()
	l.Line("w = open(A, wronly|append%s)", l.directFlag())
	l.Line("c = anon(pat3*%v)", n)
	l.Line("write(w, c)")
	l.size = l.size.Plus(n)
}

// gap leaves at least one page between the end and what is written.
func (l *layout) gap() {
	at, n := prog.Pages(3), l.written()
	l.Line("w = open(A, wronly%s)", l.directFlag())
	l.Line("c = anon(pat3*%v)", n)
	l.Line("pwrite(w, c, %v)", at)
	l.size = at.Plus(n)
}

// written is how much append and gap write: direct I/O wants whole pages.
func (l *layout) written() prog.Size {
	if l.p.Is("mode", "direct") {
		return prog.Pages(1)
	}
	return prog.Bytes(100)
}

func (l *layout) directFlag() string {
	if l.p.Is("mode", "direct") {
		return "|direct"
	}
	return ""
}
