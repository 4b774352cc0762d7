package guest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/guest/kernels"
)

// What is built in can be left out of a boot. A module is not inserted without its first function.
func TestHurry(t *testing.T) {
	for builtin, want := range map[string][]string{
		"kernel/lib/raid6/raid6_pq.ko\n": append(slices.Clone(haste), hasteRAID),
		"kernel/fs/ext4/ext4.ko\n":       haste,
	} {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		g.Expect(os.WriteFile(filepath.Join(dir, "modules.builtin"), []byte(builtin), 0o600)).To(gomega.Succeed())
		g.Expect(os.WriteFile(filepath.Join(dir, "modules.dep"), []byte("kernel/lib/raid6/raid6_pq.ko:\n"), 0o600)).To(gomega.Succeed())
		g.Expect(hurry(dir)).To(gomega.Equal(want))
	}
	gomega.NewWithT(t).Expect(hurry("")).To(gomega.Equal(append(slices.Clone(haste), hasteRAID)), "a kernel without modules")
}

// What a kernel says of its delay loop is told to the next boot of the same kernel.
func TestTheDelayLoopIsMeasuredOnce(t *testing.T) {
	g := gomega.NewWithT(t)
	defer loops.Delete("/a/linux")
	args := func(kernel string) []string {
		m, err := umlMachine(Spec{Kernel: kernels.Kernel{Linux: kernel}, Memory: 1 << 27})
		g.Expect(err).NotTo(gomega.HaveOccurred())
		m.close()
		return m.order.Args
	}
	noteLoops("/a/linux", "[    0.000000] Memory: 470900K/1206856K available\n")
	g.Expect(args("/a/linux")).NotTo(gomega.ContainElement(gomega.HavePrefix("lpj=")))
	noteLoops("/a/linux", "[    0.000000] Calibrating delay loop... 6941.90 BogoMIPS (lpj=34709504)\n")
	g.Expect(args("/a/linux")).To(gomega.ContainElement("lpj=34709504"))
	g.Expect(args("/b/linux")).NotTo(gomega.ContainElement(gomega.HavePrefix("lpj=")))
}
