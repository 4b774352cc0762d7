package glock

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Dumped is a glock of a lock dump, with the requests for it in their order.
type Dumped struct {
	Name     Name
	State    State
	Requests []DumpedRequest
}

// DumpedRequest is a holder, or who waits to be one. Of its flags the dump says only whether it was granted.
type DumpedRequest struct {
	Request
	Granted bool
}

// The lines of a dump that are about requests (Documentation/filesystems/gfs2-glocks.rst). A number behind the colon of n is hexadecimal.
var (
	dumpedGlock   = regexp.MustCompile(`^G:\s+s:(\w\w) n:(\d+)/([0-9a-f]+) `)
	dumpedRequest = regexp.MustCompile(`^ H: s:(\w\w) f:(\w*) e:\d+ p:(\d+) \[(.*?)\] ?(.*)$`)
)

// ParseDump reads what Dump writes, and a kernel in <debugfs>/gfs2/*/glocks. Lines of other kinds are passed over. The error says which line of
// those two kinds cannot be read.
func ParseDump(text string) ([]Dumped, error) {
	var all []Dumped
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		var err error
		switch {
		case strings.HasPrefix(line, "G:"):
			var gl Dumped
			gl, err = parseGlock(line)
			all = append(all, gl)
		case strings.HasPrefix(line, " H:") && len(all) > 0:
			gl := &all[len(all)-1]
			var r DumpedRequest
			r, err = parseRequest(line)
			r.Name = gl.Name
			gl.Requests = append(gl.Requests, r)
		}
		if err != nil {
			return nil, fmt.Errorf("read a dump of glocks: %w", err)
		}
	}
	return all, nil
}

func parseGlock(line string) (Dumped, error) {
	m := dumpedGlock.FindStringSubmatch(line)
	if m == nil {
		return Dumped{}, fmt.Errorf("%q is no glock", line)
	}
	state, known := parseState(m[1])
	kind, err := strconv.ParseUint(m[2], 10, 8)
	number, err2 := strconv.ParseUint(m[3], 16, 64)
	if !known || err != nil || err2 != nil {
		return Dumped{}, fmt.Errorf("%q is no glock", line)
	}
	return Dumped{Name: Name{Type(kind), number}, State: state}, nil
}

func parseRequest(line string) (DumpedRequest, error) {
	m := dumpedRequest.FindStringSubmatch(line)
	if m == nil {
		return DumpedRequest{}, fmt.Errorf("%q is no holder", line)
	}
	state, known := parseState(m[1])
	pid, err := strconv.Atoi(m[3])
	if !known || err != nil {
		return DumpedRequest{}, fmt.Errorf("%q is no holder", line)
	}
	r := Request{Owner: Owner{PID: pid, Comm: m[4]}, State: state, Caller: m[5]}
	return DumpedRequest{Request: r, Granted: strings.Contains(m[2], "H")}, nil
}

func parseState(text string) (State, bool) {
	for s := range State(4) {
		if s.String() == text {
			return s, true
		}
	}
	return 0, false
}

// Waits lists who waits for whom, as far as a dump says it: for holders whose state does not go with the one that is wanted, for all holders if
// each of these does (then the state of the glock is to change), and for who has asked before.
func Waits(dump []Dumped) []Edge {
	var all []Edge
	for _, gl := range dump {
		for i, r := range gl.Requests {
			if !r.Granted {
				all = append(all, gl.waits(i)...)
			}
		}
	}
	return slices.DeleteFunc(all, func(e Edge) bool { return e.Waiter.key().nobody() || e.Blocker.key().nobody() || e.Blocker.PID == 0 })
}

func (gl Dumped) waits(i int) (all []Edge) {
	want := gl.Requests[i].Request
	inTheWay := func(r DumpedRequest) bool { return r.Granted && !r.State.Compatible(want.State) }
	changes := !slices.ContainsFunc(gl.Requests, inTheWay)
	for j, r := range gl.Requests {
		e := Edge{Waiter: want.Owner, Blocker: r.Owner, Want: want, Has: r.Request}
		switch {
		case inTheWay(r), r.Granted && changes:
			e.Kind = Holds
		case !r.Granted && j < i && r.Owner.key() != want.Owner.key():
			e.Kind = Ahead
		default:
			continue
		}
		all = append(all, e)
	}
	return all
}
