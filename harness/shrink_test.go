package harness_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/generators/model"
	"faultline/generators/prog"
	"faultline/harness"
	"faultline/results"
)

func budget(tries int) harness.Budget {
	return harness.Budget{Tries: tries, Time: soon, Derive: func(p *prog.Prog) error { return model.Derive(p, int64(os.Getpagesize())) }}
}

// around is the program with much beside it that does not matter. It uses none of the names of the programs it is put around.
const around = `file X = 'x'*2p
y = anon(pat9*3p + hole*1p)
t1: madvise(y[1p:2p], dontneed)
load(y)
wait(t1)
mkdir(D)
stat(X, size)
madvise(y[3p:4p], dontneed)
`

// The failure is what is left, with what it cannot be without.
func TestShrinkPlantedFaults(t *testing.T) {
	needFuse(t)
	const justRead = "file A = 'a'\nd = open(A, rdonly)\nb = anon(hole*1)\npread(d, b, 0) -> 1\n"
	for _, c := range []struct {
		fault, text string
		verdict     results.Verdict
		tries       int
		// want is the program that is left, "" if the tries do not suffice for the smallest.
		want string
	}{
		{"short-read", readIt + "check(b)\nclose(d)\n", results.Wrong, 100, justRead},
		{"die", readIt, results.Crash, 100, justRead},
		{"corrupt-byte", "prog proof/data\nfile A = pat1*3p\nfile B = pat2*9p\nd = open(B, rdwr)\nfsync(d)\ncheck(A)\nclose(d)\n", results.Wrong, 100,
			"file A = 'a'\ncheck(A, 'a')\n"},
		{"block-fault", bufferIt, results.Hang, 3, ""},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			left := watchForLeftovers(t)
			r := runnerIn(t, left.temp, "planted:"+c.fault, harness.Options{Deadline: time.Second, Repeats: -1})
			left.see(r)
			head, steps, _ := strings.Cut(c.text, "\nd = ")
			p := derived(t, head+"\n"+around+"d = "+steps)
			o := r.Run(t.Context(), p)
			g.Expect(o.Verdict).To(gomega.Equal(c.verdict), o.Message)
			small := r.Shrink(t.Context(), o, budget(c.tries))
			left.see(r)
			t.Logf("%d tries\n%v", small.Tries, small.Prog)
			g.Expect(small.Tries).To(gomega.BeNumerically("<=", c.tries))
			g.Expect(small.Shrunk(p)).To(gomega.BeTrue())
			g.Expect(small.Failed).To(gomega.Equal(small.Runs))
			g.Expect(small.Outcome.Verdict).To(gomega.Equal(c.verdict))
			g.Expect(small.Outcome.Prog.Steps[small.Outcome.Step].Op).To(gomega.Equal(p.Steps[o.Step].Op))
			g.Expect(len(small.Prog.Steps)).To(gomega.BeNumerically("<=", 5))
			if c.want != "" {
				g.Expect(small.Prog.String()).To(gomega.Equal("# Shrunk from " + p.Name + ".\nprog " + p.Name + "/small\n" + c.want))
			}
		})
	}
}

// Without tries, without time, or when the wish to stop has come, nothing is tried; what passes alone is no smaller failure.
func TestShrinkGivesUp(t *testing.T) {
	needFuse(t)
	g := gomega.NewWithT(t)
	r := runner(t, "planted:short-read", harness.Options{Repeats: -1})
	p := derived(t, readIt)
	o := r.Run(t.Context(), p)
	late, ended := budget(100), budget(100)
	late.Time = 0
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, small := range map[string]harness.Small{
		"no tries": r.Shrink(t.Context(), o, budget(0)), "no time": r.Shrink(t.Context(), o, late), "ended": r.Shrink(over, o, ended),
	} {
		g.Expect(small.Prog).To(gomega.BeIdenticalTo(p), name)
		g.Expect(small.Tries).To(gomega.BeZero(), name)
	}
	other := o
	other.Kind = results.DataCorruption
	small := r.Shrink(t.Context(), other, budget(5))
	g.Expect(small.Tries).To(gomega.Equal(5))
	g.Expect(small.Failed).To(gomega.BeZero())
	g.Expect(small.Shrunk(p)).To(gomega.BeFalse(), "another failure is not this one")
}
