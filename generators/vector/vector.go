// Package vector is the family of programs whose user buffer is an iovec: many pieces, of memory that is mapped, not yet mapped, or not
// to be touched at all, so that the copy stops in the middle, between two pieces or within one. It imports prog and family.
//
//   - op: readv preadv preadv2-nowait preadv2-hipri preadv2-here writev pwritev pwritev2-nowait pwritev2-dsync pwritev2-append pwritev2-hipri pwritev2-here; the system call and its flag; here is a transfer at the file position (offset -1)
//
//   - mode: buffered direct append direct-append; how the file is opened
//
//   - memory: anon untouched first-touched shared shared-warm private private-warm other other-private tail-other mixed overlap; what the good pieces are: anonymous memory that is there, that was never touched, of which the first page was; a cold or warm mapping of the same file; a mapping of another file (cold; private and read-only with its first page warm; or for the last piece only); a mixture; or pages of the very file with the transfer going to the last of them
//
//   - fault: none unmapped-first unmapped-second unmapped-middle unmapped-last munmapped-first munmapped-second munmapped-middle munmapped-last munmapped-inside no-access-first no-access-second no-access-middle no-access-last no-access-inside read-only-first read-only-second read-only-middle read-only-last read-only-inside behind-eof-first behind-eof-second behind-eof-middle behind-eof-last behind-eof-inside; why one piece cannot be touched (its address was never mapped, is no longer, is protected, or maps pages behind the end of a file), and which piece that is, or that it is the second half of the last
//
//   - pieces: 1 2 3 16 1024 1025; how many there are; IOV_MAX is 1024
//
//   - size: byte dozen block page pages straddling large; the length of each: 1, 12, 512 bytes, one page, two, one page across a boundary, 512 pages
//
//   - promise: loose strict; whether the program relies on the exact result of a transfer that faults (needs exact-short-write or whole-dio)
//
// One of them:
//
//	p := vector.Family.Find("vector/writev/buffered/untouched/none/1024/byte/loose")
package vector

import (
	"strconv"
	"strings"

	"faultline/generators/family"
)

// Family is the family.
var Family = &family.Family{
	Name: "vector",
	Doc:  "vectors of pieces that are mapped, cold, unmapped or protected, with the fault at every position",
	Dims: []family.Dim{
		{Name: "op", Doc: "the system call and its flag", Values: []string{
			"readv", "preadv", "preadv2-nowait", "preadv2-hipri", "preadv2-here",
			"writev", "pwritev", "pwritev2-nowait", "pwritev2-dsync", "pwritev2-append", "pwritev2-hipri", "pwritev2-here",
		}},
		{Name: "mode", Doc: "how the file is opened", Values: []string{"buffered", "direct", "append", "direct-append"}},
		{Name: "memory", Doc: "what the good pieces are", Values: []string{
			"anon", "untouched", "first-touched", "shared", "shared-warm", "private", "private-warm", "other", "other-private", "tail-other", "mixed", "overlap",
		}},
		{Name: "fault", Doc: "why one piece cannot be touched, and which", Values: faults()},
		{Name: "pieces", Doc: "how many pieces there are", Values: []string{"1", "2", "3", "16", "1024", "1025"}},
		{Name: "size", Doc: "the length of each piece", Values: []string{"byte", "dozen", "block", "page", "pages", "straddling", "large"}},
		{Name: "promise", Doc: "whether the result of a fault is relied on", Values: []string{"loose", "strict"}},
	},
	Rule:  func(p family.Point) string { return paramsOf(p).refused() },
	Build: func(b *family.Builder, p family.Point) { newLayout(paramsOf(p)).build(b) },
}

// params are the values of a point by name; flags and at are "" when there is none.
type params struct {
	op, mode, flags, memory, fault, at, size string
	pieces                                   int
	strict, reads, direct, appends           bool
}

// faults lists "none" and every reason with every position.
func faults() []string {
	list := []string{"none"}
	for _, reason := range []string{"unmapped", "munmapped", "no-access", "read-only", "behind-eof"} {
		for _, at := range []string{"first", "second", "middle", "last", "inside"} {
			// What was never mapped has no first half.
			if reason != "unmapped" || at != "inside" {
				list = append(list, reason+"-"+at)
			}
		}
	}
	return list
}

func paramsOf(p family.Point) params {
	c := params{mode: p.Get("mode"), memory: p.Get("memory"), fault: p.Get("fault"), size: p.Get("size"), strict: p.Is("promise", "strict")}
	c.op, c.flags, _ = strings.Cut(p.Get("op"), "-")
	if i := strings.LastIndexByte(c.fault, '-'); i >= 0 {
		c.fault, c.at = c.fault[:i], c.fault[i+1:]
	}
	c.pieces, _ = strconv.Atoi(p.Get("pieces"))
	c.reads = strings.Contains(c.op, "read")
	c.direct = strings.HasPrefix(c.mode, "direct")
	c.appends = strings.HasSuffix(c.mode, "append") || c.flags == "append"
	return c
}

// many says that there are so many pieces that a program which told them apart would be hundreds of lines wide.
func (c params) many() bool { return c.pieces > 16 }
