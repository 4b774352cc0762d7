package worker

import (
	"fmt"

	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// root is a directory that this program made, and the only place where clean-up removes anything.
type root struct {
	path []byte
	// fd is -1 unless we made the directory; dev is its st_dev.
	fd  int
	dev uint64
}

// failed makes trouble of a result.
func (r result) trouble(format string, args ...any) *Trouble {
	return &Trouble{Doing: fmt.Sprintf(format, args...), Err: errnoName(r.errno)}
}

// setup makes the program's directory and files.
func (a *actor) setup() *Trouble {
	p := a.prog
	p.roots[0] = root{path: p.cstring(p.dir), fd: -1}
	p.roots[1] = root{path: p.cstring(p.other), fd: -1}
	for i := range p.roots {
		if i == 1 && !p.needsOther() {
			break
		}
		if trouble := a.makeRoot(&p.roots[i]); trouble != nil {
			return trouble
		}
	}
	for i := range p.prog.Files {
		if trouble := a.makeFile(&p.prog.Files[i]); trouble != nil {
			return trouble
		}
	}
	return nil
}

func (a *actor) makeRoot(d *root) *Trouble {
	name := d.path[:len(d.path)-1]
	if r := sys(unix.SYS_MKDIRAT, atCWD, address(d.path), 0o755); !r.ok() {
		return r.trouble("mkdir %s", name)
	}
	r := sys(unix.SYS_OPENAT, atCWD, address(d.path), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if !r.ok() {
		return r.trouble("open directory %s", name)
	}
	d.fd = int(r.value)
	if r = a.fstat(uintptr(d.fd)); !r.ok() {
		return r.trouble("stat directory %s", name)
	}
	d.dev = a.device()
	return nil
}

// device is the st_dev of what was stat'ed last.
func (a *actor) device() uint64 { return unix.Mkdev(a.stat.Dev_major, a.stat.Dev_minor) }

func (a *actor) makeFile(f *prog.File) *Trouble {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	opened := sys(unix.SYS_OPENAT, atCWD, address(a.prog.path(f.Name)), flags, 0o644)
	if !opened.ok() {
		return opened.trouble("create %s", f.Name)
	}
	fd := uintptr(opened.value)
	trouble := a.fillFile(fd, f)
	if r := sys(unix.SYS_CLOSE, fd); trouble == nil && !r.ok() {
		trouble = r.trouble("close %s", f.Name)
	}
	return trouble
}

// fillFile lays out the runs from left to right: holes are passed over, so that the rest decides what has blocks.
func (a *actor) fillFile(fd uintptr, f *prog.File) *Trouble {
	var at, end int64
	for i := range f.Data {
		n := f.Data[i].Len.In(pageSize)
		if n == 0 {
			continue
		}
		var trouble *Trouble
		switch f.Data[i].May[0].Kind {
		case prog.Hole:
			at += n
			continue
		case prog.Unwritten:
			if r := sys(unix.SYS_FALLOCATE, fd, 0, uintptr(at), uintptr(n)); !r.ok() {
				trouble = r.trouble("fallocate %s at %v", f.Name, prog.SizeOf(at, pageSize))
			}
		default:
			a.reserve(int(n))
			f.Data[i:i+1].Bytes(a.scratch[:n], pageSize)
			trouble = writeAll(fd, f.Name, a.scratch[:n], at)
		}
		if trouble != nil {
			return trouble
		}
		at += n
		end = at
	}
	if at == end {
		return nil
	}
	if r := sys(unix.SYS_FTRUNCATE, fd, uintptr(at)); !r.ok() {
		return r.trouble("ftruncate %s to %v", f.Name, prog.SizeOf(at, pageSize))
	}
	return nil
}

func writeAll(fd uintptr, name string, data []byte, at int64) *Trouble {
	for len(data) > 0 {
		r := sys(unix.SYS_PWRITE64, fd, address(data), uintptr(len(data)), uintptr(at))
		if !r.ok() {
			return r.trouble("write %s at %v", name, prog.SizeOf(at, pageSize))
		}
		data = data[r.value:]
		at += r.value
	}
	return nil
}
