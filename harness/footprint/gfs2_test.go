package footprint

import (
	"os"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/footprint/matrix"
	"faultline/harness/footprint/picture"
)

// The bug of gfs2 that Linux 5.16 mends, and that of its fiemap, without a hang: page faults wait for a call that is stopped in its user copy. With
// FAULTLINE_SOAK=1 the direct calls too, and the programs of the hazards hang or run into the kernel's trap, each in a guest of its own.
func TestHazardsOfGFS2BeforeTheMend(t *testing.T) {
	g := gomega.NewWithT(t)
	ops, soak := []string{"pread", "pwrite", "fiemap"}, os.Getenv("FAULTLINE_SOAK") == "1"
	if soak {
		ops = append(ops, "pread-direct", "pwrite-direct")
	}
	f := measured(t, "uml:5.10,fs=gfs2", Choice{Ops: ops, Onlookers: []string{"load-far", "store-far", "load-other", "stat"}, Prove: soak})
	want := map[string]matrix.Outcome{}
	for _, op := range ops {
		want[op+" load-far"], want[op+" store-far"], want[op+" load-other"], want[op+" stat"] = matrix.Blocks, matrix.Blocks, matrix.Proceeds, matrix.Proceeds
	}
	// A read holds the glock shared, as fiemap does, and a load wants it so too; a write holds it alone, and a stat waits for it.
	want["pread load-far"], want["fiemap load-far"], want["pwrite stat"] = matrix.Proceeds, matrix.Proceeds, matrix.Blocks
	g.Expect(outcomes(f)).To(gomega.Equal(want), picture.Text(f, false))
	g.Expect(f.Hazards).To(gomega.HaveLen(len(ops)))
	for _, h := range f.Hazards {
		g.Expect(h.Lock).To(gomega.ContainSubstring("glock"), h.Stopped)
		if soak {
			g.Expect(h.Proof).To(gomega.Equal(matrix.Proved), "%s\n%s", h.Stopped, h.Program)
		}
	}
	baseline, err := matrix.Known("gfs2")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(baseline.Beyond(f)).To(gomega.ContainElement(gomega.And(
		gomega.HavePrefix("while pwrite is stopped in its user copy, load-far now blocks on the glock of the inode (gfs2_glock_nq); it did not on gfs2 on 6.1")),
	), "a kernel that holds a lock longer than the baseline is told of in one line")
}

// Mended, no page fault waits, and nothing blocks that the baseline does not know of.
func TestGFS2IsWithinItsBaseline(t *testing.T) {
	for _, spec := range []string{"uml:6.1,fs=gfs2", "uml:7.2,fs=gfs2"} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			f := measured(t, spec, Choice{Ops: []string{"pread", "pwrite", "fiemap"}, Onlookers: []string{"load-far", "store-far", "load-other", "stat", "pwrite", "truncate", "create"}})
			baseline, err := matrix.Known("gfs2")
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(baseline.Beyond(f)).To(gomega.BeEmpty(), picture.Text(f, false))
			g.Expect(f.Hazards).To(gomega.BeEmpty(), picture.Text(f, false))
			g.Expect(f.Find("pwrite", "truncate").Outcome).To(gomega.Equal(matrix.Blocks))
		})
	}
}
