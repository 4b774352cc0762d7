package model

import (
	"errors"
	"slices"
	"strings"

	"faultline/generators/prog"
)

var errNames = errors.New("the model cannot follow names that change beside other actors")

func (m *model) openStep(s *prog.Step) (prog.Expect, error) {
	name, flags := string(s.Args[0].(prog.Name)), s.Args[1].(prog.Words)
	i, missing := m.find(name)
	write := flags.Has("wronly") || flags.Has("rdwr")
	switch {
	case i == nil && m.names[name] != nil && flags.Has("creat"):
		return nil, errors.New("the model does not make files through symbolic links")
	case i == nil && (!flags.Has("creat") || m.barred(name) != nil):
		return missing, nil
	case i == nil && m.contended(name, s.Actor):
		return nil, errNames
	case i == nil:
		i = m.newInode()
		m.names[name] = i
	case i.dir && (write || flags.Has("creat")):
		return fails("EISDIR"), nil
	case i.verity && write:
		return fails("EPERM"), nil
	}
	if flags.Has("trunc") && write {
		m.setSize(i, 0)
	}
	fd := &descriptor{ino: i, read: !flags.Has("wronly"), write: write, direct: flags.Has("direct"), append_: flags.Has("append")}
	m.scope(process(s)).fds[s.Makes] = fd
	return nil, nil
}

// find is the file or directory of that name, or the one that a symbolic link leads to; without one, the error of looking it up.
func (m *model) find(name string) (*inode, prog.Expect) {
	const most = 8
	for range most {
		i, missing := m.entry(name)
		if i == nil || i.link == "" {
			return i, missing
		}
		name = i.link
	}
	return nil, fails("ELOOP")
}

// entry is what a directory has under that name.
func (m *model) entry(name string) (*inode, prog.Expect) {
	if i := m.names[name]; i != nil {
		return i, nil
	}
	if barred := m.barred(name); barred != nil {
		return nil, barred
	}
	return nil, fails("ENOENT")
}

// barred is the error of making a file of that name: its directory is missing, or is none.
func (m *model) barred(name string) prog.Expect {
	cut := strings.LastIndexByte(name, '/')
	if cut < 0 {
		return nil
	}
	switch dir, missing := m.find(name[:cut]); {
	case dir == nil:
		return missing
	case !dir.dir:
		return fails("ENOTDIR")
	}
	return nil
}

// contended reports whether a name that an actor makes is another's too while both run: then nothing says who comes first.
func (m *model) contended(name, actor string) bool {
	if m.sec == nil {
		return false
	}
	for k := m.sec.from; k < m.sec.end; k++ {
		s := &m.prog.Steps[k]
		for _, a := range s.Args {
			if other, is := a.(prog.Name); is && string(other) == name && s.Actor != actor {
				return true
			}
		}
	}
	return false
}

// setSize is a truncate to size.
func (m *model) setSize(i *inode, size int64) { m.resize(i, size, m.writes(nil, i)) }

// resize sets the size; if perhaps is set, it may also stay as it is.
func (m *model) resize(i *inode, size int64, perhaps bool) {
	m.mutations++
	if size > i.maxSize() {
		m.grow(i, size, perhaps)
	}
	end := i.data.len()
	if size < end && size < i.maxSize() || size < i.minSize() {
		cut := zeros(end - size)
		if perhaps {
			cut = mix(i.data.slice(size, end), cut)
		}
		i.data = i.data.overlay(size, cut)
		m.dropCopies(i, m.pagesOf(size), perhaps)
	} else if !perhaps && !i.known() {
		m.grow(i, size, false)
	}
	if perhaps {
		i.may(size)
		return
	}
	i.sizes, i.between = []int64{size}, false
	i.data = i.data.slice(0, m.pagesOf(size)*m.page)
}

// dropCopies takes away the private copies of file pages from the given one on, as truncate does (truncate_pagecache unmaps private copies too).
func (m *model) dropCopies(i *inode, from int64, perhaps bool) {
	for _, a := range m.areas {
		if a.ino != i || a.shared {
			continue
		}
		for k := range a.pages {
			if a.off/m.page+int64(k) < from || a.pages[k].own == nil {
				continue
			}
			if m.writes(a, nil) || perhaps {
				a.pages[k].perhaps = true
			} else {
				a.pages[k].own = nil
			}
		}
	}
}

func (m *model) truncateStep(s *prog.Step) (prog.Expect, error) {
	i, missing := m.find(string(s.Args[0].(prog.Name)))
	size := s.Args[1].(prog.Size).In(m.page)
	switch {
	case size < 0:
		return fails("EINVAL"), nil
	case i == nil:
		return missing, nil
	case i.dir:
		return fails("EISDIR"), nil
	case i.verity:
		return fails("EPERM"), nil
	}
	m.setSize(i, size)
	return nil, nil
}

