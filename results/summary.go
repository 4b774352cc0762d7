package results

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

const (
	// maxListed is how many names a list shows before it becomes counts by suite. Failures are always listed by name.
	maxListed = 48
	// maxRows bounds the rows of tables.
	maxRows = 40
	// maxReasons bounds how many different reasons of skips are remembered.
	maxReasons = 1000
)

// Summary collects what the end of a run tells. It keeps every failure by name and everything else as counts. It is for one
// goroutine at a time.
type Summary struct {
	totals  Totals
	classes []*classSummary // in order of their first case
	groups  []*Group        // in order of their first case
	grouped map[string]*Group
	skips   map[string]int // by reason
	flaky   names
	known   names
}

// classSummary is what ran on one target.
type classSummary struct {
	class    string
	totals   Totals
	suites   []*suiteTotals // in order of their first case
	ran      names
	skipped  names
	broken   names
	failures []string
}

type suiteTotals struct {
	suite string
	Totals
}

// Group is a number of failures that are the same failure.
type Group struct {
	Signature string // empty: a failure of its own
	Count     int
	First     Case // without its texts
}

// names is a list that only keeps its beginning.
type names struct {
	first []string
	count int
}

func (n *names) add(name string) {
	n.count++
	if len(n.first) < maxListed {
		n.first = append(n.first, name)
	}
}

// NewSummary starts a summary of a run that planned so many cases.
func NewSummary(planned int) *Summary {
	return &Summary{totals: Totals{Planned: planned}, grouped: map[string]*Group{}, skips: map[string]int{}}
}

// Add takes c into the summary. Every case is added once.
func (s *Summary) Add(c Case) {
	s.totals.Add(c)
	class := s.class(c.Class)
	class.totals.Add(c)
	class.suite(c.Suite).Add(c)
	switch {
	case c.Known():
		s.known.add(c.Name)
		class.ran.add(c.Name)
	case c.Verdict == Skip:
		s.skip(c.Headline())
		class.skipped.add(c.Name)
	case c.Verdict.Bad():
		class.ran.add(c.Name)
		class.failures = append(class.failures, c.Name)
		s.group(c)
	case c.Verdict == Broken:
		class.ran.add(c.Name)
		class.broken.add(c.Name)
		s.group(c)
	default:
		class.ran.add(c.Name)
	}
	if c.Flaky() {
		s.flaky.add(c.Name)
	}
}

func (s *Summary) class(name string) *classSummary {
	for _, c := range s.classes {
		if c.class == name {
			return c
		}
	}
	c := &classSummary{class: name}
	s.classes = append(s.classes, c)
	return c
}

func (c *classSummary) suite(name string) *suiteTotals {
	for _, t := range c.suites {
		if t.suite == name {
			return t
		}
	}
	t := &suiteTotals{suite: name}
	c.suites = append(c.suites, t)
	return t
}

func (s *Summary) skip(reason string) {
	if _, ok := s.skips[reason]; !ok && len(s.skips) >= maxReasons {
		reason = "other reasons"
	}
	s.skips[reason]++
}

func (s *Summary) group(c Case) {
	if g, ok := s.grouped[c.Signature]; ok && c.Signature != "" {
		g.Count++
		return
	}
	first := Case{ID: c.ID, Verdict: c.Verdict, Kind: c.kind(), Message: clipLine(oneLine(c.Message), maxMessage), Repro: c.Repro}
	g := &Group{Signature: c.Signature, Count: 1, First: first}
	s.groups = append(s.groups, g)
	s.grouped[c.Signature] = g
}

// Totals counts what was added.
func (s *Summary) Totals() Totals { return s.totals }

// Groups lists the failures, equal ones once, the most frequent first and the product's before our own.
func (s *Summary) Groups() []Group {
	groups := make([]Group, len(s.groups))
	for i, g := range s.groups {
		groups[i] = *g
	}
	slices.SortStableFunc(groups, func(a, b Group) int {
		if a.First.Verdict.Bad() != b.First.Verdict.Bad() {
			if a.First.Verdict.Bad() {
				return -1
			}
			return 1
		}
		return b.Count - a.Count
	})
	return groups
}

// Write writes the summary as text. It ends with the lines that check of xfstests prints, one block for each target:
// "Ran:", "Not run:", "Failures:" and "Failed N of M tests".
func (s *Summary) Write(w io.Writer) error {
	var b bytes.Buffer
	s.table(&b)
	s.reasons(&b)
	s.lists(&b)
	s.failures(&b)
	for _, c := range s.classes {
		if len(s.classes) > 1 {
			fmt.Fprintf(&b, "SECTION       -- %s\n", c.class)
		}
		c.block(&b, s.totals.Missing() == 0)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (s *Summary) table(b *bytes.Buffer) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight|tabwriter.DiscardEmptyColumns)
	row := func(class, suite string, count func(Verdict) string) {
		fmt.Fprintf(t, "%s  %s\t", class, suite)
		for _, v := range Verdicts {
			fmt.Fprintf(t, "%s\t", count(v))
		}
		fmt.Fprintln(t)
	}
	row("", "", func(v Verdict) string { return string(v) })
	numbers := func(x Totals) func(Verdict) string {
		return func(v Verdict) string { return strconv.Itoa(x.Of(v)) }
	}
	rows := 0
	for _, c := range s.classes {
		for _, x := range c.suites {
			if rows++; rows <= maxRows {
				row(c.class, x.suite, numbers(x.Totals))
			}
		}
	}
	if rows > maxRows {
		row(fmt.Sprintf("(%d more)", rows-maxRows), "", func(Verdict) string { return "" })
	}
	row("all", "", numbers(s.totals))
	t.Flush()
	fmt.Fprintln(b)
}

