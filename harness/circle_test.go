package harness_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness"
	"faultline/harness/target"
	"faultline/results"
)

// posing is a target whose file system has another type by name.
type posing struct {
	target.Target
	as string
}

func (t *posing) Mount() target.Facts {
	facts := t.Target.Mount()
	facts.Type = t.as
	return facts
}

// The kernel of this machine has mounted no gfs2 of which it could show the locks: a hang on what says to be one comes with these words, and one on anything else
// without.
func TestAHangWithoutALockDump(t *testing.T) {
	needFuse(t)
	for as, want := range map[string]string{
		"gfs2": "This kernel shows no lock dump (it has no debugfs, or nobody mounted it): the stacks in processes.txt say who waits.\n",
		"xfs":  "",
	} {
		t.Run(as, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			open := opener(t.TempDir(), "planted:block-read")
			r := runnerWith(t, func(ctx context.Context) (target.Target, error) {
				opened, err := open(ctx)
				return &posing{opened, as}, err
			}, harness.Options{Deadline: 500 * time.Millisecond, Repeats: -1})
			o := r.Run(t.Context(), derived(t, readIt))
			g.Expect(o.Verdict).To(gomega.Equal(results.Hang), o.Message)
			g.Expect(sections(o)).NotTo(gomega.ContainElement("glocks.txt"))
			text := ""
			if i := slices.IndexFunc(o.Evidence, func(s harness.Section) bool { return s.Name == "cycle.txt" }); i >= 0 {
				text = o.Evidence[i].Text
			}
			g.Expect(text).To(gomega.Equal(want))
		})
	}
}
