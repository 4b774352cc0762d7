package sequence

import (
	"fmt"

	"faultline/generators/prog"
)

// openFile opens a file that has a name.
func (s *state) openFile(f *file) {
	d := &fd{name: s.fresh("d"), of: f, known: true}
	d.direct = s.kind.direct > 0 && s.one(s.kind.direct)
	d.append = s.one(6) && len(s.fds) > 3
	flags := "rdwr"
	for _, word := range []struct {
		word string
		set  bool
	}{{"direct", d.direct}, {"append", d.append}, {"dsync", s.one(10)}} {
		if word.set {
			flags += "|" + word.word
		}
	}
	s.Line("%s = open(%s, %s)", d.name, f.names[0], flags)
	s.fds = append(s.fds, d)
}

func (s *state) open() bool {
	if len(s.fds) >= maxFDs || len(s.files) == 0 {
		return false
	}
	s.openFile(pick(s, s.files))
	return true
}

// closeOne closes a descriptor; mappings that were made through it stay.
func (s *state) closeOne() bool {
	if len(s.fds) < 4 {
		return false
	}
	k := s.r.IntN(len(s.fds))
	s.Line("close(%s)", s.fds[k].name)
	s.fds = append(s.fds[:k:k], s.fds[k+1:]...)
	return true
}

func (s *state) truncate(d *fd, size prog.Size) {
	s.Line("ftruncate(%s, %v)", d.name, size)
	d.of.size = size
}

func (s *state) resize() bool {
	if len(s.fds) == 0 {
		return false
	}
	s.truncate(pick(s, s.fds), s.position(filePages, false))
	return true
}

// resizeByName is truncate(2).
func (s *state) resizeByName() bool {
	if len(s.files) == 0 {
		return false
	}
	f := pick(s, s.files)
	f.size = s.position(filePages, false)
	s.Line("truncate(%s, %v)", pick(s, f.names), f.size)
	return true
}

// allocate is fallocate(2) in the modes that leave everything in its place.
func (s *state) allocate() bool {
	if len(s.fds) == 0 {
		return false
	}
	d, e := pick(s, s.fds), s.extent(filePages, s.one(3))
	mode := pick(s, []string{"alloc", "keep", "punch", "punch", "zero", "zero|keep"})
	s.Line("fallocate(%s, %s, %v, %v)", d.name, mode, e.from, e.length())
	if mode == "alloc" || mode == "zero" {
		d.of.size = larger(d.of.size, e.to)
	}
	return true
}

// shift inserts or cuts out whole pages.
func (s *state) shift() bool {
	if len(s.fds) == 0 {
		return false
	}
	d, e := pick(s, s.fds), s.extent(filePages, true)
	mode := pick(s, []string{"insert", "collapse"})
	f := d.of
	switch {
	case mode == "insert" && less(e.from, f.size) && f.size.Plus(e.length()).AtMost(prog.Pages(filePages)):
		f.size = f.size.Plus(e.length())
	case mode == "collapse" && less(e.to, f.size):
		f.size = f.size.Minus(e.length())
	case mode == "insert" && less(e.from, f.size):
		return false
	}
	// Otherwise the call is refused, with EINVAL.
	s.Line("fallocate(%s, %s, %v, %v)", d.name, mode, e.from, e.length())
	return true
}

// sync writes to the disk what there is, or evicts it from memory.
func (s *state) sync() bool {
	if len(s.fds) == 0 {
		return false
	}
	d, e := pick(s, s.fds), s.extent(filePages, true)
	some := fmt.Sprintf("%s, %v, %v", d.name, e.from, e.length())
	s.Line("%s", pick(s, []string{
		"fsync(" + d.name + ")", "fdatasync(" + d.name + ")", "sync_file_range(" + some + ")",
		"fadvise(" + some + ", dontneed)", "fadvise(" + d.name + ", 0, 0, dontneed)",
	}))
	return true
}

func (s *state) checkFile() bool {
	if len(s.files) == 0 {
		return false
	}
	s.Line("check(%s)", pick(s, pick(s, s.files).names))
	return true
}

func (s *state) stat() bool {
	if len(s.files) == 0 {
		return false
	}
	s.Line("stat(%s, size)", pick(s, pick(s, s.files).names))
	return true
}

// seekData looks for data or a hole, which may be found in more than one place.
func (s *state) seekData() bool {
	if len(s.fds) == 0 {
		return false
	}
	d := pick(s, s.fds)
	d.known = false
	s.Line("lseek(%s, %v, %s)", d.name, s.position(filePages, false), pick(s, []string{"data", "hole"}))
	return true
}

// create makes an empty file under a new name.
func (s *state) create() bool {
	if len(s.fds) >= maxFDs || len(s.files) > 4 {
		return false
	}
	f := &file{names: []string{s.newName()}}
	d := &fd{name: s.fresh("d"), of: f, known: true}
	s.Line("%s = open(%s, rdwr|creat)", d.name, f.names[0])
	s.files, s.fds = append(s.files, f), append(s.fds, d)
	return true
}

func (s *state) newName() string {
	s.made++
	return fmt.Sprint("F", s.made)
}

// link gives a file a second name.
func (s *state) link() bool {
	if len(s.files) == 0 {
		return false
	}
	f := pick(s, s.files)
	name := s.newName()
	s.Line("link(%s, %s)", pick(s, f.names), name)
	f.names = append(f.names, name)
	return true
}

// unlink takes a name away. A file without one lives on while it is open or mapped.
func (s *state) unlink() bool {
	if len(s.files) < 2 {
		return false
	}
	f := pick(s, s.files)
	name := pick(s, f.names)
	s.Line("unlink(%s)", name)
	s.forget(f, name)
	return true
}

func (s *state) forget(f *file, name string) {
	f.names = without(f.names, name)
	if len(f.names) == 0 {
		s.files = without(s.files, f)
	}
}

func without[T comparable](list []T, gone T) []T {
	var left []T
	for _, v := range list {
		if v != gone {
			left = append(left, v)
		}
	}
	return left
}

// rename moves a name to a new one, or over that of another file.
func (s *state) rename() bool {
	if len(s.files) < 2 {
		return false
	}
	f := pick(s, s.files)
	from, to := pick(s, f.names), s.newName()
	if other := pick(s, s.files); other != f && s.one(2) {
		to = pick(s, other.names)
		s.forget(other, to)
	}
	s.Line("rename(%s, %s)", from, to)
	f.names = append(without(f.names, from), to)
	return true
}
