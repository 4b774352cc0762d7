package remote

import (
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// A guest that had to share the CPU while it measured its pace is no slower than the others of its kernel.
func TestTheBestPaceOfAKernelCounts(t *testing.T) {
	g := gomega.NewWithT(t)
	p := bestPaces{best: map[string]time.Duration{}}
	g.Expect(p.least("5.10", 9*time.Millisecond)).To(gomega.Equal(9 * time.Millisecond))
	g.Expect(p.least("5.10", 4*time.Millisecond)).To(gomega.Equal(4 * time.Millisecond))
	g.Expect(p.least("5.10", 30*time.Millisecond)).To(gomega.Equal(4 * time.Millisecond))
	g.Expect(p.least("6.1", 30*time.Millisecond)).To(gomega.Equal(30 * time.Millisecond))
}
