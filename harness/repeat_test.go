package harness

import (
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/machine"
	"faultline/results"
)

// aGuest is a machine that goes with its target.
type aGuest struct{ machine.Local }

func (aGuest) Facts() machine.Facts { return machine.Facts{Disposable: true} }

func TestRepeats(t *testing.T) {
	panicked := Outcome{Verdict: results.Crash, Kind: results.KernelPanic, Signature: "a < b"}
	hung := Outcome{Verdict: results.Hang, Kind: results.KernelHang, Signature: "a < b"}
	other := Outcome{Verdict: results.Crash, Kind: results.KernelPanic, Signature: "c < d"}
	nameless := Outcome{Verdict: results.Crash, Kind: results.KernelPanic}
	wrong := Outcome{Verdict: results.Wrong, Kind: results.Semantics, Signature: "a < b"}
	always := func(o Outcome) Outcome {
		o.Attempts = []results.Attempt{{Verdict: o.Verdict}, {Verdict: o.Verdict}}
		return o
	}
	sometimes := func(o Outcome) Outcome {
		o.Attempts = []results.Attempt{{Verdict: o.Verdict}, {Verdict: results.Pass}}
		return o
	}
	for name, c := range map[string]struct {
		on     machine.Machine
		before []Outcome
		o      Outcome
		left   int
	}{
		"the first":                  {aGuest{}, nil, panicked, 2},
		"the second":                 {aGuest{}, []Outcome{always(panicked)}, panicked, 2},
		"the third":                  {aGuest{}, []Outcome{always(panicked), always(panicked)}, panicked, 0},
		"others passed once":         {aGuest{}, []Outcome{always(panicked), sometimes(panicked)}, panicked, 2},
		"others were run once":       {aGuest{}, []Outcome{always(panicked), panicked}, panicked, 2},
		"another signature":          {aGuest{}, []Outcome{always(panicked), always(panicked)}, other, 2},
		"another verdict":            {aGuest{}, []Outcome{always(panicked), always(panicked)}, hung, 2},
		"no signature":               {aGuest{}, []Outcome{always(nameless), always(nameless)}, nameless, 2},
		"no guest":                   {machine.Local{}, []Outcome{always(hung), always(hung)}, hung, 2},
		"a repetition costs nothing": {aGuest{}, []Outcome{always(wrong), always(wrong)}, wrong, 4},
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			r := &Runner{opts: Options{}.filled(), on: c.on, proven: map[failing]int{}}
			for _, o := range c.before {
				r.prove(o)
			}
			left, known := r.repeats(c.o)
			g.Expect(left).To(gomega.Equal(c.left))
			g.Expect(known).To(gomega.Equal(c.left == 0))
		})
	}
}

// A guest that fell silent once is no hang: it may have got no CPU. One that does so again is.
func TestWeigh(t *testing.T) {
	hang, pass, broken, wrong := results.Hang, results.Pass, results.Broken, results.Wrong
	for name, c := range map[string]struct {
		first     results.Verdict
		signature string
		reruns    []results.Verdict
		want      results.Verdict
	}{
		"silent, then passed":          {hang, silentGuest, []results.Verdict{pass, pass}, pass},
		"silent, then broken":          {hang, silentGuest, []results.Verdict{broken}, broken},
		"silent, broken, passed":       {hang, silentGuest, []results.Verdict{broken, pass}, pass},
		"silent twice":                 {hang, silentGuest, []results.Verdict{pass, hang}, hang},
		"silent, then wrong":           {hang, silentGuest, []results.Verdict{wrong, pass}, hang},
		"another hang, then passed":    {hang, "a < b", []results.Verdict{pass}, hang},
		"broken, then passed":          {broken, "", []results.Verdict{broken, pass}, pass},
		"broken each time":             {broken, "", []results.Verdict{broken}, broken},
		"wrong, then passed":           {wrong, "pread", []results.Verdict{pass}, wrong},
		"silent, and could not be run": {hang, silentGuest, nil, broken},
	} {
		t.Run(name, func(t *testing.T) {
			o := Outcome{Verdict: c.first, Signature: c.signature}
			var reruns []results.Attempt
			for _, v := range c.reruns {
				reruns = append(reruns, results.Attempt{Verdict: v})
			}
			weigh(&o, reruns)
			gomega.NewWithT(t).Expect(o.Verdict).To(gomega.Equal(c.want))
		})
	}
	r := &Runner{opts: Options{Repeats: -1}, on: aGuest{}}
	left, _ := r.repeats(Outcome{Verdict: hang, Signature: silentGuest})
	gomega.NewWithT(t).Expect(left).To(gomega.Equal(1), "it is run again in any case")
}
