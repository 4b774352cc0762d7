package image

import (
	"fmt"
	"testing"

	"github.com/onsi/gomega"

	"faultline/targetfs/disk"
)

// TestSparesDoNotShow fills the spare buffers with garbage again and again: no block, and nothing that a transaction has returned,
// may show it.
func TestSparesDoNotShow(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, 64<<20, FormatOptions{})
	x := Xattr{Type: disk.EAUser, Name: "x"}
	var values [][]byte
	for i := range 300 {
		for _, b := range ti.spares {
			for k := range b {
				b[k] = 0xdb
			}
		}
		name := fmt.Sprint("file", i)
		ino := ti.create(ti.Root(), name, disk.ModeReg|0o644)
		ti.must(func(tx *Tx) error { return tx.SetXattr(ino, x, []byte(name), 0) })
		ti.must(func(tx *Tx) error {
			value, err := tx.GetXattr(ino, x)
			values = append(values, value)
			return err
		})
		_, err := ti.WriteAt(ino, []byte{1}, 1<<22) // behind a hole: an indirect block with pointers that are zero
		g.Expect(err).NotTo(gomega.HaveOccurred())
		if i%3 == 0 {
			ti.unlink(ti.Root(), name)
		}
	}
	g.Expect(ti.spares).NotTo(gomega.BeEmpty())
	for i, value := range values {
		g.Expect(string(value)).To(gomega.Equal(fmt.Sprint("file", i)))
	}
	ti.closeClean()
}
