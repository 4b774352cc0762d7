package results

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"
)

// newTestJUnit starts a file with limits small enough for a test.
func newTestJUnit(t *testing.T, limits shardLimits) (*JUnit, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "junit.xml")
	j, err := newJUnit(path, JUnitOptions{Class: "gfs2.faulting.fuse", Journal: "run/journal.jsonl", Header: sampleHeader}, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, path
}

// one writes a single case to a file of its own and reads it back.
func one(t *testing.T, c Case) JUnitCase {
	t.Helper()
	g := gomega.NewWithT(t)
	j, path := newTestJUnit(t, defaultLimits)
	g.Expect(j.Add(c)).To(gomega.Succeed())
	g.Expect(j.Finish(Missing{})).To(gomega.Succeed())
	xmllint(t, path)
	r := readJUnitFile(t, path)
	g.Expect(r.Suites).To(gomega.HaveLen(1))
	g.Expect(r.Suites[0].Cases).To(gomega.HaveLen(1))
	return r.Suites[0].Cases[0]
}

// find returns the case with this name, in any suite.
func find(r *JUnitReport, name string) *JUnitCase {
	for _, s := range r.Suites {
		for i := range s.Cases {
			if s.Cases[i].Name == name {
				return &s.Cases[i]
			}
		}
	}
	return nil
}

func TestJUnitGolden(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newTestJUnit(t, defaultLimits)
	for _, c := range sampleCases() {
		g.Expect(j.Add(c)).To(gomega.Succeed())
	}
	other := sampleID("pass")
	other.Suite, other.Name = "crossio", "crossio/pass"
	g.Expect(j.Add(Case{ID: other, Verdict: Pass})).To(gomega.Succeed())
	g.Expect(j.Finish(Missing{Reason: "target lost by selfio/crash", IDs: []ID{sampleID("never")}, Count: 2})).To(gomega.Succeed())
	xmllint(t, path)
	golden(t, "junit.xml", []byte(readFile(t, path)))
	countsAgree(t, readJUnitFile(t, path))
}

// countsAgree checks the counts of the root and the suites against the elements.
func countsAgree(t *testing.T, r *JUnitReport) {
	t.Helper()
	g := gomega.NewWithT(t)
	var all [4]int
	for _, s := range r.Suites {
		var n [4]int
		for _, c := range s.Cases {
			n[0]++
			for i, p := range []*JUnitProblem{c.Failure, c.Error, c.Skipped} {
				if p != nil {
					n[i+1]++
				}
			}
		}
		g.Expect([4]int{s.Tests, s.Failures, s.Errors, s.Skipped}).To(gomega.Equal(n), "suite %s", s.Name)
		for i := range n {
			all[i] += n[i]
		}
	}
	g.Expect([4]int{r.Tests, r.Failures, r.Errors, r.Skipped}).To(gomega.Equal(all))
}

func TestVerdictsBecomeElements(t *testing.T) {
	for _, x := range []struct {
		verdict Verdict
		element func(JUnitCase) *JUnitProblem
		kind    Kind
	}{
		{Wrong, func(c JUnitCase) *JUnitProblem { return c.Failure }, Semantics},
		{Hang, func(c JUnitCase) *JUnitProblem { return c.Failure }, KernelHang},
		{Crash, func(c JUnitCase) *JUnitProblem { return c.Failure }, TargetDied},
		{Broken, func(c JUnitCase) *JUnitProblem { return c.Error }, InfraHarness},
		{Skip, func(c JUnitCase) *JUnitProblem { return c.Skipped }, ""},
	} {
		t.Run(string(x.verdict), func(t *testing.T) {
			g := gomega.NewWithT(t)
			c := one(t, Case{ID: sampleID("x"), Verdict: x.verdict, Message: "because"})
			p := x.element(c)
			g.Expect(p).NotTo(gomega.BeNil())
			g.Expect(p.Type).To(gomega.Equal(string(x.kind)))
			g.Expect(p.Message).To(gomega.HaveSuffix("because"))
			n := 0
			for _, q := range []*JUnitProblem{c.Failure, c.Error, c.Skipped} {
				if q != nil {
					n++
				}
			}
			g.Expect(n).To(gomega.Equal(1))
			if x.verdict != Skip {
				first, _, _ := strings.Cut(p.Body, "\n")
				g.Expect(first).To(gomega.Equal(p.Message), "GitLab ignores the attribute when there is a body")
			}
		})
	}
}

