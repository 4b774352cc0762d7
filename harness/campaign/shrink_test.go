package campaign

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness"
	"faultline/results"
)

// failure failed so often of three runs.
func failure(verdict results.Verdict, signature string, times int) harness.Outcome {
	o := harness.Outcome{Name: "proof/" + signature, Verdict: verdict, Signature: signature, Step: -1}
	for n := 2; n <= 3; n++ {
		a := results.Attempt{Verdict: results.Pass}
		if n <= times {
			a.Verdict = verdict
		}
		o.Attempts = append(o.Attempts, a)
	}
	return o
}

// Only what fails every time is made smaller, and only the first of each kind.
func TestWhatIsShrunk(t *testing.T) {
	g := gomega.NewWithT(t)
	s := newShrinks(60)
	g.Expect(s.budget(failure(results.Wrong, "pread EIO", 2)).Tries).To(gomega.BeZero(), "it fails now and then")
	g.Expect(s.budget(failure(results.Wrong, "pread EIO", 3)).Tries).To(gomega.Equal(60))
	g.Expect(s.budget(failure(results.Wrong, "pread EIO", 3)).Tries).To(gomega.BeZero(), "the second one")
	g.Expect(s.budget(failure(results.Crash, "pread EIO", 3)).Tries).To(gomega.Equal(60), "another verdict")
	g.Expect(s.budget(failure(results.Hang, "filemap_fault", 3)).Tries).To(gomega.Equal(10))
	nameless := failure(results.Wrong, "", 3)
	g.Expect(s.budget(nameless).Tries).To(gomega.Equal(60))
	nameless.Name = "proof/another"
	g.Expect(s.budget(nameless).Tries).To(gomega.Equal(60), "equal to no other")
	once := harness.Outcome{Verdict: results.Wrong, Signature: "once"}
	g.Expect(s.budget(once).Tries).To(gomega.Equal(60), "not repeated: one of one")
	g.Expect(newShrinks(0).budget(once).Tries).To(gomega.BeZero())
	g.Expect(Budget(1, results.Hang).Tries).To(gomega.Equal(1), "never none")
}

func TestSmallProgramsInBundles(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	r := recorder(t, Record{Dir: dir}, 2)
	for _, name := range []string{"proof/one", "proof/two"} {
		g.Expect(r.Start(caseID(name))).To(gomega.Succeed())
		o := harness.Outcome{Name: name, Prog: program(t), Verdict: results.Wrong, Step: 3, Message: "step 4: not what it was"}
		r.Outcome("proof", on, "dir:/mnt", o)
		small := harness.Small{Prog: o.Prog, Runs: 5, Failed: 5}
		if name == "proof/one" {
			less := *o.Prog
			less.Steps = less.Steps[2:]
			small.Prog = &less
		}
		r.Shrunk(caseID(name), "dir:/mnt", o, small)
		r.Shrunk(caseID("proof/unknown"), "dir:/mnt", o, small)
	}
	g.Expect(r.Err()).NotTo(gomega.HaveOccurred())
	small, err := filepath.Glob(dir + "/failures/*/small.prog")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(small).To(gomega.HaveLen(1), "nothing smaller failed in the other case")
	text, err := os.ReadFile(small[0])
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(text)).To(gomega.Equal("# Failed in 5 of 5 runs on dir:/mnt.\nprog proof/one\nfile A = 'a'*1p\ncheck(A, 'a'*1p)\n"))
	c, err := os.ReadFile(filepath.Join(filepath.Dir(small[0]), reproC))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(c)).NotTo(gomega.ContainSubstring("close(d)"), "the C is that of the small program")
}
