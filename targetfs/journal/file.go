package journal

import (
	"fmt"
	"io"

	"faultline/targetfs/disk"
)

// Device holds the file system.
type Device interface {
	io.ReaderAt
	io.WriterAt
	Sync() error // returns when everything written before is durable
}

// Extent is adjacent blocks of a journal.
type Extent struct {
	Addr uint64
	N    uint32
}

// File is where a journal is. Its blocks are numbered from 0 along the extents, and the log goes round.
type File struct {
	BlockSize disk.BlockSize
	ID        uint32 // journal id
	Inode     uint64 // dinode of the journal
	Statfs    uint64 // dinode of statfs_changeN
	Quota     uint64 // dinode of quota_changeN
	Extents   []Extent
}

// Len is the number of blocks of the journal.
func (f File) Len() uint32 {
	n := uint32(0)
	for _, e := range f.Extents {
		n += e.N
	}
	return n
}

// Addr is the address of block n of the journal.
func (f File) Addr(n uint32) uint64 {
	addr, _ := f.run(n)
	return addr
}

// run is the address of block n, and the number of blocks from there to the end of the extent.
func (f File) run(n uint32) (uint64, uint32) {
	for _, e := range f.Extents {
		if n < e.N {
			return e.Addr + uint64(n), e.N - n
		}
		n -= e.N
	}
	return 0, 0
}

// each calls io for the part of buf that each extent takes, from block n on and round the end.
func (f File) each(n uint32, buf []byte, io func([]byte, int64) (int, error)) error {
	shift := f.BlockSize.Shift()
	for len(buf) > 0 {
		addr, blocks := f.run(n)
		if blocks == 0 {
			return fmt.Errorf("journal %d has no block %d", f.ID, n)
		}
		part := buf[:min(int64(len(buf)), int64(blocks)<<shift)]
		if _, err := io(part, int64(addr)<<shift); err != nil {
			return fmt.Errorf("journal %d, block %d at %d: %w", f.ID, n, addr, err)
		}
		buf = buf[len(part):]
		n = (n + uint32(len(part)>>shift)) % f.Len()
	}
	return nil
}

func (f File) read(dev Device, n uint32, buf []byte) error {
	if err := f.each(n, buf, dev.ReadAt); err != nil {
		return fmt.Errorf("read %w", err)
	}
	return nil
}

func (f File) write(dev Device, n uint32, buf []byte) error {
	if err := f.each(n, buf, dev.WriteAt); err != nil {
		return fmt.Errorf("write %w", err)
	}
	return nil
}

// piece is the number of blocks read at once while looking for the head.
const piece = 1024

// Head is the last log header: the valid one with the highest sequence number. It reads the whole journal, backwards: sequence
// numbers rise with the position, so that few headers are worth the computation of their checksums.
func Head(dev Device, f File) (disk.LogHeader, error) {
	var best disk.LogHeader
	found := false
	bs := int(f.BlockSize)
	buf := make([]byte, piece*bs)
	for end := f.Len(); end > 0; {
		start := end - min(end, piece)
		if err := f.read(dev, start, buf[:int(end-start)*bs]); err != nil {
			return best, err
		}
		for ; end > start; end-- {
			n := end - 1
			block := buf[int(n-start)*bs:][:bs]
			if t, ok := disk.TypeOf(block); !ok || t != disk.TypeLH || found && be.Uint64(block[sequenceOffset:]) <= best.Sequence {
				continue
			}
			lh, err := disk.DecodeLogHeader(block, f.Addr(n))
			if err == nil && lh.Blkno == n {
				best, found = lh, true
			}
		}
	}
	if !found {
		return best, disk.Corrupt(f.Inode, "journal %d has no valid log header", f.ID)
	}
	if best.Tail >= f.Len() {
		return best, disk.Corrupt(f.Addr(best.Blkno), "log of %d blocks begins at %d", f.Len(), best.Tail)
	}
	return best, nil
}

// sequenceOffset is where lh_sequence is in a log header.
const sequenceOffset = disk.HeaderSize

// Clean tells whether the journal with the given head has nothing to recover.
func Clean(head disk.LogHeader) bool { return head.Flags&disk.LogUnmount != 0 }
