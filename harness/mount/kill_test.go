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

// promise is a file that was synced, with its directory, and is never changed again.
type promise struct {
	name string
	data []byte
}

// keepPromises makes and syncs files until the server is gone, and returns those that fsync(2) promised.
func keepPromises(dir string, rnd *rand.Rand) (kept []promise) {
	for i := 0; ; i++ {
		p := promise{fmt.Sprintf("promise-%d", i), make([]byte, rnd.IntN(60_000))}
		for j := range p.data {
			p.data[j] = byte(rnd.Uint32())
		}
		if makePromise(dir, p) != nil {
			return kept
		}
		kept = append(kept, p)
	}
}

// makePromise writes under another name first, as careful programs do.
func makePromise(dir string, p promise) error {
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

// expectPromises mounts an image and reads what was promised.
func expectPromises(t *testing.T, path string, kept []promise, options string) {
	t.Helper()
	m := mountImage(t, path, options)
	for _, p := range kept {
		data, err := os.ReadFile(filepath.Join(m.dir, p.name))
		if err != nil || !bytes.Equal(data, p.data) {
			t.Errorf("%s was synced, and is lost: %v, %d bytes, want %d", p.name, err, len(data), len(p.data))
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
			rnd := rand.New(rand.NewPCG(seed, 1))
			path := formatted(t, 128<<20, image.FormatOptions{})
			m := mountImage(t, path, []string{"", "copy=nofault"}[seed%2])
			work := self.Command(workRole, m.work(t), fmt.Sprint(seed), "1000000")
			g.Expect(work.Start()).To(gomega.Succeed())
			synced := make(chan []promise)
			go func() { synced <- keepPromises(m.dir, rnd) }()
			time.Sleep(time.Duration(100+seed*337%1500) * time.Millisecond) // the moment is what is random
			g.Expect(unix.Kill(m.pid, unix.SIGKILL)).To(gomega.Succeed())
			kept := <-synced
			g.Expect(work.Wait()).NotTo(gomega.Succeed(), "the workload was still at it")
			g.Eventually(m.ended, soon).Should(gomega.BeTrue())
			g.Expect(unix.Unmount(m.dir, unix.MNT_DETACH)).To(gomega.Succeed())
			t.Logf("%d files were promised", len(kept))

			repaired := path + ".repaired"
			out, err := exec.Command("cp", "--sparse=always", path, repaired).CombinedOutput()
			g.Expect(err).NotTo(gomega.HaveOccurred(), string(out))
			expectPromises(t, path, kept, "")
			judged(t, path)

			tool(t, "fsck.gfs2", "-y", repaired) // 1: it has repaired something
			judged(t, repaired)
			expectPromises(t, repaired, kept, "ro")
		})
	}
}
