package guest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// Where KVM does not work QEMU says so in the place where the kernel would have spoken, and ends.
func TestTheSignOfLifeIsTheKernels(t *testing.T) {
	g := gomega.NewWithT(t)
	in, out, err := os.Pipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	vm := &Guest{console: follow(in), exited: make(chan struct{})}
	fmt.Fprintln(out, "qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69")
	g.Eventually(vm.console.Mark, time.Minute).Should(gomega.Equal(1))
	g.Expect(vm.firstLine(t.Context(), 100*time.Millisecond)).To(gomega.BeFalse())
	fmt.Fprintln(out, "[    0.000000] Linux version 5.10.0-46-amd64")
	g.Expect(vm.firstLine(t.Context(), time.Minute)).To(gomega.BeTrue())
	out.Close()
}
