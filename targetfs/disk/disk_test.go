package disk

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/onsi/gomega"
)

// TestSizes compares each structure with the size that gfs2_ondisk.h gives it.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		v    any
		want int
	}{
		{MetaHeader{}, 24}, {Inum{}, 16}, {Superblock{}, 272}, {Rindex{}, 96}, {Rgrp{}, 128}, {Dinode{}, 232},
		{Dirent{}, 40}, {Leaf{}, 104}, {EAHeader{}, 16}, {LogHeader{}, 120}, {LogDescriptor{}, 72}, {InumRange{}, 16},
		{StatfsChange{}, 24}, {Quota{}, 88}, {QuotaChange{}, 16}, {RgrpLVB{}, 32}, {InodeLVB{}, 16}, {QuotaLVB{}, 32},
	} {
		if got := binary.Size(c.v); got != c.want {
			t.Errorf("%T has %d bytes, want %d", c.v, got, c.want)
		}
	}
}

// block is bs bytes that start with the given hex dump. "@N" continues at offset N.
func block(t *testing.T, bs int, dump string) []byte {
	t.Helper()
	b, off := make([]byte, bs), 0
	for _, word := range strings.Fields(dump) {
		if at, ok := strings.CutPrefix(word, "@"); ok {
			off = 0
			for _, c := range at {
				off = off*10 + int(c-'0')
			}
			continue
		}
		raw, err := hex.DecodeString(word)
		if err != nil {
			t.Fatal(err)
		}
		off += copy(b[off:], raw)
	}
	return b
}

// The dumps in these tests are blocks that mkfs.gfs2 3.5.0 and Linux 6.1 wrote.

func TestDecodeSuperblock(t *testing.T) {
	g := gomega.NewWithT(t)
	b := block(t, 4096, `01161970 00000001 00000000 00000000 00000064 00000000 0000070a 0000076c
		00000000 00001000 0000000c 00000000 00000000 00000002 00000000 00000818
		@80 00000000 0000000c 00000000 00000924 6c6f636b 5f6e6f6c 6f636b00
		@256 01234567 89abcdef 01234567 89abcdef`)
	sb, err := DecodeSuperblock(b, 16)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(sb.MasterDir).To(gomega.Equal(Inum{2, 2072}))
	g.Expect(sb.RootDir).To(gomega.Equal(Inum{12, 2340}))
	g.Expect(sb.Protocol()).To(gomega.Equal("lock_nolock"))
	g.Expect(sb.Table()).To(gomega.BeEmpty())
	g.Expect(sb.MaxEAType()).To(gomega.Equal(EATrusted))
	g.Expect(hex.EncodeToString(sb.UUID[:])).To(gomega.Equal("0123456789abcdef0123456789abcdef"))
	out := make([]byte, 4096)
	sb.Encode(out)
	g.Expect(out).To(gomega.Equal(b))
}

func TestSuperblockErrors(t *testing.T) {
	g := gomega.NewWithT(t)
	sb := Superblock{MetaHeader: NewHeader(TypeSB), FsFormat: Format1802, MultihostFormat: FormatMultihost, Bsize: 4096, BsizeShift: 12}
	decode := func(change func(*Superblock)) error {
		c, b := sb, make([]byte, SuperblockSize)
		change(&c)
		c.Encode(b)
		_, err := DecodeSuperblock(b, 16)
		return err
	}
	g.Expect(decode(func(*Superblock) {})).To(gomega.Succeed())
	for name, change := range map[string]func(*Superblock){
		"magic": func(s *Superblock) { s.Magic++ },
		"type":  func(s *Superblock) { s.Type = TypeDI },
		"bsize": func(s *Superblock) { s.Bsize = 3000 },
		"shift": func(s *Superblock) { s.BsizeShift = 11 },
	} {
		corrupt, ok := errors.AsType[*CorruptError](decode(change))
		g.Expect(ok).To(gomega.BeTrue(), name)
		g.Expect(corrupt.Block).To(gomega.Equal(uint64(16)), name)
	}
	for name, change := range map[string]func(*Superblock){
		"format":    func(s *Superblock) { s.FsFormat = 1803 },
		"multihost": func(s *Superblock) { s.MultihostFormat = 1901 },
	} {
		_, ok := errors.AsType[*UnsupportedError](decode(change))
		g.Expect(ok).To(gomega.BeTrue(), name)
	}
	_, err := DecodeSuperblock(nil, 16)
	g.Expect(err).To(gomega.MatchError("block 16 is corrupt: no metadata header, want a superblock"))
}

