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
		call := entry.Find(p.Get("call"))
		if call.Plain && !few(p) {
			return "where nothing is held over the copy a few places are enough"
		}
		if !p.Is("place", "across") && p.Is("warm", "first-warm") {
			return "only what lies across two pages has a first one"
		}
		if call.Sure && p.Is("place", "end") {
			return "behind the end of the file a signal ends the process"
		}
		return ""
	},
	Build: build,
}

// few are the places of what is copied with nothing held: on one page that is not in memory, or across the end of the file.
func few(p family.Point) bool {
	return !p.Is("map", "read-only") && !p.Is("file", "elsewhere") && (p.Is("place", "inside") && p.Is("warm", "cold") || p.Is("place", "end") && p.Is("warm", "all-warm"))
}
