package harness_test

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/prog"
	"faultline/harness"
	"faultline/results"
)

// The examples of steps that only one type of file system has hold on it, and not any more when they expect something else.
func TestStepsOfSingleTypes(t *testing.T) {
	for spec, steps := range map[string]map[string][2]string{
		"loop:xfs": {"put_path": {"any*600", "zero*600"}, "xfs_open_by_handle": {"flags{flags=24}", "flags{flags=23}"}},
	} {
		t.Run(spec, func(t *testing.T) {
			r := realKernelWith(t, spec, harness.Options{Repeats: -1})
			for step, planted := range steps {
				g := gomega.NewWithT(t)
				text := prog.Example(step)
				o := r.Run(t.Context(), asWritten(t, text))
				g.Expect(o.Verdict).To(gomega.Equal(results.Pass), "%s: %s", step, o.Message)
				g.Expect(text).To(gomega.ContainSubstring(planted[0]))
				o = r.Run(t.Context(), asWritten(t, strings.Replace(text, planted[0], planted[1], 1)))
				g.Expect(o.Verdict).To(gomega.Equal(results.Wrong), "%s with %s: %s", step, planted[1], o.Message)
			}
		})
	}
}

// asWritten is a program with the expectations of its text.
func asWritten(t *testing.T, text string) *prog.Prog {
	t.Helper()
	p, err := prog.Parse(text)
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	return p
}
