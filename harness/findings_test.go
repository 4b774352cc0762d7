package harness_test

import (
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/generators"
	"faultline/generators/prog"
	"faultline/harness"
	"faultline/results"
	"faultline/suites/regress"
)

// patient are options for whole groups of programs: a step takes a thousandth of the deadline, and a hang is told sooner.
var patient = harness.Options{Repeats: -1, Deadline: time.Second}

// known is a finding on a kernel that cannot be mended here: programs whose name matches fail with the verdict, and at least one of them does.
type known struct {
	name      string // a pattern
	verdict   results.Verdict
	signature string // a pattern
	message   string // a pattern
	why       string
}

func (k known) fits(name string, o harness.Outcome) bool {
	matches := func(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }
	return k.verdict == o.Verdict && matches(k.name, name) && matches(k.signature, o.Signature) && matches(k.message, o.Message)
}

// selfAccess is the signature of gfs2 up to 5.15: a page fault in the user copy, or one that waits for a call stopped there, takes the glock again.
const selfAccess = `^gfs2_glock_nq < gfs2_(fault|page_mkwrite) < (copy (to|from) user|pin user pages|user space)`

// quickOn are the targets on which all quick programs pass, but for what is known.
var quickOn = map[string][]known{
	"uml:6.1": nil, "uml:6.12": nil, "uml:7.2": nil,
	"uml:6.1,fs=ext4": nil, "uml:7.2,fs=ext4": nil, "uml:6.1,fs=xfs": nil, "uml:7.2,fs=xfs": nil, "uml:7.2,fs=btrfs": nil,
	"uml:6.1,fs=btrfs": {
		{`direct`, results.Wrong, `^check data$`, `: A is wrong from offset 0 on, .* found (zeros|pat1 at 0)$`,
			"a direct write whose buffer is faulted in half way loses its beginning (generic/708, mended in 6.4)"},
		{`direct`, results.Wrong, `^p?write(v2?)? EIO$`, `, got EIO$`, "the same write fails"},
	},
}

func TestQuickProgramsOnRealKernels(t *testing.T) {
	for spec, findings := range quickOn {
		t.Run(spec, func(t *testing.T) { expectKnown(t, spec, quick(1), findings) })
	}
}

// Other types get a part of the quick programs, or with FAULTLINE_SOAK=1 all.
func TestSomeQuickProgramsOnRealKernels(t *testing.T) {
	every := 25
	if os.Getenv("FAULTLINE_SOAK") == "1" {
		every = 1
	}
	for _, spec := range []string{"uml:6.12,fs=overlay", "uml:7.2,fs=tmpfs", "uml:6.1,fs=fuse", "uml:6.1,fs=f2fs", "uml:7.2,fs=ocfs2"} {
		t.Run(spec, func(t *testing.T) { expectKnown(t, spec, quick(every), nil) })
	}
}

// oldGFS2 is what fails on gfs2 of 5.10: its tasks take a glock twice, which its own trap ends, or wait for one that a call holds over its user copy.
var oldGFS2 = []known{
	{``, results.Crash, selfAccess, `^the kernel says: BUG: failure at fs/gfs2/glock\.c:\d+/add_to_queue\(\)!`, "a call's fault in its own buffer takes the glock that the call holds"},
	{``, results.Hang, `^gfs2_glock_nq < `, ` is blocked in `, "two calls wait for the glocks that they hold over their user copies, or somebody else for one that is stopped there"},
}

// The quick programs on gfs2 of 5.10, where every seventh ends its guest.
func TestQuickProgramsOnTheOldGFS2(t *testing.T) {
	expectKnown(t, "uml:5.10", quick(1), oldGFS2)
}

// expectKnown runs programs, of which most pass and none fails but for what is known.
func expectKnown(t *testing.T, spec string, programs []*prog.Prog, findings []known) {
	t.Helper()
	g := gomega.NewWithT(t)
	lanes := 2
	if len(findings) > 0 {
		lanes = 4 // who waits until a hang is sure needs no CPU
	}
	passed, seen := 0, map[known]int{}
	for name, o := range runOn(t, spec, lanes, patient, programs) {
		switch o.Verdict {
		case results.Pass:
			passed++
			continue
		case results.Skip:
			continue
		}
		i := slices.IndexFunc(findings, func(k known) bool { return k.fits(name, o) })
		g.Expect(i).To(gomega.BeNumerically(">=", 0), "%s: %s: %s\nsignature: %s", name, o.Verdict, o.Message, o.Signature)
		if i >= 0 {
			seen[findings[i]]++
		}
	}
	g.Expect(passed).To(gomega.BeNumerically(">", len(programs)/4))
	for _, k := range findings {
		g.Expect(seen[k]).To(gomega.BeNumerically(">", 0), "nothing fails any more because %s", k.why)
	}
}