func TestASkipAlwaysHasAReason(t *testing.T) {
	c := one(t, Case{ID: sampleID("x"), Verdict: Skip})
	gomega.NewWithT(t).Expect(c.Skipped.Message).NotTo(gomega.BeEmpty())
}

func TestAFailureKeepsToItsBudget(t *testing.T) {
	g := gomega.NewWithT(t)
	c := Case{
		ID: sampleID("x"), Verdict: Wrong, Message: strings.Repeat("m", 5000), Detail: strings.Repeat("detail é\n", 100_000),
		Repro: "faultline repro x", Attempts: 21, Failures: 21,
	}
	for i := range 20 {
		c.Reruns = append(c.Reruns, Attempt{Verdict: Wrong, Message: fmt.Sprint("rerun ", i), Detail: strings.Repeat("y", 100_000)})
	}
	for i := range 200 {
		c.Properties = append(c.Properties, Property{fmt.Sprint("p", i), strings.Repeat("v", 10_000)})
		c.Attachments = append(c.Attachments, fmt.Sprintf("run/failures/x/file%03d.txt", i))
	}
	got := one(t, c)
	texts := len(got.Failure.Body)
	for _, r := range got.Reruns {
		texts += len(r.Stack)
	}
	g.Expect(texts).To(gomega.BeNumerically("<=", maxBody))
	g.Expect(texts).To(gomega.BeNumerically(">", maxBody-1000), "the budget is used")
	g.Expect(got.Failure.Body).To(gomega.ContainSubstring("999999 bytes in all; full text in run/failures/x/file000.txt]"))
	g.Expect(got.Failure.Body).To(gomega.HaveSuffix("repeat: faultline repro x\n"))
	g.Expect(got.Failure.Body).To(gomega.ContainSubstring("failed 21 of 21 attempts"))
	g.Expect(got.Reruns).To(gomega.HaveLen(maxReruns))
	g.Expect(len(got.SystemOut)).To(gomega.BeNumerically("<=", maxSystemOut+20))
	g.Expect(strings.TrimSpace(got.SystemOut)).To(gomega.HavePrefix("[[ATTACHMENT|run/failures/x/file000.txt]]\n"))
	g.Expect(got.Properties).To(gomega.HaveLen(maxProperties))
	g.Expect(got.Properties[maxProperties-1].Name).To(gomega.Equal("properties.cut"))

	c.Attachments = nil
	g.Expect(one(t, c).Failure.Body).To(gomega.ContainSubstring("full text in run/journal.jsonl]"))
}

func TestAttachmentTagsAreAloneOnTheirLines(t *testing.T) {
	g := gomega.NewWithT(t)
	c := one(t, Case{ID: sampleID("x"), Verdict: Wrong, Attachments: []string{"a/best & <first>.txt", "a/with\nnewline", "a/]]x", "a/last"}})
	g.Expect(strings.Fields(strings.ReplaceAll(c.SystemOut, " & ", "_"))).To(gomega.Equal([]string{
		"[[ATTACHMENT|a/best_<first>.txt]]", "[[ATTACHMENT|a/last]]",
	}))
	var attached []string
	for _, p := range c.Properties {
		if p.Name == "attachment" {
			attached = append(attached, p.Value)
		}
	}
	g.Expect(attached).To(gomega.HaveLen(4))
}

func TestHostileStrings(t *testing.T) {
	hostile := "\x00\x01\x1b[31mred\x1b[0m ]]> <![CDATA[ & \" ' \xff\xfe \uFFFE \r\n\t end"
	want := "red ]]> <![CDATA[ & \" ' \uFFFD  \n\t end"
	g := gomega.NewWithT(t)
	c := one(t, Case{
		ID: ID{Suite: "s<&\"'>", Class: "c<&\"'>", Name: "n<&\"'>]]>"}, Verdict: Wrong, Kind: "k<&\"'>",
		Message: hostile, Detail: hostile, Repro: hostile, Labels: []string{hostile},
		Properties: []Property{{hostile, hostile}}, Attachments: []string{hostile},
	})
	g.Expect(c.Name).To(gomega.Equal("n<&\"'>]]>"))
	g.Expect(c.Class).To(gomega.Equal("c<&\"'>"))
	g.Expect(c.Failure.Type).To(gomega.Equal("k<&\"'>"))
	g.Expect(c.Failure.Message).To(gomega.Equal("WRONG: " + strings.NewReplacer("\n", " ", "\t", " ").Replace(want)))
	g.Expect(c.Failure.Body).To(gomega.ContainSubstring(want))
	g.Expect(c.Properties).To(gomega.ContainElement(JUnitProperty{want, want}))
	g.Expect(c.SystemOut).To(gomega.BeEmpty())
}