func (m *model) ftruncateStep(s *prog.Step) (prog.Expect, error) {
	fd, size := m.fd(s), s.Args[1].(prog.Size).In(m.page)
	if !fd.write || size < 0 {
		return fails("EINVAL"), nil
	}
	m.setSize(fd.ino, size)
	return nil, nil
}

func (m *model) fallocateStep(s *prog.Step) (prog.Expect, error) {
	return m.fallocate(m.fd(s), s.Args[1].(prog.Words), s.Args[2].(prog.Size).In(m.page), s.Args[3].(prog.Size).In(m.page))
}

func (m *model) fallocate(fd *descriptor, mode prog.Words, off, n int64) (prog.Expect, error) {
	switch {
	case off < 0 || n <= 0:
		return fails("EINVAL"), nil
	case !fd.write:
		return fails("EBADF"), nil
	case mode.Has("collapse"):
		return m.collapse(fd.ino, off, n)
	case mode.Has("insert"):
		return m.insert(fd.ino, off, n)
	}
	i := fd.ino
	if mode.Has("punch") || mode.Has("zero") {
		if m.sec != nil && len(m.sec.writers[object{id: i.id}]) > 1 && (off%m.page != 0 || n%m.page != 0) {
			m.prog.Need("exact-punch")
		}
		if off%m.page != 0 && off < i.maxSize() && i.minSize() < off+n && (mode.Has("punch") || mode.Has("keep")) {
			m.prog.Need("punch-keeps-size")
		}
		if i.collapsed && mode.Has("zero") && off < i.maxSize() && i.minSize() < off+n {
			m.prog.Need("zero-after-collapse")
		}
		m.blank(i, off, min(off+n, i.maxSize()))
	}
	if (mode.Has("alloc") || mode.Has("zero")) && !mode.Has("keep") {
		m.extend(i, off+n, true)
	}
	return nil, nil
}

// blank makes a range read as zero. Private copies of its pages stay (unmap_mapping_range without even_cows).
func (m *model) blank(i *inode, from, to int64) {
	if from < to {
		m.writeFile(i, from, zeros(to-from), false)
	}
}

func (m *model) collapse(i *inode, off, n int64) (prog.Expect, error) {
	v := m.view(i)
	switch {
	case !v.known() || m.sec != nil:
		return nil, errors.New("the model cannot collapse a file whose size may change")
	case off%m.page != 0 || n%m.page != 0:
		return nil, errors.New("the model collapses whole pages only")
	case off+n >= v.maxSize():
		return fails("EINVAL"), nil
	}
	m.mutations++
	i.collapsed = true
	size := i.maxSize()
	rest := i.data.slice(off+n, i.data.len())
	m.dropCopies(i, off/m.page, true)
	i.data = join(i.data.slice(0, off), rest)
	i.sizes = []int64{size - n}
	return nil, nil
}

func (m *model) insert(i *inode, off, n int64) (prog.Expect, error) {
	v := m.view(i)
	switch {
	case !v.known() || m.sec != nil:
		return nil, errors.New("the model cannot insert into a file whose size may change")
	case off%m.page != 0 || n%m.page != 0:
		return nil, errors.New("the model inserts whole pages only")
	case off >= v.maxSize():
		return fails("EINVAL"), nil
	}
	m.mutations++
	size := i.maxSize()
	m.dropCopies(i, off/m.page, true)
	i.data = join(i.data.slice(0, off), zeros(n), i.data.slice(off, i.data.len()))
	i.sizes = []int64{size + n}
	return nil, nil
}

// syncStep is fsync, fdatasync, sync_file_range and msync of a file: once a direct write has met a page in use, they may fail.
func (m *model) syncStep(s *prog.Step) (prog.Expect, error) { return syncResults(m.fd(s).ino), nil }

func syncResults(i *inode) prog.Expect {
	if i != nil && i.collided {
		return prog.Expect{prog.Succeeds, prog.Fails("EIO")}
	}
	return nil
}

func (m *model) statStep(s *prog.Step) (prog.Expect, error) {
	i, missing := m.find(string(s.Args[0].(prog.Name)))
	switch {
	case i == nil:
		return missing, nil
	case i.dir || s.Args[1].(prog.Words).Has("blocks"):
		return prog.Expect{prog.Succeeds}, nil
	}
	v := m.view(i)
	if v.between {
		return m.counts(v.minSize(), v.maxSize()), nil
	}
	var want prog.Expect
	for _, size := range v.sizes {
		want = append(want, prog.Exactly(m.size(size)))
	}
	return want, nil
}

