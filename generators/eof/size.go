package eof

import "faultline/generators/prog"

// ends are the sizes that A has first.
var ends = map[string]prog.Size{
	"empty": {},
	"tiny":  prog.Bytes(5),
	"mid":   {Pages: 1, Bytes: 100},
	"block": {Pages: 1, Bytes: 512},
	"last":  {Pages: 2, Bytes: -1},
	"page":  prog.Pages(2),
}

// pageEnd is the first page boundary at or behind a position. Positions here are near a page boundary, whatever the page size.
func pageEnd(s prog.Size) prog.Size {
	if s.Bytes > 0 {
		return prog.Pages(s.Pages + 1)
	}
	return prog.Pages(s.Pages)
}

// pageStart is the start of the page that holds the byte in front of a position; of 0 it is 0.
func pageStart(s prog.Size) prog.Size {
	if s == (prog.Size{}) {
		return s
	}
	return pageEnd(s).Minus(prog.Pages(1))
}

// before is a position some bytes in front of another, in the same page.
func before(s prog.Size) prog.Size {
	const bytes = 50
	if s.Bytes > 0 && s.Bytes <= bytes || s == (prog.Size{}) {
		return pageStart(s)
	}
	return s.Minus(prog.Bytes(bytes))
}
