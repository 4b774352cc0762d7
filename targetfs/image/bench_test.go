package image

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"faultline/targetfs/disk"
)

// benchImage is an open image in a file.
func benchImage(b *testing.B, size int64) *Image {
	b.Helper()
	dev, _ := benchFile(b, size)
	if err := Format(dev, size, FormatOptions{}); err != nil {
		b.Fatal(err)
	}
	im, err := Open(dev, size, Options{})
	if err != nil {
		b.Fatal(err)
	}
	return im
}

func benchFile(b *testing.B, size int64) (fileDevice, string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), fmt.Sprint(time.Now().UnixNano()))
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close(); os.Remove(path) })
	if err := f.Truncate(size); err != nil {
		b.Fatal(err)
	}
	return fileDevice{f}, path
}

func BenchmarkCreate(b *testing.B) {
	im := benchImage(b, 4<<30)
	i := 0
	for b.Loop() {
		err := im.Update(func(tx *Tx) error {
			_, err := tx.Create(im.Root(), fmt.Sprint("file", i), NewInode{Mode: disk.ModeReg | 0o644})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkWrite1M(b *testing.B) {
	im := benchImage(b, 1<<30)
	ino := benchCreate(b, im)
	buf := make([]byte, 1<<20)
	b.SetBytes(int64(len(buf)))
	off := int64(0)
	for b.Loop() {
		if _, err := im.WriteAt(ino, buf, off%(512<<20)); err != nil {
			b.Fatal(err)
		}
		off += int64(len(buf))
	}
}

func BenchmarkOverwrite4k(b *testing.B) {
	im := benchImage(b, 1<<30)
	ino := benchCreate(b, im)
	if _, err := im.WriteAt(ino, make([]byte, 64<<20), 0); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 4096)
	b.SetBytes(int64(len(buf)))
	i := int64(0)
	for b.Loop() {
		if _, err := im.WriteAt(ino, buf, i*7919%16384*4096); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkRead4k(b *testing.B) {
	im := benchImage(b, 1<<30)
	ino := benchCreate(b, im)
	if _, err := im.WriteAt(ino, make([]byte, 64<<20), 0); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 4096)
	b.SetBytes(int64(len(buf)))
	i := int64(0)
	for b.Loop() {
		if _, err := im.ReadAt(ino, buf, i*7919%16384*4096); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// benchNames is an image with 10,000 names in its root.
func benchNames(b *testing.B) *Image {
	b.Helper()
	im := benchImage(b, 1<<30)
	for i := range 10_000 {
		if err := im.Update(func(tx *Tx) error {
			_, err := tx.Create(im.Root(), fmt.Sprint("file", i), NewInode{Mode: disk.ModeReg | 0o644})
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
	return im
}

// BenchmarkReadDir lists 10,000 names in pieces of 256, as a reader with a buffer of 8 KiB does.
func BenchmarkReadDir(b *testing.B) {
	im := benchNames(b)
	for b.Loop() {
		for from, n := uint64(0), 1; n > 0; {
			n = 0
			if err := im.View(func(tx *Tx) error {
				return tx.ReadDir(im.Root(), from, func(e DirEntry) bool {
					n, from = n+1, e.Cookie+1
					return n < 256
				})
			}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	im := benchNames(b)
	i := 0
	for b.Loop() {
		if err := im.View(func(tx *Tx) error {
			inum, err := tx.Lookup(im.Root(), fmt.Sprint("file", i%10_000))
			if err != nil {
				return err
			}
			_, err = tx.Stat(inum.Addr)
			return err
		}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func benchCreate(b *testing.B, im *Image) (ino uint64) {
	b.Helper()
	if err := im.Update(func(tx *Tx) (err error) {
		ino, err = tx.Create(im.Root(), "file", NewInode{Mode: disk.ModeReg | 0o644})
		return err
	}); err != nil {
		b.Fatal(err)
	}
	return ino
}

// BenchmarkFormat compares with mkfs.gfs2 on files of the same size: x-mkfs.gfs2 is its time divided by ours.
func BenchmarkFormat(b *testing.B) {
	for _, size := range []int64{1 << 30, 1 << 40} {
		b.Run(fmt.Sprintf("%dGiB", size>>30), func(b *testing.B) {
			tool, err := exec.LookPath("mkfs.gfs2")
			if err != nil {
				b.Skip("mkfs.gfs2 is not installed")
			}
			var ours, theirs time.Duration
			for b.Loop() {
				dev, path := benchFile(b, size)
				ours += timed(func() error { return firstError(Format(dev, size, FormatOptions{}), dev.File.Sync()) }, b)
				_, path = benchFile(b, size)
				theirs += timed(func() error { return exec.Command(tool, "-O", "-q", "-p", "lock_nolock", path).Run() }, b)
			}
			b.ReportMetric(theirs.Seconds()/ours.Seconds(), "x-mkfs.gfs2")
		})
	}
}

func timed(fn func() error, b *testing.B) time.Duration {
	b.Helper()
	start := time.Now()
	if err := fn(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
