package image

import (
	"fmt"
	"time"

	"faultline/targetfs/disk"
)

// Limits and defaults of sizes, in bytes.
const (
	MinSize         = 32 << 20
	minJournalBytes = 8 << 20
	maxJournalBytes = 1 << 30
	minGroupBytes   = 32 << 20
	maxGroupBytes   = 2 << 30
	quotaBytes      = 1 << 20 // size of a quota_change file
)

// FormatOptions say what Format makes. The zero value is a good choice.
type FormatOptions struct {
	BlockSize    disk.BlockSize // 512 to 4096, 4096 when 0
	Version      uint32         // disk.Format1801 or disk.Format1802, the latter when 0
	Journals     int            // 1 when 0
	JournalBytes int64          // of each journal, by size of the device when 0
	GroupBytes   int64          // of a resource group, 256 MiB when 0
	UUID         [16]byte
	Time         time.Time // timestamp of everything, now when zero
	LockProto    string    // lock_nolock when empty
	LockTable    string
	RootUID      uint32 // owner of the root directory
	RootGID      uint32
}

// Format makes an empty file system of size bytes on dev. The same options give the same bytes. What is not written keeps
// its content: on a new file it stays a hole.
func Format(dev Device, size int64, opts FormatOptions) error {
	p, err := newPlan(size, opts)
	if err != nil {
		return fmt.Errorf("format GFS2 image: %w", err)
	}
	if err := p.format(dev); err != nil {
		return fmt.Errorf("format GFS2 image: %w", err)
	}
	return nil
}

// Validate says whether Format can make a file system of size bytes with these options. It touches no device.
func (o FormatOptions) Validate(size int64) error {
	o.setDefaults(size)
	return o.check(size)
}

// defaultJournal is the journal size that mkfs.gfs2 chooses for a device with so many bytes for each journal.
func defaultJournal(bytes int64) int64 {
	for _, c := range []struct{ below, journal int64 }{
		{512 << 20, 8}, {2 << 30, 16}, {8 << 30, 32}, {16 << 30, 64}, {1 << 40, 128}, {10 << 40, 512},
	} {
		if bytes < c.below {
			return c.journal << 20
		}
	}
	return maxJournalBytes
}

func (o *FormatOptions) setDefaults(size int64) {
	if o.BlockSize == 0 {
		o.BlockSize = 4096
	}
	if o.Version == 0 {
		o.Version = disk.Format1802
	}
	if o.Journals == 0 {
		o.Journals = 1
	}
	if o.JournalBytes == 0 && o.Journals > 0 {
		o.JournalBytes = defaultJournal(size / int64(o.Journals))
	}
	if o.GroupBytes == 0 {
		o.GroupBytes = 256 << 20
	}
	if o.Time.IsZero() {
		o.Time = time.Now()
	}
	if o.LockProto == "" {
		o.LockProto = disk.LockNolock
	}
}

func (o *FormatOptions) check(size int64) error {
	switch {
	case !o.BlockSize.Valid() || o.BlockSize > 4096:
		return fmt.Errorf("block size %d, want a power of two from 512 to 4096", o.BlockSize)
	case o.Version != disk.Format1801 && o.Version != disk.Format1802:
		return fmt.Errorf("format %d, want %d or %d", o.Version, disk.Format1801, disk.Format1802)
	case size < MinSize:
		return fmt.Errorf("%d bytes are too few, want at least %d", size, MinSize)
	case o.Journals < 1:
		return fmt.Errorf("%d journals, want at least 1", o.Journals)
	case o.JournalBytes < minJournalBytes || o.JournalBytes > maxJournalBytes || o.JournalBytes%int64(o.BlockSize) != 0:
		return fmt.Errorf("journals of %d bytes, want %d to %d", o.JournalBytes, minJournalBytes, maxJournalBytes)
	case o.JournalBytes*int64(o.Journals) > size/2:
		return fmt.Errorf("%d journals of %d bytes take more than half of %d bytes", o.Journals, o.JournalBytes, size)
	case o.GroupBytes < minGroupBytes || o.GroupBytes > maxGroupBytes:
		return fmt.Errorf("resource groups of %d bytes, want %d to %d", o.GroupBytes, minGroupBytes, maxGroupBytes)
	case len(o.LockProto) > 63 || len(o.LockTable) > 63:
		return fmt.Errorf("lock protocol %q or lock table %q is too long", o.LockProto, o.LockTable)
	}
	return nil
}

// plan is where everything goes.
type plan struct {
	FormatOptions
	size     int64
	groups   []disk.Rindex // the first ones hold a journal each
	journals []journalPlan
}

// journalPlan is one journal: its dinode, the indirect blocks level by level, then the log, all adjacent.
type journalPlan struct {
	inum   disk.Inum
	levels []uint64 // blocks of each level of indirect blocks, the topmost first
	blocks uint64   // of the log
}

// dataStart is the first block of the log.
func (j *journalPlan) dataStart() uint64 {
	at := j.inum.Addr + 1
	for _, n := range j.levels {
		at += n
	}
	return at
}

// end is the block behind the journal.
func (j *journalPlan) end() uint64 { return j.dataStart() + j.blocks }

