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
		"loop:xfs": {"put_path": {"any*600", "zero*600"}, "xfs_open_by_handle": {"flags=24", "flags=23"}},
		"loop:btrfs": {
			"btrfs_subvolume": {"btrfs_ino_lookup_user{name=83}", "btrfs_ino_lookup_user{name=84}"},
			"uring_cmd":       {"-> 1..2p |", "-> 1..2p-1 |"},
		},
	} {
		t.Run(spec, func(t *testing.T) {
			r := realKernelWith(t, spec, harness.Options{Repeats: -1})
			for step, planted := range steps {
				t.Run(step, func(t *testing.T) { holds(t, r, prog.Example(step), planted[0], planted[1]) })
			}
		})
	}
}

// holds demands that a program passes, and that it does not with something else in its text.
func holds(t *testing.T, r *harness.Runner, text, was, planted string) {
	t.Helper()
	g := gomega.NewWithT(t)
	o := r.Run(t.Context(), asWritten(t, text))
	if o.Verdict == results.Skip {
		t.Skip(o.Message)
	}
	g.Expect(o.Verdict).To(gomega.Equal(results.Pass), o.Message)
	g.Expect(text).To(gomega.ContainSubstring(was))
	o = r.Run(t.Context(), asWritten(t, strings.Replace(text, was, planted, 1)))
	g.Expect(o.Verdict).To(gomega.Equal(results.Wrong), "with %s: %s", planted, o.Message)
}

// asWritten is a program with the expectations of its text.
func asWritten(t *testing.T, text string) *prog.Prog {
	t.Helper()
	p, err := prog.Parse(text)
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	return p
}
