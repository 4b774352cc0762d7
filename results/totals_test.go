package results

import (
	"syscall"
	"testing"

	"github.com/onsi/gomega"
)

func TestExitCode(t *testing.T) {
	for _, x := range []struct {
		name   string
		totals Totals
		signal syscall.Signal
		want   int
	}{
		{"all passed", Totals{Planned: 2, Pass: 2}, 0, ExitOK},
		{"passed and skipped", Totals{Planned: 2, Pass: 1, Skip: 1}, 0, ExitOK},
		{"only known failures", Totals{Planned: 1, Skip: 1, Known: 1}, 0, ExitOK},
		{"passed after a failure", Totals{Planned: 1, Pass: 1, Flaky: 1}, 0, ExitOK},
		{"wrong", Totals{Planned: 2, Pass: 1, Wrong: 1}, 0, ExitFailed},
		{"hang", Totals{Planned: 2, Pass: 1, Hang: 1}, 0, ExitFailed},
		{"crash", Totals{Planned: 2, Pass: 1, Crash: 1}, 0, ExitFailed},
		{"failure and broken", Totals{Planned: 2, Hang: 1, Broken: 1}, 0, ExitFailed},
		{"failure and missing", Totals{Planned: 9, Hang: 1}, 0, ExitFailed},
		{"nothing selected", Totals{}, 0, ExitNothing},
		{"everything skipped", Totals{Planned: 2, Skip: 2}, 0, ExitSkipped},
		{"broken", Totals{Planned: 2, Pass: 1, Broken: 1}, 0, ExitIncomplete},
		{"a verdict is missing", Totals{Planned: 3, Pass: 2}, 0, ExitIncomplete},
		{"all verdicts are missing", Totals{Planned: 3}, 0, ExitIncomplete},
		{"skipped and missing", Totals{Planned: 3, Skip: 2}, 0, ExitIncomplete},
		{"interrupted", Totals{Planned: 3, Pass: 2}, syscall.SIGINT, 130},
		{"terminated with a failure", Totals{Planned: 3, Hang: 1}, syscall.SIGTERM, 143},
	} {
		t.Run(x.name, func(t *testing.T) {
			gomega.NewWithT(t).Expect(ExitCode(x.totals, x.signal)).To(gomega.Equal(x.want))
		})
	}
}

func TestBisectCode(t *testing.T) {
	g := gomega.NewWithT(t)
	want := map[int]int{
		ExitOK: 0, ExitFailed: 1, ExitUsage: 125, ExitNothing: 125, ExitSkipped: 125, ExitIncomplete: 125,
		ExitCannotJudge: 125, 130: 130,
	}
	for code, bisect := range want {
		g.Expect(BisectCode(code)).To(gomega.Equal(bisect), "of %d", code)
	}
}

func TestTotalsCountEveryVerdict(t *testing.T) {
	g := gomega.NewWithT(t)
	var all Totals
	for _, c := range sampleCases() {
		all.Add(c)
	}
	g.Expect(all).To(gomega.Equal(Totals{Pass: 2, Wrong: 1, Hang: 2, Crash: 1, Skip: 2, Broken: 1, Flaky: 1, Known: 1}))
	g.Expect(all.Judged()).To(gomega.Equal(9))
	g.Expect(all.Ran()).To(gomega.Equal(8))
	for _, v := range Verdicts {
		g.Expect(v.Valid()).To(gomega.BeTrue())
		g.Expect(all.Of(v)).To(gomega.BeNumerically(">", 0), "of %s", v)
	}
	all.Add(Case{Verdict: "passed"})
	g.Expect(all.Judged()).To(gomega.Equal(9), "an unknown verdict is none")
}
