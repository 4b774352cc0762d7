package worker

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// userfaultfd(2), as far as stalls need it. Numbers and layouts are those of include/uapi/linux/userfaultfd.h.

const (
	uffdAPI = 0xaa

	// userfaultfdNew is USERFAULTFD_IOC_NEW, of /dev/userfaultfd.
	userfaultfdNew = 0xaa00

	uffdioAPI          = 0xc018aa3f
	uffdioRegister     = 0xc020aa00
	uffdioUnregister   = 0x8010aa01
	uffdioWake         = 0x8010aa02
	uffdioCopy         = 0xc028aa03
	uffdioZeropage     = 0xc020aa04
	uffdioWriteprotect = 0xc018aa06
	uffdioPoison       = 0xc020aa08

	registerMissing = 1
	registerWP      = 2

	// featureWP and featureThreadID are UFFD_FEATURE_PAGEFAULT_FLAG_WP and UFFD_FEATURE_THREAD_ID (Linux 5.7 and 4.14).
	featureWP       = 1 << 0
	featureThreadID = 1 << 8

	eventPagefault = 0x12
)

// uffdRange is struct uffdio_range and, with more fields, the other arguments: they all begin with an address and a length.
type uffdRange struct {
	start, length uint64
	rest          [3]uint64
}

// uffdMsg is struct uffd_msg of a page fault.
type uffdMsg struct {
	event   uint8
	_       [7]uint8
	flags   uint64
	address uint64
	tid     uint32
	_       uint32
}

// ioctl takes the address of its argument, which the directive keeps in the heap: stacks move.
//
//go:uintptrescapes
func ioctl(fd int, request, arg uintptr) result {
	return done(unix.SYS_IOCTL, uintptr(fd), request, arg)
}

var uffdPath = []byte("/dev/userfaultfd\x00")

// newUffd gets a userfaultfd that also takes faults of the kernel. Its reads do not block: poll(2) works on no other. Who may not call
// userfaultfd(2) may have been given the device (Linux 6.1).
func newUffd() result {
	r := sys(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK)
	if r.errno != unix.EPERM {
		return r
	}
	device := sys(unix.SYS_OPENAT, atCWD, address(uffdPath), unix.O_RDWR|unix.O_CLOEXEC)
	if !device.ok() {
		return r
	}
	defer sys(unix.SYS_CLOSE, uintptr(device.value))
	return sys(unix.SYS_IOCTL, uintptr(device.value), userfaultfdNew, unix.O_CLOEXEC|unix.O_NONBLOCK)
}

func openUffd(features uint64) result {
	r := newUffd()
	if !r.ok() {
		return r
	}
	api := &struct{ api, features, ioctls uint64 }{uffdAPI, features, 0}
	if asked := ioctl(int(r.value), uffdioAPI, uintptr(unsafe.Pointer(api))); !asked.ok() {
		sys(unix.SYS_CLOSE, uintptr(r.value))
		return asked
	}
	return r
}

// onRange makes one of the calls that need no more than an address, a length and a word.
func onRange(fd int, request, addr, length uintptr, word uint64) result {
	return ioctl(fd, request, uintptr(unsafe.Pointer(&uffdRange{start: uint64(addr), length: uint64(length), rest: [3]uint64{word}})))
}

// copyPages fills pages, all that is left after each interruption.
func copyPages(fd int, addr uintptr, data []byte) result {
	for len(data) > 0 {
		arg := &struct {
			dst, src, length, mode uint64
			copied                 int64
		}{uint64(addr), uint64(address(data)), uint64(len(data)), 0, 0}
		r := ioctl(fd, uffdioCopy, uintptr(unsafe.Pointer(arg)))
		if r.ok() || r.errno != unix.EAGAIN {
			return r
		}
		if arg.copied > 0 {
			data, addr = data[arg.copied:], addr+uintptr(arg.copied)
		}
	}
	return result{}
}

// zeroPages is copyPages of zeros.
func zeroPages(fd int, addr, length uintptr) result {
	for length > 0 {
		arg := &uffdRange{start: uint64(addr), length: uint64(length)}
		r := ioctl(fd, uffdioZeropage, uintptr(unsafe.Pointer(arg)))
		if r.ok() || r.errno != unix.EAGAIN {
			return r
		}
		if zeroed := int64(arg.rest[1]); zeroed > 0 {
			addr, length = addr+uintptr(zeroed), length-uintptr(zeroed)
		}
	}
	return result{}
}
