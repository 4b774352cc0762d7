package results

import (
	"encoding/xml"
	"fmt"
	"io"
)

// JUnitReport is a JUnit file as it is read back. The elements are those of the Surefire dialect, which Jenkins, GitLab
// and the GitHub actions read.
type JUnitReport struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     float64      `xml:"time,attr"` // seconds
	Suites   []JUnitSuite `xml:"testsuite"`
}

// JUnitSuite is one flat suite.
type JUnitSuite struct {
	Name       string          `xml:"name,attr"`
	Hostname   string          `xml:"hostname,attr"`
	Timestamp  string          `xml:"timestamp,attr"` // RFC 3339 with zone
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       float64         `xml:"time,attr"` // seconds
	Properties []JUnitProperty `xml:"properties>property"`
	Cases      []JUnitCase     `xml:"testcase"`
}

// JUnitProperty is a property of a suite or a case.
type JUnitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

// JUnitCase is one testcase. At most one of Failure, Error and Skipped is set in a file of ours.
type JUnitCase struct {
	Name       string          `xml:"name,attr"`
	Class      string          `xml:"classname,attr"`
	Time       float64         `xml:"time,attr"`      // seconds
	Timestamp  string          `xml:"timestamp,attr"` // RFC 3339 with zone
	Properties []JUnitProperty `xml:"properties>property"`
	Failure    *JUnitProblem   `xml:"failure"`
	Error      *JUnitProblem   `xml:"error"`
	Skipped    *JUnitProblem   `xml:"skipped"`
	Flaky      []JUnitRerun    `xml:"flakyFailure"` // failures before the pass
	Reruns     []JUnitRerun    `xml:"rerunFailure"` // failures after the first
	SystemOut  string          `xml:"system-out"`
}

// JUnitProblem is the body of a failure, an error or a skip.
type JUnitProblem struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Body    string `xml:",chardata"`
}

// JUnitRerun is one further attempt.
type JUnitRerun struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Stack   string `xml:"stackTrace"`
}

// ReadJUnit reads a JUnit file with the root testsuites, or testsuite as that of xfstests, which becomes the only suite.
func ReadJUnit(r io.Reader) (*JUnitReport, error) {
	d := xml.NewDecoder(r)
	for {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("read JUnit: %w", err)
		}
		root, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		report, err := readRoot(d, root)
		if err != nil {
			return nil, fmt.Errorf("read JUnit: %w", err)
		}
		return report, readTail(d)
	}
}

func readRoot(d *xml.Decoder, root xml.StartElement) (*JUnitReport, error) {
	switch root.Name.Local {
	case "testsuites":
		var report JUnitReport
		return &report, d.DecodeElement(&report, &root)
	case "testsuite":
		var s JUnitSuite
		err := d.DecodeElement(&s, &root)
		return &JUnitReport{
			Name: s.Name, Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Skipped: s.Skipped, Time: s.Time,
			Suites: []JUnitSuite{s},
		}, err
	}
	return nil, fmt.Errorf("the root is <%s>, neither testsuites nor testsuite", root.Name.Local)
}

// readTail makes sure that nothing but white space and comments follows the root.
func readTail(d *xml.Decoder) error {
	for {
		t, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read JUnit: %w", err)
		}
		if start, ok := t.(xml.StartElement); ok {
			return fmt.Errorf("read JUnit: a second root <%s>", start.Name.Local)
		}
	}
}
