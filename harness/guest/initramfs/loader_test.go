package initramfs_test

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/guest/initramfs"
)

// A program that is linked dynamically runs where there is nothing but what the archive brought.
func TestADynamicInitBringsItsLibraries(t *testing.T) {
	const shell = "/bin/sh"
	g := gomega.NewWithT(t)
	f, err := elf.Open(shell)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	if names, _ := f.ImportedLibraries(); len(names) == 0 {
		t.Skip(shell + " is linked statically")
	}
	var b bytes.Buffer
	g.Expect(initramfs.Write(&b, shell, nil)).To(gomega.Succeed())
	files, err := unpack(b.Bytes())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	root := t.TempDir()
	for _, f := range files {
		path := filepath.Join(root, f.name)
		switch {
		case f.mode&0o170000 == 0o040000:
			g.Expect(os.Mkdir(path, 0o700)).To(gomega.Succeed(), "each folder once, after the one above it")
		case f.mode&0o170000 == 0o100000:
			g.Expect(os.WriteFile(path, []byte(f.data), 0o700)).To(gomega.Succeed())
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("chroot(1) takes root")
	}
	out, err := exec.Command("chroot", root, "/init", "-c", "echo here").CombinedOutput()
	g.Expect(err).NotTo(gomega.HaveOccurred(), string(out))
	g.Expect(strings.TrimSpace(string(out))).To(gomega.Equal("here"))
}
