package guest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// A guest has ended before all that it printed has been read: what it said last is why it ended.
func TestTheLastWordsOfAGuestAreAwaited(t *testing.T) {
	g := gomega.NewWithT(t)
	in, out, err := os.Pipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	vm := &Guest{console: follow(in), exited: make(chan struct{}), how: "signal: aborted"}
	fmt.Fprintln(out, "first")
	g.Eventually(vm.console.Mark, time.Minute).Should(gomega.Equal(1))
	g.Expect(vm.Said(0)).To(gomega.Equal("first\n"), "while it runs nothing is waited for")
	close(vm.exited)
	go func() {
		time.Sleep(50 * time.Millisecond) // longer than it takes to look at what has come
		fmt.Fprintln(out, "Kernel panic")
		out.Close()
	}()
	g.Expect(vm.Said(1)).To(gomega.Equal("Kernel panic\n"))
}
