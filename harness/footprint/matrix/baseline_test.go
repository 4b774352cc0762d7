package matrix_test

import (
	"os"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/footprint/matrix"
)

func TestAFootprintKeepsItsOwnBaseline(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(sample().Baseline()).To(gomega.Equal(`# ext4 on 6.18.0, rw,relatime
measured load-far pwrite readdir
pread
pwrite pwrite
`))
	b, err := matrix.ParseBaseline(sample().Baseline())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(b.Beyond(sample())).To(gomega.BeEmpty())
}

// What could not be tried is not in it, and is never held against anybody.
func TestABaselineLeavesOutWhatWasSkipped(t *testing.T) {
	g := gomega.NewWithT(t)
	f := sample()
	set(f, "pread", "readdir", matrix.Skipped)
	set(f, "pwrite", "readdir", matrix.Skipped)
	g.Expect(f.Baseline()).To(gomega.ContainSubstring("\nmeasured load-far pwrite\n"))
	for i := range f.Cells[:3] { // of pread
		f.Cells[i].Outcome = matrix.Skipped
	}
	g.Expect(f.Baseline()).To(gomega.HaveSuffix("\nmeasured load-far pwrite\npwrite pwrite\n"))
}

// A kernel that holds a lock longer is found, page faults first; what the baseline does not know is not held against it, and what got better is fine.
func TestBeyondTheBaseline(t *testing.T) {
	g := gomega.NewWithT(t)
	b, err := matrix.ParseBaseline("# ext4 on 6.18.0\nmeasured load-far pwrite\npwrite pwrite\n")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	f := sample()
	set(f, "pwrite", "readdir", matrix.Blocks) // an onlooker that was not tried
	set(f, "pread", "pwrite", matrix.Blocks)   // a call that was not stopped
	g.Expect(b.Beyond(f)).To(gomega.BeEmpty())

	b, err = matrix.ParseBaseline("# ext4 on 6.17.0\nmeasured pwrite load-far\npwrite\n")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	f.Cells = append(f.Cells[4:], f.Cells[3]) // the page fault last
	set(f, "pwrite", "load-far", matrix.Deadlocks)
	g.Expect(b.Beyond(f)).To(gomega.Equal([]string{
		"while pwrite is stopped in its user copy, load-far now deadlocks; it did not on ext4 on 6.17.0",
		"while pwrite is stopped in its user copy, pwrite now blocks on the inode lock; it did not on ext4 on 6.17.0",
	}))
}

func TestBaselinesThatAreRefused(t *testing.T) {
	for text, says := range map[string]string{
		"":                               `no line "measured"`,
		"pread pwrite\n":                 `line 1: wanted "measured"`,
		"measured a\nmeasured b\n":       `line 2: a second "measured"`,
		"measured a\npread a\n\npread\n": `line 4: a second line of "pread"`,
		"# x\nmeasured a\npread b\n":     `line 3: "b" is not among what was measured`,
	} {
		t.Run(says, func(t *testing.T) {
			_, err := matrix.ParseBaseline(text)
			gomega.NewWithT(t).Expect(err).To(gomega.MatchError(gomega.ContainSubstring(says)))
		})
	}
}

// Those that come with the program can be read, say what they are of, and have no page fault in them: they are of file systems without the hazard.
func TestKnownBaselines(t *testing.T) {
	g := gomega.NewWithT(t)
	files, err := os.ReadDir("baselines")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(files).NotTo(gomega.BeEmpty())
	for _, file := range files {
		name := strings.TrimSuffix(file.Name(), ".txt")
		b, err := matrix.Known(name)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(b.Source).To(gomega.HavePrefix(name + " on "))
		f := sample()
		set(f, "pwrite", "load-far", matrix.Blocks)
		g.Expect(b.Beyond(f)).To(gomega.ContainElement(gomega.ContainSubstring("load-far")), name)
	}
	none, err := matrix.Known("no-such-fs")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(none).To(gomega.BeNil())
}
