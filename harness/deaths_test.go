package harness_test

import (
	"os"
	"slices"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/results"
	"faultline/suites/regress"
)

// The step in which a kernel dies is known every time: it is read from the memory of the dead guest. Each death takes seconds.
func TestStepOfEveryDeath(t *testing.T) {
	if os.Getenv("FAULTLINE_SOAK") == "" {
		t.Skip("20 deaths take minutes: FAULTLINE_SOAK=1 runs them")
	}
	g := gomega.NewWithT(t)
	r := realKernel(t, "uml:5.10")
	for i := range 20 {
		o := r.Run(t.Context(), derived(t, selfRead))
		g.Expect(o.Verdict).To(gomega.Equal(results.Crash), "%d: %s", i, o.Message)
		g.Expect(o.Step).To(gomega.Equal(selfReadStep), "%d: %s", i, o.Message)
		g.Expect(sections(o)).To(gomega.ContainElement("events.txt"))
	}
}

// A hang on gfs2 comes with the kernel's own lock dump, and with who waits for whom in words. It takes a minute under QEMU.
func TestCircleOfGlocks(t *testing.T) {
	if os.Getenv("FAULTLINE_SOAK") == "" {
		t.Skip("a hang under QEMU takes a minute: FAULTLINE_SOAK=1 runs it")
	}
	g := gomega.NewWithT(t)
	r := realKernel(t, "qemu:5.10")
	i := slices.IndexFunc(regress.Programs(), func(p *prog.Prog) bool { return p.Name == "regress/gfs2-crossed-writes" })
	o := r.Run(t.Context(), regress.Programs()[i])
	g.Expect(o.Verdict).To(gomega.Equal(results.Hang), o.Message)
	g.Expect(o.Signature).To(gomega.Equal("gfs2_glock_nq < gfs2_fault < copy from user < gfs2_file_write_iter"))
	g.Expect(sections(o)).To(gomega.ContainElement("glocks.txt"))
	i = slices.IndexFunc(o.Evidence, func(s harness.Section) bool { return s.Name == "cycle.txt" })
	g.Expect(i).To(gomega.BeNumerically(">=", 0))
	g.Expect(o.Evidence[i].Text).To(gomega.MatchRegexp(`(?s)^pwritev\(.* of t\d by \d+ holds the glock 2/[0-9a-f]+ of inode \d+ \(EX\) and waits for the glock 2/.*, which\n` +
		`pwritev\(.* of t\d by \d+ holds \(EX\), and waits for the glock 2/.*, which\n.*holds \(EX\)\.\n$`))
}

// The bundled GFS2 in a guest, with gfs2's old policy, opens, which takes all its probes, and then hangs like gfs2.
func TestTheOldPolicyInAGuest(t *testing.T) {
	if os.Getenv("FAULTLINE_SOAK") == "" {
		t.Skip("two guests under QEMU and a hang in each take a minute: FAULTLINE_SOAK=1 runs them")
	}
	for _, spec := range []string{"qemu:5.10,fs=fuse,copy=faulting", "qemu:6.1,fs=fuse,copy=faulting"} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			r := realKernelWith(t, spec, patient)
			o := r.Run(t.Context(), derived(t, regression("regress/gfs2-self-read")))
			g.Expect(o.Verdict).To(gomega.Equal(results.Hang), o.Message)
			g.Expect(o.Message).To(gomega.ContainSubstring("of its server is in: page fault in another process's memory, waiting for a page to be unlocked"))
		})
	}
}
