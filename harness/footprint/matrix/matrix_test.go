package matrix_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/footprint/matrix"
)

// sample is a small footprint: one page fault, one write and a readdir beside a read and a write.
func sample() *matrix.Footprint {
	return &matrix.Footprint{
		Target: "loop:ext4", FS: "ext4", Kernel: "6.18.0", Options: "rw,relatime", Date: time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC), Seconds: 1.5,
		Ops:       []string{"pread", "pwrite"},
		Onlookers: []matrix.Onlooker{{Name: "load-far", Group: matrix.Faults}, {Name: "pwrite", Group: matrix.SameFile}, {Name: "readdir", Group: matrix.Names}},
		Cells: []matrix.Cell{
			{Stopped: "pread", Onlooker: "load-far", Outcome: matrix.Proceeds, Runs: 1, Program: "footprint/pread/load-far"},
			{Stopped: "pread", Onlooker: "pwrite", Outcome: matrix.Proceeds, Runs: 1},
			{Stopped: "pread", Onlooker: "readdir", Outcome: matrix.Skipped, Runs: 1, Reason: "no directory"},
			{Stopped: "pwrite", Onlooker: "load-far", Outcome: matrix.Proceeds, Runs: 1},
			{Stopped: "pwrite", Onlooker: "pwrite", Outcome: matrix.Blocks, Runs: 3, Lock: "the inode lock", Stack: []string{"ext4_buffered_write_iter", "vfs_write"}},
			{Stopped: "pwrite", Onlooker: "readdir", Outcome: matrix.Proceeds, Runs: 1},
		},
		Hazards: []matrix.Hazard{{Stopped: "pwrite", Onlooker: "load-far", Program: "prog x\n", Proof: matrix.Untried}},
	}
}

// set changes the outcome of a cell.
func set(f *matrix.Footprint, stopped, onlooker string, o matrix.Outcome) {
	f.Find(stopped, onlooker).Outcome = o
}

func TestWrittenAndReadBack(t *testing.T) {
	g := gomega.NewWithT(t)
	var b bytes.Buffer
	g.Expect(matrix.Write(&b, []*matrix.Footprint{sample(), sample()})).To(gomega.Succeed())
	all, err := matrix.Read(&b)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(all).To(gomega.Equal([]*matrix.Footprint{sample(), sample()}))
}

func TestFilesThatAreRefused(t *testing.T) {
	written := func(change func(f *matrix.Footprint)) string {
		f := sample()
		change(f)
		var b bytes.Buffer
		if err := matrix.Write(&b, []*matrix.Footprint{f}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	whole := written(func(*matrix.Footprint) {})
	for name, text := range map[string]string{
		"not JSON":            "footprint",
		"cut short":           whole[:len(whole)/2],
		"JSON of others":      `{"footprints": []}`,
		"newer":               strings.Replace(whole, `"faultline_footprints": 1`, `"faultline_footprints": 2`, 1),
		"null":                `{"faultline_footprints": 1, "footprints": [null]}`,
		"unknown call":        written(func(f *matrix.Footprint) { f.Ops = f.Ops[:1] }),
		"unknown onlooker":    written(func(f *matrix.Footprint) { f.Onlookers = f.Onlookers[:1] }),
		"unknown group":       written(func(f *matrix.Footprint) { f.Onlookers[0].Group = "neighbours" }),
		"unknown outcome":     written(func(f *matrix.Footprint) { f.Cells[0].Outcome = "sleeps" }),
		"the same cell twice": written(func(f *matrix.Footprint) { f.Cells[1] = f.Cells[0] }),
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			g.Expect(text).NotTo(gomega.Equal(whole))
			_, err := matrix.Read(strings.NewReader(text))
			g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("read footprints")))
		})
	}
}

func TestHazardsAreFaultsThatAreHeld(t *testing.T) {
	g := gomega.NewWithT(t)
	f := sample()
	hazards := func() (all []string) {
		for i := range f.Cells {
			if c := &f.Cells[i]; f.IsHazard(c) {
				all = append(all, c.Stopped+"/"+c.Onlooker)
			}
		}
		return all
	}
	g.Expect(hazards()).To(gomega.BeEmpty(), "a write that waits is none")
	set(f, "pread", "load-far", matrix.Blocks)
	set(f, "pwrite", "load-far", matrix.Deadlocks)
	g.Expect(hazards()).To(gomega.Equal([]string{"pread/load-far", "pwrite/load-far"}))
	set(f, "pread", "load-far", matrix.Fails)
	g.Expect(hazards()).To(gomega.Equal([]string{"pwrite/load-far"}))
}
