package campaign

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness"
	"faultline/harness/target"
	"faultline/results"
)

// A target that could not be closed, and so was not checked, keeps a run from being a success, though each program has a verdict.
func TestHowATargetEnds(t *testing.T) {
	for name, row := range map[string]struct {
		err  error
		code int
	}{
		"well":              {nil, results.ExitOK},
		"not closed":        {errors.New("close fuse: check the image: the server ended with exit status 1"), results.ExitIncomplete},
		"interrupted":       {context.Canceled, results.ExitOK},
		"told as its case":  {fmt.Errorf("close: %w", &target.CheckError{Spec: "fuse"}), results.ExitOK},
		"another took over": {&harness.Lost{By: "proof/0", Err: errors.New("it hangs")}, results.ExitOK},
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			dir := t.TempDir()
			r := recorder(t, Record{Dir: dir}, 1)
			g.Expect(r.Start(caseID("proof/0"))).To(gomega.Succeed())
			r.Outcome("proof", on, "dir:/x", harness.Outcome{Name: "proof/0", Prog: program(t), Verdict: results.Pass, Step: -1})
			g.Expect(noteEnd(r, &Target{Spec: "fuse", Class: on}, row.err)).To(gomega.Succeed())
			code, err := r.Finish(0)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(code).To(gomega.Equal(row.code))
			if row.code == results.ExitIncomplete {
				g.Expect(junit(t, dir)["target/close"].Error.Message).To(gomega.ContainSubstring("exit status 1"))
			}
		})
	}
}
