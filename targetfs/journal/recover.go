package journal

import (
	"encoding/binary"
	"fmt"
	"time"

	"faultline/targetfs/disk"
)

var be = binary.BigEndian

// Recovered says what Recover did.
type Recovered struct {
	Replayed int               // images copied to their places
	Revoked  int               // images left out because of a revoke
	Local    disk.StatfsChange // changes that the master statfs file lacks, says the head
}

// Recover replays a dirty journal and marks it clean. blocks is the size of the device: an image for an address
// beyond it is corruption. Nothing is written before the whole live log was found to be sound. Recovering twice does no harm.
func Recover(dev Device, f File, blocks uint64) (Recovered, error) {
	var done Recovered
	head, err := Head(dev, f)
	if err != nil || Clean(head) {
		return done, err
	}
	r := recovery{dev: dev, file: f, blocks: blocks, head: head, revoked: map[uint64]uint32{}}
	if err := r.walk(r.collect); err != nil {
		return done, fmt.Errorf("recover journal %d: %w", f.ID, err)
	}
	if err := r.walk(r.replay); err != nil {
		return done, fmt.Errorf("recover journal %d: %w", f.ID, err)
	}
	if err := dev.Sync(); err != nil {
		return done, fmt.Errorf("recover journal %d: %w", f.ID, err)
	}
	r.done.Local = disk.StatfsChange{Total: head.LocalTotal, Free: head.LocalFree, Dinodes: head.LocalInodes}
	return r.done, r.markClean()
}

// recovery is a replay under way.
type recovery struct {
	dev     Device
	file    File
	blocks  uint64
	head    disk.LogHeader
	revoked map[uint64]uint32 // address to the first journal block of the last flush that revokes it
	done    Recovered
}

// chunk is a log descriptor and the journal block it is in.
type chunk struct {
	disk.LogDescriptor
	at    uint32
	flush uint32 // where its flush begins
	block []byte
}

// walk calls fn for each chunk from the tail to the head. Everything between must be a chunk or a log header.
func (r *recovery) walk(fn func(chunk) error) error {
	n := r.file.Len()
	block := make([]byte, r.file.BlockSize)
	flush := r.head.Tail
	for at, left := r.head.Tail, r.distance(r.head.Tail); left > 0; {
		if err := r.file.read(r.dev, at, block); err != nil {
			return err
		}
		length := uint32(1)
		addr := r.file.Addr(at)
		if _, err := disk.DecodeLogHeader(block, addr); err == nil {
			flush = (at + 1) % n
		} else {
			ld, err := disk.DecodeLogDescriptor(block, addr)
			if err != nil {
				return fmt.Errorf("block %d of the log: %w", at, err)
			}
			if length = ld.Length; length > left {
				return disk.Corrupt(addr, "chunk of %d blocks runs over the head, which is %d blocks away", length, left)
			}
			if err := fn(chunk{ld, at, flush, block}); err != nil {
				return err
			}
		}
		at, left = (at+length)%n, left-length
	}
	return nil
}

// distance is the number of blocks from journal block at to the head.
func (r *recovery) distance(at uint32) uint32 {
	n := r.file.Len()
	return (r.head.Blkno + n - at) % n
}

// collect checks a chunk, and notes the revokes of one that has them.
func (r *recovery) collect(c chunk) error {
	if c.Type != disk.LogRevoke {
		for i := range c.Data1 {
			if addr, _ := c.tag(i); addr == 0 || addr >= r.blocks {
				return disk.Corrupt(r.file.Addr(c.at), "image of block %d on a device of %d blocks", addr, r.blocks)
			}
		}
		return nil
	}
	left, tags := c.Data1, c.block[disk.LogDescriptorSize:]
	for i := uint32(0); ; i++ {
		for ; left > 0 && len(tags) >= 8; left, tags = left-1, tags[8:] {
			r.revoked[be.Uint64(tags)] = c.flush
		}
		if left == 0 {
			return nil
		}
		// The list goes on in the next block of the chunk.
		at := (c.at + i + 1) % r.file.Len()
		if err := r.file.read(r.dev, at, c.block); err != nil {
			return err
		}
		if err := disk.CheckType(c.block, r.file.Addr(at), disk.TypeLB); err != nil {
			return err
		}
		tags = c.block[disk.HeaderSize:]
	}
}

// tag is the address of image i of a chunk, and whether its magic was taken out.
func (c *chunk) tag(i uint32) (addr uint64, escaped bool) {
	tags := c.block[disk.LogDescriptorSize:]
	if c.Type == disk.LogJdata {
		return be.Uint64(tags[16*i:]), be.Uint64(tags[16*i+8:]) != 0
	}
	return be.Uint64(tags[8*i:]), false
}

// replay copies the images of a chunk to their places.
func (r *recovery) replay(c chunk) error {
	if c.Type == disk.LogRevoke {
		return nil
	}
	image := make([]byte, r.file.BlockSize)
	for i := range c.Data1 {
		addr, escaped := c.tag(i)
		at := (c.at + 1 + i) % r.file.Len()
		if r.isRevoked(addr, at) {
			r.done.Revoked++
			continue
		}
		if err := r.file.read(r.dev, at, image); err != nil {
			return err
		}
		if escaped {
			be.PutUint32(image, disk.Magic)
		}
		if _, ok := disk.TypeOf(image); !ok && c.Type == disk.LogMetadata {
			return disk.Corrupt(r.file.Addr(at), "image of metadata block %d has no header", addr)
		}
		if _, err := r.dev.WriteAt(image, int64(addr)<<r.file.BlockSize.Shift()); err != nil {
			return fmt.Errorf("replay block %d: %w", addr, err)
		}
		r.done.Replayed++
	}
	return nil
}

// isRevoked tells whether the image of addr at journal block at is older than the flush that revoked addr last. What is nearer to the head is
// newer. An image in the flush itself is newer too: a block that is freed leaves its transaction (fs/gfs2/meta_io.c: gfs2_remove_from_journal), so
// that the revoke is of an older image, which had reached its place when a transaction of the same flush changed the block again. The kernel's own
// recovery (fs/gfs2/revoke.c: gfs2_revoke_check) and fsck.gfs2 drop such images, and with them a part of what was committed; seen on 6.12.
func (r *recovery) isRevoked(addr uint64, at uint32) bool {
	flush, ok := r.revoked[addr]
	return ok && r.distance(at) > r.distance(flush)
}

// markClean writes a log header behind the head that says so, as the kernel does after recovery.
func (r *recovery) markClean() error {
	at := (r.head.Blkno + 1) % r.file.Len()
	now := time.Now()
	lh := disk.LogHeader{Sequence: r.head.Sequence + 1, Flags: disk.LogUnmount | disk.LogRecovery, Blkno: at,
		Sec: uint64(now.Unix()), Nsec: uint32(now.Nanosecond()), Addr: r.file.Addr(at), Jinode: r.file.Inode}
	lh.Jid = r.file.ID
	block := make([]byte, r.file.BlockSize)
	lh.Encode(block)
	if err := r.file.write(r.dev, at, block); err != nil {
		return err
	}
	return r.dev.Sync()
}
