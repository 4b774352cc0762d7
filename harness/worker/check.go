package worker

import (
	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// readChunk is how much of a file check reads at once when any content will do.
const readChunk = 1 << 20

// checkOp compares a range of memory or a file with the alternatives. Its value is the number of bytes looked at.
func checkOp(a *actor, c *call) result {
	if c.paths[0] != nil {
		return a.checkFile(c)
	}
	n := int(c.length())
	a.reserve(n)
	r := a.collect(memory(c.base(), n), a.scratch)
	if r.ok() && c.alts != nil {
		r.wrong = compare(c, a.scratch[:n], a.prog.prog)
	}
	return r
}

// checkFile reads a file through a descriptor of its own, from the first byte to the end.
func (a *actor) checkFile(c *call) result {
	opened := sys(unix.SYS_OPENAT, atCWD, c.path(0), unix.O_RDONLY|unix.O_CLOEXEC)
	if !opened.ok() {
		return opened
	}
	fd := uintptr(opened.value)
	defer sys(unix.SYS_CLOSE, fd)
	if c.alts == nil {
		return a.readThrough(fd)
	}
	for {
		if r := a.fstat(fd); !r.ok() {
			return r
		}
		size := int64(a.stat.Size)
		if !anyOfLength(c.alts, size) {
			return result{value: size, wrong: wrongSize(c, size)}
		}
		r := a.readWhole(fd, size)
		switch {
		case !r.ok():
			return r
		case r.value == size:
			r.wrong = compare(c, a.scratch[:size], a.prog.prog)
			return r
		}
		// Another actor may have changed the size between the two; if it is what it was, the file does not have that many bytes.
		if again := a.fstat(fd); !again.ok() || int64(a.stat.Size) == size {
			r.wrong = &Mismatch{What: c.what(), Size: r.value, Sizes: []int64{size}}
			return r
		}
		if r := sys(unix.SYS_LSEEK, fd, 0, unix.SEEK_SET); !r.ok() {
			return r
		}
	}
}

// readWhole fills the scratch with a file of the given size and returns how many bytes there were, at most one more than size.
func (a *actor) readWhole(fd uintptr, size int64) result {
	a.reserve(int(size) + 1)
	var n int64
	for n <= size {
		r := sys(unix.SYS_READ, fd, address(a.scratch)+uintptr(n), uintptr(size+1-n))
		if !r.ok() {
			return r
		}
		if r.value == 0 {
			break
		}
		n += r.value
	}
	return result{value: n}
}

// readThrough reads up to the end and looks at nothing.
func (a *actor) readThrough(fd uintptr) result {
	a.reserve(readChunk)
	var n int64
	for {
		r := sys(unix.SYS_READ, fd, address(a.scratch), readChunk)
		if !r.ok() {
			return r
		}
		if r.value == 0 {
			return result{value: n}
		}
		n += r.value
	}
}

func anyOfLength(alts prog.Alts, n int64) bool {
	for _, d := range alts {
		if d.Len().In(pageSize) == n {
			return true
		}
	}
	return false
}

func wrongSize(c *call, size int64) *Mismatch {
	m := &Mismatch{What: c.what(), Size: size}
	for _, d := range c.alts {
		m.Sizes = append(m.Sizes, d.Len().In(pageSize))
	}
	return m
}

// compare returns nil if the bytes are those of one alternative, else how they differ from the nearest one.
func compare(c *call, got []byte, p *prog.Prog) *Mismatch {
	for _, d := range c.alts {
		if d.Len().In(pageSize) == int64(len(got)) && d.Match(got, pageSize) == nil {
			return nil
		}
	}
	var nearest *Mismatch
	for _, d := range c.alts {
		if d.Len().In(pageSize) != int64(len(got)) {
			continue
		}
		if m := difference(d, got); nearest == nil || m.Differ < nearest.Differ {
			nearest = m
		}
	}
	nearest.What, nearest.Size = c.what(), int64(len(got))
	nearest.From = origin(got[nearest.Offset:], p)
	return nearest
}
