package model

import (
	"slices"

	"faultline/generators/prog"
)

// other performs the operations that are no transfers.
func (n *naive) other(f *frame) {
	s := f.s
	sc := n.scope(process(s))
	num := func(i int) int { return int(s.Args[i].(prog.Size).In(int64(n.page))) }
	f.end(0, "")
	switch s.Op {
	case "open":
		n.open(f, sc)
	case "mmap":
		n.mmap(f, sc, num(3), num(4))
	case "anon":
		n.anon(s, sc)
	case "mremap":
		b := s.Args[0].(prog.Buf).Ranges[0]
		a := sc.areas[b.Of]
		delete(sc.areas, b.Of)
		first := a.pages[0]
		for len(a.pages)*n.page < num(1) {
			a.pages = append(a.pages, naivePage{mapped: true, read: first.read, write: first.write})
		}
		a.size = num(1)
		a.pages = a.pages[:(a.size+n.page-1)/n.page]
		sc.areas[s.Makes] = a
	case "munmap", "mprotect", "madvise", "msync":
		n.pages(f, sc)
	case "load":
		for i, b := range f.spots {
			if _, signal := n.get(process(s), b); signal != "" {
				f.end(i, signal)
				return
			}
		}
		f.end(len(f.spots), "")
	case "check":
		n.check(f)
	case "lseek":
		n.lseek(f, num(1))
	case "truncate", "ftruncate":
		if num(1) < 0 || s.Op == "ftruncate" && !f.fd.write {
			f.end(0, "EINVAL")
			return
		}
		if s.Op == "truncate" {
			id, known := n.names[string(s.Args[0].(prog.Name))]
			if f.file = id; !known {
				f.end(0, "ENOENT")
				return
			}
		}
		n.resize(n.files[f.file], num(1))
	case "fallocate":
		n.fallocate(f, num(2), num(3))
	case "stat":
		id, known := n.names[string(s.Args[0].(prog.Name))]
		if !known {
			f.end(0, "ENOENT")
			return
		}
		f.end(n.files[id].size, "")
	case "rename", "link", "unlink":
		n.name(f)
	default:
		n.entry(f)
	}
}

func (n *naive) open(f *frame, sc *naiveScope) {
	name, flags := string(f.s.Args[0].(prog.Name)), f.s.Args[1].(prog.Words)
	id, known := n.names[name]
	if !known && !flags.Has("creat") {
		f.end(0, "ENOENT")
		return
	}
	if !known {
		id = len(n.files)
		n.files = append(n.files, &naiveFile{})
		n.names[name] = id
	}
	if flags.Has("trunc") {
		n.resize(n.files[id], 0)
	}
	sc.fds[f.s.Makes] = &naiveFD{file: id, read: !flags.Has("wronly"), write: !flags.Has("rdonly"), direct: flags.Has("direct"), ap: flags.Has("append")}
}

func (n *naive) mmap(f *frame, sc *naiveScope, off, length int) {
	shared, prot := f.s.Args[1].(prog.Words).Has("shared"), f.s.Args[2].(prog.Words)[0]
	write := prot == "rw" || prot == "w"
	if !f.fd.read || shared && write && !f.fd.write {
		f.end(0, "EACCES")
		return
	}
	a := &naiveArea{file: f.file, off: off, size: length, shared: shared, writer: f.fd.write}
	for k := 0; k*n.page < length; k++ {
		a.pages = append(a.pages, naivePage{mapped: true, read: prot != "none", write: write})
		if f.s.Args[1].(prog.Words).Has("populate") && !n.chance(4) {
			n.copyPage(a, k)
		}
	}
	sc.areas[f.s.Makes] = a
}

func (n *naive) anon(s *prog.Step, sc *naiveScope) {
	d := s.Args[0].(prog.Data)
	a := &naiveArea{file: -1, size: int(d.Len().In(int64(n.page)))}
	if len(s.Args) > 1 {
		a.align = int(s.Args[1].(prog.Size).In(int64(n.page)))
	}
	all := make([]byte, (a.align+a.size+n.page-1)/n.page*n.page)
	d.Bytes(all[a.align:a.align+a.size], int64(n.page))
	for k := 0; k < len(all); k += n.page {
		a.pages = append(a.pages, naivePage{mapped: true, read: true, write: true, own: slices.Clone(all[k : k+n.page])})
	}
	sc.areas[s.Makes] = a
}

