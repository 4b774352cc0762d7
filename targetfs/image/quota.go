package image

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"syscall"

	"faultline/targetfs/disk"
)

// QuotaMode says what happens to the quota file.
type QuotaMode uint8

// Quota modes, as the kernel's mount option quota= has them.
const (
	QuotaOff     QuotaMode = iota // the file is left alone
	QuotaAccount                  // it is kept up to date
	QuotaOn                       // and limits are enforced
)

// QuotaID is a user or a group.
type QuotaID struct {
	Group bool
	ID    uint32
}

// offset is the byte offset of the record in the quota file.
func (q QuotaID) offset() uint64 {
	index := 2 * uint64(q.ID)
	if q.Group {
		index++
	}
	return index * disk.QuotaSize
}

// charge notes that the owner of di has n blocks more, or fewer. System inodes are nobody's.
func (tx *Tx) charge(di *disk.Dinode, n int64) {
	if tx.im.quota == QuotaOff || di.Flags&disk.FlagSystem != 0 {
		return
	}
	tx.chargeTo(QuotaID{ID: di.UID}, n)
	tx.chargeTo(QuotaID{Group: true, ID: di.GID}, n)
}

func (tx *Tx) chargeTo(id QuotaID, n int64) {
	if tx.quota == nil {
		tx.quota = map[QuotaID]int64{}
	}
	tx.quota[id] += n
}

// putQuotas adds the transaction's changes to the quota file. The kernel gathers them in quota_changeN first, for the sake of
// other nodes; one node needs no detour.
func (tx *Tx) putQuotas() error {
	ids := slices.SortedFunc(maps.Keys(tx.quota), func(a, b QuotaID) int { return cmp.Compare(a.offset(), b.offset()) })
	for _, id := range ids {
		if tx.quota[id] == 0 {
			continue
		}
		if err := tx.addQuota(id, tx.quota[id]); err != nil {
			return fmt.Errorf("quota of %+v: %w", id, err)
		}
	}
	return nil
}

func (tx *Tx) addQuota(id QuotaID, n int64) error {
	q, err := tx.Quota(id)
	if err != nil {
		return err
	}
	// Blocks that were allocated while nobody counted must not make the value negative.
	q.Value = max(q.Value+n, 0)
	if n > 0 && tx.im.quota == QuotaOn && q.Limit > 0 && uint64(q.Value) > q.Limit {
		return syscall.EDQUOT
	}
	return tx.putQuota(id, q)
}

// Quota is the record of a user or a group.
func (tx *Tx) Quota(id QuotaID) (disk.Quota, error) {
	di, err := tx.quotaFile()
	if err != nil {
		return disk.Quota{}, err
	}
	record := make([]byte, disk.QuotaSize)
	if id.offset() < di.Size {
		if err := tx.readMeta(&di, record, id.offset()); err != nil {
			return disk.Quota{}, err
		}
	}
	return disk.DecodeQuota(record, di.Num.Addr)
}

// SetQuota sets the limits of a user or a group, in blocks; 0 is none.
func (tx *Tx) SetQuota(id QuotaID, limit, warn uint64) error {
	q, err := tx.Quota(id)
	if err != nil {
		return err
	}
	q.Limit, q.Warn = limit, warn
	return tx.putQuota(id, q)
}

func (tx *Tx) quotaFile() (disk.Dinode, error) {
	addr, err := tx.system(tx.im.Master(), nameQuota)
	if err != nil {
		return disk.Dinode{}, err
	}
	return tx.dinode(addr)
}

func (tx *Tx) putQuota(id QuotaID, q disk.Quota) error {
	di, err := tx.quotaFile()
	if err != nil {
		return err
	}
	record := make([]byte, disk.QuotaSize)
	q.Encode(record)
	for done := 0; done < len(record); {
		n, err := tx.writeData(&di, record[done:], id.offset()+uint64(done))
		if err != nil {
			return err
		}
		done += n
	}
	di.Size = max(di.Size, id.offset()+disk.QuotaSize)
	tx.touch(&di)
	return tx.store(&di)
}

// loadQuotas brings the quota file up to date: it adds the changes that nodes left in their quota_change files, and
// empties those.
func (im *Image) loadQuotas() error {
	if im.quota == QuotaOff {
		return nil
	}
	return im.Update(func(tx *Tx) error {
		files, err := tx.perNode("quota_change")
		if err != nil {
			return err
		}
		for _, addr := range files {
			if err := tx.drainQuotaChange(addr); err != nil {
				return fmt.Errorf("quota changes of inode %d: %w", addr, err)
			}
		}
		return nil
	})
}

func (tx *Tx) drainQuotaChange(addr uint64) error {
	di, err := tx.dinode(addr)
	if err != nil {
		return err
	}
	if di.Size > 64*quotaBytes {
		return disk.Corrupt(addr, "quota_change of %d bytes", di.Size)
	}
	for lblk := range di.Size >> tx.im.bs.Shift() {
		r, err := tx.extent(&di, lblk, 1)
		if err != nil {
			return err
		}
		if err := tx.drainBlock(r.addr); err != nil {
			return err
		}
	}
	return nil
}

// drainBlock charges the changes of one block and frees their slots.
func (tx *Tx) drainBlock(addr uint64) error {
	b, err := tx.read(addr, disk.TypeQC)
	if err != nil || allZero(b[disk.HeaderSize:]) {
		return err
	}
	for i := range tx.im.bs.QuotaSlots() {
		qc, err := disk.DecodeQuotaChange(b[disk.HeaderSize+i*disk.QuotaChangeSize:], addr)
		if err != nil {
			return err
		}
		if qc.Change != 0 {
			tx.chargeTo(QuotaID{Group: qc.Flags&disk.QuotaUser == 0, ID: qc.ID}, qc.Change)
		}
	}
	if b, err = tx.edit(addr, disk.TypeQC); err != nil {
		return err
	}
	clear(b[disk.HeaderSize:])
	return nil
}