func TestFlakyAndRerunElements(t *testing.T) {
	g := gomega.NewWithT(t)
	reruns := []Attempt{{Verdict: Hang, Message: "once", Detail: "stack"}, {Verdict: Pass}, {Verdict: Broken, Message: "twice"}}
	flaky := one(t, Case{ID: sampleID("x"), Verdict: Pass, Attempts: 4, Failures: 2, Reruns: reruns})
	g.Expect(flaky.Failure).To(gomega.BeNil())
	g.Expect(flaky.Flaky).To(gomega.Equal([]JUnitRerun{
		{Type: "kernel.hang", Message: "HANG: once", Stack: "HANG: once\nstack"},
		{Type: "infra.harness", Message: "BROKEN: twice", Stack: "BROKEN: twice\n"},
	}))
	g.Expect(flaky.Properties).To(gomega.ContainElement(JUnitProperty{"flaky", "true"}))

	failing := one(t, Case{ID: sampleID("x"), Verdict: Hang, Attempts: 4, Failures: 3, Reruns: reruns})
	g.Expect(failing.Failure).NotTo(gomega.BeNil())
	g.Expect(failing.Reruns).To(gomega.HaveLen(2))
	g.Expect(failing.Flaky).To(gomega.BeEmpty())
	g.Expect(failing.Properties).NotTo(gomega.ContainElement(JUnitProperty{"flaky", "true"}))
}

func TestTimesArePlainDecimals(t *testing.T) {
	g := gomega.NewWithT(t)
	var b bytes.Buffer
	for _, c := range []Case{{Elapsed: 465}, {Elapsed: 90_000_000_000}, {Elapsed: -5}} {
		b.Write(encodeTestcase(c, ""))
	}
	g.Expect(b.String()).To(gomega.And(
		gomega.ContainSubstring(`time="0.000000"`), gomega.ContainSubstring(`time="90.000000"`), gomega.Not(gomega.ContainSubstring("-"))))
	g.Expect(b.String()).NotTo(gomega.ContainSubstring("timestamp"), "no time is better than the year 1")
	g.Expect(string(encodeTestcase(Case{Start: noon}, ""))).To(gomega.ContainSubstring(`timestamp="2026-11-22T12:00:00+01:00"`))
}

// What another tool writes: a single suite as the root, elements we do not know, an xmlns.
func TestReadJUnitOfOthers(t *testing.T) {
	g := gomega.NewWithT(t)
	r, err := ReadJUnit(strings.NewReader(`<?xml version="1.0"?>
<testsuite name="xfstests" xmlns="https://example.org/x" failures="1" skipped="1" tests="2" time="3">
  <properties><property name="SECTION" value="4k"/></properties>
  <testcase classname="xfstests.4k" name="generic/001" time="3"><failure message="bad" type="TestFail"/><kernel-log>BUG</kernel-log></testcase>
  <testcase classname="xfstests.4k" name="generic/002" time="0"><skipped message="no"/></testcase>
</testsuite>`))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	countsAgree(t, r)
	g.Expect(find(r, "generic/001").Failure.Type).To(gomega.Equal("TestFail"))
	for _, bad := range []string{"", "<html/>", "<testsuites>", "<testsuites/><testsuites/>", "<testsuites/> <", "<testsuites></testsuite>"} {
		_, err := ReadJUnit(strings.NewReader(bad))
		g.Expect(err).To(gomega.HaveOccurred(), "of %q", bad)
	}
}

func TestEmptyRun(t *testing.T) {
	g := gomega.NewWithT(t)
	j, path := newTestJUnit(t, defaultLimits)
	g.Expect(j.Finish(Missing{})).To(gomega.Succeed())
	xmllint(t, path)
	g.Expect(readJUnitFile(t, path).Suites).To(gomega.BeEmpty())
	_, err := os.Stat(filepath.Join(filepath.Dir(path), ".junit.xml.tmp"))
	g.Expect(err).To(gomega.MatchError(os.ErrNotExist))
}
