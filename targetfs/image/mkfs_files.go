package image

import (
	"encoding/binary"
	"fmt"

	"faultline/targetfs/disk"
)

// writeJournal writes a journal's dinode, its indirect blocks and its log. Every block of the log is a log header that says
// "clean"; the last one has the highest sequence.
func (p *plan) writeJournal(im *Image, j *journalPlan) error {
	sec := p.Time.Unix()
	last := j.end() - 1
	di := disk.Dinode{MetaHeader: disk.NewHeader(disk.TypeDI), Num: j.inum, Mode: disk.ModeReg | 0o600, Nlink: 1,
		Size: j.blocks * uint64(p.BlockSize), Blocks: j.end() - j.inum.Addr, Atime: sec, Mtime: sec, Ctime: sec,
		GoalMeta: last - j.blocks, GoalData: last, Flags: disk.FlagSystem, Height: uint16(len(j.levels) + 1)}
	blocks := make([]byte, (j.dataStart()-j.inum.Addr)*uint64(p.BlockSize))
	di.Encode(blocks)
	p.linkTree(blocks, j)
	if _, err := im.dev.WriteAt(blocks, im.offset(j.inum.Addr)); err != nil {
		return fmt.Errorf("write inode %d: %w", j.inum.Addr, err)
	}
	return p.writeLog(im, j)
}

// linkTree fills the pointers of a journal's dinode and of its indirect blocks, which follow it in blocks level by level.
func (p *plan) linkTree(blocks []byte, j *journalPlan) {
	bs := int(p.BlockSize)
	counts := append(append([]uint64{1}, j.levels...), j.blocks)
	child := j.inum.Addr + 1
	at := 0
	for level := 0; level+1 < len(counts); level++ {
		left := counts[level+1]
		for range counts[level] {
			ptrs := blocks[at+disk.DinodeSize : at+bs]
			if level > 0 {
				disk.PutHeader(blocks[at:], disk.TypeIN)
				ptrs = blocks[at+disk.HeaderSize : at+bs]
			}
			n := min(left, uint64(len(ptrs)/8))
			for i := range n {
				disk.PutPtr(ptrs, int(i), child+i)
			}
			child, left, at = child+n, left-n, at+bs
		}
	}
}

func (p *plan) writeLog(im *Image, j *journalPlan) error {
	bs := int(p.BlockSize)
	buf := make([]byte, 0, chunk)
	start := j.dataStart()
	for i := range j.blocks {
		at := len(buf)
		buf = buf[:at+bs]
		lh := disk.LogHeader{Sequence: i, Flags: disk.LogUnmount | disk.LogUserspace, Blkno: uint32(i), Addr: start + i, Jinode: j.inum.Addr}
		lh.Encode(buf[at:])
		if len(buf) < cap(buf) && i+1 < j.blocks {
			continue
		}
		first := start + i + 1 - uint64(len(buf)/bs)
		if _, err := im.dev.WriteAt(buf, im.offset(first)); err != nil {
			return fmt.Errorf("write log blocks at %d: %w", first, err)
		}
		buf = buf[:0]
	}
	return nil
}

// system makes the system inodes; formal numbers count up from those of the journals.
type system struct {
	tx   *Tx
	next uint64 // formal number
}

// writeSystem makes the two roots and everything below the master directory, in the order of mkfs.gfs2.
func (p *plan) writeSystem(tx *Tx, sb *disk.Superblock) error {
	s := &system{tx, uint64(len(p.journals)) + 1}
	master, err := s.newDir(disk.FlagSystem, 0o755, nil)
	if err != nil {
		return err
	}
	sb.MasterDir = master.Num
	jindex, err := s.newDir(disk.FlagSystem, 0o700, &master)
	if err != nil {
		return err
	}
	for i, j := range p.journals {
		if err := tx.insert(&jindex, fmt.Sprintf("journal%d", i), j.inum, disk.ModeReg); err != nil {
			return err
		}
	}
	perNode, err := s.newDir(disk.FlagSystem, 0o700, &master)
	if err != nil {
		return err
	}
	if err := s.fillPerNode(&perNode, len(p.journals)); err != nil {
		return err
	}
	err = firstError(tx.insert(&master, nameJindex, jindex.Num, jindex.Mode), tx.insert(&master, namePerNode, perNode.Num, perNode.Mode))
	if err != nil {
		return err
	}
	if err := p.fillMaster(s, &master); err != nil {
		return err
	}
	root, err := s.newDir(0, 0o755, nil)
	if err != nil {
		return err
	}
	root.UID, root.GID = p.RootUID, p.RootGID
	sb.RootDir = root.Num
	return firstError(tx.store(&master), tx.store(&jindex), tx.store(&perNode), tx.store(&root), p.writeCounters(s, &master))
}

