package image

import (
	"bytes"
	"io"
	"maps"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"faultline/targetfs/disk"

	"github.com/onsi/gomega"
)

// TestHeights writes one block at the last place that each height reaches, and reads it and the hole before it.
func TestHeights(t *testing.T) {
	for _, bs := range []disk.BlockSize{512, 4096} {
		g := gomega.NewWithT(t)
		ti := formatted(t, 64<<20, FormatOptions{BlockSize: bs})
		for height := 1; height <= 5; height++ {
			ino := ti.create(ti.Root(), string(rune('0'+height)), disk.ModeReg|0o644)
			off := int64(bs.TreeBlocks(height)-1) * int64(bs)
			_, err := ti.WriteAt(ino, []byte("end"), off)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			di := ti.stat(ino)
			g.Expect(int(di.Height)).To(gomega.Equal(height))
			g.Expect(di.Blocks).To(gomega.Equal(uint64(1 + height)))
			got := make([]byte, 10)
			n, err := ti.ReadAt(ino, got, off-7)
			g.Expect(n, err).To(gomega.Equal(10))
			g.Expect(got).To(gomega.Equal([]byte("\x00\x00\x00\x00\x00\x00\x00end")))
			_, err = ti.WriteAt(ino, []byte("start"), 0)
			g.Expect(err).NotTo(gomega.HaveOccurred())
		}
		ti.closeClean()
		ti.open()
		for height := 1; height <= 5; height++ {
			ti.unlink(ti.Root(), string(rune('0'+height)))
		}
		ti.closeClean()
	}
}

