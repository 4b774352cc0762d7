package results

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ID names one case of a run. Two cases of a run never have the same ID.
type ID struct {
	Suite string `json:"suite"` // flat JUnit suite, such as "selfio"
	Class string `json:"class"` // what it ran on, as fstyp.config.target: "gfs2.nofault.fuse"
	Name  string `json:"name"`  // stable id of the test, without labels: "selfio/pread/direct/private"
}

// String is the form for people: the name, and what it ran on.
func (id ID) String() string {
	return id.Name + " on " + id.Class
}

// Check reports an ID that could not be written and read back unchanged: an empty field, invalid UTF-8, or a character
// that is not printable.
func (id ID) Check() error {
	for _, f := range []struct{ field, value string }{{"suite", id.Suite}, {"class", id.Class}, {"name", id.Name}} {
		if f.value == "" {
			return fmt.Errorf("case %q: empty %s", id, f.field)
		}
		if !utf8.ValidString(f.value) || strings.ContainsFunc(f.value, notPrintable) {
			return fmt.Errorf("case %q: %s has bytes that are not printable UTF-8", id, f.field)
		}
	}
	return nil
}

func notPrintable(r rune) bool { return !unicode.IsPrint(r) }

// Property is a named fact about a case. Order is kept.
type Property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Attempt is the outcome of one further run of the same case.
type Attempt struct {
	Verdict Verdict `json:"verdict"`
	Kind    Kind    `json:"kind,omitempty"`
	Message string  `json:"message,omitempty"` // one line
	Detail  string  `json:"detail,omitempty"`  // any number of lines
}

// Case is one case of a run with its judgement.
type Case struct {
	ID
	Labels  []string `json:"labels,omitempty"`
	Verdict Verdict  `json:"verdict"`
	Kind    Kind     `json:"kind,omitempty"`    // empty: the usual one of the verdict
	Message string   `json:"message,omitempty"` // one line, without the verdict's name; the reason of a skip
	Detail  string   `json:"detail,omitempty"`  // any number of lines: the program, events, stacks

	// Signature is equal for failures that are the same failure. Empty: equal to no other.
	Signature string `json:"signature,omitempty"`

	Start   time.Time     `json:"start,omitzero"`
	Elapsed time.Duration `json:"elapsed_ns"` // of the first attempt

	// Attempts counts the runs of this case, the first one included, and Failures those that were not pass. Both are
	// zero for a case that was not repeated.
	Attempts int `json:"attempts,omitempty"`
	Failures int `json:"failures,omitempty"`

	Reruns      []Attempt  `json:"reruns,omitempty"` // the attempts after the first, oldest first; for a flaky pass, those that failed
	Properties  []Property `json:"properties,omitempty"`
	Attachments []string   `json:"attachments,omitempty"` // paths, best first
	Repro       string     `json:"repro,omitempty"`       // the command that repeats it
}

// Check reports a case that cannot be recorded: a bad ID or an unknown verdict.
func (c Case) Check() error {
	if err := c.ID.Check(); err != nil {
		return err
	}
	if !c.Verdict.Valid() {
		return fmt.Errorf("case %s: unknown verdict %q", c.ID, c.Verdict)
	}
	if c.Failures > c.Attempts || c.Failures < 0 {
		return errors.New("case " + c.ID.String() + ": more failures than attempts")
	}
	return nil
}

// Flaky reports whether the case passed after it had failed.
func (c Case) Flaky() bool {
	if c.Verdict != Pass {
		return false
	}
	for _, a := range c.Reruns {
		if failed(a.Verdict) {
			return true
		}
	}
	return c.Failures > 0
}

// failed reports whether an attempt with this verdict belongs on the failing side of a rate.
func failed(v Verdict) bool { return v.Bad() || v == Broken }

// Known reports whether the case failed in a way that is on the list of known failures. Such a case has the verdict Skip,
// so that it turns nothing red, and the property verdict=known.
func (c Case) Known() bool {
	if c.Verdict != Skip {
		return false
	}
	for _, p := range c.Properties {
		if p == KnownFailure {
			return true
		}
	}
	return false
}

// KnownFailure is the property that marks a known failure.
var KnownFailure = Property{Name: "verdict", Value: "known"}

// Headline is the case in one line: the verdict in capitals and the message, as "HANG: pread blocked in filemap_fault".
// A skip is its reason alone. A pass without a message is "PASS".
func (c Case) Headline() string {
	return headline(c.Verdict, c.Message)
}

func headline(v Verdict, message string) string {
	message = oneLine(message)
	name := strings.ToUpper(string(v))
	switch {
	case v == Skip && message == "":
		return "no reason was given"
	case v == Skip || strings.HasPrefix(message, name+":"):
		return message
	case message == "":
		return name
	}
	return name + ": " + message
}

// kind is the Kind of the case, or the usual one of its verdict.
func (c Case) kind() Kind {
	if c.Kind != "" {
		return c.Kind
	}
	return defaultKind[c.Verdict]
}

// Rate says how often the case failed, as "failed 3 of 5 attempts". It is empty for a case that was not repeated.
func (c Case) Rate() string {
	if c.Attempts < 2 {
		return ""
	}
	return fmt.Sprintf("failed %d of %d attempts", c.Failures, c.Attempts)
}