// newDir makes a directory. Without a parent it is its own, as both roots are.
func (s *system) newDir(flags, mode uint32, parent *disk.Dinode) (disk.Dinode, error) {
	di, err := s.newInode(disk.ModeDir|mode, flags|disk.FlagJdata, 0)
	if err != nil {
		return di, err
	}
	above := di.Num
	if parent != nil {
		above = parent.Num
		parent.Nlink++
	}
	if err := s.tx.fillDir(&di, above); err != nil {
		return di, err
	}
	return di, s.tx.store(&di)
}

func (s *system) newInode(mode, flags, payload uint32) (disk.Dinode, error) {
	di, err := s.tx.newDinode(0, NewInode{Mode: mode, flags: flags, formal: s.next})
	s.next++
	di.PayloadFormat = payload
	return di, err
}

// newFile makes a system file with the given content and a name in dir.
func (s *system) newFile(dir *disk.Dinode, name string, payload uint32, content []byte) error {
	di, err := s.newInode(disk.ModeReg|0o600, disk.FlagSystem|disk.FlagJdata, payload)
	if err != nil {
		return err
	}
	for done := 0; done < len(content); {
		n, err := s.tx.writeData(&di, content[done:], uint64(done))
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		done += n
	}
	di.Size = uint64(len(content))
	return firstError(s.tx.store(&di), s.tx.insert(dir, name, di.Num, di.Mode))
}

func (s *system) fillPerNode(dir *disk.Dinode, journals int) error {
	for i := range journals {
		if err := s.newFile(dir, fmt.Sprintf("inum_range%d", i), 0, make([]byte, disk.InumRangeSize)); err != nil {
			return err
		}
		if err := s.newFile(dir, fmt.Sprintf("statfs_change%d", i), 0, make([]byte, disk.StatfsChangeSize)); err != nil {
			return err
		}
		if err := s.newQuotaChange(dir, fmt.Sprintf("quota_change%d", i)); err != nil {
			return err
		}
	}
	return nil
}

// newQuotaChange makes a quota_change file: every block has a header, and every slot is free.
func (s *system) newQuotaChange(dir *disk.Dinode, name string) error {
	di, err := s.newInode(disk.ModeReg|0o600, disk.FlagSystem, 0)
	if err != nil {
		return err
	}
	for lblk := range uint64(quotaBytes) / uint64(s.tx.im.bs) {
		ptrs, i, err := s.tx.leaf(&di, lblk)
		if err != nil {
			return err
		}
		addr, _, err := s.tx.newMeta(&di, disk.TypeQC)
		if err != nil {
			return err
		}
		disk.PutPtr(ptrs, i, addr)
	}
	di.Size = quotaBytes
	return firstError(s.tx.store(&di), s.tx.insert(dir, name, di.Num, di.Mode))
}

// fillMaster makes the files of the master directory. The counters get their content at the end.
func (p *plan) fillMaster(s *system, master *disk.Dinode) error {
	rindex := make([]byte, len(p.groups)*disk.RindexSize)
	for i := range p.groups {
		p.groups[i].Encode(rindex[i*disk.RindexSize:])
	}
	// Records of user 0 and of group 0, which own one block each, as mkfs.gfs2 writes them.
	quota := make([]byte, 2*disk.QuotaSize)
	one := disk.Quota{Value: 1}
	one.Encode(quota)
	one.Encode(quota[disk.QuotaSize:])
	return firstError(
		s.newFile(master, nameInum, 0, make([]byte, 8)),
		s.newFile(master, nameStatfs, 0, make([]byte, disk.StatfsChangeSize)),
		s.newFile(master, nameRindex, disk.FormatRindex, rindex),
		s.newFile(master, nameQuota, disk.FormatQuota, quota))
}

// writeCounters fills the files inum and statfs once everything else is there.
func (p *plan) writeCounters(s *system, master *disk.Dinode) error {
	sum := s.tx.statfs
	for i, g := range s.tx.im.groups {
		sum = sum.Add(disk.StatfsChange{Total: int64(g.Data), Free: int64(g.free)})
		if i < len(p.journals) {
			sum.Dinodes++
		}
	}
	content := make([]byte, disk.StatfsChangeSize)
	sum.Encode(content)
	inum := binary.BigEndian.AppendUint64(nil, s.next)
	return firstError(s.setContent(master, nameStatfs, content), s.setContent(master, nameInum, inum))
}

func (s *system) setContent(dir *disk.Dinode, name string, content []byte) error {
	inum, err := s.tx.Lookup(dir.Num.Addr, name)
	if err != nil {
		return err
	}
	b, err := s.tx.edit(inum.Addr, disk.TypeDI)
	if err != nil {
		return err
	}
	copy(b[disk.DinodeSize:], content)
	return nil
}