// pages are the calls on ranges of pages.
func (n *naive) pages(f *frame, sc *naiveScope) {
	r := f.s.Args[0].(prog.Buf).Ranges[0]
	a := sc.areas[r.Of]
	from, to := int(r.From.In(int64(n.page)))/n.page, (int(r.To.In(int64(n.page)))+n.page-1)/n.page
	if r.Whole {
		from, to = 0, len(a.pages)
	}
	word := ""
	if len(f.s.Args) > 1 {
		word = f.s.Args[1].(prog.Words)[0]
	}
	if f.s.Op == "mprotect" && a.file >= 0 && a.shared && !a.writer && (word == "w" || word == "rw") {
		f.end(0, "EACCES")
		return
	}
	for k := from; k < to; k++ {
		if k >= len(a.pages) || !a.pages[k].mapped {
			if f.s.Op == "munmap" {
				continue
			}
			f.end(0, "ENOMEM")
			if f.s.Op == "mprotect" {
				return // the pages behind a hole stay as they are
			}
			continue
		}
		p := &a.pages[k]
		switch {
		case f.s.Op == "munmap":
			p.mapped = false
		case f.s.Op == "mprotect":
			p.read, p.write = word != "none", word == "w" || word == "rw"
		case word == "dontneed" && a.file < 0:
			p.own = make([]byte, n.page)
		case word == "dontneed":
			p.own = nil
		}
	}
}

func (n *naive) check(f *frame) {
	if name, isFile := f.s.Args[0].(prog.Name); isFile {
		id, known := n.names[string(name)]
		if !known {
			f.end(0, "ENOENT")
			return
		}
		f.bytes = slices.Clone(n.files[id].data[:n.files[id].size])
		return
	}
	for _, b := range f.spots {
		v, signal := n.get(process(f.s), b)
		if signal != "" {
			f.end(0, signal)
			return
		}
		f.bytes = append(f.bytes, v)
	}
}

func (n *naive) lseek(f *frame, to int) {
	data := n.files[f.file].data[:n.files[f.file].size]
	switch whence := f.s.Args[2].(prog.Words)[0]; whence {
	case "cur":
		to += f.fd.pos
	case "end":
		to += len(data)
	case "data", "hole":
		if to < 0 || to >= len(data) {
			f.end(0, "ENXIO")
			return
		}
		// Holes are known byte by byte, or not at all.
		known := n.chance(2)
		for to < len(data) && (known && data[to] == 0) != (whence == "hole") {
			to++
		}
		if whence == "data" && to == len(data) {
			f.end(0, "ENXIO")
			return
		}
	}
	if to < 0 {
		f.end(0, "EINVAL")
		return
	}
	f.fd.pos = to
	f.end(to, "")
}

func (n *naive) fallocate(f *frame, off, length int) {
	file, mode := n.files[f.file], f.s.Args[1].(prog.Words)
	collapse, insert := mode.Has("collapse"), mode.Has("insert")
	switch {
	case off < 0 || length <= 0:
		f.end(0, "EINVAL")
	case !f.fd.write:
		f.end(0, "EBADF")
	case collapse && off+length >= file.size, insert && off >= file.size:
		f.end(0, "EINVAL")
	case collapse:
		n.dropSome(f.file, off)
		file.data, file.size = slices.Delete(file.data, off, off+length), file.size-length
	case insert:
		n.dropSome(f.file, off)
		file.data, file.size = slices.Insert(file.data, off, make([]byte, length)...), file.size+length
	default:
		if mode.Has("punch") || mode.Has("zero") {
			clear(file.data[min(off, file.size):min(off+length, file.size)])
		}
		if off+length > file.size && !mode.Has("punch") && !mode.Has("keep") {
			n.resize(file, off+length)
		}
	}
}

// dropSome loses some private copies behind an offset: nothing says whether they stay when pages move.
func (n *naive) dropSome(file, from int) {
	for _, sc := range n.scopes {
		for _, a := range sc.areas {
			for k := range a.pages {
				if a.file == file && a.off+k*n.page >= from && n.chance(2) {
					a.pages[k].own = nil
				}
			}
		}
	}
}

func (n *naive) name(f *frame) {
	from := string(f.s.Args[0].(prog.Name))
	id, known := n.names[from]
	if !known {
		f.end(0, "ENOENT")
		return
	}
	if f.s.Op == "unlink" {
		delete(n.names, from)
		return
	}
	to := string(f.s.Args[1].(prog.Name))
	other, taken := n.names[to]
	switch {
	case f.s.Op == "link" && taken:
		f.end(0, "EEXIST")
	case f.s.Op == "link" || !taken || other != id:
		if n.names[to] = id; f.s.Op == "rename" {
			delete(n.names, from)
		}
	}
}
