package image

import (
	"fmt"
	"syscall"
	"time"

	"faultline/targetfs/disk"
)

// Tx is a transaction: a view of the file system with changes of its own, which become everybody's when it commits.
// It is valid inside the function it was given to. Inodes are named by the block address of their dinode.
type Tx struct {
	im      *Image
	changed map[uint64]block      // nil in a transaction that can't change anything
	freed   map[uint64]struct{}   // blocks that this transaction freed, nil when there are none
	headers map[*group]*disk.Rgrp // of changed resource groups, nil when there are none
	statfs  disk.StatfsChange
	quota   map[QuotaID]int64 // blocks that users and groups have more, or fewer
	time    time.Time
}

func newTx(im *Image) *Tx {
	return &Tx{im: im, changed: map[uint64]block{}, time: im.now()}
}

// writable refuses changes in a View.
func (tx *Tx) writable() error {
	if tx.changed == nil {
		return fmt.Errorf("change something in a View: %w", syscall.EROFS)
	}
	return nil
}

// raw is the content of block addr as this transaction sees it. It must not be changed.
func (tx *Tx) raw(addr uint64) ([]byte, error) {
	if b, ok := tx.changed[addr]; ok {
		return b.data, nil
	}
	return tx.im.load(addr)
}

// read is the content of metadata block addr, which must be of type t. It must not be changed.
func (tx *Tx) read(addr uint64, t disk.BlockType) ([]byte, error) {
	data, err := tx.raw(addr)
	if err != nil {
		return nil, err
	}
	return data, disk.CheckType(data, addr, t)
}

// edit is the content of metadata block addr, which must be of type t, for changing.
func (tx *Tx) edit(addr uint64, t disk.BlockType) ([]byte, error) {
	if err := tx.writable(); err != nil {
		return nil, err
	}
	if b, ok := tx.changed[addr]; ok {
		return b.data, disk.CheckType(b.data, addr, t)
	}
	old, err := tx.read(addr, t)
	if err != nil {
		return nil, err
	}
	data := tx.im.spares.take(tx.im.bs)
	copy(data, old)
	return tx.put(addr, data, false), nil
}

// fresh is a new metadata block of type t, zero behind its header.
func (tx *Tx) fresh(addr uint64, t disk.BlockType) []byte {
	data := tx.im.spares.take(tx.im.bs)
	clear(data)
	disk.PutHeader(data, t)
	return tx.put(addr, data, false)
}

// put makes data the content of block addr.
func (tx *Tx) put(addr uint64, data []byte, jdata bool) []byte {
	tx.changed[addr] = block{data, jdata}
	return data
}

// maxFreed is the number of blocks that one transaction frees before it counts as large: each takes memory until a flush.
const maxFreed = 1 << 16

// large tells whether the transaction has so many blocks that work in pieces should end this piece.
func (tx *Tx) large() bool {
	return len(tx.changed) >= tx.im.maxDirty/2 || len(tx.freed) >= maxFreed
}

// commit makes the changes part of the image. It flushes when enough has gathered.
func (tx *Tx) commit() error {
	// The quota file may need blocks itself, so that the counters of blocks come last.
	for _, put := range []func() error{tx.putQuotas, tx.putHeaders, tx.putStatfs} {
		if err := put(); err != nil {
			return err
		}
	}
	im := tx.im
	for addr := range tx.freed {
		im.spares.give(im.dirty[addr].data)
		delete(im.dirty, addr)
		im.cache.drop(addr)
		im.held[addr] = struct{}{}
	}
	for addr, b := range tx.changed {
		im.spares.give(im.dirty[addr].data)
		im.dirty[addr] = b
		im.cache.drop(addr)
	}
	for g, rg := range tx.headers {
		g.free = rg.Free
	}
	if len(im.dirty) < im.maxDirty && len(im.held) < 4*maxFreed {
		return nil
	}
	return im.flush()
}

// putStatfs adds what the transaction allocated and freed to the master statfs file. The kernel gathers it in
// statfs_changeN first, because nodes would fight for the lock of the master file. One node has no such reason, and so
// the counters are right after a crash whoever replays the journal.
func (tx *Tx) putStatfs() error {
	if tx.im.statfs == 0 || tx.statfs == (disk.StatfsChange{}) {
		return nil
	}
	return tx.addStatfs(tx.im.statfs, tx.statfs)
}

func (tx *Tx) addStatfs(addr uint64, change disk.StatfsChange) error {
	b, err := tx.edit(addr, disk.TypeDI)
	if err != nil {
		return fmt.Errorf("update statfs: %w", err)
	}
	now, err := disk.DecodeStatfsChange(b[disk.DinodeSize:], addr)
	if err != nil {
		return err
	}
	now = now.Add(change)
	now.Encode(b[disk.DinodeSize:])
	return nil
}
