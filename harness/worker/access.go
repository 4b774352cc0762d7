package worker

import (
	"golang.org/x/sys/unix"
)

// Access by the processor: a touch may fault, and the fault may be answered by a signal. The child's goroutines turn it into a panic
// (debug.SetPanicOnFault), which ends here as a result.

// loadOp reads a range page by page.
func loadOp(a *actor, c *call) result {
	return a.touch(memory(c.base(), int(c.length())), nil)
}

// storeOp writes a.scratch, which prepare has filled, to a range.
func storeOp(a *actor, c *call) result {
	return a.touch(memory(c.base(), int(c.length())), a.scratch[:c.length()])
}

// touch copies from the range to a page of our own, or, if there is something to write, from what into the range.
func (a *actor) touch(at, what []byte) (r result) {
	defer func() { a.faulted(recover(), what != nil, &r) }()
	for n := 0; n < len(at); {
		end := min(n+pageRest(at[n:]), len(at))
		if what == nil {
			copy(a.page, at[n:end])
		} else {
			copy(at[n:end], what[n:end])
		}
		n = end
	}
	return result{value: int64(len(at))}
}

// collect copies a range into to, page by page.
func (a *actor) collect(at, to []byte) (r result) {
	defer func() { a.faulted(recover(), false, &r) }()
	for n := 0; n < len(at); {
		end := min(n+pageRest(at[n:]), len(at))
		copy(to[n:end], at[n:end])
		n = end
	}
	return result{value: int64(len(at))}
}

// pageRest is how many bytes of the memory lie in the page of its first byte.
func pageRest(at []byte) int {
	return int(pageSize - int64(address(at))&(pageSize-1))
}

// faulted turns the panic of a bad access into the signal that the kernel sent. The runtime does not say which one it was: an address in a mapping
// that permits the access got SIGBUS, any other SIGSEGV.
func (a *actor) faulted(panicked any, write bool, r *result) {
	if panicked == nil {
		return
	}
	fault, ok := panicked.(interface{ Addr() uintptr })
	if !ok {
		panic(panicked)
	}
	*r = result{signal: unix.SIGSEGV}
	if a.permitted(fault.Addr(), write) {
		r.signal = unix.SIGBUS
	}
}

var mapsPath = []byte("/proc/self/maps\x00")

// permitted looks the address up in /proc/self/maps (proc_pid_maps(5)), without touching it.
func (a *actor) permitted(addr uintptr, write bool) bool {
	opened := sys(unix.SYS_OPENAT, atCWD, address(mapsPath), unix.O_RDONLY|unix.O_CLOEXEC)
	if !opened.ok() {
		return false
	}
	fd := uintptr(opened.value)
	defer sys(unix.SYS_CLOSE, fd)
	a.reserve(64 << 10)
	// The kernel gives whole lines, as many as fit.
	for {
		r := sys(unix.SYS_READ, fd, address(a.scratch), uintptr(len(a.scratch)))
		if !r.ok() || r.value == 0 {
			return false
		}
		if perms := permissions(a.scratch[:r.value], addr); perms != nil {
			return perms[1] == 'w' || !write && perms[0] == 'r'
		}
	}
}

// permissions finds the line of the mapping that holds addr, "start-end rwxp ...", and returns its second field.
func permissions(maps []byte, addr uintptr) []byte {
	for len(maps) > 0 {
		start, rest := hex(maps)
		end, rest := hex(rest[1:])
		if start <= addr && addr < end {
			return rest[1:5]
		}
		for len(rest) > 0 && rest[0] != '\n' {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return nil
		}
		maps = rest[1:]
	}
	return nil
}

// hex reads a hexadecimal number and returns what stands behind it.
func hex(text []byte) (n uintptr, rest []byte) {
	for i, c := range text {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | uintptr(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | uintptr(c-'a'+10)
		default:
			return n, text[i:]
		}
	}
	return n, nil
}
