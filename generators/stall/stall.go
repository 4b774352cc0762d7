package stall

import (
	"strings"

	"faultline/generators/family"
)

// Family is the family.
var Family = &family.Family{
	Name: "stall",
	Doc:  "a system call is stopped in its user copy while something else is done",
	Dims: []family.Dim{
		{Name: "op", Doc: "the system call that is stopped", Values: append([]string{"pread", "preadv", "read", "pwrite", "pwritev", "write", "uring-read", "uring-write", "fiemap", "getdents", "statx", "readlink", "getxattr", "setxattr", "aio-read", "aio-write", "aio-preadv", "uring-readv", "uring-read-fixed", "uring-write-fixed"}, further...)},
		{Name: "mode", Doc: "how its file is opened", Values: []string{"buffered", "direct", "sync"}},
		{Name: "stop", Doc: "where it is stopped", Values: []string{"first", "middle", "last", "all", "several", "between", "guard"}},
		{Name: "end", Doc: "how it is let go", Values: []string{"serve", "unregister", "poison", "munmap"}},
		{Name: "meanwhile", Doc: "what is done before it is let go", Values: []string{
			"nothing", "load-same", "store-same", "load-far", "store-far", "load-other", "store-other",
			"pread", "pread-direct", "pwrite", "pwrite-direct", "truncate", "punch", "fsync", "stat", "syncfs", "create", "pwrite-other",
			"handler-mmap", "handler-pread", "handler-pwrite", "handler-truncate", "handler-fsync", "crossed", "crossed-processes",
		}},
	},
	Rule:   func(p family.Point) string { return paramsOf(p).refused() },
	Build:  func(b *family.Builder, p family.Point) { newLayout(b, paramsOf(p)).build() },
	Labels: []string{"stall"},
}

// params are the values of a point by name.
type params struct{ op, mode, stop, end, meanwhile string }

func paramsOf(p family.Point) params {
	return params{p.Get("op"), p.Get("mode"), p.Get("stop"), p.Get("end"), p.Get("meanwhile")}
}

// reads and writes tell the calls that move a file's bytes; the others leave a result in memory.
func (c params) reads() bool {
	return strings.Contains(c.op, "read") && c.op != "readlink" && c.further() == nil
}
func (c params) writes() bool { return strings.Contains(c.op, "write") && c.further() == nil }
func (c params) vector() bool { return strings.HasSuffix(c.op, "v") }
func (c params) aio() bool {
	return strings.HasPrefix(c.op, "aio-p") || c.op == "aio-read" || c.op == "aio-write"
}

// indirect tells the ways to read and write beside which one access and one call are enough: what they copy the same functions do.
func (c params) indirect() bool {
	return c.aio() || c.op == "uring-readv" || strings.HasSuffix(c.op, "-fixed")
}

// crossed tells the programs with two calls, handled those where the one who lets go has something to do before.
func (c params) crossed() bool { return strings.HasPrefix(c.meanwhile, "crossed") }
func (c params) handled() bool { return strings.HasPrefix(c.meanwhile, "handler-") }

// touches tells accesses through a mapping. They wait for nobody: a user copy that may fault must not hold what a fault needs.
func (c params) touches() bool {
	return strings.HasPrefix(c.meanwhile, "load-") || strings.HasPrefix(c.meanwhile, "store-")
}

// faultsIn reports whether somebody has page faults on the file meanwhile.
func (c params) faultsIn() bool {
	return c.touches() && c.meanwhile != "load-other" && c.meanwhile != "store-other" || c.meanwhile == "handler-mmap"
}

// few are the onlookers of further calls.
func (c params) few() bool { return c.meanwhile == "store-far" || c.meanwhile == "pwrite" }

// refused says why a combination means nothing, "" when it does.
func (c params) refused() string {
	moves := c.reads() || c.writes()
	if c.further() != nil {
		return c.furtherRefused()
	}
	switch {
	case c.indirect() && (c.mode == "sync" || c.end != "serve" && c.end != "poison" || c.stop != "first" && c.stop != "all" && c.stop != "several" || !c.few()):
		return "of requests that others make the same functions of, few are enough"
	case c.stop == "several" && (!c.vector() || !c.few()):
		return "several stalls are a vector's, and like several pages of one beside anything else"
	case (c.meanwhile == "handler-pwrite" || c.meanwhile == "handler-truncate" || c.meanwhile == "handler-fsync") && (c.op != "pread" && c.op != "preadv" || c.mode == "direct"):
		return "what else the handler does is done to buffered reads, which hold the least"
	case !moves && c.mode != "buffered":
		return "how the file is opened does not matter to this call"
	case !moves && c.stop != "first":
		return "the result is small"
	case c.op == "fiemap" && c.end == "munmap":
		return "while one page is unmapped the model does not know the struct in the other"
	case c.mode == "sync" && !c.writes():
		return "O_SYNC changes nothing for a read"
	case c.stop == "between" && !c.vector():
		return "pieces are a vector's"
	case c.stop == "guard" && !c.reads():
		return "a guard stops who writes to memory"
	case c.stop == "guard" && (c.end == "poison" || c.crossed()):
		return "the page of a guard is there"
	case c.crossed() && (!c.vector() || c.stop != "first" || c.end != "serve"):
		return "crossed calls have a vector whose first piece is served"
	case c.handled() && c.end != "serve":
		return "who has something to do before serves"
	case c.meanwhile == "handler-pread" && (!c.reads() || c.mode == "direct"):
		return "beside a call that holds its file for itself the handler could not read it"
	}
	return ""
}
