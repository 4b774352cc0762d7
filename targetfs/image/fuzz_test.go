package image

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"faultline/targetfs/disk"
)

// patched is an image in memory with some blocks replaced; the base is shared and stays as it is.
type patched struct {
	base   []byte
	blocks map[int64][]byte
}

const patchedBlock = 1024

func (p *patched) block(n int64, write bool) []byte {
	if b, ok := p.blocks[n]; ok {
		return b
	}
	b := p.base[n*patchedBlock:][:patchedBlock]
	if write {
		b = append([]byte(nil), b...)
		p.blocks[n] = b
	}
	return b
}

func (p *patched) each(buf []byte, off int64, fn func(block, part []byte)) (int, error) {
	if off < 0 || off+int64(len(buf)) > int64(len(p.base)) {
		return 0, fmt.Errorf("access to byte %d of %d", off, len(p.base))
	}
	for done := 0; done < len(buf); {
		at := off + int64(done)
		within := int(at % patchedBlock)
		n := min(len(buf)-done, patchedBlock-within)
		fn(p.block(at/patchedBlock, false)[within:within+n], buf[done:done+n])
		done += n
	}
	return len(buf), nil
}

func (p *patched) ReadAt(buf []byte, off int64) (int, error) {
	return p.each(buf, off, func(block, part []byte) { copy(part, block) })
}

func (p *patched) WriteAt(buf []byte, off int64) (int, error) {
	for n := off / patchedBlock; n*patchedBlock < off+int64(len(buf)) && n >= 0 && (n+1)*patchedBlock <= int64(len(p.base)); n++ {
		p.block(n, true)
	}
	return p.each(buf, off, func(block, part []byte) { copy(block, part) })
}

func (p *patched) Sync() error { return nil }

// victim is an image with a little of everything, and the blocks that hold metadata.
func victim(t testing.TB) (base []byte, metadata []int64) {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Create(dir + "/image")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(MinSize); err != nil {
		t.Fatal(err)
	}
	dev := fileDevice{f}
	if err := Format(dev, MinSize, FormatOptions{BlockSize: patchedBlock, Time: testTime}); err != nil {
		t.Fatal(err)
	}
	im, err := Open(dev, MinSize, Options{Now: func() time.Time { return testTime }})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorkload(&testImage{Image: im, dev: dev, size: MinSize}, 7)
	if err := w.run(400); err != nil {
		t.Fatal(err)
	}
	if err := im.Close(); err != nil {
		t.Fatal(err)
	}
	if base, err = os.ReadFile(dir + "/image"); err != nil {
		t.Fatal(err)
	}
	for n := range int64(len(base) / patchedBlock) {
		typ, ok := disk.TypeOf(base[n*patchedBlock:])
		if ok && typ != disk.TypeLH && typ != disk.TypeQC {
			metadata = append(metadata, n)
		}
	}
	return base, metadata
}

// attack uses an image that may be broken in any way, and reports anything but an orderly error.
func attack(dev *patched, size int64, seed uint64) {
	// A broken image may be reported or not: what must not happen is a panic or an endless loop.
	_ = Check(dev, size, func(Finding) {})
	im, err := Open(dev, size, Options{Now: func() time.Time { return testTime }})
	if err != nil {
		return
	}
	names := walkAll(im)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range 40 {
		attackOnce(im, rnd, names)
	}
	_ = im.Close()
}

// place is a name found in a broken image.
type place struct {
	dir, ino uint64
	name     string
}

// walkAll follows every name and reads what it leads to.
func walkAll(im *Image) (all []place) {
	seen := map[uint64]bool{}
	queue := []uint64{im.Root()}
	for len(queue) > 0 && len(all) < 2000 {
		dir := queue[0]
		queue = queue[1:]
		if seen[dir] {
			continue
		}
		seen[dir] = true
		_ = im.View(func(tx *Tx) error {
			return tx.ReadDir(dir, 0, func(e DirEntry) bool {
				all = append(all, place{dir, e.Inum.Addr, e.Name})
				queue = append(queue, e.Inum.Addr)
				return len(all) < 2000
			})
		})
	}
	buf := make([]byte, 100_000)
	for _, p := range all {
		_, _ = im.ReadAt(p.ino, buf, 0)
		_ = im.View(func(tx *Tx) error {
			_, _ = tx.Readlink(p.ino)
			_, _ = tx.Seek(p.ino, 0, Hole)
			names, err := tx.ListXattr(p.ino)
			for _, x := range names {
				_, _ = tx.GetXattr(p.ino, x)
			}
			return err
		})
	}
	return all
}