func TestRgrp(t *testing.T) {
	g := gomega.NewWithT(t)
	b := block(t, 4096, `01161970 00000002 00000000 00000000 000000c8 00000000 00000000 00000000
		00000003 00000809 00000000 00000000 00000000 00000012 00000808 00000202 2491348d
		@128 57555555`)
	rg, err := DecodeRgrp(b, 17)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect([]uint32{rg.Dinodes, rg.Skip, rg.Data, rg.Bitbytes}).To(gomega.Equal([]uint32{3, 2057, 2056, 514}))
	out := make([]byte, 4096)
	rg.Encode(out)
	g.Expect(out[:RgrpSize]).To(gomega.Equal(b[:RgrpSize]))

	bm, start := (&Rindex{Bitbytes: 514}).BitmapOf(b, 0)
	g.Expect(start).To(gomega.BeZero())
	g.Expect(bm.Len()).To(gomega.Equal(uint32(2056)))
	g.Expect([]BlockState{bm.State(0), bm.State(1), bm.State(15), bm.State(16)}).To(
		gomega.Equal([]BlockState{InodeBlock, Used, Used, Free}))

	b[40]++
	_, err = DecodeRgrp(b, 17)
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("checksum")))
	clear(b[rgCrcOffset : rgCrcOffset+4])
	_, err = DecodeRgrp(b, 17)
	g.Expect(err).NotTo(gomega.HaveOccurred(), "a checksum of 0 means none")
}

func TestPlanRgrp(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, c := range []struct {
		bs            BlockSize
		addr, total   uint64
		length, data  uint32
		otherBitbytes uint32
	}{
		{4096, 2074, 30691, 2, 30688, 7672},
		{4096, 17, 2057, 1, 2056, 514},
		{512, 129, 16669, 9, 16660, 4165},
		{4096, 2074, 63461, 4, 63456, 15864},
	} {
		ri := PlanRgrp(c.bs, c.addr, c.total)
		g.Expect([]uint32{ri.Length, ri.Data, ri.Bitbytes}).To(gomega.Equal([]uint32{c.length, c.data, c.otherBitbytes}))
		g.Expect(ri.Check(c.bs, c.addr+c.total)).To(gomega.Succeed())
		ri.Length++
		ri.Data0++
		g.Expect(ri.Check(c.bs, c.addr+c.total+1)).NotTo(gomega.Succeed())
	}
}

func TestBitmapBlocks(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, bs := range []BlockSize{512, 1024, 4096} {
		ri := PlanRgrp(bs, 1000, 100000)
		next := uint32(0)
		for i := range ri.Length {
			bm, start := ri.BitmapOf(make([]byte, bs), i)
			g.Expect(start).To(gomega.Equal(next))
			next = start + bm.Len()
			g.Expect(bs.BitmapIndex(start)).To(gomega.Equal(i))
			g.Expect(bs.BitmapIndex(next - 1)).To(gomega.Equal(i))
		}
		g.Expect(next).To(gomega.Equal(ri.Data))
	}
}

