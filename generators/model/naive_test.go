package model

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"faultline/generators/prog"
)

// naive is a second, deliberately simple model: files and memory are slices of bytes, system calls are loops over bytes. It does one of the things
// that a right file system may do, and what it does must be among those that Derive allows. Where file systems are free, it throws dice.
type naive struct {
	page   int
	dice   *rand.Rand // nil: one byte at a time, and no liberties
	bug    string     // a planted fault
	files  []*naiveFile
	names  map[string]int
	scopes map[string]*naiveScope
	exact  bool
	whole  bool
	// numbers are the names of descriptors and areas that have one.
	numbers *[]string
}

type naiveFile struct {
	data []byte // whole pages
	size int
	dir  bool
}

type naiveScope struct {
	fds   map[string]*naiveFD
	areas map[string]*naiveArea
}

type naiveFD struct {
	file                    int
	read, write, direct, ap bool
	pos                     int
}

type naiveArea struct {
	file        int // -1: anonymous
	off         int
	align, size int
	shared      bool
	writer      bool // mapped from a descriptor that can write
	pages       []naivePage
}

type naivePage struct {
	mapped, read, write, locked bool
	own                         []byte
}

// spot is one byte of memory.
type spot struct {
	name string
	at   int // from the start of the area's first page
}

func newNaive(p *prog.Prog, page int, dice *rand.Rand) *naive {
	n := &naive{page: page, dice: dice, names: map[string]int{}, scopes: map[string]*naiveScope{}, numbers: new([]string),
		exact: slices.Contains(p.Needs, "exact-short-write"), whole: slices.Contains(p.Needs, "whole-dio")}
	for _, f := range p.Files {
		n.names[f.Name] = len(n.files)
		data := make([]byte, f.Data.Len().In(int64(page)))
		f.Data.Bytes(data, int64(page))
		file := &naiveFile{}
		n.files = append(n.files, file)
		n.resize(file, len(data))
		copy(file.data, data)
	}
	return n
}

func (n *naive) clone() *naive {
	c := *n
	c.files, c.names, c.scopes = nil, map[string]int{}, map[string]*naiveScope{}
	for _, f := range n.files {
		c.files = append(c.files, &naiveFile{slices.Clone(f.data), f.size, f.dir})
	}
	for k, v := range n.names {
		c.names[k] = v
	}
	for k, sc := range n.scopes {
		to := c.scope(k)
		for name, fd := range sc.fds {
			d := *fd
			to.fds[name] = &d
		}
		for name, a := range sc.areas {
			b := *a
			b.pages = slices.Clone(a.pages)
			for i := range b.pages {
				b.pages[i].own = slices.Clone(b.pages[i].own)
			}
			to.areas[name] = &b
		}
	}
	return &c
}

func (n *naive) scope(process string) *naiveScope {
	if n.scopes[process] == nil {
		n.scopes[process] = &naiveScope{map[string]*naiveFD{}, map[string]*naiveArea{}}
	}
	return n.scopes[process]
}

// chance is a liberty that is taken now and then.
func (n *naive) chance(of int) bool { return n.dice != nil && n.dice.IntN(of) == 0 }

func (n *naive) upTo(max int) int {
	if n.dice == nil {
		return max
	}
	return n.dice.IntN(max + 1)
}

// resize is truncate: bytes behind the end become zero, pages behind it go, with their private copies.
func (n *naive) resize(f *naiveFile, size int) {
	if n.bug != "tail" || size < f.size {
		for i := min(size, f.size); i < len(f.data); i++ {
			f.data[i] = 0
		}
	}
	full := (size + n.page - 1) / n.page * n.page
	for len(f.data) < full {
		f.data = append(f.data, 0)
	}
	shrunk := size < f.size
	f.data, f.size = f.data[:full], size
	for _, sc := range n.scopes {
		for _, a := range sc.areas {
			for k := range a.pages {
				if shrunk && n.bug != "copies" && a.file >= 0 && n.files[a.file] == f && a.off+k*n.page >= full {
					a.pages[k].own = nil
				}
			}
		}
	}
}

// spots are the bytes of a buffer in order.
func (n *naive) spots(s *prog.Step) []spot {
	var all []spot
	for _, a := range s.Args {
		b, ok := a.(prog.Buf)
		if !ok {
			continue
		}
		b.Each(func(r prog.Range) {
			from, to := int(r.From.In(int64(n.page))), int(r.To.In(int64(n.page)))
			area := n.scope(process(s)).areas[r.Of]
			if area != nil {
				if r.Whole {
					to = area.size
				}
				from, to = from+area.align, to+area.align
			}
			for i := from; i < to; i++ {
				all = append(all, spot{r.Of, i})
			}
		})
	}
	return all
}

