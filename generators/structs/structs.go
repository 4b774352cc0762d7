package structs

import (
	"faultline/generators/entry"
	"faultline/generators/family"
)

// Family is the family.
var Family = &family.Family{
	Name: "structs",
	Doc:  "arguments and results of further calls in a mapping of a file",
	Dims: []family.Dim{
		{Name: "call", Doc: "the entry point", Values: entry.Names()},
		{Name: "map", Doc: "the mapping", Values: []string{"private", "shared", "read-only"}},
		{Name: "file", Doc: "what is mapped", Values: []string{"self", "other", "elsewhere"}},
		{Name: "place", Doc: "where the bytes are in the mapping", Values: []string{"inside", "across", "end"}},
		{Name: "warm", Doc: "what was touched before", Values: []string{"cold", "first-warm", "all-warm"}},
	},
	Labels: []string{"ioctl"},
	Rule: func(p family.Point) string {
		if !p.Is("place", "across") && p.Is("warm", "first-warm") {
			return "only what lies across two pages has a first one"
		}
		call := entry.Find(p.Get("call"))
		if call.Sure && p.Is("place", "end") {
			return "behind the end of the file a signal ends the process"
		}
		if call.Free && (p.Is("map", "read-only") || p.Is("place", "inside") || p.Is("file", "other") || p.Is("warm", "first-warm")) {
			return "where nothing is held while the memory is copied few are enough"
		}
		return ""
	},
	Build: build,
}
