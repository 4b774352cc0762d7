package footprint

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/harness/self"
	"faultline/results"
)

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

// Every cell, and every hazard it could be, is a valid program that is read back as itself.
func TestCellsArePrograms(t *testing.T) {
	for _, o := range operations {
		for _, who := range onlookers {
			programs := []*prog.Prog{program(o, who)}
			if isTouch(who.name) {
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
	self := danger(operations[2], onlookers[2]).String()
	g.Expect(self).To(gomega.HaveSuffix("m = mmap(a, shared, rw, 0, 16p)\npwrite(d, m[9p:10p], 0) -> any\n"), "loads block, and the write loads: one thread is enough")
	g.Expect(danger(operations[2], onlookers[3]).String()).To(gomega.ContainSubstring("serve(u[0:1p])"), "stores block, and the write does not store")
	g.Expect(danger(operations[2], onlookers[4]).String()).To(gomega.ContainSubstring("serve(u[0:1p])"), "another file's pages block")
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
	p := program(operations[2], onlookers[9])
	asleep := at(p, results.Wrong, "proceeds", "", "got EAGAIN")
	asleep.Evidence = []harness.Section{{Name: "asleep.txt", Text: "munmap(n)\next4_buffered_write_iter\nvfs_write\n"}}
	twice := asleep
	twice.Attempts = []results.Attempt{{Verdict: results.Wrong, Message: asleep.Message + ", again"}, {Verdict: results.Pass}}
	for _, c := range []struct {
		o    harness.Outcome
		want Cell
	}{
		{harness.Outcome{Prog: p, Verdict: results.Pass}, Cell{Outcome: Proceeds, Runs: 1}},
		{harness.Outcome{Prog: p, Verdict: results.Skip, Message: "needs x"}, Cell{Outcome: Skipped, Runs: 1, Why: "needs x"}},
		{asleep, Cell{Outcome: Blocks, Runs: 1, Why: "waiting for the inode lock in ext4_buffered_write_iter", Stack: []string{"ext4_buffered_write_iter", "vfs_write"}}},
		{twice, Cell{Outcome: Varies, Runs: 3, Why: "blocks at first (waiting for the inode lock in ext4_buffered_write_iter), and then pass", Stack: []string{"ext4_buffered_write_iter", "vfs_write"}}},
		{at(p, results.Wrong, "stalled", "", "got ESRCH"), Cell{Outcome: Untouched, Runs: 1}},
		{at(p, results.Wrong, "munmap", "p2", "got EIO"), Cell{Outcome: Fails, Runs: 1, Why: "step 25, munmap: got EIO"}},
		{at(p, results.Wrong, "mmap", "p2", "got EIO"), Cell{Outcome: Broken, Runs: 1, Why: "step 18, mmap: got EIO"}},
		{at(p, results.Hang, "munmap", "p2", "blocked"), Cell{Outcome: Deadlocks, Runs: 1, Why: "step 25, munmap: blocked"}},
		{harness.Outcome{Prog: p, Verdict: results.Broken, Message: "x"}, Cell{Outcome: Broken, Runs: 1, Why: "x"}},
	} {
		c.want.Op, c.want.Onlooker = "pwrite", "munmap"
		got := cellOf("pwrite", "munmap", c.o)
		got.Why, c.want.Why = steplessly(got.Why), steplessly(c.want.Why)
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

func table() *Footprint {
	return &Footprint{Target: "loop:ext4", FS: "ext4", Kernel: "9.9", Seconds: 1, Cells: []Cell{
		{Op: "pread", Onlooker: "load-far", Outcome: Proceeds}, {Op: "pread", Onlooker: "pwrite", Outcome: Blocks, Why: "waiting for <a lock>", Stack: []string{"down_write"}},
		{Op: "pwrite", Onlooker: "load-far", Outcome: Blocks, Why: "waiting for a page"}, {Op: "pwrite", Onlooker: "pwrite", Outcome: Blocks},
	}, Hazards: []Hazard{{Op: "pwrite", Onlookers: []string{"load-far"}, Why: "waiting for a page", Program: "prog x\nload(m)\n", Proof: "hang"}}}
}

func TestText(t *testing.T) {
	gomega.NewWithT(t).Expect(table().Text()).To(gomega.Equal(`loop:ext4: ext4, 9.9; 4 cells in 1.0 s

       l
       o
       a p
       d w
       - r
       f i
       a t
       r e
pread  . B
pwrite B B

. proceeds  B blocks until the stopped call is let go  D deadlocks  E fails  ? varies  - the call does not touch its buffer
pwrite while pread is stopped: blocks, waiting for <a lock>
load-far while pwrite is stopped: blocks, waiting for a page
pwrite while pwrite is stopped: blocks

HAZARD fault-under-lock: while pwrite is stopped in its user copy, page faults block (load-far), waiting for a page; this hangs:
    prog x
    load(m)
`))
}

// The page is one file of well-formed SVG, with all that is written in it escaped.
func TestHTML(t *testing.T) {
	g := gomega.NewWithT(t)
	page := HTML([]*Footprint{table()})
	g.Expect(page).To(gomega.ContainSubstring("waiting for &lt;a lock&gt;\ndown_write"))
	g.Expect(page).NotTo(gomega.MatchRegexp(`(src|href)=`), "it needs nothing from elsewhere")
	from, to := strings.Index(page, "<svg"), strings.Index(page, "</svg>")+len("</svg>")
	g.Expect(from).To(gomega.BeNumerically(">", 0))
	var svg struct {
		Cells []struct{} `xml:"g"`
	}
	g.Expect(xml.Unmarshal([]byte(page[from:to]), &svg)).To(gomega.Succeed())
	g.Expect(svg.Cells).To(gomega.HaveLen(4))
}

// A kernel that holds a lock longer is told in one line; the two sides of a comparison may have different cells.
func TestDiffAndBaseline(t *testing.T) {
	g := gomega.NewWithT(t)
	old, now := table(), table()
	g.Expect(Diff([]*Footprint{old}, []*Footprint{now})).To(gomega.BeEmpty())
	now.Cells[0].Outcome, now.Cells[0].Why = Blocks, "waiting for a glock"
	now.Cells = append(now.Cells[:3:3], Cell{Op: "statx", Onlooker: "stat", Outcome: Blocks})
	g.Expect(Diff([]*Footprint{old}, []*Footprint{now})).To(gomega.Equal([]string{"loop:ext4: load-far while pread is stopped: proceeds -> blocks (waiting for a glock)"}))
	now.Kernel = "10.0"
	g.Expect(Diff([]*Footprint{now}, []*Footprint{old})[0]).To(gomega.HavePrefix("loop:ext4, 10.0 -> loop:ext4, 9.9: load-far"))
	g.Expect(Diff([]*Footprint{now}, nil)).To(gomega.Equal([]string{"1 tables on one side, 0 on the other"}))

	g.Expect(old.Beyond()).To(gomega.Equal([]string{
		"pwrite now blocks while pread is stopped: waiting for <a lock>", "load-far now blocks while pwrite is stopped: waiting for a page",
	}), "what ext4 is known for is no news")
	old.FS = "a file system without a baseline"
	g.Expect(old.Beyond()).To(gomega.BeEmpty())
	g.Expect(table().Baseline()).To(gomega.HaveSuffix("pread: pwrite\npwrite: load-far pwrite\n"))
	for _, fs := range []string{"ext4", "xfs", "btrfs", "tmpfs"} {
		blocks, known := baseline(fs)
		g.Expect(known).To(gomega.BeTrue(), fs)
		for op, list := range blocks {
			g.Expect(OpNames()).To(gomega.ContainElement(op))
			for _, name := range list {
				g.Expect(OnlookerNames()).To(gomega.ContainElement(name))
				g.Expect(isTouch(name)).To(gomega.BeFalse(), "page faults block nowhere")
			}
		}
	}
}

func TestTablesAreReadBack(t *testing.T) {
	g := gomega.NewWithT(t)
	text, err := json.Marshal(table())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	var again Footprint
	g.Expect(json.Unmarshal(text, &again)).To(gomega.Succeed())
	g.Expect(&again).To(gomega.Equal(table()))
}

func TestNamesAreChecked(t *testing.T) {
	_, err := Measure(t.Context(), nil, Choice{Ops: []string{"boil"}})
	gomega.NewWithT(t).Expect(err).To(gomega.MatchError(gomega.HavePrefix(`choose operations: there is no "boil"; there are pread pread-direct`)))
	_, err = Measure(t.Context(), nil, Choice{Onlookers: []string{"boil"}})
	gomega.NewWithT(t).Expect(err).To(gomega.MatchError(gomega.HavePrefix(`choose onlookers: there is no "boil"; there are load-same`)))
}
