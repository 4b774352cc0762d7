package matrix_test

import (
	"bytes"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/footprint/matrix"
)

// counted is the sample of a file system whose server counts.
func counted(copies ...matrix.Copy) *matrix.Footprint {
	f := sample()
	f.Copies = copies
	return f
}

func TestCopiesAreWrittenAndReadBack(t *testing.T) {
	g := gomega.NewWithT(t)
	f := counted(matrix.Copy{Stopped: "pread", Server: 1, Retries: 2, UnderLock: 3, Outside: 4}, matrix.Copy{Stopped: "pwrite", Kernel: 1, Reason: "why"})
	var b bytes.Buffer
	g.Expect(matrix.Write(&b, []*matrix.Footprint{f})).To(gomega.Succeed())
	all, err := matrix.Read(&b)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(all).To(gomega.Equal([]*matrix.Footprint{f}))

	for says, f := range map[string]*matrix.Footprint{
		"which the table does not have": counted(matrix.Copy{Stopped: "boil"}),
		"two copies of pread":           counted(matrix.Copy{Stopped: "pread"}, matrix.Copy{Stopped: "pread"}),
	} {
		b.Reset()
		g.Expect(matrix.Write(&b, []*matrix.Footprint{f})).To(gomega.Succeed())
		_, err := matrix.Read(&b)
		g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(says)))
	}
}

// A server that begins to fault under its lock got worse, one that ends to do so better, and all else only changed. Where one side counts nothing at all,
// or not this call, there is nothing to compare.
func TestCopiesThatDiffer(t *testing.T) {
	kernel, locked := matrix.Copy{Stopped: "pwrite", Kernel: 1}, matrix.Copy{Stopped: "pwrite", Server: 1, UnderLock: 1}
	free, unknown := matrix.Copy{Stopped: "pwrite", Server: 1, Outside: 1}, matrix.Copy{Stopped: "pwrite", Reason: "why"}
	other := matrix.Copy{Stopped: "pread", Kernel: 1}
	for _, c := range []struct {
		old, now      *matrix.Footprint
		worse, better bool
		want          []string
	}{
		{counted(kernel), counted(kernel), false, false, nil},
		{counted(), counted(kernel), false, false, nil},
		{counted(kernel), counted(), false, false, nil},
		{counted(kernel), counted(locked), true, false, []string{"worse    pwrite stopped, copied: by kernel 1 -> by server 1, faults locked 1"}},
		{counted(locked), counted(free), false, true, []string{"better   pwrite stopped, copied: by server 1, faults locked 1 -> by server 1, faults free 1"}},
		{counted(kernel), counted(free), false, false, []string{"changed  pwrite stopped, copied: by kernel 1 -> by server 1, faults free 1"}},
		{counted(unknown), counted(locked), false, false, []string{"changed  pwrite stopped, copied: not counted (why) -> by server 1, faults locked 1"}},
		{counted(other), counted(locked), false, false, []string{
			"changed  pread stopped, copied: by kernel 1 -> not counted", "changed  pwrite stopped, copied: not counted -> by server 1, faults locked 1"}},
	} {
		g := gomega.NewWithT(t)
		var got []string
		worse, better := false, false
		for _, change := range (matrix.Comparison{Old: c.old, New: c.now}).Copies() {
			got = append(got, change.String())
			worse, better = worse || change.Worse(), better || change.Better()
		}
		g.Expect(got).To(gomega.Equal(c.want))
		g.Expect([]bool{worse, better}).To(gomega.Equal([]bool{c.worse, c.better}), "%v", c.want)
	}
}
