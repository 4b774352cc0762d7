package stall

// onlookerSetup is what p2 needs, before anything is stopped: a right file system may make it wait for an open.
func (l *layout) onlookerSetup() {
	if l.meanwhile == "nothing" || l.handled() {
		return
	}
	file, flags := "A", "rdwr"
	switch l.meanwhile {
	case "load-other", "store-other", "pwrite-other":
		file = "B"
	case "pread-direct", "pwrite-direct":
		flags = "rdwr|direct"
	}
	l.Line("p2: f = open(%s, %s)", file, flags)
	if l.touches() {
		l.Line("p2: n = mmap(f, shared, rw, 0, 8p)")
	} else {
		l.Line("p2: b = anon('o'*1p)")
	}
	l.Line("wait(p2)")
}

// onlooks are p2's steps by what they stand for. Transfers are apart from t1's, but for what their pages share.
var onlooks = map[string]string{
	"load-same": "load(n[0:1p])", "store-same": "store(n[1p:1p+1], 'x')", "load-far": "load(n[5p:6p])", "store-far": "store(n[7p:7p+1], 'x')",
	"load-other": "load(n[0:1p])", "store-other": "store(n[7p:7p+1], 'x')",
	"pread": "pread(f, b, 4p)", "pread-direct": "pread(f, b, 4p)", "pwrite": "pwrite(f, b, 4p)", "pwrite-direct": "pwrite(f, b, 4p)", "pwrite-other": "pwrite(f, b, 4p)",
	"truncate": "truncate(A, 7p)", "punch": "fallocate(f, punch, 4p, 1p)", "fsync": "fsync(f)", "stat": "stat(A, size)", "syncfs": "syncfs(f)", "create": "c = open(C, rdwr|creat)",
}

// onlook does p2's step. A touch must come back now. Anything else may wait until t1 is let go, and gets the time to begin.
func (l *layout) onlook() {
	if l.meanwhile == "nothing" {
		return
	}
	l.Line("p2: %s", onlooks[l.meanwhile])
	if l.touches() {
		l.Line("wait(p2)")
		return
	}
	l.Line("proceeds(p2)")
}

// handlers are t2's steps by what they stand for.
var handlers = map[string][]string{
	"handler-mmap":  {"n = mmap(d, shared, rw, 0, 8p)", "load(n[5p:6p])", "store(n[7p:7p+1], 'x')", "munmap(n)"},
	"handler-pread": {"pread(d, b, 4p)"}, "handler-pwrite": {"pwrite(d, b, 1p)"}, "handler-truncate": {"truncate(A, 7p)"}, "handler-fsync": {"fsync(d)"},
}

// buildHandled has t2 let t1 go, after something of its own.
func (l *layout) buildHandled() {
	l.Line("b = anon('o'*1p)")
	if l.meanwhile == "handler-pwrite" || l.meanwhile == "handler-truncate" {
		l.Need("unlocked-read")
	}
	if l.meanwhile == "handler-mmap" {
		l.Need("mmap-beside")
	}
	for k, page := range l.stops {
		if k == 0 {
			l.call("t1")
		}
		l.Line("t2: stalled(%s, t1)", l.within(page))
		if k == 0 {
			for _, line := range handlers[l.meanwhile] {
				l.Line("t2: %s", line)
			}
		}
		l.Line("t2: serve(%s%s)", l.within(page), l.servedWith(page))
	}
	l.Line("wait(t1)")
	l.Line("wait(t2)")
	l.inspect()
}

// servedWith are the bytes of a page as a further argument; a guard has them.
func (l *layout) servedWith(page int) string {
	if l.stop == "guard" {
		return ""
	}
	return ", " + pattern(page)
}

// buildCrossed has two calls stopped with what they hold, and lets both go into a mapping of the other's file. The rest is done before: an fsync may have to
// wait for a call that is stopped.
func (l *layout) buildCrossed() {
	l.File("B", fileB)
	flags, actors := "rdwr", [2]string{"t1", "t2"}
	if l.mode != "buffered" {
		flags += "|" + l.mode
	}
	if l.meanwhile == "crossed-processes" {
		actors = [2]string{"p1", "p2"}
	}
	files := [2]string{"A", "B"}
	for i, actor := range actors {
		if l.meanwhile == "crossed" {
			actor = ""
		} else {
			actor += ": "
		}
		l.Line("%sd%d = open(%s, %s)", actor, i+1, files[i], flags)
		l.Line("%se%d = open(%s, rdwr)", actor, i+1, files[1-i])
		l.Line("%sm%d = mmap(e%d, shared, rw, 0, 8p)", actor, i+1, i+1)
		l.Line("%su%d = stall(1p)", actor, i+1)
		l.Line("%sfsync(e%d)", actor, i+1)
		l.Line("%sfadvise(e%d, 0, 8p, dontneed)", actor, i+1)
	}
	if l.meanwhile == "crossed-processes" {
		l.Line("wait(p1)")
		l.Line("wait(p2)")
	}
	for i, actor := range actors {
		offset := ""
		if l.op[0] == 'p' {
			offset = ", 0"
		}
		l.Line("%s: %s(d%d, {u%d, m%d[4p:5p]}%s)", actor, l.op, i+1, i+1, i+1, offset)
	}
	for i, actor := range actors {
		l.Line("stalled(u%d, %s)", i+1, actor)
	}
	for i := range actors {
		l.Line("serve(u%d, pat%d*1p)", i+1, 3+i)
	}
	for _, actor := range actors {
		l.Line("wait(%s)", actor)
	}
	l.Line("check(A)")
	l.Line("check(B)")
}
