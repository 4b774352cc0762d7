package image

import (
	"fmt"
	"math"

	"faultline/targetfs/disk"
)

// Reclaim deletes inodes which have no link left and which nobody uses any more: their blocks, their attributes and last their
// dinodes. Large ones take several transactions, and of small ones many go into one; after a crash in between, Open goes on with the
// rest.
func (im *Image) Reclaim(inos ...uint64) error {
	for len(inos) > 0 {
		ino := inos[0]
		err := im.Update(func(tx *Tx) error {
			for len(inos) > 0 && !tx.large() {
				ino = inos[0]
				more, err := tx.reclaim(ino)
				if err != nil || more {
					return err
				}
				inos = inos[1:]
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("delete inode %d: %w", ino, err)
		}
	}
	return nil
}

// Unlinked tells whether ino is an inode that has no link left and was not deleted yet: one that Reclaim takes.
func (tx *Tx) Unlinked(ino uint64) (bool, error) {
	state, err := tx.state(ino)
	return state == disk.Unlinked, err
}

func (tx *Tx) reclaim(ino uint64) (more bool, err error) {
	state, err := tx.state(ino)
	if err != nil {
		return false, err
	}
	if state != disk.Unlinked {
		return false, disk.Corrupt(ino, "block is %v, want an unlinked inode", state)
	}
	di, err := tx.dinode(ino)
	if err != nil {
		return false, err
	}
	for _, step := range []func(*disk.Dinode) (bool, error){tx.freeLeaves, tx.freeXattrs, tx.freeAll} {
		done, err := step(&di)
		if err != nil {
			return false, err
		}
		if !done {
			return true, tx.store(&di)
		}
	}
	if di.Blocks != 1 {
		return false, disk.Corrupt(ino, "everything was freed and di_blocks is %d", di.Blocks)
	}
	tx.charge(&di, -1)
	return false, tx.release(ino)
}

func (tx *Tx) freeAll(di *disk.Dinode) (bool, error) { return tx.freeRange(di, 0, math.MaxUint64) }

// freeLeaves frees the leaves of an ExHash directory. Table entries that are done are zero, so that a later transaction
// does not free their leaves again. With the last leaf the inode becomes a plain file, as in the kernel: what is left is a
// tree like any other.
func (tx *Tx) freeLeaves(di *disk.Dinode) (bool, error) {
	if !di.IsDir() || !hashed(di) {
		return true, nil
	}
	done := true
	err := tx.leaves(di, 0, func(first, n, leaf uint64) (bool, error) {
		if leaf == 0 {
			return true, nil
		}
		if tx.large() {
			done = false
			return false, nil
		}
		if err := tx.freeChain(di, leaf); err != nil {
			return false, err
		}
		return true, tx.setTable(di, first, n, 0)
	})
	if done && err == nil {
		di.Mode = di.Mode&^disk.ModeType | disk.ModeReg
		di.Flags &^= disk.FlagExhash
	}
	return done, err
}

func (tx *Tx) freeChain(di *disk.Dinode, first uint64) error {
	var addrs []uint64
	for leaf, err := range tx.chainFrom(di, first) {
		if err != nil {
			return err
		}
		addrs = append(addrs, leaf.addr)
	}
	for _, addr := range addrs {
		if err := tx.releaseFor(di, addr); err != nil {
			return err
		}
	}
	return nil
}
