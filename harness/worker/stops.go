package worker

import (
	"sync/atomic"

	"faultline/generators/prog"
)

// Who is stopped where lies in the shared memory, a word for each page of each stall: all processes of the program see it, and so does
// the watcher, for which a step that is stopped on a stall has no deadline.

// maxStalls is how many stalls and guards a program may have.
const maxStalls = 16

// stallRecord is one stall of the running program, by the number of its step among those that make stalls.
type stallRecord struct {
	// state is that of the stall as an object: see object.
	state atomic.Uint32
	// owner is the slot of the process whose memory it is, 0 for the child itself. If file is set the pages are those of a file of package demand, and fd
	// is its number; or else fd is the userfaultfd in that process.
	owner, fd atomic.Int32
	file      atomic.Bool
	pages     atomic.Int32
	addr      atomic.Uint64
	words     [prog.MaxStall]atomic.Uint64
}

// A page's word has a bit for each actor stopped there, the slot's number less the owner's. Once the page is let go it is letGo for ever.
const (
	letGo    uint64 = 1 << 63
	stranger uint64 = 1 << 62 // somebody who is no actor
)

// clearStalls forgets those of the program before.
func (t *table) clearStalls() {
	for i := range t.stalls[:t.stallCount.Load()] {
		rec := &t.stalls[i]
		rec.state.Store(pending)
		for k := range rec.words {
			rec.words[k].Store(0)
		}
	}
	t.stallCount.Store(0)
}

// stop notes that actors are stopped on a page, unless it has been let go meanwhile.
func (t *table) stop(rec *stallRecord, page int, who uint64) bool {
	for {
		word := rec.words[page].Load()
		if word&letGo != 0 {
			return false
		}
		if rec.words[page].CompareAndSwap(word, word|who) {
			t.stops.Add(1)
			futexWake(&t.stops)
			return true
		}
	}
}

// release lets go pages from one on up to another, and begins the deadlines of those who were stopped there anew.
func (t *table) release(rec *stallRecord, from, to int) {
	now := monotonic()
	for page := from; page < to; page++ {
		word := rec.words[page].Swap(letGo)
		for i := range slotCount {
			if stoppedBit(word, i-int(rec.owner.Load())) {
				t.slots[i].resumed.Store(now)
			}
		}
	}
	t.stops.Add(1)
	futexWake(&t.stops)
}

func stoppedBit(word uint64, bit int) bool {
	return word&letGo == 0 && bit >= 0 && bit < 62 && word&(1<<bit) != 0
}

// isStopped reports whether the slot's thread is stopped on a stall that was not served yet.
func (t *table) isStopped(slot int) bool {
	for i := range t.stalls[:t.stallCount.Load()] {
		rec := &t.stalls[i]
		if rec.state.Load() != made {
			continue
		}
		for k := range rec.pages.Load() {
			if stoppedBit(rec.words[k].Load(), slot-int(rec.owner.Load())) {
				return true
			}
		}
	}
	return false
}

// find is the first page of a range where one of who is stopped, or -1.
func (rec *stallRecord) find(from, to int, who uint64) int {
	for page := from; page < to; page++ {
		if word := rec.words[page].Load(); word&letGo == 0 && word&who != 0 {
			return page
		}
	}
	return -1
}

func (rec *stallRecord) stopsAnyone() bool { return rec.find(0, int(rec.pages.Load()), ^letGo) >= 0 }

// What a thread may wait for: that somebody is stopped, which ends by itself, or that an actor has done its steps.
const (
	waitsForStop uint32 = 1 + iota
	waitsForActor
)

// quiet reports that no thread of the program but the given one can do anything by itself: each has done its steps, is stopped, or waits in the
// given way or a longer one.
func (t *table) quiet(seq uint64, but *slot, waiting uint32) bool {
	for i := range t.slots {
		s := &t.slots[i]
		if s == but || s.seq.Load() != seq || i > 0 && s.idle() || s.waits.Load() >= waiting || t.isStopped(i) {
			continue
		}
		return false
	}
	return true
}
