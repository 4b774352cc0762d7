package image

import (
	"fmt"
	"syscall"

	"faultline/targetfs/disk"
	"faultline/targetfs/journal"
)

// journalFile is where the journal with dinode addr is.
func (tx *Tx) journalFile(addr uint64, id uint32) (journal.File, error) {
	f := journal.File{BlockSize: tx.im.bs, ID: id, Inode: addr}
	di, err := tx.dinode(addr)
	if err != nil {
		return f, err
	}
	if di.Size < minJournalBytes || di.Size > maxJournalBytes || di.Size%uint64(tx.im.bs) != 0 {
		return f, disk.Corrupt(addr, "journal of %d bytes", di.Size)
	}
	for lblk, end := uint64(0), di.Size>>tx.im.bs.Shift(); lblk < end; {
		r, err := tx.extent(&di, lblk, end-lblk)
		if err != nil {
			return f, err
		}
		if r.addr == 0 {
			return f, disk.Corrupt(addr, "journal with a hole at block %d", lblk)
		}
		if err := firstError(tx.im.checkAddr(r.addr), tx.im.checkAddr(r.addr+r.n-1)); err != nil {
			return f, err
		}
		f.Extents = append(f.Extents, journal.Extent{Addr: r.addr, N: uint32(r.n)})
		lblk += r.n
	}
	return f, nil
}

// journals lists the journals in the order of their numbers.
func (im *Image) journals() (files []journal.File, err error) {
	err = im.View(func(tx *Tx) error {
		jindex, err := tx.system(im.Master(), nameJindex)
		if err != nil {
			return err
		}
		addrs, err := tx.numbered(jindex, "journal")
		if err != nil {
			return err
		}
		if len(addrs) == 0 {
			return disk.Corrupt(jindex, "no journal")
		}
		for i, addr := range addrs {
			f, err := tx.journalFile(addr, uint32(i))
			if err != nil {
				return fmt.Errorf("journal %d: %w", i, err)
			}
			files = append(files, f)
		}
		return nil
	})
	return files, err
}

// recoverJournals replays every dirty journal, whoever wrote it. A reader can't, and would see what is stale: like the
// kernel on a device that can't be written, it refuses.
func (im *Image) recoverJournals() error {
	files, err := im.journals()
	if err != nil {
		return err
	}
	for _, f := range files {
		head, err := journal.Head(im.dev, f)
		if err != nil {
			return err
		}
		if journal.Clean(head) {
			continue
		}
		if im.readOnly {
			return fmt.Errorf("journal %d: %w, and the image is read-only: %w", f.ID, ErrDirtyJournal, syscall.EROFS)
		}
		if _, err := journal.Recover(im.dev, f, im.blocks); err != nil {
			return err
		}
	}
	// Nothing read before the replay is to be believed.
	im.cache.clear()
	return nil
}

// openLog makes the journal of the options the place where changes go first.
func (im *Image) openLog() error {
	files, err := im.journals()
	if err != nil {
		return err
	}
	if im.journal < 0 || im.journal >= len(files) {
		return fmt.Errorf("use journal %d of %d: %w", im.journal, len(files), syscall.ENOENT)
	}
	own := files[im.journal]
	err = im.View(func(tx *Tx) error {
		for name, to := range map[string]*uint64{"statfs_change": &own.Statfs, "quota_change": &own.Quota} {
			addrs, err := tx.perNode(name)
			if err != nil {
				return err
			}
			if len(addrs) <= im.journal {
				return disk.Corrupt(im.Master(), "no file %s%d", name, im.journal)
			}
			*to = addrs[im.journal]
		}
		return nil
	})
	if err != nil {
		return err
	}
	if im.log, err = journal.Open(im.dev, own); err != nil {
		return err
	}
	// A flush must fit into the journal beside the one before, with room for the last transaction to be large.
	im.maxDirty = min(int(own.Len())/4, maxFlush)
	return nil
}

// maxFlush bounds the blocks of one flush, and so the memory that changes take.
const maxFlush = 1 << 14
