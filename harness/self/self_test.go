package self_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/self"
)

func init() {
	self.Register("echo", func(args []string) int {
		_, inherited := os.LookupEnv("FAULTLINE_ROLE")
		fmt.Println(args, inherited)
		return 7
	})
}

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

func TestRoleRunsInsteadOfMain(t *testing.T) {
	g := gomega.NewWithT(t)
	cmd := self.Command("echo", "a", "b")
	out, err := cmd.Output()
	g.Expect(string(out)).To(gomega.Equal("[a b] false\n"))
	g.Expect(err).To(gomega.HaveOccurred())
	g.Expect(cmd.ProcessState.ExitCode()).To(gomega.Equal(7))
}

func TestUnknownRoleIsOneLineAndExit2(t *testing.T) {
	g := gomega.NewWithT(t)
	cmd := self.Command("nobody")
	out, _ := cmd.CombinedOutput()
	g.Expect(string(out)).To(gomega.Equal("faultline: unknown role \"nobody\"; this binary knows [echo]\n"))
	g.Expect(cmd.ProcessState.ExitCode()).To(gomega.Equal(2))
}

func TestRegisterTwicePanics(t *testing.T) {
	gomega.NewWithT(t).Expect(func() { self.Register("echo", nil) }).To(gomega.Panic())
}
