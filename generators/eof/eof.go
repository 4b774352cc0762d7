package eof

import "faultline/generators/family"

// Family is the family eof.
var Family = &family.Family{
	Name: "eof",
	Doc:  "mappings and transfers around the end of a file, and its size changing under them",
	Dims: []family.Dim{
		{Name: "end", Doc: "where the file ends", Values: []string{"empty", "tiny", "mid", "block", "last", "page"}},
		{Name: "tail", Doc: "what is behind the end in the last page", Values: []string{"clean", "stored", "synced", "received"}},
		{Name: "change", Doc: "what is done to the file", Values: changeNames()},
		{Name: "touch", Doc: "how the end is crossed", Values: []string{"load", "store", "read", "receive", "send", "self-read", "self-write"}},
		{Name: "mode", Doc: "how the transfers are done", Values: []string{"buffered", "direct"}},
		{Name: "map", Doc: "how the file is mapped", Values: []string{"shared", "private"}},
		{Name: "cache", Doc: "what of the mapping is in memory", Values: []string{"cold", "loaded", "evicted"}},
	},
	Rule:  rule,
	Build: build,
}

func rule(p family.Point) string {
	size := ends[p.Get("end")]
	switch {
	case !p.Is("tail", "clean") && pageEnd(size) == size:
		return "a file that ends with a page has no tail"
	case p.Is("mode", "direct") && p.Is("touch", "load", "store") && !p.Is("change", "across", "append", "gap"):
		return "the processor is neither buffered nor direct"
	case p.Is("mode", "direct") && p.Is("change", "append") && size.Bytes != 0:
		return "direct writes start at whole pages"
	}
	return changes[p.Get("change")].needs(size)
}

func build(b *family.Builder, p family.Point) {
	l := &layout{Builder: b, p: p, size: ends[p.Get("end")]}
	l.describe()
	l.open()
	l.warm()
	l.tail()
	changes[p.Get("change")].write(l)
	l.touch()
	l.look()
}
