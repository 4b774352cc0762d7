package guest_test

import (
	"os"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/guest/kernels"
)

// A kernel that nobody hears of tells what it does when it is asked from outside; one that is gone does not.
func TestInterrogate(t *testing.T) {
	for _, c := range []struct {
		kind   kernels.Kind
		kernel string
		says   []string
	}{
		{kernels.UML, "6.1", []string{"sysrq: Show Regs", "sysrq: Show Blocked State"}},
		{kernels.BzImage, "5.10", []string{"RIP=", "NMI received for unknown reason", "Call Trace:", "Kernel panic - not syncing: NMI: Not continuing"}},
	} {
		t.Run(string(c.kind)+"-"+c.kernel, func(t *testing.T) {
			if c.kind == kernels.BzImage && os.Getenv("FAULTLINE_SOAK") == "" {
				t.Skip("QEMU takes its time to boot: FAULTLINE_SOAK=1 runs it")
			}
			g := gomega.NewWithT(t)
			vm := start(t, spec(t, c.kind, c.kernel))
			said := vm.Interrogate([]int{2}) // User Mode Linux cannot always show a stack: "aborting stack trace"
			// On a machine that is busy it may take longer to say it all than anybody waits for it.
			for _, words := range c.says {
				g.Eventually(func() string { return said + vm.Console().Text() }, time.Minute).Should(gomega.ContainSubstring(words))
			}
			vm.Kill()
			g.Eventually(vm.Exited(), time.Minute).Should(gomega.BeClosed())
			g.Expect(vm.Interrogate(nil)).To(gomega.ContainSubstring("it cannot be asked from outside"))
		})
	}
}
