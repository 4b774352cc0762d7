package worker

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// cleanup closes, unmaps and removes all that the program left. It removes only what lies below the directories that setup made, by
// descriptor, on the same device, and follows no link.
func (a *actor) cleanup() *Trouble {
	p := a.prog
	p.clean()
	var first *Trouble
	for i := range p.roots {
		if p.roots[i].fd < 0 {
			continue
		}
		if trouble := a.removeRoot(&p.roots[i]); first == nil {
			first = trouble
		}
	}
	return first
}

func (a *actor) removeRoot(d *root) *Trouble {
	// A descriptor as old as the directory will not do: btrfs lists what was there when it was opened.
	fresh := sys(unix.SYS_OPENAT, uintptr(d.fd), address(dot), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	sys(unix.SYS_CLOSE, uintptr(d.fd))
	d.fd = -1
	if !fresh.ok() {
		return fresh.trouble("open directory %s", d.path[:len(d.path)-1])
	}
	trouble := a.empty(uintptr(fresh.value), d.dev)
	sys(unix.SYS_CLOSE, uintptr(fresh.value))
	if trouble != nil {
		return trouble
	}
	if r := sys(unix.SYS_UNLINKAT, atCWD, address(d.path), unix.AT_REMOVEDIR); !r.ok() {
		return r.trouble("rmdir %s", d.path[:len(d.path)-1])
	}
	return nil
}

var dot = []byte(".\x00")

// direntBytes is how much of a directory is read at once.
const direntBytes = 4 << 10

// empty removes everything in an open directory.
func (a *actor) empty(dir uintptr, dev uint64) *Trouble {
	a.depth++
	defer func() { a.depth-- }()
	for len(a.dirents) < a.depth {
		a.dirents = append(a.dirents, make([]byte, direntBytes))
	}
	buf := a.dirents[a.depth-1]
	for {
		r := sys(unix.SYS_GETDENTS64, dir, address(buf), direntBytes)
		if !r.ok() {
			return r.trouble("read directory")
		}
		if r.value == 0 {
			return nil
		}
		for rest := buf[:r.value]; len(rest) > 0; {
			var e dirent
			e, rest = nextDirent(rest)
			if trouble := a.remove(dir, dev, e); trouble != nil {
				return trouble
			}
		}
	}
}

// Where the fields of struct linux_dirent64 are, in bytes (getdents64(2)).
const direntLength, direntKind, direntName = 16, 18, 19

// dirent is struct linux_dirent64 of getdents64(2); name ends with a zero byte.
type dirent struct {
	name []byte
	kind byte
}

func nextDirent(buf []byte) (dirent, []byte) {
	length := binary.NativeEndian.Uint16(buf[direntLength:])
	name := buf[direntName:length]
	return dirent{name[:bytes.IndexByte(name, 0)+1], buf[direntKind]}, buf[length:]
}

func (e dirent) String() string { return string(e.name[:len(e.name)-1]) }

func (a *actor) remove(dir uintptr, dev uint64, e dirent) *Trouble {
	if e.String() == "." || e.String() == ".." {
		return nil
	}
	if e.kind == unix.DT_DIR {
		return a.removeDir(dir, dev, e)
	}
	r := sys(unix.SYS_UNLINKAT, dir, address(e.name), 0)
	if r.errno == unix.EISDIR || r.errno == unix.EPERM && e.kind == unix.DT_UNKNOWN {
		return a.removeDir(dir, dev, e)
	}
	if !r.ok() {
		return r.trouble("unlink %s", e)
	}
	return nil
}

func (a *actor) removeDir(dir uintptr, dev uint64, e dirent) *Trouble {
	r := sys(unix.SYS_OPENAT, dir, address(e.name), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if !r.ok() {
		return r.trouble("open directory %s", e)
	}
	other, trouble := a.emptySame(uintptr(r.value), dev, e)
	sys(unix.SYS_CLOSE, uintptr(r.value))
	if trouble != nil {
		return trouble
	}
	r = sys(unix.SYS_UNLINKAT, dir, address(e.name), unix.AT_REMOVEDIR)
	switch {
	case !r.ok() && other:
		return &Trouble{Doing: fmt.Sprintf("empty directory %s", e), Err: "on another device"}
	case !r.ok():
		return r.trouble("rmdir %s", e)
	}
	return nil
}

// emptySame leaves a directory alone that something else is mounted on. So does it a subvolume of btrfs, which can be removed if it is empty.
func (a *actor) emptySame(dir uintptr, dev uint64, e dirent) (other bool, trouble *Trouble) {
	if r := a.fstat(dir); !r.ok() {
		return false, r.trouble("stat directory %s", e)
	}
	if a.device() != dev {
		return true, nil
	}
	return false, a.empty(dir, dev)
}