// reach finds the page of a byte, or the signal.
func (n *naive) reach(process string, b spot, write bool) (*naiveArea, *naivePage, string) {
	a := n.scope(process).areas[b.name]
	if a == nil || b.at/n.page >= len(a.pages) {
		return nil, nil, "SIGSEGV"
	}
	p := &a.pages[b.at/n.page]
	if !p.mapped || write && !p.write || !write && !p.read {
		return nil, nil, "SIGSEGV"
	}
	if p.own == nil && a.off+b.at/n.page*n.page >= n.files[a.file].size {
		return nil, nil, "SIGBUS"
	}
	return a, p, ""
}

func (n *naive) get(process string, b spot) (byte, string) {
	a, p, signal := n.reach(process, b, false)
	switch {
	case signal != "":
		return 0, signal
	case p.own != nil:
		return p.own[b.at%n.page], ""
	}
	return n.files[a.file].data[a.off+b.at], ""
}

func (n *naive) set(process string, b spot, v byte) string {
	a, p, signal := n.reach(process, b, true)
	if signal != "" {
		return signal
	}
	if a.file >= 0 && (a.shared || n.bug == "private") {
		n.files[a.file].data[a.off+b.at] = v
		return ""
	}
	n.copyPage(a, b.at/n.page)
	p.own[b.at%n.page] = v
	return ""
}

// copyPage is copy on write.
func (n *naive) copyPage(a *naiveArea, k int) {
	at := a.off + k*n.page
	if p := &a.pages[k]; p.own == nil && !a.shared && p.write && at < n.files[a.file].size {
		p.own = slices.Clone(n.files[a.file].data[at : at+n.page])
	}
}

// put writes bytes into a file and makes it longer if they reach behind its end.
func (n *naive) put(f *naiveFile, at int, with []byte) {
	if end := at + len(with); end > f.size {
		if n.bug == "size" {
			end++
		}
		n.resize(f, end)
	}
	copy(f.data[at:], with)
	if n.bug == "shift" && len(with) > 1 {
		f.data[at+1] = with[0]
	}
}

// forget drops what was stored behind the end of a file, as writeback may at any time.
func (n *naive) forget() {
	for _, f := range n.files {
		if n.chance(8) {
			for i := f.size; i < len(f.data); i++ {
				f.data[i] = 0
			}
		}
	}
}

// frame is a step in progress.
type frame struct {
	s      *prog.Step
	spots  []spot
	fd     *naiveFD
	file   int
	off    int
	done   int
	regs   []byte
	stored bool // regs are filled
	fault  bool
	bytes  []byte // what a check saw
	result prog.Result
	over   bool
}

func (f *frame) end(value int, err string) {
	f.over, f.result = true, prog.Result{Value: int64(value), Err: err}
	if err != "" {
		f.result.Value = 0
	}
}

func isTransfer(op string) bool {
	return isWrite(op) || strings.Contains(op, "read") && op != "fadvise"
}

// begin starts a step. Transfers go on in moves, everything else is over at once.
func (n *naive) begin(s *prog.Step) *frame {
	f := &frame{s: s, spots: n.spots(s)}
	n.forget()
	if prog.Ops[s.Op].Params != nil && prog.Ops[s.Op].Params[0].Kind == prog.KindFD {
		f.fd = n.scope(process(s)).fds[string(s.Args[0].(prog.Name))]
		f.file = f.fd.file
	}
	switch {
	case isTransfer(s.Op):
		n.beginTransfer(f)
	case s.Op == "store":
		f.regs = make([]byte, len(f.spots))
		s.Args[1].(prog.Data).Bytes(f.regs, int64(n.page))
	default:
		n.other(f)
	}
	return f
}

func (n *naive) beginTransfer(f *frame) {
	moves := len(f.s.Args) < 3
	if f.off = f.fd.pos; !moves {
		f.off = int(f.s.Args[2].(prog.Size).In(int64(n.page)))
	}
	if isWrite(f.s.Op) && f.fd.ap {
		f.off = n.files[f.file].size
	}
	switch {
	case f.off < 0:
		f.end(0, "EINVAL")
		return
	case isWrite(f.s.Op) && !f.fd.write, !isWrite(f.s.Op) && !f.fd.read:
		f.end(0, "EBADF")
		return
	}
	if n.dice == nil {
		return
	}
	if !isWrite(f.s.Op) {
		n.prefault(f)
	}
	good := 0
	for good < len(f.spots) {
		if _, _, signal := n.reach(process(f.s), f.spots[good], !isWrite(f.s.Op)); signal != "" {
			break
		}
		good++
	}
	if isWrite(f.s.Op) && good < len(f.spots) && (f.fd.direct || !n.exact) {
		n.cut(f, good)
	} else if !isWrite(f.s.Op) && f.fd.direct && good < len(f.spots) {
		n.cut(f, good)
	}
}

