package mount_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
	"faultline/targetfs/image"
)

// promise is a file that was synced, with its directory, and is never changed again. Seed and number say what is in it.
type promise struct {
	name string
	data []byte
}

func newPromise(seed, number uint64) promise {
	rnd := rand.New(rand.NewPCG(seed, number))
	p := promise{fmt.Sprintf("promise-%d", number), make([]byte, rnd.IntN(60_000))}
	for i := range p.data {
		p.data[i] = byte(rnd.Uint32())
	}
	return p
}

// keep writes under another name first, as careful programs do.
func (p promise) keep(dir string) error {
	path := filepath.Join(dir, p.name)
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(p.data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// prove reads what was promised.
func (p promise) prove(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, p.name))
	if err != nil || !bytes.Equal(data, p.data) {
		return fmt.Errorf("%s was synced, and is lost: %v, %d bytes, want %d", p.name, err, len(data), len(p.data))
	}
	return nil
}

// keepPromises makes promises until the server is gone, and returns how many were kept.
func keepPromises(dir string, seed uint64) (kept uint64) {
	for newPromise(seed, kept).keep(dir) == nil {
		kept++
	}
	return kept
}

// expectPromises mounts an image and reads what was promised.
func expectPromises(t *testing.T, path string, seed, kept uint64, options string) {
	t.Helper()
	m := mountImage(t, path, options)
	for i := range kept {
		if err := newPromise(seed, i).prove(m.dir); err != nil {
			t.Error(err)
		}
	}
	m.unmount(t)
}

// A server that is killed at any moment leaves an image that our recovery, and fsck.gfs2, make whole; nothing that was synced is lost.
func TestNothingSyncedIsLostByAKill(t *testing.T) {
	needMount(t)
	rounds := 6
	if os.Getenv("FAULTLINE_SOAK") == "1" {
		rounds = 200
	}
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			g := gomega.NewWithT(t)
			path := formatted(t, 128<<20, image.FormatOptions{})
			m := mountImage(t, path, []string{"", "copy=nofault"}[seed%2])
			work := self.Command(workRole, m.work(t), fmt.Sprint(seed), "0", "1000000")
			g.Expect(work.Start()).To(gomega.Succeed())
			synced := make(chan uint64)
			go func() { synced <- keepPromises(m.dir, seed) }()
			time.Sleep(time.Duration(100+seed*337%1500) * time.Millisecond) // the moment is what is random
			g.Expect(unix.Kill(m.pid, unix.SIGKILL)).To(gomega.Succeed())
			kept := <-synced
			g.Expect(work.Wait()).NotTo(gomega.Succeed(), "the workload was still at it")
			g.Eventually(m.ended, soon).Should(gomega.BeTrue())
			g.Expect(unix.Unmount(m.dir, unix.MNT_DETACH)).To(gomega.Succeed())
			t.Logf("%d files were promised", kept)

			repaired := path + ".repaired"
			out, err := exec.Command("cp", "--sparse=always", path, repaired).CombinedOutput()
			g.Expect(err).NotTo(gomega.HaveOccurred(), string(out))
			expectPromises(t, path, seed, kept, "")
			judged(t, path)

			tool(t, "fsck.gfs2", "-y", repaired) // 1: it has repaired something
			judged(t, repaired)
			expectPromises(t, repaired, seed, kept, "ro")
		})
	}
}
