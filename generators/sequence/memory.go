package sequence

import "faultline/generators/prog"

// maxMaps and maxFDs bound what is alive at a time.
const (
	maxMaps = 6
	maxFDs  = 6
)

// mapFile maps some pages of a file, perhaps more than it has.
func (s *state) mapFile(d *fd) {
	m := &mapping{
		name: s.fresh("m"), of: d.of, from: s.r.Int64N(filePages / 2), size: 1 + s.r.Int64N(filePages),
		shared: s.one(2), writable: !s.one(5),
	}
	how := map[bool]string{true: "shared", false: "private"}[m.shared]
	if s.one(6) {
		how += "|populate"
	}
	s.Line("%s = mmap(%s, %s, %s, %dp, %dp)", m.name, d.name, how, prot(m.writable), m.from, m.size)
	s.maps = append(s.maps, m)
}

func prot(writable bool) string { return map[bool]string{true: "rw", false: "r"}[writable] }

func (s *state) mmap() bool {
	var readable []*fd
	for _, d := range s.fds {
		if !d.append {
			readable = append(readable, d)
		}
	}
	if len(s.maps) >= maxMaps || len(readable) == 0 {
		return false
	}
	s.mapFile(pick(s, readable))
	return true
}

func (s *state) munmap() bool {
	if len(s.maps) < 2 {
		return false
	}
	k := s.r.IntN(len(s.maps))
	s.Line("munmap(%s)", s.maps[k].name)
	s.maps = append(s.maps[:k:k], s.maps[k+1:]...)
	return true
}

func (s *state) mremap() bool {
	if len(s.maps) == 0 {
		return false
	}
	m := pick(s, s.maps)
	old := m.name
	m.name, m.size = s.fresh("m"), 1+s.r.Int64N(filePages)
	s.Line("%s = mremap(%s, %dp)", m.name, old, m.size)
	return true
}

// mprotect forbids or allows to store to a whole mapping.
func (s *state) mprotect() bool {
	if len(s.maps) == 0 {
		return false
	}
	m := pick(s, s.maps)
	m.writable = !m.writable
	s.Line("mprotect(%s, %s)", m.name, prot(m.writable))
	return true
}

// memory is a range of a mapping in front of the end of the file, in the whole pages that advice wants or not.
func (s *state) memory(whole bool) (*mapping, extent, bool) {
	if len(s.maps) == 0 {
		return nil, extent{}, false
	}
	m := pick(s, s.maps)
	if m.usable() == 0 {
		return nil, extent{}, false
	}
	return m, s.extent(m.usable(), whole), true
}

// load reads memory; now and then behind the end of the file.
func (s *state) load() bool {
	m, e, ok := s.memory(false)
	if ok && s.one(10) && m.usable() < m.size {
		e = m.behind()
	}
	if ok {
		s.Line("load(%s%v)", m.name, e)
	}
	return ok
}

// store writes memory: in front of the end of the file or in its last page, now and then behind it, or where it must not.
func (s *state) store() bool {
	m, e, ok := s.memory(false)
	if ok && s.one(10) && m.usable() < m.size {
		e = m.behind()
	}
	if ok {
		s.Line("store(%s%v, %s)", m.name, e, s.newData(e.length()))
	}
	return ok
}

// behind is a range in the first page of the mapping that is wholly behind the end of the file.
func (m *mapping) behind() extent {
	from := prog.Pages(m.usable())
	return extent{from, from.Plus(prog.Bytes(64))}
}

func (s *state) checkMemory() bool {
	if len(s.maps) == 0 {
		return false
	}
	return s.check(pick(s, s.maps))
}

// check compares what a mapping shows of the file.
func (s *state) check(m *mapping) bool {
	if m.usable() == 0 {
		return false
	}
	s.Line("check(%s[0:%dp])", m.name, m.usable())
	return true
}

// advise makes memory cold or warm.
func (s *state) advise() bool {
	m, e, ok := s.memory(true)
	if !ok {
		return false
	}
	advice := []string{"dontneed", "dontneed", "dontneed", "willneed", "pageout", "populate_read"}
	if m.writable {
		advice = append(advice, "populate_write")
	}
	s.Line("madvise(%s%v, %s)", m.name, e, pick(s, advice))
	return true
}

func (s *state) msync() bool {
	m, e, ok := s.memory(true)
	if ok {
		s.Line("msync(%s%v, %s)", m.name, e, pick(s, []string{"sync", "async", "invalidate", "sync|invalidate"}))
	}
	return ok
}
