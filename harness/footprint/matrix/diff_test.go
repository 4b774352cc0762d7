package matrix_test

import (
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/footprint/matrix"
)

func lines(c matrix.Comparison) (all []string) {
	for _, change := range c.Changes() {
		all = append(all, change.String())
	}
	return all
}

func TestNothingDiffersFromItself(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(matrix.Comparison{Old: sample(), New: sample()}.Changes()).To(gomega.BeEmpty())
}

func TestWorseComesFirstAndHazardsBeforeAll(t *testing.T) {
	g := gomega.NewWithT(t)
	old, now := sample(), sample()
	set(now, "pwrite", "pwrite", matrix.Proceeds)
	set(now, "pwrite", "readdir", matrix.Deadlocks)
	set(now, "pread", "pwrite", matrix.Blocks)
	*now.Find("pread", "readdir") = matrix.Cell{Stopped: "pread", Onlooker: "readdir", Outcome: matrix.Proceeds}
	set(now, "pwrite", "load-far", matrix.Blocks)
	now.Find("pwrite", "load-far").Lock = "a glock"
	c := matrix.Comparison{Old: old, New: now}
	g.Expect(lines(c)).To(gomega.Equal([]string{
		"HAZARD   pwrite stopped, load-far: proceeds -> blocks on a glock",
		"worse    pwrite stopped, readdir: proceeds -> deadlocks",
		"worse    pread stopped, pwrite: proceeds -> blocks",
		"changed  pread stopped, readdir: skipped (no directory) -> proceeds",
		"better   pwrite stopped, pwrite: blocks on the inode lock -> proceeds",
	}))
	for i, worse := range []bool{true, true, true, false, false} {
		g.Expect(c.Changes()[i].Worse()).To(gomega.Equal(worse), lines(c)[i])
	}
}

func TestEveryPairOfOutcomes(t *testing.T) {
	rising := []matrix.Outcome{matrix.Proceeds, matrix.Unstable, matrix.Blocks, matrix.Fails, matrix.Deadlocks}
	mute := []matrix.Outcome{matrix.Untouched, matrix.Skipped, matrix.Broken}
	g := gomega.NewWithT(t)
	change := func(a, b matrix.Outcome) matrix.Change {
		return matrix.Change{Old: matrix.Cell{Outcome: a}, New: matrix.Cell{Outcome: b}}
	}
	for i, a := range rising {
		for j, b := range rising {
			g.Expect(change(a, b).Worse()).To(gomega.Equal(j > i), "%s -> %s", a, b)
			g.Expect(change(a, b).Better()).To(gomega.Equal(j < i), "%s -> %s", a, b)
		}
		for _, b := range mute {
			for _, c := range []matrix.Change{change(a, b), change(b, a)} {
				g.Expect(c.Worse() || c.Better()).To(gomega.BeFalse(), "%s -> %s", c.Old.Outcome, c.New.Outcome)
			}
		}
	}
	g.Expect(len(rising) + len(mute)).To(gomega.Equal(len(matrix.Outcomes)))
}

func TestCellsOfOneSideOnly(t *testing.T) {
	g := gomega.NewWithT(t)
	old, now := sample(), sample()
	now.Cells = now.Cells[:5]
	g.Expect(lines(matrix.Comparison{Old: old, New: now})).To(gomega.Equal([]string{"changed  pwrite stopped, readdir: proceeds -> not measured"}))
	g.Expect(lines(matrix.Comparison{Old: now, New: old})).To(gomega.Equal([]string{"changed  pwrite stopped, readdir: not measured -> proceeds"}))

	set(old, "pwrite", "load-far", matrix.Blocks)
	now.Cells = nil
	first := matrix.Comparison{Old: now, New: old}.Changes()[0]
	g.Expect(first.String()).To(gomega.Equal("HAZARD   pwrite stopped, load-far: not measured -> blocks"))
	g.Expect(first.Worse()).To(gomega.BeTrue())
}

func TestPairing(t *testing.T) {
	g := gomega.NewWithT(t)
	named := func(targets ...string) (all []*matrix.Footprint) {
		for _, target := range targets {
			f := sample()
			f.Target = target
			all = append(all, f)
		}
		return all
	}
	titles := func(pairs []matrix.Comparison) (all []string) {
		for _, p := range pairs {
			all = append(all, p.Title())
		}
		return all
	}
	pairs, err := matrix.Pair(named("a", "b"), named("b", "a"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(titles(pairs)).To(gomega.Equal([]string{"a on 6.18.0", "b on 6.18.0"}))

	pairs, err = matrix.Pair(named("a", "b"), named("c", "d"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(titles(pairs)).To(gomega.Equal([]string{"a on 6.18.0 -> c on 6.18.0", "b on 6.18.0 -> d on 6.18.0"}))

	_, err = matrix.Pair(named("a", "b"), named("a", "c"))
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("on one only")))
	_, err = matrix.Pair(named("a", "b"), named("a"))
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("2 on one side, 1 on the other")))
}
