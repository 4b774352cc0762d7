package worker

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// What else is mounted in a program's directory is not emptied, and told.
func TestCleanupLeavesMountsAlone(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	inside := filepath.Join(dir, "D")
	g.Expect(os.Mkdir(inside, 0o755)).To(gomega.Succeed())
	if err := unix.Mount("faultline", inside, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("needs to mount: ", err)
	}
	t.Cleanup(func() { g.Expect(unix.Unmount(inside, 0)).To(gomega.Succeed()) })
	kept := filepath.Join(inside, "kept")
	g.Expect(os.WriteFile(kept, nil, 0o644)).To(gomega.Succeed())
	d, err := os.Open(dir)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer d.Close()
	a := newActor(nil, nil)
	g.Expect(a.fstat(d.Fd()).ok()).To(gomega.BeTrue())
	trouble := a.empty(d.Fd(), a.device())
	g.Expect(trouble).NotTo(gomega.BeNil())
	g.Expect(trouble.Err).To(gomega.Equal("on another device"))
	g.Expect(kept).To(gomega.BeAnExistingFile())
}
