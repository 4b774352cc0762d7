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
		if err == nil && tg.Lacks("stall") != "" {
			why := tg.Lacks("stall")
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

// Who freezes waits for the write, and thaws; an unmount is refused at once. What would wait for other file systems of this machine is not tried.
func TestOnlookersOfTheWholeFileSystem(t *testing.T) {
	g := gomega.NewWithT(t)
	f := measured(t, "loop:ext4", Choice{Ops: []string{"pread", "pwrite"}, Onlookers: []string{"freeze", "umount"}})
	g.Expect(outcomes(f)).To(gomega.Equal(map[string]matrix.Outcome{
		"pread freeze": matrix.Proceeds, "pread umount": matrix.Fails, "pwrite freeze": matrix.Blocks, "pwrite umount": matrix.Fails,
	}), picture.Text(f, false))
	g.Expect(f.Find("pwrite", "freeze").Lock).To(gomega.Equal("the writers of the file system (s_writers)"))

	f = measured(t, "dir:"+t.TempDir(), Choice{Ops: []string{"pread"}, Onlookers: []string{"stat", "freeze", "umount", "sync", "drop_caches"}})
	g.Expect(outcomes(f)).To(gomega.Equal(map[string]matrix.Outcome{
		"pread stat": matrix.Proceeds, "pread freeze": matrix.Skipped, "pread umount": matrix.Skipped, "pread sync": matrix.Skipped, "pread drop_caches": matrix.Skipped,
	}), picture.Text(f, false))
	g.Expect(f.Find("pread", "freeze").Reason).To(gomega.ContainSubstring("the file system is not ours"))

	g.Expect(by("sync").refuses(true, true, false)).To(gomega.BeEmpty(), "in a guest")
	g.Expect(by("sync").refuses(false, true, true)).To(gomega.BeEmpty(), "by name")
	g.Expect(by("sync").refuses(false, true, false)).To(gomega.ContainSubstring("name it"))
	g.Expect(by("stat").refuses(false, false, false)).To(gomega.BeEmpty())
}

// policyOf tells from a footprint alone what a server does to the buffer of a write: nothing, or it touches it with a lock held, where that hangs or where the
// holder's own fault is let through, or it gives the lock back before.
func policyOf(f *matrix.Footprint) string {
	c := f.Copy("pwrite")
	switch {
	case c == nil || c.Reason != "":
		return "not counted"
	case c.Server == 0 && c.Kernel == 1 && len(f.Hazards) == 0:
		return "kernel"
	case c.Server == 1 && c.UnderLock == 0 && c.Outside > 0 && len(f.Hazards) == 0:
		return "nofault"
	case c.Server == 1 && c.UnderLock > 0 && len(f.Hazards) == 1 && f.Hazards[0].Proof == matrix.Proved:
		return "faulting"
	case c.Server == 1 && c.UnderLock > 0 && len(f.Hazards) == 1 && f.Hazards[0].Proof == matrix.Refuted:
		return "recursive"
	}
	return "none of the four"
}

// The bundled GFS2 copies as it is told to: where it holds its glock over a copy that may fault, page faults block. Whether that ends in a hang depends
// on what the holder's own fault is granted. Where nothing blocks, the server's own counts tell who has copied.
func TestPoliciesAreToldApart(t *testing.T) {
	for _, policy := range []string{"faulting", "recursive", "nofault", "kernel"} {
		t.Run(policy, func(t *testing.T) {
			g := gomega.NewWithT(t)
			f := measured(t, "fuse:copy="+policy, Choice{Ops: []string{"pwrite"}, Onlookers: []string{"load-far", "load-other", "stat"}, Prove: true, Deadline: time.Second})
			g.Expect(policyOf(f)).To(gomega.Equal(policy), picture.Text(f, false))
			baseline, err := matrix.Known(f.FS)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			held, beyond := matrix.Proceeds, 0
			if policy == "faulting" || policy == "recursive" {
				held, beyond = matrix.Blocks, 2
				g.Expect(f.Hazards[0].Onlooker).To(gomega.Equal("load-far"))
			}
			g.Expect(baseline.Beyond(f)).To(gomega.HaveLen(beyond), "the default policy, and no other file system's kernel, is what it is held against")
			g.Expect(outcomes(f)).To(gomega.Equal(map[string]matrix.Outcome{"pwrite load-far": held, "pwrite load-other": matrix.Proceeds, "pwrite stat": held}), picture.Text(f, false))
		})
	}
}

// What a server leaves to the kernel is told for each call; file systems without a server that counts have no such rows.
func TestWhoCopiesEachCall(t *testing.T) {
	g := gomega.NewWithT(t)
	all := Choice{Ops: []string{"pread", "pread-direct", "pwrite-append", "getdents", "uring_read", "fiemap"}, Onlookers: []string{"stat"}}
	f := measured(t, "fuse:copy=nofault", all)
	var got []string
	for _, c := range f.Copies {
		got = append(got, c.Stopped+": "+c.Words())
	}
	g.Expect(got).To(gomega.Equal([]string{
		"pread: by server 1, retries 1, faults free 1", "pread-direct: by server 1, retries 1, faults free 1", "pwrite-append: by server 1, faults free 1",
		"fiemap: not counted (" + f.Find("fiemap", "stat").Reason + ")", "getdents: by kernel 1", "uring_read: by kernel 1",
	}))
	g.Expect(measured(t, "tmpfs:", all).Copies).To(gomega.BeEmpty())
	g.Expect(measured(t, "planted:none", all).Copies).To(gomega.BeEmpty())
}

// A server that holds a lock over the user copy of its readers is in the cells of who wants that lock, and in no other: if a page fault does, it is
// a hazard.
func TestAPlantedLockIsInItsCell(t *testing.T) {
	all := []string{"load-same", "load-far", "store-far", "load-other", "stat", "pwrite", "truncate", "truncate-other", "create"}
	for _, c := range []struct {
		fault, op string
		held      []string
		hazards   int
	}{
		{"none", "pread", nil, 0},
		{"keep-lock", "pread", []string{"load-far", "store-far"}, 1},
		{"keep-lock", "statx", nil, 0},
		{"keep-size", "pread", []string{"truncate"}, 0},
	} {
		t.Run(c.fault+"/"+c.op, func(t *testing.T) {
			g := gomega.NewWithT(t)
			f := measured(t, "planted:"+c.fault, Choice{Ops: []string{c.op}, Onlookers: all})
			want := map[string]matrix.Outcome{}
			for _, by := range all {
				want[c.op+" "+by] = matrix.Proceeds
			}
			for _, by := range c.held {
				want[c.op+" "+by] = matrix.Blocks
			}
			g.Expect(outcomes(f)).To(gomega.Equal(want), picture.Text(f, false))
			g.Expect(f.Hazards).To(gomega.HaveLen(c.hazards))
		})
	}
}

// A server that never answers one kind of request is in the cells of that request. Where the request hangs before anything is stopped, that says nothing of
// locks: no cell is measured, and no page fault is a hazard.
func TestAServerThatHangs(t *testing.T) {
	for op, want := range map[string]matrix.Outcome{"pread": matrix.Broken, "pwrite": matrix.Deadlocks} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			f := measured(t, "planted:block-read", Choice{Ops: []string{op}, Onlookers: []string{"load-other"}, Deadline: 200 * time.Millisecond})
			g.Expect(f.Cells[0].Outcome).To(gomega.Equal(want), picture.Text(f, false))
			g.Expect(len(f.Hazards) > 0).To(gomega.Equal(want == matrix.Deadlocks))
		})
	}
}
