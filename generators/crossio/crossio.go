package crossio

import (
	"strings"

	"faultline/generators/family"
)

// Family is the family crossio.
var Family = &family.Family{
	Name: "crossio",
	Doc:  "the buffer maps another file, and several actors want each other's files",
	Dims: []family.Dim{
		{Name: "shape", Doc: "how many actors there are and on which files", Values: []string{"alone", "crossed", "ring", "chain"}},
		{Name: "op", Doc: "the system calls", Values: []string{"read", "write", "both", "vector"}},
		{Name: "mode", Doc: "how the file is opened", Values: []string{"buffered", "direct"}},
		{Name: "map", Doc: "how the other file is mapped", Values: []string{"shared", "private"}},
		{Name: "actors", Doc: "what runs the system calls", Values: []string{"threads", "processes"}},
		{Name: "cache", Doc: "what is dropped before each round", Values: []string{"warm", "cold", "evicted"}},
		{Name: "place", Doc: "whether one actor changes what another reads", Values: []string{"apart", "meet"}},
		{Name: "span", Doc: "length and place of each transfer", Values: []string{"page", "pages", "straddling"}},
		{Name: "third", Doc: "what one more actor does to file B", Values: []string{"none", "truncate", "punch", "sync", "evict", "drop", "store", "remap"}},
	},
	Rule:  rule,
	Build: build,
}

func rule(p family.Point) string {
	switch {
	case p.Is("shape", "alone") && p.Is("op", "both"):
		return "one actor alone does not read and write in turn"
	case p.Is("shape", "alone") && p.Is("actors", "processes") && p.Is("third", "none"):
		return "one actor alone needs no process"
	case p.Is("third", "drop") && !(p.Is("span", "page") && p.Is("op", "read", "write") && p.Is("place", "apart") && p.Is("shape", "crossed")):
		return "dropping the caches of the whole machine is slow: a few programs do"
	}
	return ""
}

const (
	// filePages is the length of every file. With place=apart the first third is read, the second is what reads change, the last what
	// writes change.
	filePages = 6
	// rounds is how often every actor does its call: the timing gets several chances.
	rounds = 4
)

// rings are the files of each shape. Every actor reads or writes one of them, with a buffer that maps the next.
var rings = map[string][]string{
	"alone":   {"A", "B"},
	"crossed": {"A", "B"},
	"ring":    {"A", "B", "C"},
	"chain":   {"A", "S", "B"},
}

// elsewhere is the name of the file on another file system.
const elsewhere = "S"

func build(b *family.Builder, p family.Point) {
	files := rings[p.Get("shape")]
	describe(b, p, files)
	for i, name := range files {
		add := b.File
		if name == elsewhere {
			add = b.Elsewhere
		}
		add(name, dataOf(i))
	}
	if p.Is("mode", "direct") && (p.Is("span", "straddling") || p.Is("op", "vector") && p.Is("span", "page")) {
		b.Need("dio512")
	}
	all := cast(b, p, files)
	for _, a := range all {
		a.setUp()
	}
	for round := range rounds {
		for _, a := range all {
			a.round(round)
		}
	}
	finish(b, p, all, files)
}

// describe says in a sentence or two what the program does.
func describe(b *family.Builder, p family.Point, files []string) {
	if p.Is("shape", "alone") {
		b.Doc("Copy between A and a %s mapping of B.", p.Get("map"))
	} else {
		b.Doc("Each of %d %s copies between one file and a %s mapping of the next, around %s.", len(files), p.Get("actors"), p.Get("map"), strings.Join(files, ", "))
	}
	if doc := thirdDocs[p.Get("third")]; doc != "" {
		b.Doc("Meanwhile another actor %s.", doc)
	}
}

// finish looks at the memory first, then at the files, and where pages are evicted at what reached the disk too.
func finish(b *family.Builder, p family.Point, all []player, files []string) {
	waitAll(b, all)
	for _, a := range all {
		a.inspect()
	}
	if p.Is("actors", "processes") {
		waitAll(b, all)
	}
	for _, name := range files {
		b.Line("check(%s)", name)
	}
	if !p.Is("cache", "evicted") {
		return
	}
	for i, name := range files {
		b.Line("z%d = open(%s, rdonly)", i+1, name)
		b.Line("fsync(z%d)", i+1)
		b.Line("fadvise(z%d, 0, 0, dontneed)", i+1)
		b.Line("check(%s)", name)
	}
}

func waitAll(b *family.Builder, all []player) {
	for _, a := range all {
		if a.name() != "" {
			b.Line("wait(%s)", a.name())
		}
	}
}