func newPlan(size int64, opts FormatOptions) (*plan, error) {
	opts.setDefaults(size)
	if err := opts.check(size); err != nil {
		return nil, err
	}
	p := &plan{FormatOptions: opts, size: size}
	bs := p.BlockSize
	next := bs.SuperblockAddr() + 1
	for i := range p.Journals {
		j := p.planJournal(uint64(i + 1))
		// Without a bitmap the journal takes j.end() blocks: all addresses count from its own dinode so far.
		need := roundUp4(j.end())
		ri := disk.PlanRgrp(bs, next, need)
		for total := need; uint64(ri.Data) < need; total++ {
			ri = disk.PlanRgrp(bs, next, total)
		}
		j.inum.Addr = ri.Data0
		p.groups, p.journals = append(p.groups, ri), append(p.journals, j)
		next = ri.Data0 + uint64(ri.Data)
	}
	for _, total := range groupSizes(uint64(size)/uint64(bs)-next, uint64(p.GroupBytes)/uint64(bs)) {
		p.groups = append(p.groups, disk.PlanRgrp(bs, next, total))
		next += total
	}
	return p, nil
}

func roundUp4(n uint64) uint64 { return (n + 3) &^ 3 }

func (p *plan) planJournal(formal uint64) journalPlan {
	j := journalPlan{inum: disk.Inum{FormalIno: formal}, blocks: uint64(p.JournalBytes) / uint64(p.BlockSize)}
	per := uint64(p.BlockSize.IndirectPtrs())
	for n := j.blocks; n > uint64(p.BlockSize.DinodePtrs()); {
		n = (n + per - 1) / per
		j.levels = append([]uint64{n}, j.levels...)
	}
	return j
}

// groupSizes divides space blocks into resource groups of about want blocks, as mkfs.gfs2 does: equal sizes, the last ones
// a block shorter, together strictly less than the space.
func groupSizes(space, want uint64) []uint64 {
	n := space / want
	size := want
	if space%want > 1 || n == 0 {
		n++
		for (size-1)*n >= space {
			size--
		}
	}
	sizes := make([]uint64, n)
	total := n * size
	for i := range sizes {
		sizes[i] = size
	}
	for i := len(sizes) - 1; total >= space; i-- {
		sizes[i]--
		total--
	}
	return sizes
}

// format writes the file system: empty resource groups, journals, system files, and last the superblock.
func (p *plan) format(dev Device) error {
	if _, err := dev.WriteAt(make([]byte, disk.SuperblockOffset+int(p.BlockSize)), 0); err != nil {
		return fmt.Errorf("clear the start of the device: %w", err)
	}
	sb := p.superblock()
	im := newImage(dev, sb, p.size, Options{Now: func() time.Time { return p.Time }})
	// The system files are one transaction.
	im.maxDirty = int(p.size / int64(p.BlockSize))
	if err := p.writeGroups(im); err != nil {
		return err
	}
	for i := range p.journals {
		if err := p.writeJournal(im, &p.journals[i]); err != nil {
			return fmt.Errorf("journal %d: %w", i, err)
		}
	}
	if err := im.Update(func(tx *Tx) error { return p.writeSystem(tx, &sb) }); err != nil {
		return fmt.Errorf("system files: %w", err)
	}
	if err := im.Sync(); err != nil {
		return err
	}
	block := make([]byte, p.BlockSize)
	sb.Encode(block)
	if _, err := dev.WriteAt(block, disk.SuperblockOffset); err != nil {
		return fmt.Errorf("write the superblock: %w", err)
	}
	return dev.Sync()
}

func (p *plan) superblock() disk.Superblock {
	sb := disk.Superblock{MetaHeader: disk.NewHeader(disk.TypeSB), FsFormat: p.Version, MultihostFormat: disk.FormatMultihost,
		Bsize: p.BlockSize, BsizeShift: p.BlockSize.Shift(), UUID: p.UUID}
	copy(sb.Lockproto[:], p.LockProto)
	copy(sb.Locktable[:], p.LockTable)
	return sb
}

// writeGroups writes the resource groups, each in one piece, and makes them known to im.
func (p *plan) writeGroups(im *Image) error {
	for i, ri := range p.groups {
		skip := uint32(0)
		if i+1 < len(p.groups) {
			skip = uint32(p.groups[i+1].Addr - ri.Addr)
		}
		buf := make([]byte, int64(ri.Length)*int64(p.BlockSize))
		for k := range ri.Length {
			disk.PutHeader(buf[int64(k)*int64(p.BlockSize):], bitmapType(k))
		}
		rg := disk.NewRgrp(ri, skip)
		if i < len(p.journals) {
			p.markJournal(&rg, ri, buf, &p.journals[i])
		}
		rg.Encode(buf)
		if _, err := im.dev.WriteAt(buf, im.offset(ri.Addr)); err != nil {
			return fmt.Errorf("write resource group %d: %w", ri.Addr, err)
		}
		im.groups = append(im.groups, &group{Rindex: ri, free: rg.Free})
	}
	return nil
}

// markJournal enters the journal's blocks in the bitmaps in buf and in the counters of rg.
func (p *plan) markJournal(rg *disk.Rgrp, ri disk.Rindex, buf []byte, j *journalPlan) {
	used := uint32(j.end() - ri.Data0)
	for k := range ri.Length {
		bm, start := ri.BitmapOf(buf[int64(k)*int64(p.BlockSize):][:p.BlockSize], k)
		for n := uint32(0); n < bm.Len() && start+n < used; n++ {
			bm.Set(n, disk.Used)
		}
		if k == 0 {
			bm.Set(0, disk.InodeBlock)
		}
	}
	rg.Free -= used
	rg.Dinodes = 1
}
