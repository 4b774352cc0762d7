package entry_test

import (
	"fmt"
	"testing"

	"github.com/onsi/gomega"

	"faultline/generators/entry"
)

func TestMemoryIsPutIntoLines(t *testing.T) {
	g := gomega.NewWithT(t)
	piece := func(from, to int) string { return fmt.Sprintf("m[%d:%d]", from+5, to+5) }
	g.Expect(entry.In("call(a, $)", piece, 9)).To(gomega.Equal("call(a, m[5:14])"))
	g.Expect(entry.In("look($[2:4], x{}) $", piece, 9)).To(gomega.Equal("look(m[7:9], x{}) m[5:14]"))
	g.Expect(entry.In("look(n[2:4])", piece, 9)).To(gomega.Equal("look(n[2:4])"))
}

// What a call is given is said once, and every call is found by its name.
func TestTheTable(t *testing.T) {
	g := gomega.NewWithT(t)
	seen := map[string]bool{}
	for _, name := range entry.Names() {
		g.Expect(seen[name]).To(gomega.BeFalse(), name)
		seen[name] = true
		c := entry.Find(name)
		g.Expect(c.Room).To(gomega.BeNumerically(">", 0), name)
		g.Expect(c.Arg == "" || c.Text == "").To(gomega.BeTrue(), name)
		g.Expect(c.ReadsMemory() || c.Out || c.Request != "").To(gomega.BeTrue(), "%s does nothing to the memory", name)
	}
	g.Expect(entry.Find("nothing")).To(gomega.BeNil())
}