// prefault copies some pages of a private buffer before a read, up to the first byte that cannot be touched.
func (n *naive) prefault(f *frame) {
	for _, b := range f.spots {
		a, _, signal := n.reach(process(f.s), b, true)
		if signal != "" {
			return
		}
		if a.file >= 0 && n.chance(2*n.page) {
			n.copyPage(a, b.at/n.page)
		}
	}
}

// cut ends a transfer early whose buffer goes bad: it does a part of it, and says how much or EFAULT.
func (n *naive) cut(f *frame, good int) {
	f.spots = f.spots[:n.upTo(good)]
	for len(f.spots) > 0 && !f.over {
		n.move(f)
	}
	if f.fd.direct && (n.whole || n.chance(2)) || f.result.Value == 0 {
		f.end(0, "EFAULT")
	}
	if !f.fd.direct && f.result.Err == "" || f.result.Value > 0 {
		n.advance(f)
	}
	f.over = true
}

// move copies a few bytes from the source, or to the destination.
func (n *naive) move(f *frame) {
	if f.s.Op == "store" {
		n.storeByte(f)
		return
	}
	if !f.stored {
		n.fill(f)
		return
	}
	f.stored = false
	if isWrite(f.s.Op) {
		n.put(n.files[f.file], f.off+f.done, f.regs)
		f.done += len(f.regs)
		if f.fault {
			f.end(f.done, "")
			n.advance(f)
		}
		return
	}
	for _, v := range f.regs {
		if n.set(process(f.s), f.spots[f.done], v) != "" {
			n.finish(f)
			return
		}
		f.done++
	}
}

func (n *naive) storeByte(f *frame) {
	if f.done == len(f.spots) {
		f.end(f.done, "")
		return
	}
	if signal := n.set(process(f.s), f.spots[f.done], f.regs[f.done]); signal != "" {
		f.end(0, signal)
		return
	}
	f.done++
}

func (n *naive) finish(f *frame) {
	if f.done == 0 {
		f.end(0, "EFAULT")
		return
	}
	f.end(f.done, "")
	n.advance(f)
}

// fill reads the next bytes of a transfer: one, or as many as the dice say.
func (n *naive) fill(f *frame) {
	left := len(f.spots) - f.done
	if !isWrite(f.s.Op) {
		left = min(left, n.files[f.file].size-f.off-f.done)
	}
	if left <= 0 {
		f.end(f.done, "")
		n.advance(f)
		return
	}
	chunk := 1
	if n.dice != nil {
		chunk = 1 + n.upTo(left-1)
	}
	f.regs, f.stored = nil, true
	for i := range chunk {
		if !isWrite(f.s.Op) {
			f.regs = append(f.regs, n.files[f.file].data[f.off+f.done+i])
			continue
		}
		v, signal := n.get(process(f.s), f.spots[f.done+i])
		if f.fault = signal != ""; f.fault {
			break
		}
		f.regs = append(f.regs, v)
	}
	if f.fault && len(f.regs) == 0 {
		n.finish(f)
	}
}

func (n *naive) advance(f *frame) {
	if moves := len(f.s.Args) < 3; moves && f.result.Err == "" && (f.result.Value > 0 || !f.fd.ap) {
		f.fd.pos = f.off + int(f.result.Value)
	}
}

// run performs a whole step.
func (n *naive) run(s *prog.Step) *frame {
	f := n.begin(s)
	for !f.over {
		n.move(f)
	}
	return f
}

// judge says what is wrong with a step's outcome, "" if nothing is.
func judge(f *frame, page int64) string {
	if !f.s.Want.Allows(f.result, page) {
		return "the result " + f.result.In(page) + " is not allowed"
	}
	if f.result.Err == "" && f.s.Op == "look" {
		return misread(f, page)
	}
	if f.result.Err != "" || f.s.Op != "check" || len(f.s.Args) < 2 {
		return ""
	}
	var wrong *prog.Mismatch
	for _, d := range f.s.Args[1].(prog.Alts) {
		if d.Len().In(page) != int64(len(f.bytes)) {
			continue
		}
		if wrong = d.Match(f.bytes, page); wrong == nil {
			return ""
		}
	}
	if wrong == nil {
		return fmt.Sprintf("%d bytes are not allowed", len(f.bytes))
	}
	return fmt.Sprintf("byte %d is %q, wanted one of %q", wrong.Offset, wrong.Got, wrong.Want)
}
