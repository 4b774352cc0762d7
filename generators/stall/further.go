package stall

import (
	"fmt"
	"slices"
	"strings"

	"faultline/generators/entry"
	"faultline/generators/prog"
)

// further are the calls of the table of entry points that the family has: those that hold something while they copy, and those on the way to it.
var further = []string{
	"listxattr", "clonerange", "dedupe", "dedupe-two", "copy-from", "sendfile", "splice-from", "vmsplice", "pipe-read", "pipe-write", "aio-iocb", "aio-event",
	"getfsmap", "ext4-es-cache", "ext4-move-ext", "xfs-getbmapx", "xfs-bulkstat", "btrfs-search", "btrfs-logical-ino-to", "btrfs-encoded-read", "write-atomic",
	"name-to-handle", "file-getattr", "statmount", "listmount", "getquota", "btrfs-encoded-data", "btrfs-scrub", "xfs-exchange", "xfs-parents-to", "f2fs-move",
	"xfs-attrmulti-value", "btrfs-send", "btrfs-uring-write", "btrfs-uring-read-to", "f2fs-sec-trim", "ext4-group-extend", "ocfs2-info-request",
	"process-vm-read", "process-vm-from", "futex-wait", "mount-data", "execve-string", "fuse-read", "fuse-notify", "verity-tree",
}

// further is the call, if it is one of them.
func (c params) further() *entry.Call {
	if slices.Contains(further, c.op) {
		return entry.Find(c.op)
	}
	return nil
}

// furtherRefused says why a combination with one of them means nothing. A call that reads and writes one struct is stopped at its argument, and by a
// guard at its result; only a result that is longer reaches another page.
func (c params) furtherRefused() string {
	call := c.further()
	both := call.ReadsMemory() && call.Out
	switch {
	case c.mode != "buffered":
		return "how the file is opened does not matter to this call"
	case c.stop != "first" && c.stop != "middle" && c.stop != "guard":
		return "the memory of further calls is small"
	case !c.few():
		return "beside further calls one access and one call are enough"
	case c.end != "serve" && c.end != "poison":
		return "further calls are let go with what they wait for, or with an error"
	case c.stop == "guard" && !both:
		return "a guard tells the result from the argument"
	case c.stop == "guard" && c.end == "poison":
		return "the page of a guard is there"
	case c.stop == "middle" && call.Text != "" && !strings.HasPrefix(call.Text, "pat"):
		return "what is no pattern is served as a whole"
	case c.stop == "middle" && both && call.Room <= structSize(call):
		return "a guard stops its result"
	}
	return ""
}

// structSize is the length of the argument in bytes.
func structSize(call *entry.Call) int {
	record, _, _ := strings.Cut(call.Arg, "{")
	if s := prog.Structs[record]; s != nil {
		return int(s.Size)
	}
	return 0
}

// buildFurther stops a call of the table. Its memory is on one page of a stall, or on two of which the first is there.
func (l *layout) buildFurther() {
	call := l.further()
	if call.Copied {
		l.File("C", "pat1*1p + pat2*3p")
	}
	l.Line("a = open(A, rdwr)")
	l.onlookerSetup()
	for _, line := range call.Before {
		l.Line("%s", line)
	}
	l.Line("fsync(a)")
	l.Line("fadvise(a, 0, 8p, dontneed)")
	f := &furtherCall{layout: l, call: call, at: prog.Bytes(64), pages: 1}
	switch {
	case l.stop == "middle":
		half := int64(call.Room+1) / 2
		if call.Arg != "" {
			half &^= 7 // a number lies on one page
		}
		f.at, f.pages = prog.Pages(1).Minus(prog.Bytes(half)), 2
	case call.Room > 4096-64:
		f.at = prog.Size{}
	}
	f.build()
}

// furtherCall is where its memory lies: at a byte of a stall of some pages, the last of which it is stopped on.
type furtherCall struct {
	*layout
	call  *entry.Call
	at    prog.Size
	pages int
}

func (f *furtherCall) build() {
	stop := f.within(f.pages - 1)
	if f.stop == "guard" {
		f.Line("u = guard_struct(1p, %v, %s)", f.at, f.call.Arg)
	} else {
		f.Line("u = stall(%dp)", f.pages)
	}
	if f.pages == 2 {
		f.serve(f.within(0))
	}
	for _, line := range f.call.Ready {
		f.Line("%s", entry.In(line, f.piece, f.call.Room))
	}
	f.acts(f.call.Own...)
	f.acts(f.call.Do)
	if f.call.Request != "" && f.end == "serve" {
		f.acts(entry.Events[:1]...)
	}
	if f.call.Handed {
		f.Line("stalled(%s)", stop)
	} else {
		f.Line("stalled(%s, t1)", stop)
	}
	f.onlook()
	switch {
	case f.end == "poison":
		f.Line("poison(%s)", stop)
	case f.stop == "guard":
		f.Line("serve(%s)", stop)
	default:
		f.serve(stop)
	}
	f.Line("wait(t1)")
	if !f.touches() {
		f.Line("wait(p2)")
	}
	f.inspect()
}

// acts are steps of t1.
func (f *furtherCall) acts(lines ...string) {
	for _, line := range lines {
		f.Line("t1: %s", entry.In(line, f.piece, f.call.Room))
	}
}

// piece is a part of the memory of the call.
func (f *furtherCall) piece(from, to int) string {
	return fmt.Sprintf("u[%v:%v]", f.at.Plus(prog.Bytes(int64(from))), f.at.Plus(prog.Bytes(int64(to))))
}

// serve gives a page what the call reads there.
func (f *furtherCall) serve(page string) {
	switch {
	case f.call.Arg != "":
		f.Line("serve_struct(%s, %v, %s)", page, f.at, f.call.Arg)
	case f.call.Text != "" && f.pages == 1:
		end := f.at.Plus(prog.Bytes(int64(f.call.Room)))
		f.Line("serve(%s, zero*%v + %s + zero*%v)", page, f.at, f.call.Text, prog.Pages(1).Minus(end))
	case f.call.Text != "":
		f.Line("serve(%s, pat4*1p)", page)
	default:
		f.Line("serve(%s)", page)
	}
}

// inspect looks at what the call has left.
func (f *furtherCall) inspect() {
	if f.end == "serve" {
		for _, line := range f.call.After {
			f.Line("%s", entry.In(line, f.piece, f.call.Room))
		}
		if f.call.Request != "" {
			for _, line := range entry.Events[1:] {
				f.Line("%s", line)
			}
		}
	} else if f.call.Copied {
		f.Line("check(C)")
	}
	f.Line("check(A)")
}
