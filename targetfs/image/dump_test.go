package image

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/targetfs/disk"
)

// dumped is what one kind of dump prints.
func (ti *testImage) dumped(what func(d *Dump) error) string {
	ti.t.Helper()
	var out bytes.Buffer
	d, err := NewDump(ti.dev, ti.size, &out)
	if err == nil {
		err = what(d)
	}
	if err != nil {
		ti.t.Fatal(err)
	}
	return out.String()
}

// Every structure that a dump shows has the numbers that the image was given.
func TestDump(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, 64<<20, FormatOptions{UUID: [16]byte{0: 0xaa, 15: 0xbb}})
	dir := ti.create(ti.Root(), "dir", disk.ModeDir|0o750)
	file := ti.create(dir, "file", disk.ModeReg|0o640)
	_, err := ti.WriteAt(file, make([]byte, 8192), 40960)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	ti.must(func(tx *Tx) error { return tx.SetXattr(file, Xattr{disk.EAUser, "note"}, []byte("12345"), 0) })
	ti.must(func(tx *Tx) error {
		_, err := tx.Create(dir, "link", NewInode{Mode: disk.ModeLink | 0o777, Target: "a/b"})
		return err
	})
	g.Expect(ti.Sync()).To(gomega.Succeed())

	g.Expect(ti.dumped((*Dump).Superblock)).To(gomega.SatisfyAll(
		gomega.HavePrefix("superblock at block 16 of 16384\n"),
		gomega.MatchRegexp(`\n  sb_fs_format +1802\n`), gomega.MatchRegexp(`\n  sb_lockproto +"lock_nolock"\n`),
		gomega.MatchRegexp(fmt.Sprintf(`\n  sb_root_dir +block %d, formal number \d+\n`, ti.Root())),
		gomega.MatchRegexp(`\n  sb_uuid +aa000000-0000-0000-0000-0000000000bb\n`)))
	g.Expect(ti.dumped(func(d *Dump) error { return d.Path("/dir/file") })).To(gomega.SatisfyAll(
		gomega.HavePrefix("dinode at block %d\n", file),
		gomega.MatchRegexp(`\n  di_mode +0100640\n`), gomega.MatchRegexp(`\n  di_size +49152\n`), gomega.MatchRegexp(`\n  di_goal_meta +\d+\n`),
		gomega.MatchRegexp(`\n +10 +2 +\d+\n`), gomega.HaveSuffix("attribute user.note, 5 bytes\n")))
	g.Expect(ti.dumped(func(d *Dump) error { return d.Inode(dir) })).To(gomega.MatchRegexp(fmt.Sprintf(`\n0x[0-9a-f]{8} +%d +8  "file"\n`, file)))
	g.Expect(ti.dumped(func(d *Dump) error { return d.Path("dir//link") })).To(gomega.ContainSubstring("target \"a/b\"\n"))
	g.Expect(ti.dumped(func(d *Dump) error { return d.Journal(0) })).To(gomega.SatisfyAll(
		gomega.MatchRegexp(`^journal 0, inode \d+, \d+ blocks, dirty; its last log header:\n  lh_sequence +\d+\n`),
		gomega.MatchRegexp(`log descriptor, \d+ metadata blocks in \d+ blocks\n`), gomega.MatchRegexp(`log header, sequence \d+, flags 0x[0-9a-f]+, tail \d+\n$`)))
	groups := strings.Split(strings.TrimSpace(ti.dumped((*Dump).Groups)), "\n")
	g.Expect(groups).To(gomega.HaveLen(1 + len(ti.groups)))
	rg := ti.groups[len(ti.groups)-1]
	g.Expect(strings.Fields(groups[len(groups)-1])[:5]).To(gomega.Equal(strings.Fields(fmt.Sprint(rg.Addr, rg.Length, rg.Data0, rg.Data, rg.free))))

	ti.closeClean()
	g.Expect(ti.dumped(func(d *Dump) error { return d.Journal(0) })).To(gomega.ContainSubstring(" blocks, clean; "))
}

// A dump of what is not there, or of what is no inode, is an error that says so.
func TestDumpErrors(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	d, err := NewDump(ti.dev, ti.size, &bytes.Buffer{})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(d.Path("/none")).To(gomega.MatchError(gomega.ContainSubstring("dump /none: find none in inode")))
	g.Expect(d.Journal(1)).To(gomega.MatchError("dump journal 1: there are 1, from 0 on: no such file or directory"))
	g.Expect(d.Inode(1 << 40)).To(gomega.MatchError(gomega.ContainSubstring("outside the device")))
	g.Expect(d.Inode(uint64(ti.groups[0].Addr))).To(gomega.MatchError(gomega.ContainSubstring("is a resource group, want a dinode")))
	g.Expect(ti.dev.Truncate(0)).To(gomega.Succeed())
	_, err = NewDump(ti.dev, 0, &bytes.Buffer{})
	g.Expect(err).To(gomega.MatchError(ErrNotGFS2))
}
