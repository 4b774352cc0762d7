package mount_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
	"faultline/targetfs/disk"
	"faultline/targetfs/image"
	"faultline/targetfs/workload"
)

// crossers are the kernels that images cross over to, and the newest format that each knows.
var crossers = []struct {
	kernel string
	format uint32
}{{"5.10", disk.Format1801}, {"6.1", disk.Format1802}, {"6.12", disk.Format1802}, {"7.2", disk.Format1802}}

// crossing runs a test with each kernel, on a fresh image of each block size.
func crossing(t *testing.T, each func(t *testing.T, k kernel, images []string)) {
	needMount(t)
	for _, c := range crossers {
		t.Run(c.kernel, func(t *testing.T) {
			k := findKernel(t, c.kernel)
			var images []string
			for _, bsize := range []disk.BlockSize{512, 1024, 4096} {
				images = append(images, formatted(t, interopSize, image.FormatOptions{Version: c.format, BlockSize: bsize}))
			}
			each(t, k, images)
		})
	}
}

// What our server and a real kernel write in turns, each in what the other one left, is what the model says, read by the one and by the other; and
// neither our own check nor fsck.gfs2 finds anything in between.
func TestImagesCrossOver(t *testing.T) {
	const steps = 200
	crossing(t, func(t *testing.T, k kernel, images []string) {
		for i, path := range images {
			serveSteps(t, path, uint64(i), 0, steps)
		}
		for done := steps; done < 4*steps; done += 2 * steps {
			b := k.boot(t, images...)
			for i := range images {
				work, seed := filepath.Join(point(i), "work"), fmt.Sprint(i)
				b.run(t, verifyRole, work, seed, fmt.Sprint(done))
				b.run(t, workRole, work, seed, fmt.Sprint(done), fmt.Sprint(steps))
				b.run(t, verifyRole, work, seed, fmt.Sprint(done+steps))
			}
			b.off(t)
			for i, path := range images {
				judged(t, path)
				serveSteps(t, path, uint64(i), done+steps, steps)
			}
		}
	})
}

// serveSteps verifies what was done to an image and goes on, through our server.
func serveSteps(t *testing.T, path string, seed uint64, done, n int) {
	t.Helper()
	g := gomega.NewWithT(t)
	m := mountImage(t, path, []string{"", "copy=nofault"}[seed%2])
	work := m.work(t)
	g.Expect(workload.Verify(work, workload.Expect(seed, done))).To(gomega.Succeed(), "as we found it")
	model, err := workload.Continue(work, seed, done, n)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(workload.Verify(work, model)).To(gomega.Succeed(), "as we left it")
	m.unmount(t)
	judged(t, path)
}

// A guest that is killed in the middle of its work leaves a journal that our recovery plays: nothing that was synced is lost, and the image is whole
// but for inodes that were being made: gfs2 allocates their blocks, writes them and gives them names in transactions of their own
// (fs/gfs2/inode.c: gfs2_create_inode).
func TestOurRecoveryOfAKernelsJournal(t *testing.T) {
	crossing(t, func(t *testing.T, k kernel, images []string) {
		g := gomega.NewWithT(t)
		b := k.boot(t, images...)
		var lines []*bufio.Scanner
		for i := range images {
			keep, err := b.on.Spawn(keepRole, point(i), fmt.Sprint(i))
			g.Expect(err).NotTo(gomega.HaveOccurred())
			lines = append(lines, bufio.NewScanner(keep.Stdout()))
			_, err = b.on.Spawn(workRole, point(i), fmt.Sprint(i), "0", "1000000")
			g.Expect(err).NotTo(gomega.HaveOccurred())
		}
		kept := make([]uint64, len(images))
		for i := range lines {
			for range 5 {
				g.Expect(lines[i].Scan()).To(gomega.BeTrue())
				kept[i]++
			}
		}
		b.Kill()
		for i := range lines {
			for lines[i].Scan() {
				kept[i]++
			}
		}
		<-b.Exited()
		b.takeDisks(t)
		for i, path := range images {
			t.Logf("%d files were promised", kept[i])
			dirty(t, path)
			expectPromises(t, path, uint64(i), kept[i], "")
			for _, what := range findings(t, path) {
				g.Expect(what).To(gomega.MatchRegexp(`no metadata header, want a dinode$|has \d+ links, found \d+$`), path)
			}
			tool(t, "fsck.gfs2", "-y", path) // 1: it has freed such a block
			judged(t, path)
			expectPromises(t, path, uint64(i), kept[i], "ro")
		}
	})
}

// A server of ours that is killed leaves a journal that the kernel plays. What is judged is the image after our next mount: the kernel reclaims unlinked
// inodes when it looks for room, and not when it mounts; we do.
func TestAKernelsRecoveryOfOurJournal(t *testing.T) {
	crossing(t, func(t *testing.T, k kernel, images []string) {
		g := gomega.NewWithT(t)
		kept := make([]uint64, len(images))
		for i, path := range images {
			kept[i] = killedAtWork(t, path, uint64(i))
			dirty(t, path)
		}
		b := k.boot(t, images...)
		for i := range images {
			b.run(t, proveRole, point(i), fmt.Sprint(i), fmt.Sprint(kept[i]))
		}
		b.off(t)
		for i, path := range images {
			expectPromises(t, path, uint64(i), kept[i], "")
			judged(t, path)
		}
		g.Expect(kept).NotTo(gomega.ContainElement(uint64(0)))
	})
}

// killedAtWork kills a server while a workload runs, and returns how many promises were kept before.
func killedAtWork(t *testing.T, path string, seed uint64) (kept uint64) {
	t.Helper()
	g := gomega.NewWithT(t)
	m := mountImage(t, path, "")
	work := self.Command(workRole, m.work(t), fmt.Sprint(seed), "0", "1000000")
	g.Expect(work.Start()).To(gomega.Succeed())
	synced := make(chan uint64)
	go func() { synced <- keepPromises(m.dir, seed) }()
	g.Eventually(filepath.Join(m.dir, newPromise(seed, 20).name), soon, time.Millisecond).Should(gomega.BeAnExistingFile())
	g.Expect(unix.Kill(m.pid, unix.SIGKILL)).To(gomega.Succeed())
	kept = <-synced
	g.Expect(work.Wait()).NotTo(gomega.Succeed(), "the workload was still at it")
	g.Eventually(m.ended, soon).Should(gomega.BeTrue())
	g.Expect(unix.Unmount(m.dir, unix.MNT_DETACH)).To(gomega.Succeed())
	return kept
}

// dirty says that an image was not unmounted.
func dirty(t *testing.T, path string) {
	t.Helper()
	g := gomega.NewWithT(t)
	f, err := os.Open(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	_, err = image.Open(f, interopSize, image.Options{ReadOnly: true})
	g.Expect(err).To(gomega.MatchError(image.ErrDirtyJournal))
}
