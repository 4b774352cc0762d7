package guest

import (
	"context"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// Where ten threads want each CPU a guest is waited for ten times as long; where nothing else is to do, no longer than the limit.
func TestPatience(t *testing.T) {
	const limit = 300 * time.Millisecond
	for load, ticks := range map[float64]int{0: 3, 1: 3, 10: 30} {
		g := gomega.NewWithT(t)
		looked := 0
		ctx, cancel := patiently(t.Context(), limit, func() float64 { looked++; return load })
		defer cancel(nil)
		g.Eventually(ctx.Done(), time.Minute).Should(gomega.BeClosed())
		g.Expect(context.Cause(ctx)).To(gomega.MatchError(gomega.ContainSubstring("it has not come up for 300ms")))
		g.Expect(looked).To(gomega.BeNumerically("<=", ticks))
		g.Expect(looked).To(gomega.BeNumerically(">", ticks/3), "ticks are lost only on a busy machine")
	}
	ctx, cancel := patiently(t.Context(), limit, func() float64 { return 1e9 })
	defer cancel(nil)
	gomega.NewWithT(t).Eventually(ctx.Done(), time.Minute).Should(gomega.BeClosed(), "not for ever")
}
