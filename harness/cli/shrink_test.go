package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/results"
)

// The first failure of each signature of a run gets a small program and its C beside the big one.
func TestRunShrinks(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for tries, want := range map[string]int{"60": 1, "0": 0} {
		t.Run(tries, func(t *testing.T) {
			g := gomega.NewWithT(t)
			p := newPlace(t)
			got := p.run(t, "run", "--target", "planted:short-read", "--filter", "/selfio.pread.direct.private.*aligned|regress.gfs2-self-read/", "--repeat", "1", "--shrink", tries, "--results", p.results())
			g.Expect(got.code).To(gomega.Equal(results.ExitFailed), got.stderr)
			small, err := filepath.Glob(p.results() + "/failures/*/small.prog")
			g.Expect(err).NotTo(gomega.HaveOccurred())
			repros, err := filepath.Glob(p.results() + "/failures/*/repro.c")
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(len(repros)).To(gomega.BeNumerically(">", 1), "every failure has its program as C")
			g.Expect(len(small)).To(gomega.BeNumerically(">=", want))
			g.Expect(strings.Count(got.out, "\nSHRUNK ")).To(gomega.Equal(len(small)), got.out)
			if want == 0 {
				g.Expect(small).To(gomega.BeEmpty())
				return
			}
			g.Expect(len(small)).To(gomega.BeNumerically("<", len(repros)), "equal failures are shrunk once")
			text, err := os.ReadFile(small[0])
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(string(text)).To(gomega.MatchRegexp(`^# Shrunk from .*\.\n# Failed in 5 of 5 runs on planted:short-read\.\nprog .*/small\n`))
			c, err := os.ReadFile(filepath.Join(filepath.Dir(small[0]), "repro.c"))
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(string(c)).To(gomega.ContainSubstring("// Shrunk from "))
			again := p.run(t, "repro", small[0], "--target", "planted:short-read")
			g.Expect(again.code).To(gomega.Equal(results.ExitFailed), again.out)
		})
	}
}

func TestShrinkCommand(t *testing.T) {
	needRoot(t)
	t.Parallel()
	g := gomega.NewWithT(t)
	p := newPlace(t)
	got := p.run(t, "shrink", "regress/gfs2-self-read", "--target", "planted:short-read")
	g.Expect(got.code).To(gomega.Equal(results.ExitOK), got.stderr)
	g.Expect(got.out).To(gomega.Equal("# Shrunk from regress/gfs2-self-read.\n# Failed in 5 of 5 runs on planted:short-read.\nprog regress/gfs2-self-read/small\n" +
		"file A = 'a'\nd = open(A, rdwr)\nm = mmap(d, private, rw, 0, 1)\npread(d, m[0:1], 0) -> 1\n"))
	g.Expect(got.stderr).To(gomega.MatchRegexp(`(?s)^WRONG: .*5 steps became 3, in \d+ tries; failed in 5 of 5 runs\n$`))

	path := filepath.Join(p.dir, "small.prog")
	got = p.run(t, "shrink", "regress/gfs2-self-read", "--target", "planted:short-read", "--out", path)
	g.Expect(got.code).To(gomega.Equal(results.ExitOK), got.stderr)
	g.Expect(got.out).To(gomega.BeEmpty())
	got = p.run(t, "shrink", path, "--target", "planted:short-read")
	g.Expect(got.code).To(gomega.Equal(results.ExitOK), got.stderr)
	g.Expect(got.stderr).To(gomega.ContainSubstring("nothing smaller fails in the same way"))

	got = p.run(t, "show", path, "--c")
	g.Expect(got.code).To(gomega.Equal(results.ExitOK), got.stderr)
	g.Expect(got.out).To(gomega.ContainSubstring("STEP(pread(d, m, 1, 0), ret == 1);"))

	got = p.run(t, "shrink", path, "--target", "planted:none")
	g.Expect(got.code).To(gomega.Equal(results.ExitNothing))
	g.Expect(got.stderr).To(gomega.Equal("faultline: nothing to shrink: regress/gfs2-self-read/small passed\n"))
	for _, args := range [][]string{{"--tries", "0"}, {"--timeout", "1ms"}, {"--target", "nonsense"}, {"another"}} {
		got = p.run(t, append([]string{"shrink", path}, args...)...)
		g.Expect(got.code).To(gomega.Equal(results.ExitUsage), "%v: %s", args, got.stderr)
	}
	p.nothingLeft(t)
}
