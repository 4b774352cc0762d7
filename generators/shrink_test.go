package generators_test

import (
	"hash/fnv"
	"os"
	"slices"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators"
	"faultline/generators/family"
	"faultline/generators/model"
	"faultline/generators/prog"
)

// Programs of every family are shrunk with the model's expectations: what is asked for is valid, in the form that the model gives it, and still has
// the operation; what comes out is small.
func TestShrinkFamilies(t *testing.T) {
	derive := func(p *prog.Prog) error { return model.Derive(p, int64(os.Getpagesize())) }
	n, steps, left := map[string]int{}, 0, 0
	some := func(name string) bool {
		h := fnv.New32a()
		h.Write([]byte(name))
		return h.Sum32()%16 == 0
	}
	for f, p := range generators.Each(family.DefaultSeed, true, some) {
		if n[f.Name]++; n[f.Name] > 8 {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			step := len(p.Steps) / 2
			failing := p.Steps[step]
			fails := func(c *prog.Prog) bool {
				again, err := prog.Parse(c.String())
				g.Expect(err).NotTo(gomega.HaveOccurred())
				g.Expect(derive(again)).To(gomega.Succeed())
				g.Expect(again.String()).To(gomega.Equal(c.String()))
				return slices.ContainsFunc(c.Steps, func(s prog.Step) bool { return s.Op == failing.Op && s.Want.String() == failing.Want.String() })
			}
			small := prog.Shrinker{Derive: derive, Fails: fails, Tries: 400}.Shrink(p, step)
			g.Expect(fails(small)).To(gomega.BeTrue())
			g.Expect(len(small.Steps)).To(gomega.BeNumerically("<", 10), "%v", small)
			steps, left = steps+len(p.Steps), left+len(small.Steps)
		})
	}
	t.Logf("%d steps became %d", steps, left)
	gomega.NewWithT(t).Expect(n).To(gomega.HaveLen(len(generators.All)), "every family was there")
}
