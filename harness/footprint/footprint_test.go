package footprint

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/footprint/matrix"
	"faultline/harness/self"
	"faultline/results"
)

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

func op(name string) operation {
	return operations[slices.Index(OpNames(), name)]
}

func by(name string) onlooker {
	return onlookers[slices.Index(OnlookerNames(), name)]
}

// Every cell, and every hazard it could be, is a valid program that is read back as itself.
func TestCellsArePrograms(t *testing.T) {
	for _, o := range operations {
		for _, who := range onlookers {
			programs := []*prog.Prog{program(o, who)}
			if who.group == matrix.Faults {
				programs = append(programs, danger(o, who))
			}
			for _, p := range programs {
				if err := p.Validate(); err != nil {
					t.Errorf("%v\n%s", err, p)
				}
				again, err := prog.Parse(p.String())
				if err != nil || again.String() != p.String() {
					t.Errorf("read back: %v\n%s", err, p)
				}
			}
		}
	}
	g := gomega.NewWithT(t)
	self := danger(op("pwrite"), by("load-far")).String()
	g.Expect(self).To(gomega.HaveSuffix("m = mmap(a, shared, rw, 0, 16p)\npwrite(d, m[9p:10p], 0) -> any\n"), "loads block, and the write loads: one thread is enough")
	g.Expect(danger(op("pwrite"), by("store-far")).String()).To(gomega.ContainSubstring("serve(u[0:1p])"), "stores block, and the write does not store")
	g.Expect(danger(op("pwrite"), by("load-other")).String()).To(gomega.ContainSubstring("serve(u[0:1p])"), "another file's pages block")
}

// at is the outcome of a cell's program that was wrong at the n-th step of an operation.
func at(p *prog.Prog, verdict results.Verdict, op, actor, message string) harness.Outcome {
	o := harness.Outcome{Prog: p, Verdict: verdict, Step: -1}
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Op == op && s.Actor == actor {
			o.Step = i
		}
	}
	o.Message = fmt.Sprintf("step %d, %s: %s", o.Step+1, op, message)
	return o
}

// What a program's failure says of the cell depends on the step, and on what its repetitions say.
func TestOutcomes(t *testing.T) {
	p := program(op("pwrite"), by("munmap"))
	asleep := at(p, results.Wrong, "proceeds", "", "got EAGAIN")
	asleep.Evidence = []harness.Section{{Name: "asleep.txt", Text: "munmap(n)\next4_buffered_write_iter\nvfs_write\n"}}
	early, late := at(p, results.Hang, "pwrite", "", "blocked"), at(p, results.Hang, "munmap", "p2", "blocked")
	early.Evidence = []harness.Section{{Name: "events.txt", Text: "        40µs main begin pwrite(a, w, 0)\n"}}
	late.Evidence = []harness.Section{{Name: "events.txt", Text: "        40µs main begin stalled(u[0:1p])\n        41µs main end   stalled(u[0:1p]) = 0\n"}}
	twice := asleep
	twice.Attempts = []results.Attempt{{Verdict: results.Wrong, Message: asleep.Message + ", again"}, {Verdict: results.Pass}}
	for _, c := range []struct {
		o    harness.Outcome
		want matrix.Cell
	}{
		{harness.Outcome{Prog: p, Verdict: results.Pass}, matrix.Cell{Outcome: matrix.Proceeds, Runs: 1}},
		{harness.Outcome{Prog: p, Verdict: results.Skip, Message: "needs x"}, matrix.Cell{Outcome: matrix.Skipped, Runs: 1, Reason: "needs x"}},
		{asleep, matrix.Cell{Outcome: matrix.Blocks, Runs: 1, Lock: "the inode's lock (i_rwsem)", Stack: []string{"ext4_buffered_write_iter", "vfs_write"}}},
		{twice, matrix.Cell{Outcome: matrix.Unstable, Runs: 3, Reason: "at first blocks, and then pass", Lock: "the inode's lock (i_rwsem)", Stack: []string{"ext4_buffered_write_iter", "vfs_write"}}},
		{at(p, results.Wrong, "stalled", "", "got ESRCH"), matrix.Cell{Outcome: matrix.Untouched, Runs: 1}},
		{at(p, results.Wrong, "munmap", "p2", "got EIO"), matrix.Cell{Outcome: matrix.Fails, Runs: 1, Reason: "step 25, munmap: got EIO"}},
		{at(p, results.Wrong, "mmap", "p2", "got EIO"), matrix.Cell{Outcome: matrix.Broken, Runs: 1, Reason: "step 18, mmap: got EIO"}},
		{late, matrix.Cell{Outcome: matrix.Deadlocks, Runs: 1, Reason: "step 25, munmap: blocked"}},
		{early, matrix.Cell{Outcome: matrix.Broken, Runs: 1, Reason: "step 5, pwrite: blocked"}},
		{harness.Outcome{Prog: p, Verdict: results.Broken, Message: "x"}, matrix.Cell{Outcome: matrix.Broken, Runs: 1, Reason: "x"}},
	} {
		c.want.Stopped, c.want.Onlooker = "pwrite", "munmap"
		got := cellOf("pwrite", "munmap", c.o)
		got.Reason, c.want.Reason = steplessly(got.Reason), steplessly(c.want.Reason)
		gomega.NewWithT(t).Expect(got).To(gomega.Equal(c.want))
	}
}

// steplessly leaves out the number of a step.
func steplessly(text string) string {
	if strings.HasPrefix(text, "step ") {
		_, text, _ = strings.Cut(text, ", ")
	}
	return text
}

func TestNamesAreChecked(t *testing.T) {
	_, err := Measure(t.Context(), nil, Choice{Ops: []string{"boil"}})
	gomega.NewWithT(t).Expect(err).To(gomega.MatchError(gomega.HavePrefix(`choose operations: there is no "boil"; there are pread pread-direct`)))
	_, err = Measure(t.Context(), nil, Choice{Onlookers: []string{"boil"}})
	gomega.NewWithT(t).Expect(err).To(gomega.MatchError(gomega.HavePrefix(`choose onlookers: there is no "boil"; there are load-same`)))
}