// attackOnce makes one random change. Errors are expected.
func attackOnce(im *Image, rnd *rand.Rand, names []place) {
	if len(names) == 0 {
		return
	}
	a, b := names[rnd.IntN(len(names))], names[rnd.IntN(len(names))]
	switch rnd.IntN(7) {
	case 0:
		_, _ = im.WriteAt(a.ino, make([]byte, 5000), rnd.Int64N(1<<20))
	case 1:
		_ = im.Truncate(a.ino, rnd.Int64N(10_000))
	case 2:
		_ = im.Update(func(tx *Tx) error {
			_, err := tx.Create(a.dir, fmt.Sprint(rnd.Uint32()), NewInode{Mode: disk.ModeReg})
			return err
		})
	case 3:
		_ = im.Update(func(tx *Tx) error {
			_, err := tx.Rename(a.dir, a.name, b.dir, b.name, RenameFlags(rnd.IntN(3)))
			return err
		})
	case 4:
		_ = im.Update(func(tx *Tx) error {
			return tx.SetXattr(a.ino, Xattr{disk.EAUser, "attribute1"}, make([]byte, rnd.IntN(3000)), 0)
		})
	case 5:
		_ = im.Punch(a.ino, rnd.Int64N(10_000), 1+rnd.Int64N(100_000))
	case 6:
		var ino uint64
		err := im.Update(func(tx *Tx) (err error) {
			ino, _, err = tx.Unlink(a.dir, a.name)
			return err
		})
		if err == nil {
			_ = im.Reclaim(ino)
		}
	}
}

// fixChecksum keeps a changed resource group header readable: without it few mutations would get past its checksum.
func fixChecksum(b []byte) {
	if t, ok := disk.TypeOf(b); ok && t == disk.TypeRG {
		clear(b[64:68])
	}
}

// FuzzImage replaces bytes of metadata blocks. The input is a list of records of 8 bytes: which block, where, and what.
func FuzzImage(f *testing.F) {
	base, metadata := victim(f)
	f.Add(uint64(1), []byte{0, 0, 0, 24, 0, 0, 0, 1})
	f.Add(uint64(2), []byte{0, 5, 0, 120, 255, 255, 255, 255, 0, 9, 0, 232, 0, 0, 1, 0})
	f.Fuzz(func(t *testing.T, seed uint64, patches []byte) {
		dev := &patched{base, map[int64][]byte{}}
		for ; len(patches) >= 8; patches = patches[8:] {
			n := metadata[int(binary.BigEndian.Uint16(patches))%len(metadata)]
			b := dev.block(n, true)
			copy(b[int(binary.BigEndian.Uint16(patches[2:]))%(patchedBlock-4):], patches[4:8])
			fixChecksum(b)
		}
		attack(dev, int64(len(base)), seed)
	})
}

// TestMutatedImages runs the fuzz target's body on seeded random mutations.
func TestMutatedImages(t *testing.T) {
	base, metadata := victim(t)
	rounds := 300
	if soak() {
		rounds = 1_000_000
	}
	values := []uint32{0, 1, 2, 7, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff}
	for round := range rounds {
		rnd := rand.New(rand.NewPCG(uint64(round), 5))
		dev := &patched{base, map[int64][]byte{}}
		for range 1 + rnd.IntN(6) {
			b := dev.block(metadata[rnd.IntN(len(metadata))], true)
			// The first bytes of a block say most about it.
			off := rnd.IntN(1 << (3 + rnd.IntN(8)))
			value := values[rnd.IntN(len(values))]
			if rnd.IntN(2) == 0 {
				value = uint32(metadata[rnd.IntN(len(metadata))])
			}
			binary.BigEndian.PutUint32(b[min(off, patchedBlock-4):], value)
			fixChecksum(b)
		}
		attack(dev, int64(len(base)), uint64(round))
	}
}
