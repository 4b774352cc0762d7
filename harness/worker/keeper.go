package worker

import (
	"golang.org/x/sys/unix"

	"faultline/harness/demand"
)

// keeper keeps the pages of a stall back, and lets them go. There are two ways: a userfaultfd, and a file of package demand.
type keeper interface {
	// serve gives pages from one on up to another their bytes, zeros without data, and lets go who is stopped there.
	serve(from, to int, data []byte) result
	// poison makes pages bad.
	poison(from, to int) result
	// free makes pages ordinary memory, with zeros where nothing was served.
	free(from, to int) result
	// wake lets go who is stopped at pages that were unmapped.
	wake(from, to int)
	// close gives back what the keeper was made of.
	close()
}

// keeper finds that of a stall, from whichever process. It must be closed.
func (a *actor) keeper(rec *stallRecord) (keeper, result) {
	owner := int(rec.owner.Load())
	pid := a.table.slots[owner].pid.Load()
	if rec.file.Load() {
		return a.fileKeeper(owner, pid, uint32(rec.fd.Load()))
	}
	k := uffdKeeper{fd: int(rec.fd.Load()), addr: uintptr(rec.addr.Load())}
	if owner == a.space {
		return k, result{}
	}
	borrowed := borrow(pid, k.fd)
	k.fd, k.borrowed = int(borrowed.value), true
	return k, borrowed
}

// borrow gets a descriptor of another process (pidfd_getfd(2), Linux 5.6).
func borrow(pid int32, fd int) result {
	handle := sys(unix.SYS_PIDFD_OPEN, uintptr(pid), 0)
	if !handle.ok() {
		return handle
	}
	defer sys(unix.SYS_CLOSE, uintptr(handle.value))
	return sys(unix.SYS_PIDFD_GETFD, uintptr(handle.value), uintptr(fd), 0)
}

// uffdKeeper is a userfaultfd, and where the stall begins.
type uffdKeeper struct {
	fd       int
	addr     uintptr
	borrowed bool
}

func (k uffdKeeper) do(request uintptr, from, to int, word uint64) result {
	return onRange(k.fd, request, k.addr+uintptr(from)*uintptr(pageSize), uintptr(to-from)*uintptr(pageSize), word)
}

func (k uffdKeeper) serve(from, to int, data []byte) result {
	addr := k.addr + uintptr(from)*uintptr(pageSize)
	if data == nil {
		return zeroPages(k.fd, addr, uintptr(to-from)*uintptr(pageSize))
	}
	return copyPages(k.fd, addr, data)
}

func (k uffdKeeper) poison(from, to int) result { return k.do(uffdioPoison, from, to, 0) }

// unprotect lets go who is stopped at the pages of a guard.
func (k uffdKeeper) unprotect(from, to int) result { return k.do(uffdioWriteprotect, from, to, 0) }

// free also wakes: the kernel does that by itself for missing pages only.
func (k uffdKeeper) free(from, to int) result {
	r := k.do(uffdioUnregister, from, to, 0)
	k.wake(from, to)
	return r
}

func (k uffdKeeper) wake(from, to int) { k.do(uffdioWake, from, to, 0) }

func (k uffdKeeper) close() {
	if k.borrowed {
		sys(unix.SYS_CLOSE, uintptr(k.fd))
	}
}

// fileKeeper gives orders to the server of package demand.
type fileKeeper struct {
	orders   int
	file     uint32
	borrowed bool
}

func (a *actor) fileKeeper(owner int, pid int32, file uint32) (keeper, result) {
	if owner == a.space {
		return fileKeeper{orders: a.prog.stops.orders, file: file}, result{}
	}
	r := a.prog.openDemand(pid, demand.OrdersName, unix.O_WRONLY)
	return fileKeeper{int(r.value), file, true}, r
}

// order is one order. Its value is nothing to a program.
func (k fileKeeper) order(o demand.Order) result {
	o.File = k.file
	text := o.Append(nil)
	return done(unix.SYS_WRITE, uintptr(k.orders), address(text), uintptr(len(text)))
}

// serve gives the pages one by one: an order has not room for many.
func (k fileKeeper) serve(from, to int, data []byte) result {
	if data == nil {
		return k.order(demand.Order{Do: demand.Serve, From: uint32(from), To: uint32(to)})
	}
	for page := from; page < to; page++ {
		bytes := data[int64(page-from)*pageSize : int64(page-from+1)*pageSize]
		if r := k.order(demand.Order{Do: demand.Serve, From: uint32(page), To: uint32(page + 1), Data: bytes}); !r.ok() {
			return r
		}
	}
	return result{}
}

func (k fileKeeper) poison(from, to int) result {
	return k.order(demand.Order{Do: demand.Spoil, From: uint32(from), To: uint32(to)})
}

func (k fileKeeper) free(from, to int) result {
	return k.order(demand.Order{Do: demand.Free, From: uint32(from), To: uint32(to)})
}

func (k fileKeeper) wake(from, to int) { k.free(from, to) }

func (k fileKeeper) close() {
	if k.borrowed {
		sys(unix.SYS_CLOSE, uintptr(k.orders))
	}
}