func (m *model) lseekStep(s *prog.Step) (prog.Expect, error) {
	fd, off, whence := m.fd(s), s.Args[1].(prog.Size).In(m.page), s.Args[2].(prog.Words)[0]
	i := m.view(fd.ino)
	switch whence {
	case "data", "hole":
		if i.mapped {
			m.prog.Need("dirty-seek")
		}
		return m.seekExtent(fd, i, off, whence == "data"), nil
	case "cur":
		if fd.lost {
			return prog.Expect{prog.Anything}, nil
		}
		off += fd.pos
	case "end":
		if !i.known() {
			fd.lost = true
			return prog.Expect{prog.Succeeds}, nil
		}
		off += i.maxSize()
	}
	if off < 0 {
		return fails("EINVAL"), nil
	}
	fd.pos, fd.lost = off, false
	return m.counts(off, off), nil
}

// seekExtent: a file system may report data where there is a hole, never a hole where there is data (lseek(2)).
func (m *model) seekExtent(fd *descriptor, i *inode, off int64, data bool) prog.Expect {
	if off < 0 {
		// btrfs begins at 0 then, others refuse.
		fd.lost = true
		return prog.Expect{prog.Anything}
	}
	if off >= i.maxSize() {
		return fails("ENXIO")
	}
	size := i.maxSize()
	var want prog.Expect
	if data {
		first := firstByte(i.data.slice(off, size), false)
		if first < 0 {
			want = append(m.counts(off, size-1), prog.Fails("ENXIO"))
		} else {
			want = m.counts(off, off+first)
		}
	} else {
		lo := size
		if first := firstByte(i.data.slice(off, size), true); first >= 0 {
			lo = off + first
		}
		want = m.counts(min(lo, i.minSize()), size)
	}
	if off >= i.minSize() {
		want = append(want, prog.Fails("ENXIO"))
	}
	if len(want) == 1 && want[0].Lo == want[0].Hi {
		fd.pos, fd.lost = want[0].Lo.In(m.page), false
	} else {
		fd.lost = true
	}
	return want
}

// firstByte is the offset of the first byte that may be zero, or of the first that cannot be; -1 if there is none.
func firstByte(c content, zero bool) int64 {
	at := int64(0)
	for _, r := range c {
		may := false
		for _, s := range r.may {
			may = may || s.kind == prog.Zero || s.kind == prog.Any || s.kind == valued
		}
		if may == zero {
			return at
		}
		at += r.n
	}
	return -1
}

func (m *model) renameStep(s *prog.Step) (prog.Expect, error) {
	from, to := string(s.Args[0].(prog.Name)), string(s.Args[1].(prog.Name))
	i, missing := m.entry(from)
	old := m.names[to]
	switch {
	case m.sec != nil:
		return nil, errNames
	case m.barred(from) != nil, m.barred(to) != nil:
		return append(slices.Clone(m.barred(from)), m.barred(to)...), nil
	case i == nil:
		return missing, nil
	case i == old:
		return nil, nil
	case i.dir || i.link != "" || old != nil && old.dir:
		return nil, errors.New("the model renames files only")
	}
	delete(m.names, from)
	m.names[to] = i
	return nil, nil
}

func (m *model) linkStep(s *prog.Step) (prog.Expect, error) {
	from, to := string(s.Args[0].(prog.Name)), string(s.Args[1].(prog.Name))
	i, missing := m.entry(from)
	switch {
	case m.sec != nil:
		return nil, errNames
	case i == nil:
		return missing, nil
	case m.barred(to) != nil:
		return m.barred(to), nil
	case m.names[to] != nil:
		return fails("EEXIST"), nil
	case i.link != "":
		return nil, errors.New("the model makes no second names of symbolic links")
	case i.dir:
		return fails("EPERM"), nil
	}
	m.names[to] = i
	return nil, nil
}

func (m *model) unlinkStep(s *prog.Step) (prog.Expect, error) {
	name := string(s.Args[0].(prog.Name))
	switch i, missing := m.entry(name); {
	case m.sec != nil:
		return nil, errNames
	case i == nil:
		return missing, nil
	case i.dir:
		return fails("EISDIR"), nil
	}
	delete(m.names, name)
	return nil, nil
}

func (m *model) mkdirStep(s *prog.Step) (prog.Expect, error) {
	name := string(s.Args[0].(prog.Name))
	switch {
	case m.sec != nil:
		return nil, errNames
	case m.names[name] != nil:
		return fails("EEXIST"), nil
	case m.barred(name) != nil:
		return m.barred(name), nil
	}
	i := m.newInode()
	i.dir = true
	m.names[name] = i
	return nil, nil
}