func TestBitmapStates(t *testing.T) {
	g := gomega.NewWithT(t)
	bm := make(Bitmap, 8)
	for n := range bm.Len() {
		bm.Set(n, BlockState(1+n%3))
	}
	_, ok := bm.FindFree(0)
	g.Expect(ok).To(gomega.BeFalse())
	g.Expect(bm.Count()).To(gomega.Equal([4]uint32{0, 11, 11, 10}))
	bm.Set(21, Free)
	for _, from := range []uint32{0, 20, 21} {
		n, ok := bm.FindFree(from)
		g.Expect(ok).To(gomega.BeTrue())
		g.Expect(n).To(gomega.Equal(uint32(21)))
	}
	_, ok = bm.FindFree(22)
	g.Expect(ok).To(gomega.BeFalse())
	long := make(Bitmap, 100)
	for n := range long.Len() {
		long.Set(n, BlockState(1+n%3))
	}
	for n := range long.Len() {
		long.Set(n, Free)
		for from := range n + 1 {
			at, ok := long.FindFree(from)
			g.Expect(ok && at == n).To(gomega.BeTrue(), "free block %d, from %d: %d", n, from, at)
		}
		long.Set(n, Used)
	}

	legal := map[[2]BlockState]bool{{Free, Used}: true, {Free, InodeBlock}: true, {Used, Free}: true,
		{InodeBlock, Unlinked}: true, {Unlinked, Free}: true, {InodeBlock, Free}: true}
	for from := Free; from <= InodeBlock; from++ {
		for to := Free; to <= InodeBlock; to++ {
			g.Expect(from.MayBecome(to)).To(gomega.Equal(legal[[2]BlockState{from, to}]), "%v to %v", from, to)
		}
	}
}

func TestLogHeader(t *testing.T) {
	g := gomega.NewWithT(t)
	lh := LogHeader{Sequence: 0x80, Flags: LogUserspace | LogUnmount, Addr: 24, Jinode: 18}
	b := make([]byte, 4096)
	lh.Encode(b)
	g.Expect(lh.HeaderHash).To(gomega.Equal(uint32(0xcdf812d2)))
	g.Expect(lh.Crc).To(gomega.Equal(uint32(0xac0fb9d0)))
	got, err := DecodeLogHeader(b, 24)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(got).To(gomega.Equal(lh))
	for _, off := range []int{24, 36, 56, 4095} {
		b[off] ^= 1
		_, err = DecodeLogHeader(b, 24)
		g.Expect(err).To(gomega.HaveOccurred(), "byte %d", off)
		b[off] ^= 1
	}
	clear(b[logCrcOffset : logCrcOffset+4])
	b[4095] = 1
	_, err = DecodeLogHeader(b, 24)
	g.Expect(err).NotTo(gomega.HaveOccurred(), "a header of version 1 has no lh_crc")
}

// TestLogHeaderOfKernel verifies both checksums of a header that Linux 6.1 wrote.
func TestLogHeaderOfKernel(t *testing.T) {
	g := gomega.NewWithT(t)
	b := block(t, 4096, `01161970 00000008 00000000 00000000 00000320 00000000 00000000 00000800
		00000402 000004b0 00000660 965a8da0 7792d0f0 158de512 00000000 6b03088d
		00000000 00000678 00000000 00000012 00000000 0000081e 00000000 0000081f
		00000000 00000000 ffffffff fffffb50 00000000 0000019e`)
	lh, err := DecodeLogHeader(b, 1656)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect([]uint64{lh.Sequence, uint64(lh.Tail), uint64(lh.Blkno), lh.Addr, lh.Jinode, lh.StatfsAddr, lh.QuotaAddr}).To(
		gomega.Equal([]uint64{2048, 1200, 1632, 1656, 18, 2078, 2079}))
	g.Expect([]int64{lh.LocalTotal, lh.LocalFree, lh.LocalInodes}).To(gomega.Equal([]int64{0, -1200, 414}))
	out := make([]byte, 4096)
	lh.Encode(out)
	g.Expect(out).To(gomega.Equal(b))
}

// TestAttributesOfKernel reads the records of an EA block that Linux 6.1 wrote.
func TestAttributesOfKernel(t *testing.T) {
	g := gomega.NewWithT(t)
	b := block(t, 4096, `01161970 0000000a 00000000 00000000 00000640 00000000
		00000018 00000003 03010000 00000000 666f6f62 61720000
		00000018 00000002 01040000 00000000 74747600 00000000
		00000fb8 00000002 01030100 00000000 73737600`)
	var got []string
	for ea, err := range EAsOf(b).All(3946) {
		g.Expect(err).NotTo(gomega.HaveOccurred())
		got = append(got, fmt.Sprintf("%v.%s=%s", ea.Type, ea.Name(), ea.Inline()))
	}
	g.Expect(got).To(gomega.Equal([]string{"user.foo=bar", "trusted.t=tv", "security.s=sv"}))
}

