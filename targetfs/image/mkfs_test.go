package image

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"faultline/targetfs/disk"

	"github.com/onsi/gomega"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		bs       disk.BlockSize
		version  uint32
		journals int
		size     int64
	}{
		{512, disk.Format1802, 1, 32 << 20}, {1024, disk.Format1801, 2, 100 << 20}, {2048, disk.Format1802, 1, 64<<20 + 4096*3},
		{4096, disk.Format1801, 1, 32 << 20}, {4096, disk.Format1802, 3, 600 << 20},
	} {
		t.Run(fmt.Sprintf("%d-%d-%d-%dMiB", c.bs, c.version, c.journals, c.size>>20), func(t *testing.T) {
			g := gomega.NewWithT(t)
			ti := formatted(t, c.size, FormatOptions{BlockSize: c.bs, Version: c.version, Journals: c.journals, GroupBytes: 32 << 20})
			sb := ti.Superblock()
			g.Expect([]uint32{uint32(ti.BlockSize()), sb.FsFormat}).To(gomega.Equal([]uint32{uint32(c.bs), c.version}))
			g.Expect(ti.View(func(tx *Tx) error {
				sc, err := tx.Statfs()
				g.Expect(sc.Dinodes).To(gomega.Equal(int64(8 + 4*c.journals)))
				return err
			})).To(gomega.Succeed())
			ti.closeClean()
		})
	}
}

// TestFormatLikeMkfs compares with mkfs.gfs2 block by block. What may differ is masked: times, the sequence numbers of the
// log, which begin at random there, and junk in reserved fields.
func TestFormatLikeMkfs(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, size := range []int64{64 << 20, 256 << 20} {
		theirs := mkfs(t, size, "-U", "01020300-0000-0000-0000-000000000000", "-r", "32")
		ours := newFile(t, size)
		g.Expect(Format(ours.dev, size, FormatOptions{UUID: [16]byte{1, 2, 3}, GroupBytes: 32 << 20, Time: testTime})).To(gomega.Succeed())
		var a, b [4096]byte
		for addr := range size / 4096 {
			_, err := ours.dev.ReadAt(a[:], addr*4096)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			_, err = theirs.dev.ReadAt(b[:], addr*4096)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			mask(t, a[:], uint64(addr))
			mask(t, b[:], uint64(addr))
			if !bytes.Equal(a[:], b[:]) {
				t.Errorf("%d MiB: block %d differs", size>>20, addr)
			}
		}
	}
}

// mask makes the fields of one block that may differ the same.
func mask(t *testing.T, b []byte, addr uint64) {
	t.Helper()
	switch typ, _ := disk.TypeOf(b); typ {
	case disk.TypeDI:
		di, err := disk.DecodeDinode(b, addr)
		if err != nil {
			t.Fatal(err)
		}
		di.Atime, di.Mtime, di.Ctime, di.AtimeNsec, di.MtimeNsec, di.CtimeNsec = 0, 0, 0, 0, 0, 0
		// mkfs.gfs2 leaves the goal of a file with blocks where the last one is; ours is the same hint for both.
		di.GoalMeta, di.GoalData = 0, 0
		di.Encode(b)
		if di.PayloadFormat == disk.FormatRindex {
			for off := disk.DinodeSize; off < disk.DinodeSize+int(di.Size); off += disk.RindexSize {
				ri, err := disk.DecodeRindex(b[off:], addr)
				if err != nil {
					t.Fatal(err)
				}
				ri.Encode(b[off:])
			}
		}
	case disk.TypeLH:
		lh, err := disk.DecodeLogHeader(b, addr)
		if err != nil {
			t.Fatal(err)
		}
		lh.Sequence = 0
		lh.Encode(b)
	}
}

func TestFormatIsReproducible(t *testing.T) {
	g := gomega.NewWithT(t)
	opts := FormatOptions{UUID: [16]byte{9}, Time: testTime}
	var images [2][]byte
	for i := range images {
		ti := newFile(t, MinSize)
		g.Expect(Format(ti.dev, ti.size, opts)).To(gomega.Succeed())
		var err error
		images[i], err = os.ReadFile(ti.path)
		g.Expect(err).NotTo(gomega.HaveOccurred())
	}
	g.Expect(bytes.Equal(images[0], images[1])).To(gomega.BeTrue())
}

// TestFormatHuge formats 1 TiB: what is written must stay a small part of it.
func TestFormatHuge(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 200 MB")
	}
	g := gomega.NewWithT(t)
	ti := formatted(t, 1<<40, FormatOptions{JournalBytes: 8 << 20, GroupBytes: 2 << 30})
	ino := ti.create(ti.Root(), "file", disk.ModeReg|0o644)
	_, err := ti.WriteAt(ino, []byte("far away"), 1<<40)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(ti.stat(ino).Height).To(gomega.Equal(uint16(4)))
	g.Expect(ti.Close()).To(gomega.Succeed())
	g.Expect(ti.findings()).To(gomega.BeEmpty())
}

func TestFormatRefuses(t *testing.T) {
	g := gomega.NewWithT(t)
	for name, c := range map[string]struct {
		size int64
		opts FormatOptions
	}{
		"small":        {MinSize - 1, FormatOptions{}},
		"block size":   {MinSize, FormatOptions{BlockSize: 8192}},
		"version":      {MinSize, FormatOptions{Version: 1803}},
		"journals":     {MinSize, FormatOptions{Journals: -1}},
		"many":         {MinSize, FormatOptions{Journals: 3}},
		"journal size": {MinSize, FormatOptions{JournalBytes: 4 << 20}},
		"group size":   {MinSize, FormatOptions{GroupBytes: 1 << 20}},
	} {
		ti := newFile(t, c.size)
		g.Expect(Format(ti.dev, c.size, c.opts)).NotTo(gomega.Succeed(), name)
		_, err := Open(ti.dev, c.size, Options{})
		g.Expect(err).To(gomega.HaveOccurred(), name)
	}
}

func TestOpenRefusesProtocol(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := newFile(t, MinSize)
	opts := FormatOptions{LockProto: "lock_dlm", LockTable: "cluster:fs", Time: time.Unix(1, 0)}
	g.Expect(Format(ti.dev, ti.size, opts)).To(gomega.Succeed())
	_, err := Open(ti.dev, ti.size, Options{})
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(`lock protocol "lock_dlm"`)))
	_, err = Open(ti.dev, ti.size, Options{AnyProtocol: true})
	g.Expect(err).NotTo(gomega.HaveOccurred())
}

// The root directory belongs to whom the options say, and nobody objects.
func TestFormatRootOwner(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{RootUID: 1000, RootGID: 100})
	root := ti.stat(ti.Root())
	g.Expect([]uint32{root.UID, root.GID, root.Mode & 0o777}).To(gomega.Equal([]uint32{1000, 100, 0o755}))
	ti.closeClean()
}
