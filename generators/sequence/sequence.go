package sequence

import (
	"strconv"
	"strings"

	"faultline/generators/family"
	"faultline/generators/prog"
)

// Family is the family sequence.
var Family = &family.Family{
	Name: "sequence",
	Doc:  "long random sequences of one actor over a few files and mappings",
	Dims: []family.Dim{
		{Name: "flavour", Doc: "what most steps are", Values: flavourNames()},
		{Name: "length", Doc: "how many operations there are", Values: []string{"len-30", "len-100", "len-300"}},
	},
	Seeds: 40,
	Build: build,
}

func build(b *family.Builder, p family.Point) {
	kind := flavours[p.Get("flavour")]
	length, _ := strconv.Atoi(strings.TrimPrefix(p.Get("length"), "len-"))
	b.Doc("%d random operations on A, B and C: %s.", length, kind.doc)
	s := &state{Builder: b, r: b.Rand(), kind: kind}
	s.start()
	for range length {
		s.operation()
	}
	s.finish()
}

// start makes three files, each with a descriptor and a mapping.
func (s *state) start() {
	for _, f := range []struct {
		name, data string
		size       prog.Size
	}{{"A", "pat1*4p", prog.Pages(4)}, {"B", "pat2*2p+100", prog.Size{Pages: 2, Bytes: 100}}, {"C", "empty", prog.Size{}}} {
		s.File(f.name, f.data)
		s.files = append(s.files, &file{names: []string{f.name}, size: f.size})
	}
	s.pattern = 2
	for _, f := range s.files {
		s.openFile(f)
		s.mapFile(s.fds[len(s.fds)-1])
	}
}

// operation writes one operation. One that finds nothing to work on gives way to another.
func (s *state) operation() {
	total := 0
	for _, c := range s.kind.choices {
		total += c.weight
	}
	for range 100 {
		at := s.r.IntN(total)
		for _, c := range s.kind.choices {
			if at -= c.weight; at < 0 {
				if c.op(s) {
					return
				}
				break
			}
		}
	}
	panic("no operation of the sequence can go on")
}

// finish compares everything: memory, then files as they are cached, then files as they are on disk.
func (s *state) finish() {
	for _, m := range s.maps {
		s.check(m)
	}
	for _, m := range s.maps {
		s.Line("munmap(%s)", m.name)
	}
	s.checkFiles()
	for _, d := range s.fds {
		s.Line("fsync(%s)", d.name)
		s.Line("fadvise(%s, 0, 0, dontneed)", d.name)
	}
	s.checkFiles()
}

func (s *state) checkFiles() {
	for _, f := range s.files {
		for _, name := range f.names {
			s.Line("check(%s)", name)
		}
	}
}
