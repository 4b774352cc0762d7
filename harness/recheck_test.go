package harness_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness"
	"faultline/harness/target"
	"faultline/results"
)

// checked is a target that is checked after some programs, and damaged at one of its checks.
type checked struct {
	target.Target
	batch, checks, damagedAt int
}

func (c *checked) Batch() int { return c.batch }

func (c *checked) Recheck(context.Context) error {
	if c.checks++; c.checks == c.damagedAt {
		return &target.CheckError{Spec: c.Spec(), Command: "fsck", Code: 4, Output: "bad magic\n"}
	}
	return nil
}

// Damage is blamed on the program before the check, or on those of the batch; the programs themselves keep their verdicts.
func TestDamageBetweenPrograms(t *testing.T) {
	for _, c := range []struct {
		batch, damagedAt, opened, checks int
		by, suspects                     string
	}{
		{1, 3, 2, 7, "proof/0002", ""},
		{2, 2, 2, 1, "proof/0003", "proof/0002\nproof/0003\n"},
		{1, 0, 1, 10, "", ""},
	} {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		opened := 0
		var last *checked
		r, err := harness.NewRunner(t.Context(), func(ctx context.Context) (target.Target, error) {
			tg, err := target.Open(ctx, "dir:"+dir, target.Options{})
			opened++
			last = &checked{Target: tg, batch: c.batch}
			if opened == 1 {
				last.damagedAt = c.damagedAt
			}
			return last, err
		}, harness.Options{Repeats: -1})
		g.Expect(err).NotTo(gomega.HaveOccurred())
		told := stream(t, r, slices.Collect(numbered(t, 10, namesOnly))...)
		g.Expect(r.Close(t.Context())).To(gomega.Succeed())
		g.Expect(opened).To(gomega.Equal(c.opened))
		var damage []string
		for name, o := range told {
			if o.Prog != nil {
				g.Expect(o.Verdict).To(gomega.Equal(results.Pass), name)
				continue
			}
			damage = append(damage, name)
			g.Expect(o.Verdict).To(gomega.Equal(results.Wrong))
			g.Expect(o.Kind).To(gomega.Equal(results.Fsck))
			g.Expect(strings.Join(sections(o), " ")).To(gomega.Equal(map[bool]string{true: "fsck.txt", false: "fsck.txt programs.txt"}[c.suspects == ""]))
			if c.suspects != "" {
				g.Expect(o.Evidence[1].Text).To(gomega.Equal(c.suspects))
			}
		}
		if c.by == "" {
			g.Expect(damage).To(gomega.BeEmpty())
		} else {
			g.Expect(damage).To(gomega.Equal([]string{"target/fsck/" + c.by}))
		}
		if c.batch == 1 {
			g.Expect(last.checks).To(gomega.Equal(c.checks))
		}
	}
}
