package worker

import (
	"errors"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// result is what an operation returned, before anybody asks whether that was right.
type result struct {
	value  int64
	errno  unix.Errno
	signal unix.Signal
	// wrong says how data differs from what a check wants; nil when it does not.
	wrong *Mismatch
	// asleep says who was found sleeping.
	asleep *Asleep
}

func (r result) ok() bool { return r.errno == 0 && r.signal == 0 }

// because is the failure of what could not be made for a call.
func because(err error) result {
	r := result{errno: unix.ENOSYS}
	errors.As(err, &r.errno)
	return r
}

// public is the result in the terms of programs.
func (r result) public() prog.Result {
	if r.ok() {
		return prog.Result{Value: r.value}
	}
	return prog.Result{Err: codeName(r.code())}
}

// signalCode is added to a signal to tell it from an errno.
const signalCode = 1 << 16

// code is the errno, or the signal plus signalCode, or 0.
func (r result) code() uint32 {
	if r.signal != 0 {
		return signalCode + uint32(r.signal)
	}
	return uint32(r.errno)
}

func codeName(code uint32) string {
	switch {
	case code == 0:
		return ""
	case code >= signalCode:
		return unix.SignalName(unix.Signal(code - signalCode))
	}
	return errnoName(unix.Errno(code))
}

// errnoName is the name in the manual pages.
func errnoName(e unix.Errno) string {
	if e == unix.EOPNOTSUPP {
		return "EOPNOTSUPP" // ErrnoName knows the other name of the same number
	}
	if name := unix.ErrnoName(e); name != "" {
		return name
	}
	return e.Error()
}

// sys makes one system call that Go's scheduler does not hear of. Memory that args point to must not be on a stack, which may move
// on the way: it is in the heap (which does not move, and is not collected here) or mapped.
func sys(nr uintptr, args ...uintptr) result {
	var a [6]uintptr
	copy(a[:], args)
	v, _, errno := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return result{errno: errno}
	}
	return result{value: int64(v)}
}

// done is sys for operations whose value means nothing to a program: a descriptor, an address.
func done(nr uintptr, args ...uintptr) result {
	r := sys(nr, args...)
	r.value = 0
	return r
}
