package results

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

func summaryText(t *testing.T, s *Summary) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSummaryGolden(t *testing.T) {
	s := NewSummary(13)
	for _, c := range sampleCases() {
		s.Add(c)
	}
	for _, name := range []string{"crossio/a", "crossio/b"} {
		s.Add(Case{ID: ID{Suite: "crossio", Class: "ext4.4k.loop", Name: name}, Verdict: Pass})
	}
	golden(t, "summary.txt", []byte(summaryText(t, s)))
}

// The four last lines as check of xfstests prints them, for one target.
func TestSummaryEndsAsCheckDoes(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSummary(4)
	s.Add(Case{ID: sampleID("a"), Verdict: Pass})
	s.Add(Case{ID: sampleID("b"), Verdict: Hang})
	s.Add(Case{ID: sampleID("c"), Verdict: Skip, Message: "needs odirect"})
	s.Add(Case{ID: sampleID("d"), Verdict: Wrong})
	g.Expect(summaryText(t, s)).To(gomega.HaveSuffix("\nRan: selfio/a selfio/b selfio/d\nNot run: selfio/c\nFailures: selfio/b selfio/d\nFailed 2 of 3 tests\n\n"))
}

func TestPassedAllIsNotSaidLightly(t *testing.T) {
	for _, x := range []struct {
		name    string
		planned int
		verdict Verdict
		want    string
	}{
		{"all passed", 2, Pass, "Passed all 2 tests"},
		{"one is missing", 3, Pass, "Failed 0 of 2 tests"},
		{"one is broken", 2, Broken, "Failed 0 of 2 tests"},
		{"one is skipped", 2, Skip, "Passed all 1 tests"},
	} {
		t.Run(x.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			s := NewSummary(x.planned)
			s.Add(makeCase(0, Pass))
			s.Add(makeCase(1, x.verdict))
			g.Expect(summaryText(t, s)).To(gomega.ContainSubstring("\n" + x.want + "\n"))
		})
	}
}

func TestLongListsAreBounded(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSummary(40_000)
	for i := range 10_000 {
		s.Add(makeCase(i, Pass))
		flaky := makeCase(20_000+i, Pass)
		flaky.Attempts, flaky.Failures = 2, 1
		s.Add(flaky)
		skip := makeCase(30_000+i, Skip)
		skip.Message = fmt.Sprint("needs thing ", i)
		s.Add(skip)
		bad := makeCase(40_000+i, Wrong)
		bad.Signature = fmt.Sprint(i % 1000)
		s.Add(bad)
	}
	text := summaryText(t, s)
	g.Expect(text).To(gomega.ContainSubstring("\nRan: selfio (30000)\nNot run: selfio (10000)\nFailures: selfio/n040000 "))
	g.Expect(strings.Count(text, "selfio/n04")).To(gomega.BeNumerically(">=", 10_000), "failures are all named")
	g.Expect(text).To(gomega.ContainSubstring("and 9952 more"))
	g.Expect(text).To(gomega.ContainSubstring("9000  other reasons"))
	g.Expect(text).To(gomega.ContainSubstring("and 961 more reasons"))
	g.Expect(text).To(gomega.ContainSubstring("and 960 more causes"))
	failures, _, _ := strings.Cut(text[strings.Index(text, "Failures: "):], "\n")
	g.Expect(len(text) - len(failures)).To(gomega.BeNumerically("<", 20_000))
}

func TestEqualFailuresAreOneGroup(t *testing.T) {
	g := gomega.NewWithT(t)
	s := NewSummary(0)
	add := func(name string, v Verdict, signature string) {
		s.Add(Case{ID: sampleID(name), Verdict: v, Signature: signature, Message: "m " + name})
	}
	add("ours", Broken, "boot")
	add("ours2", Broken, "boot")
	add("ours3", Broken, "boot")
	add("alone", Wrong, "")
	add("alone2", Wrong, "")
	add("a", Hang, "glock")
	add("b", Hang, "glock")
	add("fine", Pass, "glock")
	var got []string
	for _, x := range s.Groups() {
		got = append(got, fmt.Sprint(x.Count, x.Signature, " ", x.First.Name))
	}
	g.Expect(got).To(gomega.Equal([]string{"2glock selfio/a", "1 selfio/alone", "1 selfio/alone2", "3boot selfio/ours"}))
	var text strings.Builder
	g.Expect(s.Write(&text)).To(gomega.Succeed())
	g.Expect(text.String()).To(gomega.ContainSubstring("\n          in: glock\n"))
	g.Expect(strings.Count(text.String(), "          in: ")).To(gomega.Equal(2), "a failure of its own has no signature")
}

func TestSummaryTellsAWriteError(t *testing.T) {
	r, w := io.Pipe()
	r.CloseWithError(errors.New("gone"))
	gomega.NewWithT(t).Expect(NewSummary(0).Write(w)).To(gomega.MatchError("gone"))
}

func TestLine(t *testing.T) {
	g := gomega.NewWithT(t)
	at := func(v Verdict, d time.Duration) Case {
		return Case{ID: sampleID("x"), Verdict: v, Elapsed: d, Message: "because"}
	}
	known := at(Skip, 0)
	known.Properties = []Property{KnownFailure}
	flaky := at(Pass, time.Second)
	flaky.Attempts, flaky.Failures = 2, 1
	for _, x := range []struct {
		c    Case
		last time.Duration
		want string
	}{
		{at(Pass, 4400*time.Millisecond), 12 * time.Second, "selfio/x 12s ...  4.40s"},
		{at(Pass, 20*time.Second), 0, "selfio/x ...  20s"},
		{at(Skip, 0), 0, "selfio/x ...  [not run] because"},
		{at(Hang, 0), 0, "selfio/x ...  [failed] HANG: because"},
		{at(Broken, 0), 0, "selfio/x ...  [broken] BROKEN: because"},
		{known, 0, "selfio/x ...  [known] because"},
		{flaky, 0, "selfio/x ...  1.00s [flaky]"},
	} {
		g.Expect(x.c.Line(x.last)).To(gomega.Equal(x.want))
	}
}
