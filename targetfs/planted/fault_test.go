package planted_test

import (
	"slices"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/targetfs/planted"
)

func TestSpecAndFaultAreInverse(t *testing.T) {
	g := gomega.NewWithT(t)
	specs := []string{"eio,nth=3", "tear-write,each=2", "corrupt-byte,rate=10,seed=7", "slow,delay=250ms"}
	for _, fault := range planted.Faults {
		specs = append(specs, fault.String())
	}
	for _, spec := range specs {
		fault, err := planted.Parse(spec)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(fault.String()).To(gomega.Equal(spec))
	}
}

func TestParseKeepsTheRow(t *testing.T) {
	g := gomega.NewWithT(t)
	fault, err := planted.Parse("slow,nth=2,delay=5s")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	at := slices.IndexFunc(planted.Faults, func(f planted.Fault) bool { return f.Name == planted.Slow })
	want := planted.Faults[at]
	want.Nth, want.Delay = 2, 5*time.Second
	g.Expect(fault).To(gomega.Equal(want))
	g.Expect(planted.Faults[at].Nth).To(gomega.BeZero(), "the table is not changed")
}

func TestBadSpecIsExplained(t *testing.T) {
	for spec, want := range map[string]string{
		"":                   `fault "": no fault is called ""; there are none, block-read, `,
		"blok":               `no fault is called "blok"`,
		"eio,":               `fault "eio,": option "": want KEY=VALUE with a key of nth, each, rate, seed, delay`,
		"eio,often":          `option "often": want KEY=VALUE`,
		"eio,from=3":         `option "from=3": want a key of nth, each, rate, seed, delay, not "from"`,
		"eio,nth=0":          `option "nth=0": want a whole number from 1, not "0"`,
		"eio,each=x":         `want a whole number from 1, not "x"`,
		"eio,rate=2,seed=-1": `option "seed=-1": want a number of 64 bits, not "-1"`,
		"slow,delay=3":       `option "delay=3": want a time like 3s or 500ms, not "3"`,
		"slow,delay=-3s":     `not "-3s"`,
		"eio,delay=3s":       `delay is an option of "slow" only`,
		"eio,seed=3":         `seed chooses for rate; want rate too`,
		"eio,nth=1,rate=2":   `nth, each and rate exclude each other`,
		"none,nth=1":         `"none" never fires`,
	} {
		_, err := planted.Parse(spec)
		gomega.NewWithT(t).Expect(err).To(gomega.MatchError(gomega.ContainSubstring(want)), spec)
	}
}

func TestTableIsComplete(t *testing.T) {
	g := gomega.NewWithT(t)
	names := map[string]bool{}
	for _, fault := range planted.Faults {
		g.Expect(names).NotTo(gomega.HaveKey(fault.Name), "twice")
		names[fault.Name] = true
		g.Expect(fault.Doc).NotTo(gomega.BeEmpty(), fault.Name)
		g.Expect(fault.Fires).NotTo(gomega.BeEmpty(), fault.Name)
		g.Expect(fault.Verdict).To(gomega.BeElementOf("pass", "wrong", "hang", "crash"), fault.Name)
	}
	g.Expect(planted.Faults[0].Name).To(gomega.Equal(planted.None))
}