func (s *Summary) reasons(b *bytes.Buffer) {
	if len(s.skips) == 0 {
		return
	}
	fmt.Fprintln(b, "Skipped, by reason:")
	reasons := slices.SortedFunc(maps.Keys(s.skips), func(x, y string) int {
		return cmp.Or(s.skips[y]-s.skips[x], strings.Compare(x, y))
	})
	for _, r := range reasons[:min(len(reasons), maxRows)] {
		fmt.Fprintf(b, "%8d  %s\n", s.skips[r], r)
	}
	if more := len(reasons) - maxRows; more > 0 {
		fmt.Fprintf(b, "          and %d more reasons\n", more)
	}
	fmt.Fprintln(b)
}

func (s *Summary) lists(b *bytes.Buffer) {
	if s.flaky.count > 0 {
		fmt.Fprintf(b, "Flaky, passed after a failure: %s\n\n", s.flaky)
	}
	if s.known.count > 0 {
		fmt.Fprintf(b, "Known failures: %s\n\n", s.known)
	}
	if n := s.totals.Missing(); n > 0 {
		fmt.Fprintf(b, "Missing: %d of %d planned cases have no verdict\n\n", n, s.totals.Planned)
	}
}

func (s *Summary) failures(b *bytes.Buffer) {
	groups := s.Groups()
	if len(groups) == 0 {
		return
	}
	fmt.Fprintln(b, "Failures, by cause:")
	for _, g := range groups[:min(len(groups), maxRows)] {
		fmt.Fprintf(b, "%8d  %s  [%s]\n", g.Count, g.First.Headline(), g.First.Kind)
		if g.Signature != "" {
			fmt.Fprintf(b, "          in: %s\n", g.Signature)
		}
		fmt.Fprintf(b, "          first: %s\n", g.First.ID)
		if g.First.Repro != "" {
			fmt.Fprintf(b, "          repeat: %s\n", oneLine(g.First.Repro))
		}
	}
	if more := len(groups) - maxRows; more > 0 {
		fmt.Fprintf(b, "          and %d more causes\n", more)
	}
	fmt.Fprintln(b)
}

// block writes the last lines of check. Complete says that no planned case lacks a verdict.
func (c *classSummary) block(b *bytes.Buffer, complete bool) {
	if n := c.totals.Ran(); n > 0 {
		fmt.Fprintf(b, "Ran: %s\n", c.list(c.ran, func(t Totals) int { return t.Ran() }))
	}
	if c.skipped.count > 0 {
		fmt.Fprintf(b, "Not run: %s\n", c.list(c.skipped, func(t Totals) int { return t.Skip - t.Known }))
	}
	if c.broken.count > 0 {
		fmt.Fprintf(b, "Broken: %s\n", c.list(c.broken, func(t Totals) int { return t.Broken }))
	}
	if len(c.failures) > 0 {
		fmt.Fprintf(b, "Failures: %s\n", strings.Join(c.failures, " "))
	}
	if complete && c.totals.Bad()+c.totals.Broken == 0 {
		fmt.Fprintf(b, "Passed all %d tests\n\n", c.totals.Ran())
		return
	}
	fmt.Fprintf(b, "Failed %d of %d tests\n\n", c.totals.Bad(), c.totals.Ran())
}

// list is the names, or counts by suite when there are too many.
func (c *classSummary) list(n names, count func(Totals) int) string {
	if n.count <= len(n.first) {
		return strings.Join(n.first, " ")
	}
	var parts []string
	for _, s := range c.suites {
		if k := count(s.Totals); k > 0 {
			parts = append(parts, fmt.Sprintf("%s (%d)", s.suite, k))
		}
	}
	return strings.Join(parts, " ")
}

// String is the names, or the first of them and how many there are.
func (n names) String() string {
	s := strings.Join(n.first, " ")
	if n.count > len(n.first) {
		s += fmt.Sprintf(" and %d more", n.count-len(n.first))
	}
	return s
}

// Line is the line of a case in the style of check of xfstests: the name, how long it took last time (0: unknown), and how
// long now or why not.
func (c Case) Line(last time.Duration) string {
	before := c.Name + " "
	if last > 0 {
		before += seconds(last) + " "
	}
	before += "... "
	switch {
	case c.Known():
		return before + " [known] " + c.Headline()
	case c.Verdict == Skip:
		return before + " [not run] " + c.Headline()
	case c.Verdict.Bad():
		return before + " [failed] " + c.Headline()
	case c.Verdict == Broken:
		return before + " [broken] " + c.Headline()
	case c.Flaky():
		return before + " " + seconds(c.Elapsed) + " [flaky]"
	}
	return before + " " + seconds(c.Elapsed)
}

// seconds is d in whole seconds, with two decimals below ten.
func seconds(d time.Duration) string {
	s := d.Seconds()
	if s < 10 {
		return strconv.FormatFloat(math.Max(0, s), 'f', 2, 64) + "s"
	}
	return strconv.FormatFloat(s, 'f', 0, 64) + "s"
}
