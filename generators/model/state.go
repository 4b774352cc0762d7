package model

import (
	"maps"
	"slices"
)

// state is everything a program can see: files, names, descriptors and mappings.
type state struct {
	page   int64
	inodes []*inode
	// names are the paths of files and directories.
	names map[string]*inode
	// scopes hold descriptors and mappings by name, for each address space.
	scopes map[string]*scope
	areas  []*area
	// tailed is set when a file grew over bytes that were stored behind its end.
	tailed bool
}

type scope struct {
	fds   map[string]*descriptor
	areas map[string]*area
}

// inode is a file.
type inode struct {
	id  int
	dir bool
	// data reaches to the end of the last page: behind the size it is what a mapping of that page may show.
	data content
	// sizes are the sizes the file may have, ascending; with between set, every size from the first to the last.
	sizes   []int64
	between bool
	// collided says that a direct write may have met a page of the file that was in use: the next fsync may then return EIO
	// (dio_warn_stale_pagecache).
	collided bool
	// pipe is what a pipe holds; nil for everything else.
	pipe *queue
	// other says that the file is on another file system. link is the target of a symbolic link.
	other bool
	link  string
	// attrs are the extended attributes, unless attrsLost says that they are not known.
	attrs     map[string]content
	attrsLost bool
	// cutShort says that a buffered write ended at a bad byte of its buffer.
	cutShort bool
	// subvolume says that the directory is the root of a subvolume of btrfs, frozen that nothing in it can be changed.
	subvolume, frozen bool
	// collapsed says that a range was taken out of the file.
	collapsed bool
	// verity says that the file is protected: nobody can change it any more.
	verity bool
	// mapped says that bytes were stored through a mapping, where the file system may not have seen them yet.
	mapped bool
}

// descriptor is an open file.
type descriptor struct {
	ino                          *inode
	read, write, direct, append_ bool
	pos                          int64
	// lost says that the position is not known: an earlier transfer through it had more than one legal count.
	lost bool
}

// area is a mapping or an anonymous buffer.
type area struct {
	id int
	// ino is nil for anonymous memory.
	ino    *inode
	off    int64
	shared bool
	// born is the size, the largest there may be, that the file had when it was mapped.
	born int64
	// align is the distance of byte 0 from a page boundary.
	align int64
	pages []page
	gone  bool
}

// page is one page of an area.
type page struct {
	unmapped    bool
	read, write bool
	locked      bool
	// own is the private copy of a page that was stored to; nil while the page shows the file (or zeros).
	own content
	// perhaps says that the copy may not have been made, or may be gone: the page shows either.
	perhaps bool
	// shaky says that another actor may unmap or protect the page at any time.
	shaky bool
	// poisoned says that every access fails (UFFDIO_POISON).
	poisoned bool
}

func newState(page int64) *state {
	return &state{page: page, names: map[string]*inode{}, scopes: map[string]*scope{}}
}

func (s *state) scope(process string) *scope {
	sc := s.scopes[process]
	if sc == nil {
		sc = &scope{fds: map[string]*descriptor{}, areas: map[string]*area{}}
		s.scopes[process] = sc
	}
	return sc
}

func (s *state) newInode() *inode {
	ino := &inode{id: len(s.inodes), sizes: []int64{0}}
	s.inodes = append(s.inodes, ino)
	return ino
}

func (s *state) newArea(ino *inode, length int64) *area {
	a := &area{id: len(s.areas), ino: ino, pages: make([]page, s.pagesOf(length))}
	s.areas = append(s.areas, a)
	return a
}

// pagesOf is how many pages n bytes reach into.
func (s *state) pagesOf(n int64) int64 { return (n + s.page - 1) / s.page }

// clone copies the state; contents are shared, they never change.
func (s *state) clone() *state {
	c := newState(s.page)
	for _, ino := range s.inodes {
		n := *ino
		n.sizes = slices.Clone(ino.sizes)
		c.inodes = append(c.inodes, &n)
	}
	inodeOf := func(ino *inode) *inode {
		if ino == nil {
			return nil
		}
		return c.inodes[ino.id]
	}
	for _, a := range s.areas {
		n := *a
		n.ino = inodeOf(a.ino)
		n.pages = slices.Clone(a.pages)
		c.areas = append(c.areas, &n)
	}
	for name, ino := range s.names {
		c.names[name] = inodeOf(ino)
	}
	for process, sc := range s.scopes {
		n := c.scope(process)
		for name, fd := range sc.fds {
			d := *fd
			d.ino = inodeOf(fd.ino)
			n.fds[name] = &d
		}
		for name, a := range sc.areas {
			n.areas[name] = c.areas[a.id]
		}
	}
	return c
}

func (i *inode) minSize() int64 { return i.sizes[0] }

func (i *inode) maxSize() int64 { return i.sizes[len(i.sizes)-1] }

// known reports whether the size is.
func (i *inode) known() bool { return len(i.sizes) == 1 }

// maxSizes bounds the sizes told apart; with more every size between is taken as possible.
const maxSizes = 4

// may adds a size the file may have.
func (i *inode) may(size int64) {
	if at, found := slices.BinarySearch(i.sizes, size); !found {
		i.sizes = slices.Insert(slices.Clone(i.sizes), at, size)
	}
	if len(i.sizes) > maxSizes {
		i.sizes = []int64{i.minSize(), i.maxSize()}
		i.between = true
	}
}

// grow makes room up to size: what was behind the end of the file, a store through a mapping included, must read as zero. If it only perhaps
// grows, a mapping may still show what was stored there.
func (s *state) grow(i *inode, size int64, perhaps bool) {
	end := i.data.len()
	if i.maxSize() < size {
		tail := i.data.slice(i.minSize(), end)
		s.tailed = s.tailed || i.known() && !equal(tail, zeros(tail.len()))
		hi := max(i.maxSize(), min(size, end))
		clean := zeros(hi - i.maxSize())
		if perhaps {
			clean = mix(clean, i.data.slice(i.maxSize(), hi))
		}
		i.data = i.data.overlay(i.maxSize(), clean)
	}
	if lo := i.minSize(); lo < min(i.maxSize(), size) {
		hi := min(i.maxSize(), size)
		i.data = i.data.overlay(lo, mix(i.data.slice(lo, hi), zeros(hi-lo)))
	}
	if full := s.pagesOf(size) * s.page; full > end {
		i.data = join(i.data, zeros(full-end))
	}
}

// sortedKeys is for loops whose order must not depend on the map.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
