package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"
)

// Remains are what a child did when its machine died, read from the memory of the machine. Times are of the dead machine's clock: only their
// differences mean something.
type Remains struct{ table *table }

// A page of /proc/PID/pagemap: the page frame number, and that the page is in memory (Documentation/admin-guide/mm/pagemap.rst).
const (
	frameMask    = 1<<55 - 1
	framePresent = 1 << 63
	frameBytes   = 8
)

// Frames are the page frame numbers of the memory that the child shares with us, in order, for Exhume. Only root may know them.
func (p *Proc) Frames() ([]uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.table == nil {
		return nil, fmt.Errorf("the shared memory of worker %d is closed", p.PID())
	}
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil, fmt.Errorf("find the shared memory of worker %d: %w", p.PID(), err)
	}
	defer f.Close()
	page := uintptr(os.Getpagesize())
	entries := make([]byte, frameBytes*tablePages(page))
	if _, err := f.ReadAt(entries, int64(uintptr(unsafe.Pointer(p.table))/page*frameBytes)); err != nil {
		return nil, fmt.Errorf("find the shared memory of worker %d: %w", p.PID(), err)
	}
	frames := make([]uint64, len(entries)/frameBytes)
	for i := range frames {
		entry := binary.NativeEndian.Uint64(entries[i*frameBytes:])
		frames[i] = entry & frameMask
		if entry&framePresent == 0 || frames[i] == 0 {
			return nil, fmt.Errorf("find the shared memory of worker %d: page %d has no frame that we may know", p.PID(), i)
		}
	}
	return frames, nil
}

func tablePages(page uintptr) uintptr { return (unsafe.Sizeof(table{}) + page - 1) / page }

// Exhume reads the memory of a child out of the physical memory of its machine, which has died or no longer answers. The machine has pages of 4 KiB.
func Exhume(memory io.ReaderAt, frames []uint64) (*Remains, error) {
	const page = 4096
	if uintptr(len(frames)) != tablePages(page) {
		return nil, fmt.Errorf("read the memory of a dead machine: %d pages are not those of a worker", len(frames))
	}
	t := new(table)
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(t)), unsafe.Sizeof(*t))
	for i, frame := range frames {
		from, to := i*page, min((i+1)*page, len(bytes))
		if _, err := memory.ReadAt(bytes[from:to], int64(frame)*page); err != nil {
			return nil, fmt.Errorf("read the memory of a dead machine at %#x: %w", frame*page, err)
		}
	}
	if t.stallCount.Load() > maxStalls || t.failureSize.Load() > uint32(len(t.failure)) {
		return nil, errors.New("read the memory of a dead machine: it is not a worker's any more")
	}
	return &Remains{t}, nil
}

// Live lists the steps that were in progress, the main thread's first.
func (r *Remains) Live() []Live { return r.table.live() }

// Events is the history of a program, oldest first.
func (r *Remains) Events(seq uint64) []Event { return r.table.history(seq) }

// FailureSoFar is the failure of the program that was running.
func (r *Remains) FailureSoFar() *Failure { return r.table.readFailure() }
