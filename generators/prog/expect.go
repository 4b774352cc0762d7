package prog

import (
	"fmt"
	"strings"
)

// Expect are the results a step may have, any one of them. With none the step must succeed, with whatever value.
type Expect []Outcome

// Outcome is one allowed result: a value or a range of values, an error name, or a word.
type Outcome struct {
	// Err is an errno name ("EFAULT") or a signal that a load or store may meet ("SIGBUS", "SIGSEGV"); then the rest is unused.
	Err string
	// Any allows everything ("any"), OK every success ("ok").
	Any, OK bool
	// Lo and Hi bound the value, both inclusive.
	Lo, Hi Size
}

// Exactly expects one value.
func Exactly(s Size) Outcome { return Outcome{Lo: s, Hi: s} }

// Between expects a value from lo to hi.
func Between(lo, hi Size) Outcome { return Outcome{Lo: lo, Hi: hi} }

// Fails expects an errno or a signal by name.
func Fails(name string) Outcome { return Outcome{Err: name} }

// Succeeds expects a success, whatever its value.
var Succeeds = Outcome{OK: true}

// Anything expects nothing in particular.
var Anything = Outcome{Any: true}

func (e Expect) String() string {
	parts := make([]string, len(e))
	for i, o := range e {
		parts[i] = o.String()
	}
	return strings.Join(parts, " | ")
}

func (o Outcome) String() string {
	switch {
	case o.Any:
		return "any"
	case o.OK:
		return "ok"
	case o.Err != "":
		return o.Err
	case o.Lo == o.Hi:
		return o.Lo.String()
	}
	return fmt.Sprintf("%v..%v", o.Lo, o.Hi)
}

// Result is what a step returned: a value, or the name of an errno or signal.
type Result struct {
	Value int64  `json:"value,omitempty"`
	Err   string `json:"err,omitempty"`
}

// In writes the result as an expectation would be written, with pages of the given size.
func (r Result) In(page int64) string {
	if r.Err != "" {
		return r.Err
	}
	return SizeOf(r.Value, page).String()
}

// Allows reports whether a step that expects e may return r.
func (e Expect) Allows(r Result, page int64) bool {
	if len(e) == 0 {
		return r.Err == ""
	}
	for _, o := range e {
		switch {
		case o.Any, o.OK && r.Err == "", o.Err != "" && o.Err == r.Err:
			return true
		case o.Err == "" && !o.OK && r.Err == "" && o.Lo.In(page) <= r.Value && r.Value <= o.Hi.In(page):
			return true
		}
	}
	return false
}
