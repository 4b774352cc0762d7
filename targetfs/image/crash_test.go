package image

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"faultline/targetfs/disk"

	"github.com/onsi/gomega"
)

// recorder passes everything on to an image in memory and remembers the writes and syncs.
type recorder struct {
	data []byte
	ops  []deviceOp
}

// deviceOp is a write, or a sync when data is nil.
type deviceOp struct {
	off  int64
	data []byte
}

func (r *recorder) ReadAt(p []byte, off int64) (int, error) { return copy(p, r.data[off:]), nil }
func (r *recorder) Sync() error                             { r.ops = append(r.ops, deviceOp{}); return nil }
func (r *recorder) WriteAt(p []byte, off int64) (int, error) {
	r.ops = append(r.ops, deviceOp{off, bytes.Clone(p)})
	return copy(r.data[off:], p), nil
}

// promise is what must be there after a crash at or behind operation after.
type promise struct {
	after int
	name  string
	data  []byte
}

// recordWorkload runs random changes and, between them, writes files that it syncs. It returns the image at the start,
// the operations, and the files.
func recordWorkload(t *testing.T, bs disk.BlockSize, seed uint64, rounds int) ([]byte, []deviceOp, []promise) {
	t.Helper()
	dev := &recorder{data: make([]byte, MinSize)}
	if err := Format(dev, MinSize, FormatOptions{BlockSize: bs, Time: testTime}); err != nil {
		t.Fatal(err)
	}
	start := bytes.Clone(dev.data)
	dev.ops = nil
	im, err := Open(dev, MinSize, Options{Now: func() time.Time { return testTime }})
	if err != nil {
		t.Fatal(err)
	}
	ti := &testImage{Image: im, t: t, size: MinSize}
	w := newWorkload(ti, seed)
	// A directory that the random changes do not know.
	synced := ti.create(im.Root(), "synced", disk.ModeDir|0o755)
	var promises []promise
	for round := range rounds {
		if err := w.run(1 + w.rnd.IntN(30)); err != nil {
			t.Fatal(err)
		}
		p := promise{name: fmt.Sprint("file", round), data: bytes.Repeat([]byte{byte(round)}, w.rnd.IntN(20_000))}
		ino := ti.create(synced, p.name, disk.ModeReg|0o644)
		if _, err := im.WriteAt(ino, p.data, 0); err != nil {
			t.Fatal(err)
		}
		if err := im.Sync(); err != nil {
			t.Fatal(err)
		}
		p.after = len(dev.ops)
		promises = append(promises, p)
	}
	if err := im.Close(); err != nil {
		t.Fatal(err)
	}
	return start, dev.ops, promises
}

// crashed is the image after a crash at the given operation, as a layer over base, which has everything up to the last sync
// before. Variant 0 has all later writes in order, 1 has the last one torn, 2 loses some of them.
func crashed(base []byte, later []deviceOp, next deviceOp, variant int, rnd *rand.Rand) *patched {
	dev := &patched{base, map[int64][]byte{}}
	for _, o := range later {
		if o.data != nil && (variant != 2 || rnd.IntN(2) == 0) {
			_, _ = dev.WriteAt(o.data, o.off)
		}
	}
	if variant == 1 && next.data != nil {
		_, _ = dev.WriteAt(next.data[:len(next.data)/1024*512], next.off)
	}
	return dev
}

// survived opens an image after a crash, and tells what is wrong with it.
func survived(dev Device, promises []promise, cut int) error {
	im, err := Open(dev, MinSize, Options{Now: func() time.Time { return testTime }})
	if err != nil {
		return err
	}
	for _, p := range promises {
		if p.after > cut {
			break
		}
		if err := kept(im, p); err != nil {
			return fmt.Errorf("synced file %s: %w", p.name, err)
		}
	}
	if err := im.Close(); err != nil {
		return err
	}
	var first error
	err = Check(dev, MinSize, func(f Finding) {
		if first == nil {
			first = fmt.Errorf("after recovery: %v", f)
		}
	})
	return firstError(err, first)
}

