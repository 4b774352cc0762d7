package image

import (
	"testing"

	"github.com/onsi/gomega"

	"faultline/targetfs/disk"
)

// A device without GFS2 is told from a GFS2 that is broken.
func TestWhatIsNoGFS2(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := newFile(t, MinSize)
	open := func() error {
		_, err := Open(ti.dev, ti.size, Options{})
		return err
	}
	g.Expect(open()).To(gomega.MatchError(ErrNotGFS2), "zeros")
	g.Expect(ti.dev.Truncate(disk.SuperblockOffset + 7)).To(gomega.Succeed())
	g.Expect(open()).To(gomega.MatchError(ErrNotGFS2), "a short file")
	g.Expect(Format(ti.dev, ti.size, FormatOptions{})).To(gomega.Succeed())
	g.Expect(open()).To(gomega.Succeed())
	_, err := ti.dev.WriteAt([]byte{0xff}, disk.SuperblockOffset+24)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(open()).To(gomega.And(gomega.HaveOccurred(), gomega.Not(gomega.MatchError(ErrNotGFS2))), "a wrong format number")
}
