// Package selfio is the family of programs whose user buffer is a mapping of the very file that the system call reads or writes: the copy
// faults on the file that the call is busy with. It is exhaustive over its dimensions. It imports prog and family.
//
//   - op: read pread readv preadv preadv2 write pwrite writev pwritev pwritev2; the system call, the forms that take a position among them
//   - mode: buffered direct sync append; how the file is opened (pwritev2 says sync and append by its flags instead)
//   - map: shared private; the mapping
//   - move: data-to-data data-to-hole data-to-unwritten data-to-beyond data-to-across hole-to-data hole-to-hole hole-to-unwritten hole-to-beyond hole-to-across unwritten-to-data unwritten-to-hole unwritten-to-unwritten unwritten-to-beyond unwritten-to-across across-to-data across-to-hole across-to-unwritten across-to-beyond across-to-across beyond-to-data beyond-to-hole beyond-to-unwritten beyond-to-beyond beyond-to-across stuffed-to-stuffed stuffed-to-beyond beyond-to-stuffed; what source and destination are in the file: data, a hole, an unwritten extent, across the end of the file or beyond it, or a file so small that it may live in its inode
//   - place: same-page other-page forwards backwards whole; how they lie: onto itself, on other pages, overlapping with the destination behind or before the source, or the whole file
//   - warm: cold first-warm all-warm paged-out dirty; what was touched before: nothing and not even cached, the first page, all, all and then paged out, all stored to
//   - shape: aligned straddling sub-page many-pages; one whole page, a page's worth across a page boundary, less than a page, nine pages
//
// A read moves bytes from the file to the mapping, a write from the mapping to the file; source and destination are named in that sense.
//
//	p := selfio.Family.Find("selfio/pread/direct/private/data-to-hole/other-page/cold/aligned")
package selfio

import (
	"slices"
	"strings"

	"faultline/generators/family"
)

// Family is the family.
var Family = &family.Family{
	Name: "selfio",
	Doc:  "read and write with a buffer that is a mapping of the same file",
	Dims: []family.Dim{
		{Name: "op", Doc: "the system call", Values: append(slices.Clone(readOps), writeOps...)},
		{Name: "mode", Doc: "how the file is opened, or the flags of the call", Values: []string{"buffered", "direct", "sync", "append"}},
		{Name: "map", Doc: "the mapping", Values: []string{"shared", "private"}},
		{Name: "move", Doc: "what the source and the destination are in the file", Values: moves()},
		{Name: "place", Doc: "how source and destination lie to each other", Values: []string{"same-page", "other-page", "forwards", "backwards", "whole"}},
		{Name: "warm", Doc: "what of the buffer was touched before", Values: []string{"cold", "first-warm", "all-warm", "paged-out", "dirty"}},
		{Name: "shape", Doc: "length and alignment", Values: []string{"aligned", "straddling", "sub-page", "many-pages"}},
	},
	Rule: func(p family.Point) string {
		_, reason := plan(p)
		return reason
	},
	Build: build,
}

var (
	readOps  = []string{"read", "pread", "readv", "preadv", "preadv2"}
	writeOps = []string{"write", "pwrite", "writev", "pwritev", "pwritev2"}
)

// moves lists "data-to-hole" and so on: those that some place has.
func moves() []string {
	inside := []string{"data", "hole", "unwritten"}
	var list []string
	for _, from := range inside {
		for _, to := range []string{"data", "hole", "unwritten", "beyond", "across"} {
			list = append(list, from+"-to-"+to)
		}
	}
	for _, to := range append(slices.Clone(inside), "beyond", "across") {
		list = append(list, "across-to-"+to)
	}
	for _, to := range append(slices.Clone(inside), "beyond", "across") {
		list = append(list, "beyond-to-"+to)
	}
	return append(list, "stuffed-to-stuffed", "stuffed-to-beyond", "beyond-to-stuffed")
}

// params is a point with its values named.
type params struct {
	op, mode, share, from, to, place, warm, shape string
	// reads: the file is read and the mapping written to; otherwise the other way round.
	reads bool
}

func paramsOf(p family.Point) params {
	c := params{op: p.Get("op"), mode: p.Get("mode"), share: p.Get("map"), place: p.Get("place"), warm: p.Get("warm"), shape: p.Get("shape")}
	c.from, c.to, _ = strings.Cut(p.Get("move"), "-to-")
	c.reads = strings.Contains(c.op, "read")
	return c
}

// memory is what the buffer is in the file.
func (c params) memory() string {
	if c.reads {
		return c.to
	}
	return c.from
}

func (c params) overlaps() bool { return c.place == "forwards" || c.place == "backwards" }
