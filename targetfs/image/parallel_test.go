package image

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"faultline/targetfs/disk"

	"github.com/onsi/gomega"
)

// TestParallel lets several goroutines work in directories of their own, and one read and sync all the time.
func TestParallel(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, 64<<20, FormatOptions{BlockSize: 1024})
	var workers, watcher sync.WaitGroup
	done := make(chan struct{})
	watcher.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := watch(ti); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 6 {
		dir := ti.create(ti.Root(), fmt.Sprint("dir", i), disk.ModeDir|0o755)
		workers.Go(func() {
			if err := workIn(ti, dir, byte(i)); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	close(done)
	watcher.Wait()
	g.Expect(ti.View(func(tx *Tx) error {
		names, err := listing(tx, ti.Root())
		g.Expect(names).To(gomega.HaveLen(6))
		return err
	})).To(gomega.Succeed())
	ti.closeClean()
}

// watch lists the root, looks at what it finds, and syncs.
func watch(ti *testImage) error {
	err := ti.View(func(tx *Tx) error {
		names, err := listing(tx, ti.Root())
		for _, ino := range names {
			if _, err := tx.Stat(ino); err != nil {
				return err
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return ti.Sync()
}

func workIn(ti *testImage, dir uint64, fill byte) error {
	for round := range 60 {
		var ino uint64
		name := fmt.Sprint("file", round)
		if err := ti.Update(func(tx *Tx) (err error) {
			ino, err = tx.Create(dir, name, NewInode{Mode: disk.ModeReg | 0o644})
			return err
		}); err != nil {
			return err
		}
		want := bytes.Repeat([]byte{fill}, 30_000)
		if _, err := ti.WriteAt(ino, want, int64(round)*777); err != nil {
			return err
		}
		got := make([]byte, len(want))
		if n, err := ti.ReadAt(ino, got, int64(round)*777); n != len(want) || !bytes.Equal(got, want) {
			return fmt.Errorf("%s: read %d bytes back, %v", name, n, err)
		}
		if round%3 == 0 {
			continue
		}
		if err := ti.Update(func(tx *Tx) error {
			_, _, err := tx.Unlink(dir, name)
			return err
		}); err != nil {
			return err
		}
		if err := ti.Reclaim(ino); err != nil {
			return err
		}
	}
	return nil
}
