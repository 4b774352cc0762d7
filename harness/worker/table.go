package worker

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// MaxActors is the largest number of actors besides the main thread that a program may have.
	MaxActors = 32
	// maxEvents is how many events the history keeps.
	maxEvents = 1024
	// slotCount has room for the main thread, a pool of threads and a pool of processes.
	slotCount = 1 + 2*MaxActors
)

// table is the memory that the parent, the child and the child's actor processes share. All fields are written with atomic
// stores, because a reader may look at any moment and a writer may die at any moment.
type table struct {
	// arrived counts for ever how often somebody came to the gate; see gate.
	arrived atomic.Uint32
	// verdict says how far the first failure of the running program is: see failure.go.
	verdict     atomic.Uint32
	failureSize atomic.Uint32
	// spins is how long to spin at the gate.
	spins atomic.Uint32
	// next is the number of the next event.
	next  atomic.Uint64
	slots [slotCount]slot
	// stalls are those of the running program; stops changes, and wakes who waits on it, when somebody is stopped or let go.
	stalls     [maxStalls]stallRecord
	stallCount atomic.Uint32
	stops      atomic.Uint32
	events     [maxEvents]event
	failure    [16384]byte
}

// slot is what one thread of the child is doing, and what it is asked to do. One thread writes the first part; the order comes from the main thread.
type slot struct {
	// state tells the step in progress: see packState.
	state atomic.Uint64
	// began is the CLOCK_MONOTONIC time in ns at which the latest step began.
	began    atomic.Int64
	seq      atomic.Uint64
	pid, tid atomic.Int32
	// ran and skipped count the steps of the running program. Ordered by done.
	ran, skipped uint32
	// name holds the actor's name in the running program, three letters at most.
	name atomic.Uint32

	// handed counts for ever the tickets given out, done those that are finished. Both are futex words.
	handed, done atomic.Uint32
	// waiting is set while the main thread sleeps on done.
	waiting atomic.Uint32
	// gateAt is the ticket before which the actor passes the gate, gateGoal the count of arrivals that opens it.
	gateAt, gateGoal atomic.Uint32
	// waits says for what the thread waits while it does nothing but wait for others.
	waits atomic.Uint32
	// resumed is the CLOCK_MONOTONIC time in ns at which the thread was last let go from a stall.
	resumed atomic.Int64
	_       [10]uint32
}

// event is one line of the history. Its number is 0 while the rest is written.
type event struct {
	number atomic.Uint64
	seq    uint64
	time   int64
	value  int64
	name   uint32
	// code is a result's code().
	code uint32
	step int32
	kind eventKind
	_    [2]uint64
}

// Steps that are not in the program's text.
const (
	// StepSetup is the making of the program's directory and files.
	StepSetup = -1
	// StepCleanup is the removal of all that the program left.
	StepCleanup = -2
)

// stepBias makes every step a number that is not negative.
const stepBias = 2

// packState holds the number of steps begun so far, the step, and whether it is still running. As the count changes with every step, a
// reader that finds the same state before and after it read the other fields has read them of one step.
func packState(begun uint32, step int, running bool) uint64 {
	s := uint64(begun)<<32 | uint64(step+stepBias)<<1
	if running {
		s |= 1
	}
	return s
}

func unpackState(s uint64) (begun uint32, step int, running bool) {
	return uint32(s >> 32), int(uint32(s)>>1) - stepBias, s&1 != 0
}

// packName keeps the up to four letters of an actor's name in one word, so that it is stored at once.
func packName(name string) uint32 {
	var w uint32
	for i := 0; i < len(name) && i < 4; i++ {
		w |= uint32(name[i]) << (8 * i)
	}
	return w
}

func unpackName(w uint32) string {
	var b []byte
	for ; w != 0; w >>= 8 {
		b = append(b, byte(w))
	}
	return string(b)
}

// newTable makes the shared memory: a memfd, so that it needs no file system and dies with its last user.
func newTable() (fd int, t *table, err error) {
	if fd, err = unix.MemfdCreate("faultline-worker", unix.MFD_CLOEXEC); err != nil {
		return -1, nil, fmt.Errorf("create shared memory: %w", err)
	}
	if err = unix.Ftruncate(fd, int64(unsafe.Sizeof(table{}))); err != nil {
		unix.Close(fd)
		return -1, nil, fmt.Errorf("size shared memory: %w", err)
	}
	if t, err = mapTable(fd); err != nil {
		unix.Close(fd)
	}
	return fd, t, err
}

func mapTable(fd int) (*table, error) {
	mem, err := unix.Mmap(fd, 0, int(unsafe.Sizeof(table{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map shared memory: %w", err)
	}
	return (*table)(unsafe.Pointer(&mem[0])), nil
}

func (t *table) unmap() {
	// The only error is a wrong address, and the address is ours.
	_ = unix.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(t)), int(unsafe.Sizeof(table{}))))
}

// log adds an event to the history. It is called by any thread of any process, twice for every step, so it has no more atomic stores than it
// needs: the first orders the stores behind it, the last those before it.
func (t *table) log(s *slot, step int, kind eventKind, now int64, r result) {
	n := t.next.Add(1)
	e := &t.events[n%maxEvents]
	e.number.Swap(0)
	e.seq, e.time, e.value = s.seq.Load(), now, r.value
	e.name, e.code = s.name.Load(), r.code()
	e.step, e.kind = int32(step), kind
	e.number.Store(n)
}

// eventKind is a set of bits.
type eventKind uint8

const (
	eventBegin eventKind = 0
	eventEnd   eventKind = 1
	// eventWrong marks an end whose data was wrong.
	eventWrong eventKind = 2
)
