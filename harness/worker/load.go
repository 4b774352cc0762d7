package worker

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// pageSize is the unit of sizes in programs.
var pageSize = int64(os.Getpagesize())

// call is one step, made ready: names looked up, sizes in bytes, flags as numbers, iovecs written. What every step needs stands first,
// in few cache lines; the step itself is looked at again only when something is wrong.
type call struct {
	// run is nil for the step of an actor in another address space.
	run   func(*actor, *call) result
	actor string
	// target is the actor to wait for, "" if the call is no wait.
	target string
	// uses are the things whose names stand in the arguments, makes what the step defines or nil.
	uses  []*object
	makes *object
	// second is the second descriptor among the arguments.
	second *object
	// iov are the pieces of the memory argument.
	iov []unix.Iovec
	// paths, sizes and flags are the arguments of those kinds, in order. Paths end with a zero byte.
	sizes [2]int64
	flags [2]uintptr
	// lo and hi bound the values that need no further look; lo > hi if there are none.
	lo, hi int64
	index  int
	// rec is the stall that the step makes or works on, fromPage to toPage the pages; guard says that it is one.
	rec              *stallRecord
	fromPage, toPage int
	guard            bool
	// waits is set if the call does nothing but wait for others: what for.
	waits uint32
	// stores is set if the call writes data to memory itself.
	stores bool

	step  *prog.Step
	paths [2][]byte
	data  prog.Data
	alts  prog.Alts
	// record and fields are those of a struct argument, names the last parts of the files' names of a list.
	record *prog.Struct
	fields []field
	names  []string
}

// program is a loaded program. Its memory is used again by later ones.
type program struct {
	seq   uint64
	prog  *prog.Prog
	space space
	table *table
	// stalls are by process, a slash, and name; stops hears of who is stopped on those of this address space.
	stalls  map[string]stallInfo
	stops   *stopper
	hearing sync.Once
	// demand is the directory where files with pages on demand are made, or -1: then stalls are memory of a userfaultfd.
	demand int
	// dirs are the program's own directories: on the target, and elsewhere if it has files there.
	dir, other string
	roots      [2]root
	// ours is Config.Ours.
	ours      bool
	elsewhere map[string]bool
	calls     []*call
	// actors are the names of the other actors, in the order of their first steps.
	actors []string
	iovecs pool[unix.Iovec]
	pieces pool[call]
	used   pool[*object]
	paths  pool[byte]
}

func newProgram(region uintptr, t *table) *program {
	return &program{demand: -1, space: space{region: region, names: map[string]*object{}}, table: t, stalls: map[string]stallInfo{}, elsewhere: map[string]bool{}}
}

// load prepares the steps that belong to one address space: that of the named process, or of the main thread and its threads if process is "".
func (p *program) load(cfg Config, seq uint64, text, process string) (err error) {
	p.reset(cfg, seq)
	if p.prog, err = prog.Parse(text); err != nil {
		return err
	}
	if process == "" {
		p.table.clearStalls()
	}
	if err := p.number(); err != nil {
		return err
	}
	if p.actors = p.prog.Actors(); len(p.actors) > MaxActors {
		return fmt.Errorf("the program has %d actors, the worker has room for %d", len(p.actors), MaxActors)
	}
	for i := range p.prog.Files {
		f := &p.prog.Files[i]
		if f.Elsewhere {
			p.elsewhere[f.Name] = true
		}
		if err := bounded(false, f.Data); err != nil {
			return fmt.Errorf("file %s: %w", f.Name, err)
		}
	}
	if p.needsOther() && cfg.Other == "" {
		return fmt.Errorf("the program has files on another file system, and no place there is known")
	}
	for i := range p.prog.Steps {
		s := &p.prog.Steps[i]
		c := &p.pieces.take(1)[0]
		c.index, c.step, c.actor = i, s, s.Actor
		p.calls = append(p.calls, c)
		if home(s) != process {
			continue
		}
		if err := p.compile(c); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, s.Call(), err)
		}
	}
	return nil
}

