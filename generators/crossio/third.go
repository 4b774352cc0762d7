package crossio

import "faultline/generators/prog"

// third is the actor that gets in the way of the others on file B.
type third struct {
	voice
	what string
	// span is what the others transfer.
	span extent
}

// thirdFile is the file that the third actor works on: the last one that is mapped, and read or written by its neighbour.
const thirdFile = "B"

var thirdDocs = map[string]string{
	"truncate": "shrinks and grows B",
	"punch":    "punches holes into B",
	"sync":     "writes B to the disk, through its descriptor and through a mapping",
	"evict":    "evicts the pages of B",
	"drop":     "drops all caches of the machine",
	"store":    "stores to B through a mapping",
	"remap":    "maps, touches and unmaps B",
}

func (t *third) setUp() {
	t.aside("x = open(%s, rdwr)", thirdFile)
	if t.what == "sync" || t.what == "store" {
		t.aside("y = mmap(x, shared, rw, 0, %dp)", filePages)
	}
}

func (t *third) round(round int) {
	switch t.what {
	case "truncate":
		t.line("ftruncate(x, 1p)")
		t.line("ftruncate(x, %dp)", filePages)
	case "punch":
		t.line("fallocate(x, punch, %v, %v)", t.span.from, t.span.to.Minus(t.span.from))
	case "sync":
		t.sync(round)
	case "evict":
		t.line("fdatasync(x)")
		t.line("fadvise(x, 0, 0, dontneed)")
	case "drop":
		if round < 2 {
			t.line("drop_caches()")
		}
	case "store":
		at := extent{t.span.from, t.span.from.Plus(prog.Bytes(64))}
		t.line("store(y%v, pat9*64)", at)
	case "remap":
		t.line("y%d = mmap(x, shared, rw, 0, %dp)", round+1, filePages)
		t.line("load(y%d)", round+1)
		t.line("munmap(y%d)", round+1)
	}
}

func (t *third) sync(round int) {
	if round%2 == 0 {
		t.line("fsync(x)")
		return
	}
	t.line("msync(y, sync)")
}

func (t *third) inspect() {
	if t.what == "store" {
		t.aside("check(y)")
	}
}
