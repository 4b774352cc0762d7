package harness_test

import (
	"os"
	"testing"

	"github.com/onsi/gomega"

	"faultline/results"
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
