package worker

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"faultline/harness/demand"
)

// Stalls that are files of package demand. Each address space has a directory of its own there, named by its process.

// enterDemand opens the mount, once and for all: later nothing is looked up on the way to it, which may lie on the file system under test.
func (p *program) enterDemand(mount string) error {
	if mount == "" {
		return nil
	}
	fd, err := unix.Open(mount, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s, where stalls are files: %w", mount, err)
	}
	// The directory may be there: that of a process which is dead, since we have its number.
	if err := unix.Mkdirat(fd, strconv.Itoa(os.Getpid()), 0o700); err != nil && err != unix.EEXIST {
		return fmt.Errorf("make a directory in %s, where stalls are files: %w", mount, err)
	}
	p.demand = fd
	return nil
}

// openDemand opens a file in the directory of a process.
func (p *program) openDemand(pid int32, name string, flags uintptr) result {
	path := fmt.Appendf(nil, "%d/%s\x00", pid, name)
	return sys(unix.SYS_OPENAT, uintptr(p.demand), address(path), flags|unix.O_CLOEXEC, 0o600)
}

// makeFileStall maps a fresh file. The name goes at once: the mapping keeps the file.
func (a *actor) makeFileStall(c *call) result {
	pid := int32(os.Getpid())
	w := a.prog.stopper(a)
	if r := w.hearFiles(pid); !r.ok() {
		return r
	}
	number := w.addFile(c.rec)
	opened := a.prog.openDemand(pid, strconv.Itoa(int(number)), unix.O_RDWR|unix.O_CREAT)
	if !opened.ok() {
		return opened
	}
	fd, o := uintptr(opened.value), c.makes
	path := fmt.Appendf(nil, "%d/%d\x00", pid, number)
	sys(unix.SYS_UNLINKAT, uintptr(a.prog.demand), address(path), 0)
	r := sys(unix.SYS_FTRUNCATE, fd, uintptr(o.length))
	if r.ok() {
		r = done(unix.SYS_MMAP, o.addr, uintptr(o.length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED_NOREPLACE, fd, 0)
	}
	if r.ok() {
		r = sys(unix.SYS_MADVISE, o.addr, uintptr(o.length), unix.MADV_RANDOM)
	}
	sys(unix.SYS_CLOSE, fd)
	c.rec.enter(a.space, true, int(number), o)
	return r
}

// hearFiles begins to listen to who is stopped on files of this address space.
func (w *stopper) hearFiles(pid int32) result {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.orders >= 0 {
		return result{}
	}
	stops := w.prog.openDemand(pid, demand.StopsName, unix.O_RDONLY)
	if !stops.ok() {
		return stops
	}
	orders := w.prog.openDemand(pid, demand.OrdersName, unix.O_WRONLY)
	if !orders.ok() {
		return orders
	}
	bell := sys(unix.SYS_EVENTFD2, 0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	w.orders, w.bell = int(orders.value), int(bell.value)
	w.watch(w.bell)
	go w.readStops(uintptr(stops.value))
	return result{}
}

// addFile gives a stall's file its number.
func (w *stopper) addFile(rec *stallRecord) (number uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	w.files[w.made] = rec
	return w.made
}

// readStops notes who is stopped, for ever. The bell tells run, which looks whether the program goes on.
func (w *stopper) readStops(stops uintptr) {
	buf, one := make([]byte, demand.StopBytes), binary.NativeEndian.AppendUint64(nil, 1)
	for {
		r := sys(unix.SYS_READ, stops, address(buf), uintptr(len(buf)))
		if r.errno == unix.EINTR {
			continue
		}
		stop, err := demand.ParseStop(buf[:max(r.value, 0)])
		if err != nil {
			return // the server is gone, and whoever was stopped gets errors
		}
		w.mu.Lock()
		if rec := w.files[stop.File]; rec != nil && int(stop.Page) < int(rec.pages.Load()) {
			w.table.stop(rec, int(stop.Page), w.who(stop.TID, rec))
		}
		w.mu.Unlock()
		sys(unix.SYS_WRITE, uintptr(w.bell), address(one), uintptr(len(one)))
	}
}
