package mount_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/onsi/gomega"

	"faultline/targetfs/disk"
	"faultline/targetfs/image"
	"faultline/targetfs/workload"
)

const interopSize = 256 << 20

// made are images of both formats and three block sizes, of mkfs.gfs2 and of ours.
func made(t *testing.T, each func(t *testing.T, path string)) {
	for _, format := range []uint32{disk.Format1801, disk.Format1802} {
		for _, bsize := range []disk.BlockSize{512, 1024, 4096} {
			name := fmt.Sprintf("format %d, blocks of %d", format, bsize)
			t.Run("mkfs.gfs2, "+name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "image")
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(path, interopSize); err != nil {
					t.Fatal(err)
				}
				code, out := tool(t, "mkfs.gfs2", "-O", "-q", "-p", "lock_nolock", "-o", fmt.Sprintf("format=%d", format), "-b", fmt.Sprint(bsize), path)
				if code != 0 {
					t.Fatal(out)
				}
				each(t, path)
			})
			t.Run("ours, "+name, func(t *testing.T) {
				each(t, formatted(t, interopSize, image.FormatOptions{Version: format, BlockSize: bsize}))
			})
		}
	}
}

// What a workload leaves behind through a mount is what the model says, now and after the next mount, and both checkers find nothing.
func TestImagesOfBothMakersCarryAWorkload(t *testing.T) {
	needMount(t)
	seed := uint64(0)
	made(t, func(t *testing.T, path string) {
		g := gomega.NewWithT(t)
		seed++
		judged(t, path)
		// Every second one under the policy of the target fuse, where nothing is cached that a policy must see.
		m := mountImage(t, path, []string{"", "copy=nofault"}[seed%2])
		model, err := workload.Apply(m.work(t), seed, 1000)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(workload.Verify(m.work(t), model)).To(gomega.Succeed(), "while it is mounted")
		m.unmount(t)
		judged(t, path)
		again := mountImage(t, path, "ro")
		g.Expect(workload.Verify(filepath.Join(again.dir, "work"), model)).To(gomega.Succeed(), "after the next mount")
		again.unmount(t)
	})
}
