package results

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shardLimits is what one JUnit file may hold.
type shardLimits struct {
	cases int // testcases, a synthetic one included
	bytes int
}

// defaultLimits stay below what GitLab takes (30 MB and 250,000 XML objects per file).
var defaultLimits = shardLimits{cases: 10_000, bytes: 20_000_000}

// shardReserve is kept free of a shard's bytes for the root element and the synthetic case.
const shardReserve = 64 << 10

// entry is one testcase in its final form, and what the counts need.
type entry struct {
	xml     []byte
	problem problem
	start   time.Time
	elapsed time.Duration
}

func newEntry(c Case, journal string) entry {
	return entry{xml: encodeTestcase(c, journal), problem: c.Verdict.problem(), start: c.Start, elapsed: c.Elapsed}
}

// suite is the cases of one flat suite in the order in which they came.
type suite struct {
	name  string
	cases []entry
}

// shard is the content of one JUnit file.
type shard struct {
	header Header
	number int // 1 for the first file
	suites []suite
	index  map[ID]place
	bytes  int // of all that is inside the suites
}

// place says where a case stands in a shard.
type place struct{ suite, at int }

func newShard(h Header, number int) *shard {
	return &shard{header: h, number: number, index: map[ID]place{}}
}

// full reports whether a further case would break a limit. One case is kept free for the synthetic one.
func (s *shard) full(more entry, l shardLimits) bool {
	return len(s.index)+2 > l.cases || len(s.index) > 0 && s.bytes+len(more.xml)+shardReserve > l.bytes
}

// put adds e, or puts it in the place of an earlier one with the same id.
func (s *shard) put(id ID, e entry) {
	if p, ok := s.index[id]; ok {
		old := &s.suites[p.suite].cases[p.at]
		s.bytes += len(e.xml) - len(old.xml)
		*old = e
		return
	}
	i := slices.IndexFunc(s.suites, func(x suite) bool { return x.name == id.Suite })
	if i < 0 {
		i = len(s.suites)
		s.suites = append(s.suites, suite{name: id.Suite})
		s.bytes += len(s.suiteHead(s.suites[i]))
	}
	s.index[id] = place{i, len(s.suites[i].cases)}
	s.suites[i].cases = append(s.suites[i].cases, e)
	s.bytes += len(e.xml)
}

// snapshot is a copy that stays as it is while s goes on. The testcases are shared, they never change.
func (s *shard) snapshot() *shard {
	c := *s
	c.suites = slices.Clone(s.suites)
	for i := range c.suites {
		c.suites[i].cases = slices.Clone(c.suites[i].cases)
	}
	c.index = nil
	return &c
}

// with is s and one more suite, for the synthetic case.
func (s *shard) with(synthetic *Case) *shard {
	if synthetic == nil {
		return s
	}
	c := *s
	one := suite{name: synthetic.Suite, cases: []entry{newEntry(*synthetic, "")}}
	c.suites = append(slices.Clone(s.suites), one)
	return &c
}

// ourMark is the comment at the top of every file of ours. Only files that have it are ever removed.
const ourMark = "<!-- faultline: this file is rewritten while the run goes on -->"

const xmlHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + ourMark + "\n"

// write writes the file.
func (s *shard) write(w io.Writer, name string) error {
	var all tally
	for _, x := range s.suites {
		all.add(x)
	}
	var b xmlBuf
	b.raw(xmlHead + "<testsuites")
	b.attr("name", name)
	b.tally(all)
	b.raw(">\n")
	if _, err := w.Write(b); err != nil {
		return err
	}
	for _, x := range s.suites {
		if err := s.writeSuite(w, x); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "</testsuites>\n")
	return err
}

func (s *shard) writeSuite(w io.Writer, x suite) error {
	if _, err := w.Write(s.suiteHead(x)); err != nil {
		return err
	}
	for _, e := range x.cases {
		if _, err := w.Write(e.xml); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "  </testsuite>\n")
	return err
}

// suiteHead is the start of a suite: its attributes and the facts of the run.
func (s *shard) suiteHead(x suite) []byte {
	var t tally
	t.add(x)
	var b xmlBuf
	b.raw("  <testsuite")
	b.attr("name", x.name)
	if s.header.Host != "" {
		b.attr("hostname", s.header.Host)
	}
	b.tally(t)
	b.raw(">\n")
	b.properties("    ", s.runProperties())
	return b
}

func (s *shard) runProperties() []Property {
	h := s.header
	ps := []Property{{"seed", strconv.FormatUint(h.Seed, 10)}, {"planned", strconv.Itoa(h.Planned)}}
	for _, p := range []Property{
		{"version", h.Version},
		{"kernel", h.Kernel},
		{"targets", strings.Join(h.Targets, " ")},
		{"args", strings.Join(h.Args, " ")},
	} {
		if p.Value != "" {
			ps = append(ps, p)
		}
	}
	for _, m := range h.Mounts {
		ps = append(ps, Property{"mount", m.String()})
	}
	return append(ps, Property{"shard", strconv.Itoa(s.number)})
}

// tally counts elements, so that the counts in the file agree with what is in it.
type tally struct {
	tests, failures, errors, skipped int
	elapsed                          time.Duration
	start                            time.Time // of the earliest case
}

func (t *tally) add(x suite) {
	t.tests += len(x.cases)
	for _, e := range x.cases {
		switch e.problem {
		case failure:
			t.failures++
		case errored:
			t.errors++
		case skipped:
			t.skipped++
		}
		t.elapsed += max(0, e.elapsed)
		if t.start.IsZero() || !e.start.IsZero() && e.start.Before(t.start) {
			t.start = e.start
		}
	}
}

func (b *xmlBuf) tally(t tally) {
	b.attrInt("tests", t.tests)
	b.attrInt("failures", t.failures)
	b.attrInt("errors", t.errors)
	b.attrInt("skipped", t.skipped)
	b.attrSeconds("time", t.elapsed)
	b.attrTime("timestamp", t.start)
}

// shardPath is the file of shard n: FILE, then FILE with -2, -3 and so on before the extension.
func shardPath(path string, n int) string {
	if n == 1 {
		return path
	}
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + "-" + strconv.Itoa(n) + ext
}

// ids are the cases of the shard, in no order.
func (s *shard) ids() []ID { return slices.Collect(maps.Keys(s.index)) }

// describe names a shard in errors.
func (s *shard) describe(path string) string {
	return fmt.Sprintf("JUnit file %s (shard %d)", shardPath(path, s.number), s.number)
}