// TestLeafOfKernel reads the start of a leaf that Linux 6.1 wrote: its first record is empty and has stale bytes.
func TestLeafOfKernel(t *testing.T) {
	g := gomega.NewWithT(t)
	b := block(t, 4096, `01161970 00000006 00000000 00000000 00000258 00000000 00030001 000004b0
		00000000 00000000 00000000 000009c7 00000001 0444ca12 00000000 6b03088d
		@104 00000000 00000000 00000000 00000000 0ed4e242 00300001
		@152 00000000 00000008 00000000 000009c7 23a0dee4 0f680002 00080000 @192 6631`)
	lf, err := DecodeLeaf(b, 3077)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect([]uint64{uint64(lf.Depth), lf.Inode, uint64(lf.Dist)}).To(gomega.Equal([]uint64{3, 2503, 1}))
	e, found, err := LeafDirents(b).Find("f1", HashName("f1"), 3077)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(found).To(gomega.BeTrue())
	g.Expect(e.Inum).To(gomega.Equal(Inum{8, 2503}))
}

func TestLogDescriptor(t *testing.T) {
	g := gomega.NewWithT(t)
	b := make([]byte, 4096)
	for _, c := range []struct {
		typ, length, data1 uint32
		ok                 bool
	}{
		{LogMetadata, 504, 503, true}, {LogMetadata, 505, 504, false}, {LogMetadata, 3, 3, false},
		{LogJdata, 252, 251, true}, {LogJdata, 253, 252, false},
		{LogRevoke, 1, 503, true}, {LogRevoke, 2, 504, true}, {LogRevoke, 2, 503 + 509, true}, {LogRevoke, 2, 503 + 510, false},
		{LogRevoke, 0, 0xffffffff, false}, {303, 1, 0, false},
	} {
		ld := LogDescriptor{Type: c.typ, Length: c.length, Data1: c.data1}
		ld.Encode(b)
		_, err := DecodeLogDescriptor(b, 1)
		g.Expect(err == nil).To(gomega.Equal(c.ok), "%+v: %v", c, err)
	}
}

func TestHash(t *testing.T) {
	g := gomega.NewWithT(t)
	for name, want := range map[string]uint32{".": 0x0ed4e242, "..": 0x9608161c, "f1": 0x23a0dee4, "jindex": 0x5efc1d83,
		"journal0": 0xfc7745eb, "lost+found": 0x6ab47928} {
		g.Expect(HashName(name)).To(gomega.Equal(want), name)
	}
}

// TestLayout compares with the table of block sizes in the format description.
func TestLayout(t *testing.T) {
	g := gomega.NewWithT(t)
	for bs, want := range map[BlockSize][]int{
		512:   {280, 35, 61, 55, 27, 5, 408, 30},
		1024:  {792, 99, 125, 119, 59, 6, 920, 62},
		4096:  {3864, 483, 509, 503, 251, 8, 3992, 254},
		65536: {65304, 8163, 8189, 8183, 4091, 12, 65432, 4094},
	} {
		g.Expect([]int{bs.StuffedMax(), bs.DinodePtrs(), bs.IndirectPtrs(), bs.LogTags(LogMetadata), bs.LogTags(LogJdata),
			bs.MinHashDepth(), bs.LeafMax(), bs.QuotaSlots()}).To(gomega.Equal(want), "%d", bs)
	}
	bs := BlockSize(4096)
	g.Expect(bs.TreeBlocks(3) * 4096).To(gomega.Equal(uint64(512557559808)))
	for height, blocks := range map[int]uint64{1: 483, 2: 483 * 509, 3: 483*509 + 1} {
		h, ok := bs.HeightFor(blocks)
		g.Expect(ok).To(gomega.BeTrue())
		g.Expect(h).To(gomega.Equal(height))
	}
	g.Expect(BlockSize(4097).Valid()).To(gomega.BeFalse())
}
