package results

// Set is a set of cases that keeps 64-bit hashes only: a million cases need 16 MiB, 24 MiB while it grows. Two different cases
// out of a million share a hash with a probability of about 3e-8; the later one would be taken for present.
type Set struct {
	slots []uint64 // open addressing; 0 is a free slot; the length is a power of two
	used  int
}

// NewSet returns an empty set.
func NewSet() *Set { return &Set{slots: make([]uint64, 1<<10)} }

// Add puts id into the set.
func (s *Set) Add(id ID) {
	if s.used >= len(s.slots)/4*3 {
		s.grow()
	}
	s.insert(hash(id))
}

// Has reports whether id is in the set.
func (s *Set) Has(id ID) bool {
	h := hash(id)
	return *s.slot(h) == h
}

// Len is the number of cases in the set.
func (s *Set) Len() int { return s.used }

func (s *Set) insert(h uint64) {
	if at := s.slot(h); *at == 0 {
		*at = h
		s.used++
	}
}

// slot is where h is, or the free slot where it belongs. A quarter of the slots is free, so it always ends.
func (s *Set) slot(h uint64) *uint64 {
	mask := uint64(len(s.slots) - 1)
	at := h & mask
	for s.slots[at] != 0 && s.slots[at] != h {
		at = (at + 1) & mask
	}
	return &s.slots[at]
}

func (s *Set) grow() {
	old := s.slots
	s.slots, s.used = make([]uint64, 2*len(old)), 0
	for _, h := range old {
		if h != 0 {
			s.insert(h)
		}
	}
}

// hash is FNV-1a of the three names, each with an end mark that no valid name contains. It is never 0.
func hash(id ID) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for _, s := range [...]string{id.Suite, id.Class, id.Name} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * prime
		}
		h *= prime // the end mark, a zero byte
	}
	return max(h, 1)
}