// quick takes every nth of the quick programs and the regressions.
func quick(n int) []*prog.Prog {
	all := slices.Clone(regress.Programs())
	for _, p := range generators.Each(1, true, func(string) bool { return true }) {
		all = append(all, p)
	}
	var some []*prog.Prog
	for i := n - 1; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

// findingTries is how often a program is run that gives a wrong result in most runs.
const findingTries = 50

// What the table of promises says of real kernels is so: the programs that found it fail there without the guarantee that they need, and pass where
// it is mended.
func TestBrokenPromisesOfRealKernels(t *testing.T) {
	for _, row := range []struct {
		spec, program, need string
		verdict             results.Verdict
	}{
		{"uml:6.1", "regress/gfs2-self-direct-read", "self-direct-read", results.Hang},
		{"uml:6.12", "regress/gfs2-self-direct-read", "self-direct-read", results.Hang},
		{"uml:7.2", "regress/gfs2-self-direct-read", "self-direct-read", results.Hang},
		{"uml:7.2,fs=ext4", "regress/gfs2-self-direct-read", "self-direct-read", results.Pass},
		{"uml:6.1", "regress/gfs2-punch-grows", "punch-keeps-size", results.Wrong},
		{"uml:6.12", "regress/gfs2-punch-grows", "punch-keeps-size", results.Pass},
		{"uml:6.1", "regress/gfs2-short-uring", "whole-uring-dio", results.Wrong},
		{"uml:6.12", "regress/gfs2-short-uring", "whole-uring-dio", results.Pass},
		{"uml:7.2,fs=ext4", "regress/ext4-zero-after-collapse", "zero-after-collapse", results.Wrong},
		{"uml:6.1,fs=ext4", "regress/ext4-zero-after-collapse", "zero-after-collapse", results.Pass},
		{"uml:7.2", "regress/gfs2-self-fiemap", "self-fiemap-sync", results.Hang},
		{"uml:7.2,fs=ext4", "regress/gfs2-self-fiemap", "self-fiemap-sync", results.Pass},
		{"uml:7.2,fs=btrfs", "regress/btrfs-encoded-self-read", "unlocked-encoded", results.Hang},
		{"uml:6.1,fs=ocfs2", "regress/ocfs2-direct-write-zeroes", "short-dio-keeps", results.Wrong},
		{"uml:6.1,fs=ext4", "regress/ocfs2-direct-write-zeroes", "short-dio-keeps", results.Pass},
		{"uml:5.10,fs=f2fs", "regress/f2fs-stale-blocks", "clean-blocks", results.Wrong},
		{"uml:6.1,fs=f2fs", "regress/f2fs-stale-blocks", "clean-blocks", results.Wrong},
		{"uml:6.1,fs=ext4", "regress/f2fs-stale-blocks", "clean-blocks", results.Pass},
		{"uml:7.2,fs=ocfs2", "regress/ocfs2-cold-write-shows-memory", "cold-write-keeps", results.Wrong},
		{"uml:6.1,fs=f2fs", "regress/ocfs2-cold-write-shows-memory", "cold-write-keeps", results.Pass},
		{"uml:6.1,fs=btrfs", "regress/btrfs-append-grows", "clean-append", results.Wrong},
		{"uml:7.2,fs=btrfs", "regress/btrfs-append-grows", "clean-append", results.Pass},
		{"uml:7.2", "regress/self-fiemap", "", results.Pass},
		{"uml:5.10,fs=ocfs2", "regress/self-fiemap", "self-fiemap", results.Hang},
		{"uml:7.2,fs=btrfs", "regress/self-fiemap", "self-fiemap", results.Pass},
		{"uml:5.10", "regress/gfs2-crossed-writes", "", results.Hang},
		{"uml:6.1", "regress/gfs2-crossed-writes", "", results.Pass},
	} {
		t.Run(row.spec+"/"+row.program, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			r := realKernelWith(t, row.spec, patient)
			i := slices.IndexFunc(regress.Programs(), func(p *prog.Prog) bool { return p.Name == row.program })
			g.Expect(i).To(gomega.BeNumerically(">=", 0))
			p := *regress.Programs()[i]
			if row.need != "" {
				g.Expect(p.Needs).To(gomega.ContainElement(row.need))
			}
			p.Needs = slices.DeleteFunc(slices.Clone(p.Needs), func(need string) bool { return need == row.need })
			o := r.Run(t.Context(), &p)
			for tries := 1; o.Verdict == results.Pass && row.verdict == results.Wrong && tries < findingTries; tries++ {
				o = r.Run(t.Context(), &p) // not every run meets it: what is in memory is left to chance
			}
			g.Expect(o.Verdict).To(gomega.Equal(row.verdict), o.Message)
			if row.verdict == results.Hang && row.need == "" {
				g.Expect(o.Signature).To(gomega.Equal("gfs2_glock_nq < gfs2_fault < copy from user < gfs2_file_write_iter"))
			}
			g.Expect(r.Run(t.Context(), named(t, namesOnly, "next")).Verdict).To(gomega.Equal(results.Pass))
		})
	}
}
