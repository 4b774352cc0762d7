package prog

import (
	"maps"
	"slices"
)

// request is the parameter that names a row of the table Requests.
func request() Param { return words("request", slices.Sorted(maps.Keys(Requests))...) }

func record() Param  { return Param{Name: "struct", Kind: KindStruct} }
func listing() Param { return Param{Name: "files", Kind: KindNames} }

// entryOps are the operations on further entry points where the kernel copies to or from user memory, and those that write their
// arguments and look at their results. They are rows of the table Ops.
var entryOps = []Op{
	{Name: "put", Counts: true, Params: []Param{buf(), record()}, Doc: "write a struct with the processor; fields that are not named are zero; returns the bytes written, or SIGBUS or SIGSEGV"},
	{Name: "look", Params: []Param{buf(), record()}, Doc: "compare the named fields of a struct in memory with what they must be"},
	{Name: "ioctl", Params: []Param{fd(), request(), buf()}, Doc: "ioctl(2) with the address of a struct; see the table of requests"},
	{Name: "extents", Params: []Param{buf(), {Name: "data", Kind: KindAlts, Optional: true}}, Doc: "look at what fiemap has left in memory: extents that rise, and cover all of the data that is not zero"},
	{Name: "getdents", Counts: true, Params: []Param{fd(), buf()}, Doc: "getdents64(2) of an open directory"},
	{Name: "entries", Params: []Param{buf(), optional(listing())}, Doc: "look at what getdents has left in memory: names of these files, none twice"},
	{Name: "statx", Params: []Param{file("file"), buf()}, Doc: "statx(2) of basic fields into memory"},
}

// forget drops what Derive says of a step beyond its result.
func (s *Step) forget() {
	switch s.Op {
	case "check", "extents", "entries":
		s.Args = s.Args[:1]
	case "look":
		if v, is := s.Args[1].(Value); is {
			s.Args[1] = Value{Struct: v.Struct}
		}
	}
}
