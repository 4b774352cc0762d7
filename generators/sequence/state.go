package sequence

import (
	"fmt"
	"math/rand/v2"

	"faultline/generators/family"
	"faultline/generators/prog"
)

// state is the rough picture of what there is.
type state struct {
	*family.Builder
	r    *rand.Rand
	kind *flavour
	// files are those that have a name, others live on in descriptors and mappings.
	files []*file
	fds   []*fd
	maps  []*mapping
	// pattern is the number of the last pattern that was used, made counts the names that were given.
	pattern, made int
}

// file is an inode with its names and its size, which is always known.
type file struct {
	names []string
	size  prog.Size
}

// fd is a descriptor.
type fd struct {
	name           string
	of             *file
	direct, append bool
	// pos is the file position; known is false behind a step that may move it in more than one way.
	pos   prog.Size
	known bool
}

// mapping is a mapping of whole pages.
type mapping struct {
	name       string
	of         *file
	from, size int64 // in pages
	shared     bool
	writable   bool
}

// filePages is the size that files stay below.
const filePages = 8

// fresh makes a name.
func (s *state) fresh(letter string) string {
	s.made++
	return fmt.Sprint(letter, s.made)
}

// newData is data that no other step has written.
func (s *state) newData(n prog.Size) string {
	s.pattern++
	return fmt.Sprintf("pat%d*%v", s.pattern, n)
}

// anon makes a buffer with the given data.
func (s *state) anon(data string) string {
	name := s.fresh("b")
	s.Line("%s = anon(%s)", name, data)
	return name
}

// one in n.
func (s *state) one(n int) bool { return s.r.IntN(n) == 0 }

// pick is a random element of a list that is not empty.
func pick[T any](s *state, list []T) T { return list[s.r.IntN(len(list))] }

// nudges are the distances from a page boundary at which things start and end. A few of them added up stay below half a small page, so that
// positions have the same order whatever the page size.
var nudges = []int64{0, 0, 0, 0, 1, -1, 17, 100, -100, 300, -300, 512, -512}

// near reports whether a position is as near to a page boundary as those that position makes.
func near(at prog.Size) bool { return at.Bytes >= -512 && at.Bytes <= 512 }

// position is a position from 0 to so many pages; whole says that it is on a page boundary.
func (s *state) position(pages int64, whole bool) prog.Size {
	at := prog.Pages(s.r.Int64N(pages + 1))
	if whole {
		return at
	}
	nudge := pick(s, nudges)
	if at.Pages == 0 && nudge < 0 || at.Pages == pages && nudge > 0 {
		nudge = 0
	}
	return at.Plus(prog.Bytes(nudge))
}

// extent is a range of bytes of a file, or of pages.
type extent struct{ from, to prog.Size }

func (e extent) length() prog.Size { return e.to.Minus(e.from) }

func (e extent) String() string { return fmt.Sprintf("[%v:%v]", e.from, e.to) }

// extent is a range that is not empty, of at most four pages, below the given page.
func (s *state) extent(pages int64, whole bool) extent {
	for {
		a, b := s.position(pages, whole), s.position(pages, whole)
		if less(b, a) {
			a, b = b, a
		}
		if a != b && !less(prog.Pages(4), b.Minus(a)) {
			return extent{a, b}
		}
	}
}

// less orders positions; see nudges.
func less(a, b prog.Size) bool { return a != b && a.AtMost(b) }

func smaller(a, b prog.Size) prog.Size {
	if less(b, a) {
		return b
	}
	return a
}

func larger(a, b prog.Size) prog.Size {
	if less(a, b) {
		return b
	}
	return a
}

// pagesOf is how many pages hold bytes below a position.
func pagesOf(at prog.Size) int64 {
	if at.Bytes > 0 {
		return at.Pages + 1
	}
	return at.Pages
}

// firstPage is the page of the byte at a position.
func firstPage(at prog.Size) int64 {
	if at.Bytes < 0 {
		return at.Pages - 1
	}
	return at.Pages
}

// touching reports whether two ranges of one file share a page.
func touching(a, b extent) bool {
	return firstPage(a.from) < pagesOf(b.to) && firstPage(b.from) < pagesOf(a.to)
}

// usable is how many pages of the mapping are not behind the end of the file.
func (m *mapping) usable() int64 {
	return max(0, min(m.size, pagesOf(m.of.size)-m.from))
}

// inFile is the part of the file that a range of the mapping shows.
func (m *mapping) inFile(e extent) extent {
	shift := prog.Pages(m.from)
	return extent{e.from.Plus(shift), e.to.Plus(shift)}
}
