package results

import (
	"testing"

	"github.com/onsi/gomega"
)

func TestCheckRefusesWhatCannotBeWrittenBack(t *testing.T) {
	g := gomega.NewWithT(t)
	good := Case{ID: sampleID("x"), Verdict: Pass}
	g.Expect(good.Check()).To(gomega.Succeed())
	for name, spoil := range map[string]func(*Case){
		"no suite":               func(c *Case) { c.Suite = "" },
		"no class":               func(c *Case) { c.Class = "" },
		"no name":                func(c *Case) { c.Name = "" },
		"newline":                func(c *Case) { c.Name = "a\nb" },
		"invalid UTF-8":          func(c *Case) { c.Name = "a\xff" },
		"escape":                 func(c *Case) { c.Class = "\x1b[1m" },
		"no verdict":             func(c *Case) { c.Verdict = "" },
		"another verdict":        func(c *Case) { c.Verdict = "PASS" },
		"failures over attempts": func(c *Case) { c.Failures = 1 },
	} {
		bad := good
		spoil(&bad)
		g.Expect(bad.Check()).NotTo(gomega.Succeed(), name)
	}
}

func TestFlaky(t *testing.T) {
	g := gomega.NewWithT(t)
	again := []Attempt{{Verdict: Pass}, {Verdict: Hang}}
	g.Expect(Case{Verdict: Pass, Reruns: again}.Flaky()).To(gomega.BeTrue())
	g.Expect(Case{Verdict: Pass, Attempts: 2, Failures: 1}.Flaky()).To(gomega.BeTrue())
	g.Expect(Case{Verdict: Pass, Attempts: 2, Reruns: again[:1]}.Flaky()).To(gomega.BeFalse())
	g.Expect(Case{Verdict: Hang, Reruns: again}.Flaky()).To(gomega.BeFalse(), "a failure that passed later is a failure")
}

func TestHeadline(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, x := range []struct {
		c    Case
		want string
	}{
		{Case{Verdict: Hang, Message: "pread\nblocked"}, "HANG: pread blocked"},
		{Case{Verdict: Hang, Message: "HANG: pread blocked"}, "HANG: pread blocked"},
		{Case{Verdict: Pass}, "PASS"},
		{Case{Verdict: Skip, Message: "needs odirect"}, "needs odirect"},
		{Case{Verdict: Skip}, "no reason was given"},
	} {
		g.Expect(x.c.Headline()).To(gomega.Equal(x.want))
	}
}

func TestKnownNeedsSkipAndProperty(t *testing.T) {
	g := gomega.NewWithT(t)
	ps := []Property{{"a", "b"}, KnownFailure}
	g.Expect(Case{Verdict: Skip, Properties: ps}.Known()).To(gomega.BeTrue())
	g.Expect(Case{Verdict: Skip}.Known()).To(gomega.BeFalse())
	g.Expect(Case{Verdict: Wrong, Properties: ps}.Known()).To(gomega.BeFalse())
}
