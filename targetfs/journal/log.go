package journal

import (
	"errors"
	"fmt"
	"time"

	"faultline/targetfs/disk"
)

// ErrTooLarge says that a record does not fit into the journal.
var ErrTooLarge = errors.New("the record does not fit into the journal")

// Block is the new content of a block.
type Block struct {
	Addr  uint64
	Data  []byte // one block; Commit does not change it
	Jdata bool   // data of a file: it has no metadata header
}

// Record is what one flush makes durable. No address may appear twice in Blocks.
type Record struct {
	Blocks []Block
	// Revokes are addresses whose older images must not be replayed. A caller that follows the rule of this package,
	// in place before the next commit, has none.
	Revokes []uint64
}

// Log is a journal that is being written.
type Log struct {
	dev  Device
	file File
	next uint32 // journal block to write next
	seq  uint64 // sequence number of the next header
	live uint32 // blocks of the last flush, which must not be overwritten before the next header is durable
	now  func() time.Time
}

// Open continues the clean journal f behind its head. It writes nothing.
func Open(dev Device, f File) (*Log, error) {
	head, err := Head(dev, f)
	if err != nil {
		return nil, err
	}
	if !Clean(head) {
		return nil, fmt.Errorf("journal %d is dirty", f.ID)
	}
	return &Log{dev: dev, file: f, next: (head.Blkno + 1) % f.Len(), seq: head.Sequence + 1, live: 1, now: time.Now}, nil
}

// size is the number of journal blocks that the record takes, its header included.
func (l *Log) size(r *Record) uint32 {
	var images [2]int
	for _, b := range r.Blocks {
		images[index(b.Jdata)]++
	}
	total := 1 + images[0] + images[1] + chunks(images[0], l.tags(false)) + chunks(images[1], l.tags(true))
	if len(r.Revokes) > 0 {
		total += l.file.BlockSize.RevokeBlocks(len(r.Revokes))
	}
	return uint32(total)
}

func index(jdata bool) int {
	if jdata {
		return 1
	}
	return 0
}

func chunks(images, tags int) int { return (images + tags - 1) / tags }

func kind(jdata bool) uint32 {
	if jdata {
		return disk.LogJdata
	}
	return disk.LogMetadata
}

func (l *Log) tags(jdata bool) int { return l.file.BlockSize.LogTags(kind(jdata)) }

// Commit makes the record durable. Everything that was written to the device before is durable then too: the blocks of
// earlier records in their places, and file data that the record's metadata points to. After an error
// the log must not be used.
func (l *Log) Commit(r Record) error {
	need := l.size(&r)
	if need+1 >= l.file.Len() {
		return fmt.Errorf("commit %d blocks to journal %d of %d: %w", need, l.file.ID, l.file.Len(), ErrTooLarge)
	}
	if l.live+need > l.file.Len() {
		// The new flush would overwrite the last one, which recovery needs until a newer header is there.
		if err := l.flush(nil, disk.LogFlushNormal); err != nil {
			return err
		}
	}
	return l.flush(l.build(&r, need-1), disk.LogFlushNormal)
}

// Close marks the journal clean. All records must be in their places.
func (l *Log) Close() error { return l.flush(nil, disk.LogUnmount|disk.LogShutdown) }

// flush writes body and the header that ends it. The first sync puts the header behind everything before it, the second makes
// it durable.
func (l *Log) flush(body []byte, flags uint32) error {
	n := l.file.Len()
	blocks := uint32(len(body) / int(l.file.BlockSize))
	tail, at := l.next, (l.next+blocks)%n
	if err := l.file.write(l.dev, tail, body); err != nil {
		return err
	}
	if err := l.sync(); err != nil {
		return err
	}
	if err := l.file.write(l.dev, at, l.header(at, tail, flags)); err != nil {
		return err
	}
	l.next, l.seq, l.live = (at+1)%n, l.seq+1, blocks+1
	return l.sync()
}

func (l *Log) sync() error {
	if err := l.dev.Sync(); err != nil {
		return fmt.Errorf("sync journal %d: %w", l.file.ID, err)
	}
	return nil
}

func (l *Log) header(at, tail, flags uint32) []byte {
	now := l.now()
	lh := disk.LogHeader{Sequence: l.seq, Flags: flags, Tail: tail, Blkno: at, Sec: uint64(now.Unix()), Nsec: uint32(now.Nanosecond()),
		Addr: l.file.Addr(at), Jinode: l.file.Inode, StatfsAddr: l.file.Statfs, QuotaAddr: l.file.Quota}
	lh.Jid = l.file.ID
	block := make([]byte, l.file.BlockSize)
	lh.Encode(block)
	return block
}

// build is the blocks of a flush without its header: jdata, metadata, then revokes, as the kernel orders them.
func (l *Log) build(r *Record, blocks uint32) []byte {
	body := make([]byte, 0, int(blocks)*int(l.file.BlockSize))
	for _, jdata := range []bool{true, false} {
		var some []Block
		for _, b := range r.Blocks {
			if b.Jdata == jdata {
				some = append(some, b)
			}
		}
		for max := l.tags(jdata); len(some) > 0; {
			n := min(len(some), max)
			body = l.appendImages(body, some[:n], jdata)
			some = some[n:]
		}
	}
	if len(r.Revokes) > 0 {
		body = l.appendRevokes(body, r.Revokes)
	}
	return body
}

// extend is body with one more zero block, and that block.
func (l *Log) extend(body []byte) (longer, block []byte) {
	at := len(body)
	longer = append(body, make([]byte, l.file.BlockSize)...)
	return longer, longer[at:]
}

// appendImages adds one chunk. A data block that begins with the magic is logged without it: recovery tells descriptors
// from other blocks by the magic.
func (l *Log) appendImages(body []byte, blocks []Block, jdata bool) []byte {
	body, desc := l.extend(body)
	ld := disk.LogDescriptor{Type: kind(jdata), Length: uint32(len(blocks)) + 1, Data1: uint32(len(blocks))}
	ld.Jid = l.file.ID
	ld.Encode(desc)
	tags := desc[disk.LogDescriptorSize:]
	for i, b := range blocks {
		at := len(body)
		body = append(body, b.Data...)
		if !jdata {
			be.PutUint64(tags[8*i:], b.Addr)
			continue
		}
		be.PutUint64(tags[16*i:], b.Addr)
		if disk.Escaped(b.Data) {
			be.PutUint64(tags[16*i+8:], 1)
			clear(body[at : at+4])
		}
	}
	return body
}

func (l *Log) appendRevokes(body []byte, revokes []uint64) []byte {
	body, block := l.extend(body)
	ld := disk.LogDescriptor{Type: disk.LogRevoke, Length: uint32(l.file.BlockSize.RevokeBlocks(len(revokes))), Data1: uint32(len(revokes))}
	ld.Jid = l.file.ID
	ld.Encode(block)
	room := block[disk.LogDescriptorSize:]
	for _, addr := range revokes {
		if len(room) < 8 {
			body, block = l.extend(body)
			disk.PutHeader(block, disk.TypeLB)
			room = block[disk.HeaderSize:]
		}
		be.PutUint64(room, addr)
		room = room[8:]
	}
	return body
}