func kept(im *Image, p promise) error {
	return im.View(func(tx *Tx) error {
		dir, err := tx.Lookup(im.Root(), "synced")
		if err != nil {
			return err
		}
		inum, err := tx.Lookup(dir.Addr, p.name)
		if err != nil {
			return err
		}
		di, err := tx.dinode(inum.Addr)
		if err != nil {
			return err
		}
		return compareData(tx, &di, p.data)
	})
}

// TestCrashAnywhere kills the machine after every write of a random workload, or after a sample of them.
func TestCrashAnywhere(t *testing.T) {
	rounds, every := 40, 25
	if soak() {
		rounds, every = 60, 1
	}
	for _, bs := range []disk.BlockSize{1024, 4096} {
		base, ops, promises := recordWorkload(t, bs, 3, rounds)
		rnd := rand.New(rand.NewPCG(17, uint64(bs)))
		tried, synced := 0, 0
		for cut, o := range ops {
			if rnd.IntN(every) == 0 {
				tried++
				dev := crashed(base, ops[synced:cut], o, rnd.IntN(3), rnd)
				if err := survived(dev, promises, cut); err != nil {
					t.Fatalf("block size %d, crash at operation %d of %d: %v", bs, cut, len(ops), err)
				}
				if tried%10 == 1 {
					judgeCrash(t, crashed(base, ops[synced:cut], o, 0, rnd))
				}
			}
			if o.data == nil {
				for _, done := range ops[synced:cut] {
					copy(base[done.off:], done.data)
				}
				synced = cut
			}
		}
		t.Logf("block size %d: %d crashes at %d operations", bs, tried, len(ops))
	}
}

// judgeCrash lets fsck.gfs2 replay the journal and mend what it finds. A second run must find nothing, and then we must
// be able to open the image and find nothing either.
func judgeCrash(t *testing.T, dev *patched) {
	t.Helper()
	if _, err := exec.LookPath("fsck.gfs2"); err != nil {
		return
	}
	g := gomega.NewWithT(t)
	ti := newFile(t, MinSize)
	whole := make([]byte, MinSize)
	_, err := dev.ReadAt(whole, 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(os.WriteFile(ti.path, whole, 0o600)).To(gomega.Succeed())
	code, out := ti.tool("fsck.gfs2", "-y", ti.path)
	g.Expect(code).To(gomega.BeElementOf(0, 1), "fsck.gfs2 -y: %s", out)
	code, out = ti.tool("fsck.gfs2", "-n", ti.path)
	g.Expect(code).To(gomega.BeZero(), "fsck.gfs2 -n after -y: %s", out)
	ti.open()
	ti.closeClean()
}

// TestDirtyJournal looks at an image that was not closed, read-only and with the check.
func TestDirtyJournal(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{Journals: 2})
	before, err := os.ReadFile(ti.path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(ti.Close()).To(gomega.Succeed())
	after, err := os.ReadFile(ti.path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(bytes.Equal(before, after)).To(gomega.BeTrue(), "opening and closing a clean image must not write")

	ti.create(ti.Root(), "file", disk.ModeReg|0o644)
	g.Expect(ti.Sync()).To(gomega.Succeed())
	g.Expect(ti.findings()).To(gomega.HaveLen(1))
	g.Expect(ti.findings()[0]).To(gomega.ContainSubstring("journal 0 is dirty"))
	_, err = Open(ti.dev, ti.size, Options{ReadOnly: true})
	g.Expect(err).To(gomega.SatisfyAll(gomega.MatchError(ErrDirtyJournal), gomega.MatchError(syscall.EROFS)))
	ti.open()
	ti.closeClean()
	im, err := Open(ti.dev, ti.size, Options{ReadOnly: true})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(im.View(func(tx *Tx) error {
		_, err := tx.Lookup(im.Root(), "file")
		return err
	})).To(gomega.Succeed())
}