// needsOther reports whether a file lies outside the target.
func (p *program) needsOther() bool { return len(p.elsewhere) > 0 }

func (p *program) reset(cfg Config, seq uint64) {
	p.seq = seq
	p.dir = filepath.Join(cfg.Dir, fmt.Sprint(seq))
	p.other = filepath.Join(cfg.Other, fmt.Sprint(seq))
	p.ours = cfg.Ours
	clear(p.elsewhere)
	p.calls = p.calls[:0]
	p.space.reset()
	p.iovecs.reset()
	p.pieces.reset()
	p.used.reset()
	p.paths.reset()
}

// home is the address space in which a step runs.
func home(s *prog.Step) string {
	if s.Process() {
		return s.Actor
	}
	return ""
}

func (p *program) compile(c *call) error {
	s := c.step
	if c.run = ops[s.Op]; c.run == nil {
		return fmt.Errorf("the worker has no operation %s", s.Op)
	}
	c.lo, c.hi = bounds(s.Want)
	c.waits = waiters[s.Op]
	op := prog.Ops[s.Op]
	var n counts
	for i, a := range s.Args {
		if err := p.argument(c, &n, op.Params[i].Kind, a); err != nil {
			return err
		}
	}
	return p.define(c, op)
}

// bounds are the values that an expectation of a single range allows, or else none.
func bounds(want prog.Expect) (lo, hi int64) {
	switch {
	case want == nil:
		return math.MinInt64, math.MaxInt64
	case len(want) == 1 && want[0].Err == "" && !want[0].Any && !want[0].OK:
		return want[0].Lo.In(pageSize), want[0].Hi.In(pageSize)
	}
	return 1, 0
}

// counts are how many arguments of a kind a call has got so far.
type counts struct{ sizes, flags, paths, fds int }

func (p *program) argument(c *call, n *counts, kind prog.Kind, a prog.Arg) error {
	switch a := a.(type) {
	case prog.Size:
		c.sizes[n.sizes] = a.In(pageSize)
		n.sizes++
	case prog.Words:
		c.flags[n.flags] = flagBits(c.step.Op, a)
		n.flags++
	case prog.Data:
		c.data, c.stores = a, c.step.Op == "store" || c.step.Op == "serve" || c.step.Op == "ptrace_poke"
		return bounded(c.stores, a)
	case prog.Alts:
		c.alts = a
		return bounded(true, a...)
	case prog.Buf:
		if prog.OnStall(c.step.Op) {
			return p.onStall(c, a)
		}
		return p.buffer(c, a)
	case prog.Value:
		return p.value(c, a)
	case prog.Names:
		c.names = make([]string, 0, len(a))
		for _, name := range a {
			c.names = append(c.names, filepath.Base(name))
		}
	case prog.Name:
		return p.name(c, n, kind, string(a))
	}
	return nil
}

func (p *program) name(c *call, n *counts, kind prog.Kind, name string) error {
	switch kind {
	case prog.KindActor:
		c.target = name
	case prog.KindFD:
		o, err := p.space.lookup(name, true)
		if err != nil {
			return err
		}
		if p.use(c, o); n.fds > 0 {
			c.second = o
		}
		n.fds++
	default:
		c.paths[n.paths] = p.path(name)
		n.paths++
		if c.step.Op == "put_path" {
			return c.pathFits()
		}
	}
	return nil
}

// maxData is how long data may be that the worker holds in its memory.
const maxData = 256 << 20

// bounded refuses data that is too long to hold. Holes of files and of anonymous memory are not held.
func bounded(holes bool, data ...prog.Data) error {
	for _, d := range data {
		var n int64
		for _, r := range d {
			if holes || r.May[0].Kind != prog.Hole {
				n += r.Len.In(pageSize)
			}
		}
		if n > maxData {
			return fmt.Errorf("found %d bytes of data, the worker holds %d", n, maxData)
		}
	}
	return nil
}

