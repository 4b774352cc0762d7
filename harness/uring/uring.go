// Package uring does single reads and writes through an io_uring: one submission, one wait, one completion. It is no general binding: there is
// never more than one request under way, so that a caller's thread is in one system call for as long as the request takes. It imports
// golang.org/x/sys and the standard library.
//
//	r, err := uring.New()
//	n, errno := r.Do(uring.Read, fd, address, length, offset)
package uring

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Opcodes of requests (linux/io_uring.h, enum io_uring_op).
const (
	Readv      = 1
	Writev     = 2
	ReadFixed  = 4
	WriteFixed = 5
	Read       = 22
	Write      = 23
	Command    = 46
)

// params is struct io_uring_params.
type params struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	resv                                                                   [3]uint32
	sq                                                                     struct{ head, tail, ringMask, ringEntries, flags, dropped, array, resv1, addrLo, addrHi uint32 }
	cq                                                                     struct{ head, tail, ringMask, ringEntries, overflow, cqes, flags, resv1, addrLo, addrHi uint32 }
}

// sqe is struct io_uring_sqe, cqe is struct io_uring_cqe.
type sqe struct {
	opcode, flags uint8
	ioprio        uint16
	fd            int32
	off, addr     uint64
	length, rw    uint32
	userData      uint64
	bufIndex      uint16
	_             [22]byte
}

type cqe struct {
	userData uint64
	res      int32
	flags    uint32
}

// Ring is an io_uring with its memory.
type Ring struct {
	fd   int
	ring []byte
	sqes []byte
	at   params
}

const (
	entries    = 4
	singleMmap = 1 // IORING_FEAT_SINGLE_MMAP, Linux 5.4
	offsetSQEs = 0x10000000
	getEvents  = 1 // IORING_ENTER_GETEVENTS
)

// New sets a ring up. The error says which call failed: a machine may forbid them (sysctl kernel.io_uring_disabled).
func New() (*Ring, error) {
	r := &Ring{}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, entries, uintptr(unsafe.Pointer(&r.at)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("io_uring_setup: %w", errno)
	}
	r.fd = int(fd)
	if r.at.features&singleMmap == 0 {
		unix.Close(r.fd)
		return nil, fmt.Errorf("io_uring_setup: the rings do not lie in one mapping: %w", unix.ENOSYS)
	}
	size := max(r.at.sq.array+r.at.sqEntries*4, r.at.cq.cqes+r.at.cqEntries*uint32(unsafe.Sizeof(cqe{})))
	var err error
	if r.ring, err = unix.Mmap(r.fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE); err == nil {
		r.sqes, err = unix.Mmap(r.fd, offsetSQEs, entries*int(unsafe.Sizeof(sqe{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	}
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("map io_uring: %w", err)
	}
	return r, nil
}

// Close gives the ring up.
func (r *Ring) Close() {
	for _, m := range [][]byte{r.ring, r.sqes} {
		if m != nil {
			_ = unix.Munmap(m) // the only error is a wrong address, and the address is the kernel's
		}
	}
	unix.Close(r.fd)
}

func (r *Ring) word(at uint32) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&r.ring[at]))
}

// Do makes one request and waits for its result: a count, or an errno. The memory at addr is length bytes, or length iovecs for Readv and
// Writev. Go's scheduler does not hear of the calls.
func (r *Ring) Do(op uint8, fd int, addr uintptr, length uint32, off int64) (n int32, errno unix.Errno) {
	tail := r.word(r.at.sq.tail)
	slot := tail.Load() & r.word(r.at.sq.ringMask).Load()
	*(*sqe)(unsafe.Pointer(&r.sqes[slot*uint32(unsafe.Sizeof(sqe{}))])) = sqe{opcode: op, fd: int32(fd), off: uint64(off), addr: uint64(addr), length: length}
	r.word(r.at.sq.array + slot*4).Store(slot)
	tail.Add(1)
	submit := uintptr(1)
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), submit, 1, getEvents, 0, 0)
		if errno != 0 && errno != unix.EINTR {
			return 0, errno
		}
		submit = uintptr(tail.Load() - r.word(r.at.sq.head).Load())
		if res, ok := r.reap(); ok {
			return max(res, 0), unix.Errno(max(-res, 0))
		}
	}
}

// reap takes the completion if it is there.
func (r *Ring) reap() (res int32, ok bool) {
	head := r.word(r.at.cq.head)
	if head.Load() == r.word(r.at.cq.tail).Load() {
		return 0, false
	}
	at := r.at.cq.cqes + (head.Load()&r.word(r.at.cq.ringMask).Load())*uint32(unsafe.Sizeof(cqe{}))
	res = (*cqe)(unsafe.Pointer(&r.ring[at])).res
	head.Add(1)
	return res, true
}

// Codes of io_uring_register(2).
const (
	registerBuffers   = 0
	unregisterBuffers = 1
)

// DoFixed is Do with the memory registered as a buffer for the time of the request: the kernel pins its pages.
func (r *Ring) DoFixed(op uint8, fd int, iov *unix.Iovec, off int64) (n int32, errno unix.Errno) {
	if _, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), registerBuffers, uintptr(unsafe.Pointer(iov)), 1, 0, 0); errno != 0 {
		return 0, errno
	}
	n, errno = r.Do(op, fd, uintptr(unsafe.Pointer(iov.Base)), uint32(iov.Len), off)
	unix.RawSyscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), unregisterBuffers, 0, 0, 0, 0)
	return n, errno
}
