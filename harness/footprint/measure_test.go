package footprint

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness"
	"faultline/harness/footprint/matrix"
	"faultline/harness/footprint/picture"
	"faultline/harness/target"
)

// measured is the table of a target; the test is skipped where there is none, or nobody can be stopped.
func measured(t *testing.T, spec string, c Choice) *matrix.Footprint {
	t.Helper()
	open := func(ctx context.Context) (target.Target, error) {
		tg, err := target.Open(ctx, spec, target.Options{Temp: t.TempDir()})
		if err == nil && tg.Lacks("userfaultfd") != "" {
			why := tg.Lacks("userfaultfd")
			return nil, errors.Join(&target.Missing{Spec: spec, What: []string{why}}, tg.Close(ctx))
		}
		return tg, err
	}
	f, err := Measure(t.Context(), harness.Opener(open), c)
	var missing *target.Missing
	if errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func outcomes(f *matrix.Footprint) map[string]matrix.Outcome {
	all := map[string]matrix.Outcome{}
	for _, c := range f.Cells {
		all[c.Stopped+" "+c.Onlooker] = c.Outcome
	}
	return all
}

// What is known of file systems comes out: no page fault blocks, and what does is in the baseline.
func TestFootprintsOfThisKernel(t *testing.T) {
	for spec, want := range map[string]map[string]matrix.Outcome{
		"tmpfs:": {
			"pread store-same": matrix.Proceeds, "pread pwrite": matrix.Proceeds, "pread fsync": matrix.Proceeds,
			"pwrite store-same": matrix.Proceeds, "pwrite pwrite": matrix.Blocks, "pwrite fsync": matrix.Proceeds,
		},
		"loop:ext4": {
			"pread store-same": matrix.Proceeds, "pread pwrite": matrix.Proceeds, "pread fsync": matrix.Proceeds,
			"pwrite store-same": matrix.Proceeds, "pwrite pwrite": matrix.Blocks, "pwrite fsync": matrix.Proceeds,
		},
		"loop:xfs": {
			"pread store-same": matrix.Proceeds, "pread pwrite": matrix.Blocks, "pread fsync": matrix.Proceeds,
			"pwrite store-same": matrix.Proceeds, "pwrite pwrite": matrix.Blocks, "pwrite fsync": matrix.Proceeds,
		},
		"loop:btrfs": {
			"pread store-same": matrix.Proceeds, "pread pwrite": matrix.Proceeds, "pread fsync": matrix.Proceeds,
			"pwrite store-same": matrix.Proceeds, "pwrite pwrite": matrix.Blocks, "pwrite fsync": matrix.Blocks,
		},
	} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			f := measured(t, spec, Choice{Ops: []string{"pread", "pwrite"}, Onlookers: []string{"store-same", "pwrite", "fsync"}})
			g.Expect(outcomes(f)).To(gomega.Equal(want), picture.Text(f, false))
			g.Expect(f.Hazards).To(gomega.BeEmpty())
			baseline, err := matrix.Known(f.FS)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(baseline.Beyond(f)).To(gomega.BeEmpty())
			blocked := f.Find("pwrite", "pwrite")
			g.Expect(blocked.Runs).To(gomega.Equal(1+repeats), "what blocks is tried again")
			g.Expect(blocked.Lock).To(gomega.Equal("the inode's lock (i_rwsem)"))
			g.Expect(blocked.Stack).NotTo(gomega.BeEmpty())
		})
	}
}

// The bundled GFS2 copies as it is told to: where it holds its glock over a copy that may fault, page faults block. Whether that ends in a hang depends
// on what the holder's own fault is granted.
func TestPoliciesAreToldApart(t *testing.T) {
	for policy, proof := range map[string]matrix.Proof{"faulting": matrix.Proved, "recursive": matrix.Refuted, "nofault": "", "kernel": ""} {
		t.Run(policy, func(t *testing.T) {
			g := gomega.NewWithT(t)
			f := measured(t, "fuse:copy="+policy, Choice{Ops: []string{"pwrite"}, Onlookers: []string{"load-far", "load-other", "stat"}, Prove: true, Deadline: time.Second})
			if proof == "" {
				g.Expect(outcomes(f)).To(gomega.Equal(map[string]matrix.Outcome{"pwrite load-far": matrix.Proceeds, "pwrite load-other": matrix.Proceeds, "pwrite stat": matrix.Proceeds}), picture.Text(f, false))
				g.Expect(f.Hazards).To(gomega.BeEmpty())
				return
			}
			g.Expect(outcomes(f)).To(gomega.Equal(map[string]matrix.Outcome{"pwrite load-far": matrix.Blocks, "pwrite load-other": matrix.Proceeds, "pwrite stat": matrix.Blocks}), picture.Text(f, false))
			g.Expect(f.Hazards).To(gomega.HaveLen(1))
			g.Expect(f.Hazards[0].Onlooker).To(gomega.Equal("load-far"))
			g.Expect(f.Hazards[0].Proof).To(gomega.Equal(proof), picture.Text(f, false))
		})
	}
}

// A server that never answers one kind of request is in the cells of that request, and in no other.
func TestAPlantedLockIsInItsCell(t *testing.T) {
	g := gomega.NewWithT(t)
	f := measured(t, "planted:block-read", Choice{Ops: []string{"pwrite"}, Onlookers: []string{"stat", "pread-other", "pwrite-other"}, Deadline: 500 * time.Millisecond})
	g.Expect(outcomes(f)).To(gomega.Equal(map[string]matrix.Outcome{"pwrite stat": matrix.Proceeds, "pwrite pread-other": matrix.Deadlocks, "pwrite pwrite-other": matrix.Proceeds}), picture.Text(f, false))
}