// TestTruncateLikeKernel repeats what kernel 6.1 did to two files.
func TestTruncateLikeKernel(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	ino := ti.create(ti.Root(), "f", disk.ModeReg|0o644)
	_, err := ti.WriteAt(ino, make([]byte, 3_000_000), 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(ti.Truncate(ino, 5000)).To(gomega.Succeed())
	di := ti.stat(ino)
	g.Expect([]uint64{uint64(di.Height), di.Blocks, uint64(di.Flags)}).To(gomega.Equal([]uint64{2, 4, 0}))
	g.Expect(ti.Truncate(ino, 0)).To(gomega.Succeed())
	di = ti.stat(ino)
	g.Expect([]uint64{uint64(di.Height), di.Blocks, di.GoalMeta}).To(gomega.Equal([]uint64{0, 1, ino}))

	other := ti.create(ti.Root(), "g", disk.ModeReg|0o644)
	_, err = ti.WriteAt(other, make([]byte, 100), 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(ti.stat(other).Blocks).To(gomega.Equal(uint64(1)))
	g.Expect(ti.Truncate(other, 100000)).To(gomega.Succeed())
	di = ti.stat(other)
	g.Expect([]uint64{uint64(di.Height), di.Blocks, di.Size}).To(gomega.Equal([]uint64{1, 2, 100000}))
	ti.closeClean()
}

// TestUnfinishedTruncate stops after the first transaction of a truncation, as a crash does. The next change of the file must
// free the rest first, or old data would come back behind the end.
func TestUnfinishedTruncate(t *testing.T) {
	for name, change := range map[string]func(ti *testImage, ino uint64) error{
		"write":    func(ti *testImage, ino uint64) error { _, err := ti.WriteAt(ino, []byte("x"), 600_000); return err },
		"truncate": func(ti *testImage, ino uint64) error { return ti.Truncate(ino, 600_001) },
		"punch":    func(ti *testImage, ino uint64) error { return ti.Punch(ino, 0, 1) },
		"allocate": func(ti *testImage, ino uint64) error { return ti.Allocate(ino, 600_000, 1, false) },
	} {
		g := gomega.NewWithT(t)
		ti := formatted(t, MinSize, FormatOptions{})
		ino := ti.create(ti.Root(), "f", disk.ModeReg|0o644)
		_, err := ti.WriteAt(ino, bytes.Repeat([]byte("old"), 1_000_000), 0)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		ti.must(func(tx *Tx) error {
			di, err := tx.dinode(ino)
			return firstError(err, tx.setSize(&di, 5000), tx.store(&di))
		})
		ti.closeClean()
		g.Expect(ti.stat(ino).Flags).To(gomega.Equal(uint32(disk.FlagTruncInProg)))
		ti.open()
		g.Expect(change(ti, ino)).To(gomega.Succeed(), name)
		di := ti.stat(ino)
		g.Expect(di.Flags).To(gomega.BeZero(), name)
		g.Expect(di.Blocks).To(gomega.BeNumerically("<", 10), name)
		got := make([]byte, di.Size)
		_, err = ti.ReadAt(ino, got, 0)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		if di.Size > 5000 {
			g.Expect(bytes.Trim(got[5000:], "\x00x")).To(gomega.BeEmpty(), name)
		}
		ti.closeClean()
	}
}

func TestPunchAndSeek(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	ino := ti.create(ti.Root(), "f", disk.ModeReg|0o644)
	_, err := ti.WriteAt(ino, bytes.Repeat([]byte("x"), 65536), 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(ti.Punch(ino, 8192, 16384)).To(gomega.Succeed())
	g.Expect(ti.stat(ino).Blocks).To(gomega.Equal(uint64(13)))
	g.Expect(ti.View(func(tx *Tx) error {
		for _, c := range []struct {
			off  int64
			want Whence
			at   int64
		}{{0, Data, 0}, {0, Hole, 8192}, {10000, Data, 24576}, {10000, Hole, 10000}, {30000, Hole, 65536}} {
			at, err := tx.Seek(ino, c.off, c.want)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(at).To(gomega.Equal(c.at), "%+v", c)
		}
		_, err := tx.Seek(ino, 65536, Data)
		g.Expect(err).To(gomega.MatchError(syscall.ENXIO))
		return nil
	})).To(gomega.Succeed())
	ti.closeClean()
}

func TestReadAtEnd(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	ino := ti.create(ti.Root(), "f", disk.ModeReg|0o644)
	_, err := ti.WriteAt(ino, []byte("abc"), 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	buf := make([]byte, 5)
	n, err := ti.ReadAt(ino, buf, 1)
	g.Expect(err).To(gomega.Equal(io.EOF))
	g.Expect(string(buf[:n])).To(gomega.Equal("bc"))
	n, err = ti.ReadAt(ino, buf, 3)
	g.Expect(n).To(gomega.BeZero())
	g.Expect(err).To(gomega.Equal(io.EOF))
	_, err = ti.ReadAt(ti.Root(), buf, 0)
	g.Expect(err).To(gomega.MatchError(syscall.EISDIR))
	_, err = ti.WriteAt(ti.Root(), buf, 0)
	g.Expect(err).To(gomega.MatchError(syscall.EISDIR))
}

// TestFull fills the file system until nothing fits, deletes, and fills it again: freed space must come back.
func TestFull(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	var sizes [2]int
	for round := range sizes {
		ino := ti.create(ti.Root(), "big", disk.ModeReg|0o644)
		data := make([]byte, 300_000)
		for {
			n, err := ti.WriteAt(ino, data, int64(sizes[round]))
			sizes[round] += n
			if err != nil {
				g.Expect(err).To(gomega.MatchError(syscall.ENOSPC))
				break
			}
		}
		err := ti.Update(func(tx *Tx) error {
			for i := range 100 {
				if _, err := tx.Create(ti.Root(), string(rune('A'+i)), NewInode{Mode: disk.ModeReg}); err != nil {
					return err
				}
			}
			return nil
		})
		g.Expect(err).To(gomega.MatchError(syscall.ENOSPC))
		g.Expect(ti.stat(ti.Root()).Entries).To(gomega.Equal(uint32(3)), "a failed transaction must leave nothing")
		ti.unlink(ti.Root(), "big")
	}
	g.Expect(sizes[1]).To(gomega.Equal(sizes[0]))
	g.Expect(sizes[0]).To(gomega.BeNumerically(">", 15<<20))
	ti.closeClean()
}

// TestOrphansAreReclaimed leaves unlinked inodes of every kind behind, as a crash does.
func TestOrphansAreReclaimed(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{BlockSize: 1024})
	var before disk.StatfsChange
	g.Expect(ti.View(func(tx *Tx) (err error) {
		before, err = tx.Statfs()
		return err
	})).To(gomega.Succeed())
	big := ti.create(ti.Root(), "big", disk.ModeReg|0o644)
	_, err := ti.WriteAt(big, make([]byte, 5<<20), 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	dir := ti.create(ti.Root(), "dir", disk.ModeDir|0o755)
	for i := range 200 {
		ti.create(dir, linkName(i)[200:], disk.ModeReg|0o644)
	}
	for i := range 200 {
		ti.unlink(dir, linkName(i)[200:])
	}
	g.Expect(ti.stat(dir).Flags & disk.FlagExhash).NotTo(gomega.BeZero())
	ti.must(func(tx *Tx) error {
		if err := tx.SetXattr(big, Xattr{disk.EAUser, "a"}, make([]byte, 3000), 0); err != nil {
			return err
		}
		_, gone, err := tx.Unlink(ti.Root(), "big")
		g.Expect(gone).To(gomega.BeTrue())
		if err != nil {
			return err
		}
		_, err = tx.Rmdir(ti.Root(), "dir")
		return err
	})
	g.Expect(ti.Close()).To(gomega.Succeed())
	g.Expect(ti.findings()).NotTo(gomega.BeEmpty(), "an orphan is a finding")
	ti.open()
	g.Expect(ti.View(func(tx *Tx) error {
		after, err := tx.Statfs()
		g.Expect(after).To(gomega.Equal(before))
		return err
	})).To(gomega.Succeed())
	ti.closeClean()
}

func TestAttributes(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	ino := ti.create(ti.Root(), "f", disk.ModeReg|0o644)
	mode, uid, gid, at := uint32(0o4755), uint32(7), uint32(8), time.Unix(5, 6)
	ti.must(func(tx *Tx) error {
		return tx.SetAttr(ino, Changes{Mode: &mode, UID: &uid, GID: &gid, Atime: &at, Mtime: &at})
	})
	di := ti.stat(ino)
	g.Expect([]uint32{di.Mode, di.UID, di.GID, di.AtimeNsec, di.MtimeNsec, di.CtimeNsec}).To(
		gomega.Equal([]uint32{disk.ModeReg | 0o4755, 7, 8, 6, 6, 123456789}))
	ti.must(func(tx *Tx) error { return tx.SetFlags(ino, disk.FlagAppendOnly|disk.FlagNoatime) })
	g.Expect(ti.stat(ino).Flags).To(gomega.Equal(uint32(disk.FlagAppendOnly | disk.FlagNoatime)))
	for _, flags := range []uint32{disk.FlagJdata, disk.FlagSystem, disk.FlagExhash, disk.FlagInheritJdata} {
		err := ti.Update(func(tx *Tx) error { return tx.SetFlags(ino, flags) })
		g.Expect(err).To(gomega.MatchError(syscall.EOPNOTSUPP))
	}
	ti.closeClean()
}

func TestInheritance(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	dir := ti.create(ti.Root(), "d", disk.ModeDir|0o755)
	mode, gid := uint32(0o2755), uint32(77)
	ti.must(func(tx *Tx) error {
		if err := tx.SetAttr(dir, Changes{Mode: &mode, GID: &gid}); err != nil {
			return err
		}
		return tx.SetFlags(dir, disk.FlagJdata|disk.FlagInheritJdata)
	})
	file, sub := ti.create(dir, "f", disk.ModeReg|0o644), ti.create(dir, "s", disk.ModeDir|0o755)
	g.Expect([]uint32{ti.stat(file).GID, ti.stat(file).Mode, ti.stat(file).Flags}).To(
		gomega.Equal([]uint32{77, disk.ModeReg | 0o644, disk.FlagJdata}))
	g.Expect([]uint32{ti.stat(sub).GID, ti.stat(sub).Mode, ti.stat(sub).Flags}).To(
		gomega.Equal([]uint32{77, disk.ModeDir | 0o2755, disk.FlagJdata | disk.FlagInheritJdata}))
	ti.closeClean()
}

func TestXattrLimits(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{Version: disk.Format1801})
	ino := ti.create(ti.Root(), "f", disk.ModeReg|0o644)
	set := func(x Xattr, n int) error {
		return ti.Update(func(tx *Tx) error { return tx.SetXattr(ino, x, make([]byte, n), 0) })
	}
	g.Expect(set(Xattr{disk.EATrusted, "t"}, 1)).To(gomega.MatchError(syscall.EOPNOTSUPP), "1801 has no trusted attributes")
	g.Expect(set(Xattr{disk.EAUser, ""}, 1)).To(gomega.MatchError(syscall.ERANGE))
	g.Expect(set(Xattr{disk.EAUser, "a"}, 65537)).To(gomega.MatchError(syscall.E2BIG))
	g.Expect(set(Xattr{disk.EAUser, "a"}, 65536)).To(gomega.Succeed())
	g.Expect(ti.Withdrawn()).NotTo(gomega.HaveOccurred(), "a user's mistake is no inconsistency")
	ti.closeClean()

	small := formatted(t, MinSize, FormatOptions{BlockSize: 512})
	ino = small.create(small.Root(), "f", disk.ModeReg|0o644)
	err := small.Update(func(tx *Tx) error {
		return tx.SetXattr(ino, Xattr{disk.EAUser, "a"}, make([]byte, 65536), 0)
	})
	g.Expect(err).To(gomega.MatchError(syscall.ERANGE), "135 pointers do not fit into 488 bytes")
}

// TestViewChangesNothing tries every change in a View.
func TestViewChangesNothing(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	file := ti.create(ti.Root(), "f", disk.ModeReg|0o644)
	mode := uint32(0)
	x := Xattr{disk.EAUser, "x"}
	ti.must(func(tx *Tx) error { return tx.SetXattr(file, x, nil, 0) })
	for name, change := range map[string]func(tx *Tx) error{
		"create": func(tx *Tx) error { _, err := tx.Create(ti.Root(), "g", NewInode{Mode: disk.ModeReg}); return err },
		"link":   func(tx *Tx) error { return tx.Link(file, ti.Root(), "g") },
		"unlink": func(tx *Tx) error { _, _, err := tx.Unlink(ti.Root(), "f"); return err },
		"rename": func(tx *Tx) error { _, err := tx.Rename(ti.Root(), "f", ti.Root(), "g", 0); return err },
		"mode":   func(tx *Tx) error { return tx.SetAttr(file, Changes{Mode: &mode}) },
		"flags":  func(tx *Tx) error { return tx.SetFlags(file, disk.FlagNoatime) },
		"set":    func(tx *Tx) error { return tx.SetXattr(file, x, []byte("v"), 0) },
		"remove": func(tx *Tx) error { return tx.RemoveXattr(file, x) },
	} {
		g.Expect(ti.View(change)).To(gomega.MatchError(syscall.EROFS), name)
	}
	ti.closeClean()
	im, err := Open(ti.dev, ti.size, Options{ReadOnly: true})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	_, err = im.WriteAt(file, []byte("x"), 0)
	g.Expect(err).To(gomega.MatchError(syscall.EROFS))
	g.Expect(im.Close()).To(gomega.Succeed())
}

// TestWithdraw: after an inconsistency nothing is written any more, and what was synced before survives.
func TestWithdraw(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	file := ti.create(ti.Root(), "f", disk.ModeReg|0o644)
	g.Expect(ti.Sync()).To(gomega.Succeed())
	ti.create(ti.Root(), "not synced", disk.ModeReg|0o644)
	err := ti.Update(func(tx *Tx) error { return tx.release(file + 5) })
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("block is free and becomes free")))
	g.Expect(ti.Withdrawn()).To(gomega.Equal(err))
	before, err := os.ReadFile(ti.path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	_, err = ti.WriteAt(file, []byte("x"), 0)
	g.Expect(err).To(gomega.MatchError(syscall.EIO))
	g.Expect(ti.Sync()).To(gomega.MatchError(syscall.EIO))
	g.Expect(ti.Close()).To(gomega.Succeed())
	after, err := os.ReadFile(ti.path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(bytes.Equal(before, after)).To(gomega.BeTrue())
	ti.open()
	g.Expect(ti.stat(ti.Root()).Entries).To(gomega.Equal(uint32(3)))
	ti.closeClean()
}

// TestGenerations: no two inodes of a resource group get the same formal number, so that a new one in an old place is told
// from the one before.
func TestGenerations(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	seen := map[uint64]bool{}
	for range 5 {
		di := ti.stat(ti.create(ti.Root(), "f", disk.ModeReg|0o644))
		g.Expect(di.Generation).To(gomega.Equal(di.Num.FormalIno))
		g.Expect(seen[di.Generation]).To(gomega.BeFalse())
		seen[di.Generation] = true
		ti.unlink(ti.Root(), "f")
	}
	ti.closeClean()
}

func TestRemovedDirectoryTakesNothing(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	dir := ti.create(ti.Root(), "dir", disk.ModeDir|0o755)
	ti.must(func(tx *Tx) error {
		_, err := tx.Rmdir(ti.Root(), "dir")
		return err
	})
	err := ti.Update(func(tx *Tx) error {
		_, err := tx.Create(dir, "f", NewInode{Mode: disk.ModeReg})
		return err
	})
	g.Expect(err).To(gomega.MatchError(syscall.ENOENT))
	g.Expect(ti.Reclaim(dir)).To(gomega.Succeed())
	ti.closeClean()
}

// TestOpenComparesCounters: a resource group whose counter is wrong would be filled beyond its end, or never.
func TestOpenComparesCounters(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	g.Expect(ti.Close()).To(gomega.Succeed())
	header := make([]byte, 4096)
	at := int64(ti.groups[1].Addr) * 4096
	_, err := ti.dev.ReadAt(header, at)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	rg, err := disk.DecodeRgrp(header, ti.groups[1].Addr)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	rg.Free++
	rg.Encode(header)
	_, err = ti.dev.WriteAt(header, at)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	_, err = Open(ti.dev, ti.size, Options{})
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("its bitmap has")))
}

// TestOverwriteChangesTheDinodeAlone: of the metadata of a file with a tree, a write over what is there changes the times, and nothing else is journaled.
func TestOverwriteChangesTheDinodeAlone(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, 64<<20, FormatOptions{})
	ino := ti.create(ti.Root(), "file", disk.ModeReg|0o644)
	_, err := ti.WriteAt(ino, make([]byte, 8<<20), 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(ti.stat(ino).Height).To(gomega.BeNumerically(">", 1))
	g.Expect(ti.Sync()).To(gomega.Succeed())
	_, err = ti.WriteAt(ino, make([]byte, 10_000), 5<<20+100)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(slices.Collect(maps.Keys(ti.dirty))).To(gomega.Equal([]uint64{ino}))
	ti.closeClean()
}
