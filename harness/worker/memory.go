package worker

import (
	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// Operations on mappings and buffers.

// mmapOp never replaces a mapping: an address that is taken is an error (MAP_FIXED_NOREPLACE, Linux 4.17).
func mmapOp(_ *actor, c *call) result {
	flags := c.flags[0] | unix.MAP_FIXED_NOREPLACE
	return done(unix.SYS_MMAP, c.makes.addr, c.off(1), c.flags[1], flags, c.fd(), c.off(0))
}

// anonOp maps memory and writes its bytes, page by page as the data says. Huge pages would touch the neighbours of what is written.
func anonOp(a *actor, c *call) result {
	o := c.makes
	align := o.addr % slotUnit
	start, length := o.addr-align, uintptr(o.length)+align
	r := done(unix.SYS_MMAP, start, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED_NOREPLACE, ^uintptr(0), 0)
	if !r.ok() {
		return r
	}
	sys(unix.SYS_MADVISE, start, length, unix.MADV_NOHUGEPAGE) // EINVAL where the kernel has none
	at := o.addr
	if c.record != nil { // all pages are written: what was never touched cannot be guarded
		copy(memory(at, int(o.length)), a.scratch)
	}
	for i := range c.data {
		n := c.data[i].Len.In(pageSize)
		if c.data[i].May[0].Kind != prog.Hole {
			c.data[i:i+1].Bytes(memory(at, int(n)), pageSize)
		}
		at += uintptr(n)
	}
	return r
}

func mprotectOp(_ *actor, c *call) result {
	return sys(unix.SYS_MPROTECT, c.base(), c.length(), c.flags[0])
}

func mremapOp(_ *actor, c *call) result {
	return done(unix.SYS_MREMAP, c.base(), c.length(), c.off(0), unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, c.makes.addr)
}

func madviseOp(_ *actor, c *call) result {
	return sys(unix.SYS_MADVISE, c.base(), c.length(), c.flags[0])
}

func mlockOp(_ *actor, c *call) result { return sys(unix.SYS_MLOCK, c.base(), c.length()) }
func msyncOp(_ *actor, c *call) result { return sys(unix.SYS_MSYNC, c.base(), c.length(), c.flags[0]) }