// define gives what the step makes its address and length.
func (p *program) define(c *call, op *prog.Op) (err error) {
	if c.step.Makes == "" {
		return nil
	}
	var length, align int64
	switch c.step.Op {
	case "mmap":
		length = c.sizes[1]
	case "mremap":
		length = c.sizes[0]
	case "stall", "guard_struct":
		length = c.sizes[0]
	case "anon", "guard":
		length, align = c.data.Len().In(pageSize), c.sizes[0]
	}
	if c.makes, err = p.space.define(c.step.Makes, op.Makes, length, align); err != nil {
		return err
	}
	c.rec = p.stalls[home(c.step)+"/"+c.step.Makes].rec
	c.makes.rec = c.rec
	return nil
}

// use notes that the call depends on an object.
func (p *program) use(c *call, o *object) {
	for _, have := range c.uses {
		if have == o {
			return
		}
	}
	// Almost always there is one object or two.
	grown := p.used.take(len(c.uses) + 1)
	copy(grown, c.uses)
	grown[len(c.uses)] = o
	c.uses = grown
}

// buffer spells out the memory of an argument.
func (p *program) buffer(c *call, b prog.Buf) (err error) {
	n := 0
	for _, r := range b.Ranges {
		n += max(r.Count, 1)
	}
	// A call may have several memory arguments; their pieces stand one behind the other.
	before := c.iov
	c.iov = append(p.iovecs.take(len(before) + n)[:0], before...)
	for _, r := range b.Ranges {
		base, length := p.space.region, int64(0)
		if r.Of != prog.Bad {
			o, err := p.space.lookup(r.Of, false)
			if err != nil {
				return err
			}
			p.use(c, o)
			base, length = o.addr, o.length
		}
		from, to := r.From.In(pageSize), r.To.In(pageSize)
		if r.Whole {
			from, to = 0, length
		}
		if from < 0 || to < from {
			return fmt.Errorf("%v: wanted 0 <= from <= to", r)
		}
		for i := range max(r.Count, 1) {
			at := base + uintptr(from+int64(i)*r.Stride.In(pageSize))
			v := unix.Iovec{}
			*(*uintptr)(unsafe.Pointer(&v.Base)) = at
			v.SetLen(int(to - from))
			c.iov = append(c.iov, v)
		}
	}
	return nil
}

// path is the absolute path of a file of the program.
func (p *program) path(name string) []byte {
	dir := p.dir
	if p.elsewhere[name] {
		dir = p.other
	}
	return p.cstring(dir + "/" + name)
}

// cstring is the text as the kernel takes it, in memory that does not move.
func (p *program) cstring(text string) []byte {
	return append(append(p.paths.take(len(text) + 1)[:0], text...), 0)
}

// fd is the descriptor argument.
func (c *call) fd() uintptr { return uintptr(c.uses[0].fd) }

// base and length are those of the memory argument's only piece.
func (c *call) base() uintptr   { return uintptr(unsafe.Pointer(c.iov[0].Base)) }
func (c *call) length() uintptr { return uintptr(c.iov[0].Len) }

// baseAt and lengthAt are those of one of several memory arguments.
func (c *call) baseAt(i int) uintptr   { return uintptr(unsafe.Pointer(c.iov[i].Base)) }
func (c *call) lengthAt(i int) uintptr { return uintptr(c.iov[i].Len) }

// fd2 is the second descriptor argument.
func (c *call) fd2() uintptr { return uintptr(c.second.fd) }

// vector is the memory argument as the address and the number of its iovecs.
func (c *call) vector() (iov, n uintptr) {
	return uintptr(unsafe.Pointer(unsafe.SliceData(c.iov))), uintptr(len(c.iov))
}

func (c *call) path(i int) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(c.paths[i]))) }

// off is size argument i as the kernel takes it.
func (c *call) off(i int) uintptr { return uintptr(c.sizes[i]) }

// what names the object that a check compares.
func (c *call) what() string { return strings.TrimSpace(fmt.Sprint(c.step.Args[0])) }
