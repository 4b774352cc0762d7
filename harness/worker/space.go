package worker

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// Objects of a program lie in a region of our own, where neither the Go runtime nor the kernel puts anything. Their addresses are given out when
// the program is loaded, in text order, so they are the same in every run.
const (
	// slotUnit is what an object's room is rounded up to, and the least distance to its neighbours: the largest page size.
	slotUnit = 64 << 10
	// badRoom is how much at the start of the region is never mapped: what the name bad stands for.
	badRoom = 1 << 30
)

// regions are the places for the region, best first. Two are for user address spaces of 39 bits (User Mode Linux, some arm64).
var regions = []uintptr{0x100000000000, 0x2000000000, 0x180000000000, 0x4000000000}

// regionRoom is how much of a region must be free, and regionFree how much below it, into which a heap might grow: Go 1.26 puts its heap at a random place.
const (
	regionRoom = 64 << 30
	regionFree = 4 << 30
)

// findRegion takes the first region where this kernel lets us map and where there is nothing yet.
func findRegion() (uintptr, error) {
	const flags = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_NORESERVE | unix.MAP_FIXED_NOREPLACE
	var last unix.Errno
	for _, base := range regions {
		start, room := base-regionFree, uintptr(regionFree+regionRoom)
		r := sys(unix.SYS_MMAP, start, room, unix.PROT_NONE, flags, ^uintptr(0), 0)
		if !r.ok() {
			last = r.errno
			continue
		}
		sys(unix.SYS_MUNMAP, uintptr(r.value), room)
		if uintptr(r.value) == start {
			return base, nil
		}
	}
	return 0, fmt.Errorf("find room in the address space at %#x: %w", regions, last)
}

// space is the names of one address space: that of the main thread and its threads, or that of a process.
type space struct {
	region  uintptr
	next    uintptr
	names   map[string]*object
	objects pool[object]
}

func (s *space) reset() {
	s.next = s.region + badRoom
	clear(s.names)
	s.objects.reset()
}

// place finds the address of an object: at least slotUnit of nothing before and behind it.
func (s *space) place(length int64) uintptr {
	at := s.next + slotUnit
	s.next = at + (uintptr(length)+slotUnit)&^(slotUnit-1) // at least one byte more than the length
	return at
}

// define makes the object that the step's name stands for. Its state is pending until the step has run.
func (s *space) define(name string, kind prog.Kind, length int64, align int64) (*object, error) {
	if s.names[name] != nil {
		return nil, fmt.Errorf("the name %s is taken", name)
	}
	o := &s.objects.take(1)[0]
	o.kind, o.length, o.fd = kind, length, -1
	o.state.Store(pending)
	if kind != prog.KindFD {
		o.addr = s.place(length+align) + uintptr(align)
	}
	s.names[name] = o
	return o, nil
}

// lookup finds what a name stands for: a descriptor, or memory.
func (s *space) lookup(name string, descriptor bool) (*object, error) {
	o := s.names[name]
	if o == nil {
		return nil, fmt.Errorf("%s is not known here", name)
	}
	if (o.kind == prog.KindFD) != descriptor {
		return nil, fmt.Errorf("%s is %v", name, o.kind)
	}
	return o, nil
}

// clean closes and unmaps all that the program left.
func (s *space) clean() {
	s.objects.each(func(o *object) {
		if o.kind == prog.KindFD && o.fd >= 0 {
			sys(unix.SYS_CLOSE, uintptr(o.fd))
		}
	})
	if first := s.region + badRoom; s.next > first {
		sys(unix.SYS_MUNMAP, first, s.next-first)
	}
}

// object is a descriptor, a mapping or a buffer.
type object struct {
	kind   prog.Kind
	addr   uintptr
	length int64
	fd     int
	// rec is that of a stall.
	rec *stallRecord
	// state is a futex word; awaited is set once an actor sleeps on it.
	state, awaited atomic.Uint32
}

// States of an object. A closed descriptor and an unmapped mapping stay made: the program's text takes care of not using them.
const (
	pending uint32 = iota
	made
	failed
)

// pool gives out values whose addresses stay valid until reset, and uses their memory again after it.
type pool[T any] struct {
	chunk []T
	used  int
	old   [][]T
}

func (p *pool[T]) take(n int) []T {
	if p.used+n > len(p.chunk) {
		p.old = append(p.old, p.chunk[:p.used])
		p.chunk, p.used = make([]T, max(2*len(p.chunk), n, 32)), 0
	}
	p.used += n
	return p.chunk[p.used-n : p.used : p.used]
}

func (p *pool[T]) reset() {
	clear(p.chunk[:p.used])
	p.used, p.old = 0, nil
}

func (p *pool[T]) each(f func(*T)) {
	for _, chunk := range append(p.old, p.chunk[:p.used]) {
		for i := range chunk {
			f(&chunk[i])
		}
	}
}

// memory is the range as bytes. Touching them may fault: only in copyPages.
func memory(addr uintptr, length int) []byte {
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), length)
}
