package mount_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/targetfs/disk"
	"faultline/targetfs/image"
)

// memoryLimit bounds what a server takes: 64 MiB of blocks and what it knows of 131072 inodes, as it is by default, and room for the
// garbage collector to let as much again gather.
const memoryLimit = 512 << 20

// A million inodes go through the kernel's cache and through ours. What the server keeps of them has a limit.
func TestMemoryOfAMillionInodes(t *testing.T) {
	if os.Getenv("FAULTLINE_SOAK") != "1" {
		t.Skip("takes minutes; FAULTLINE_SOAK=1 runs it")
	}
	needMount(t)
	g := gomega.NewWithT(t)
	const dirs, files = 1000, 1000
	path := formatted(t, 2<<30, image.FormatOptions{BlockSize: 512})
	populate(t, path, dirs, files)
	m := mountImage(t, path, "")
	var st unix.Stat_t
	for d := range dirs {
		for f := range files {
			g.Expect(unix.Lstat(filepath.Join(m.dir, dirName(d), fileName(f)), &st)).To(gomega.Succeed())
		}
	}
	peak := m.peak(t)
	t.Logf("%d inodes: the server took %d MiB at most", dirs*files, peak>>20)
	g.Expect(peak).To(gomega.BeNumerically("<", memoryLimit))
	m.unmount(t)
}

func dirName(d int) string  { return fmt.Sprint("dir", d) }
func fileName(f int) string { return fmt.Sprint("file", f) }

// populate makes directories with files in them, without a mount.
func populate(t *testing.T, path string, dirs, files int) {
	t.Helper()
	g := gomega.NewWithT(t)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	info, err := f.Stat()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	im, err := image.Open(f, info.Size(), image.Options{})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	for d := range dirs {
		var dir uint64
		g.Expect(im.Update(func(tx *image.Tx) (err error) {
			dir, err = tx.Create(im.Root(), dirName(d), image.NewInode{Mode: disk.ModeDir | 0o755})
			return err
		})).To(gomega.Succeed())
		for first := 0; first < files; first += 100 { // a transaction has a limit of size
			g.Expect(im.Update(func(tx *image.Tx) error {
				for k := first; k < min(first+100, files); k++ {
					if _, err := tx.Create(dir, fileName(k), image.NewInode{Mode: disk.ModeReg | 0o644}); err != nil {
						return err
					}
				}
				return nil
			})).To(gomega.Succeed())
		}
	}
	g.Expect(im.Close()).To(gomega.Succeed())
}

// peak is the most memory that the server had so far, in bytes: VmHWM of proc_pid_status(5).
func (m *mounted) peak(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.pid))
	if err != nil {
		t.Fatal(err)
	}
	var kib int64
	_, line, found := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(line, &kib); !found || err != nil {
		t.Fatalf("VmHWM: %v in %s", err, status)
	}
	return kib << 10
}
