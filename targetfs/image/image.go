package image

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"faultline/targetfs/disk"
	"faultline/targetfs/journal"
)

// Device holds an image. *os.File is one.
type Device interface {
	io.ReaderAt
	io.WriterAt
	Sync() error // returns when everything written before is durable
}

// Options say how to open an image. The zero value is a good choice.
type Options struct {
	ReadOnly    bool
	AnyProtocol bool             // open a file system of a cluster too; the caller knows that no other node has it
	Quota       QuotaMode        // what happens to the quota file
	Journal     int              // number of the journal that takes the changes
	CacheBytes  int              // limit of clean metadata kept in memory, 64 MiB when 0
	Now         func() time.Time // the clock, time.Now when nil
}

// Image is an open file system. Its methods may be called from several goroutines.
type Image struct {
	dev      Device
	bs       disk.BlockSize
	blocks   uint64 // size of the device
	sb       disk.Superblock
	readOnly bool
	quota    QuotaMode
	journal  int // number of the one that takes the changes
	now      func() time.Time

	mu        sync.RWMutex // held for reading by View, for writing by Update and Sync
	cache     *cache
	dirty     map[uint64]block // committed, not yet on the device
	spares    spares
	held      map[uint64]struct{} // freed since the last flush: not to be allocated before the next one
	groups    []*group            // by address
	maxDirty  int                 // blocks that dirty may have before a flush; also the aim of a large transaction
	withdrawn error               // the inconsistency that stopped all writing
	log       *journal.Log        // nil while mkfs makes the image: then changes go straight to their places
	logged    bool                // the journal is dirty

	statfs uint64 // dinode of the statfs file, 0 while mkfs has not made it
}

// block is the new content of a metadata block or of a journaled data block.
type block struct {
	data  []byte
	jdata bool // no metadata header: the journal must escape it
}

// Open opens the image of size bytes on dev: it replays dirty journals, checks the system files, and reclaims inodes that
// were unlinked and open when the file system was last used. Opening an image that is clean writes nothing.
func Open(dev Device, size int64, opts Options) (*Image, error) {
	im, err := open(dev, size, opts)
	if err != nil {
		return nil, fmt.Errorf("open GFS2 image: %w", err)
	}
	return im, nil
}

func open(dev Device, size int64, opts Options) (*Image, error) {
	sb, err := readSuperblock(dev)
	if err != nil {
		return nil, err
	}
	if err := checkProtocol(&sb, opts); err != nil {
		return nil, err
	}
	im := newImage(dev, sb, size, opts)
	if err := im.recoverJournals(); err != nil {
		return nil, err
	}
	if err := im.loadGroups(); err != nil {
		return nil, err
	}
	if !im.readOnly {
		if err := im.openLog(); err != nil {
			return nil, err
		}
	}
	if err := im.loadStatfs(); err != nil {
		return nil, err
	}
	if opts.ReadOnly {
		return im, nil
	}
	// The bitmaps are compared with their counters on the device, before anything is allocated.
	if err := im.reclaimOrphans(); err != nil {
		return nil, err
	}
	return im, im.loadQuotas()
}

// newImage is an Image without resource groups and system files.
func newImage(dev Device, sb disk.Superblock, size int64, opts Options) *Image {
	if opts.CacheBytes == 0 {
		opts.CacheBytes = 64 << 20
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Image{
		dev: dev, bs: sb.Bsize, blocks: uint64(size) / uint64(sb.Bsize), sb: sb, readOnly: opts.ReadOnly, quota: opts.Quota,
		journal: opts.Journal, now: opts.Now,
		cache: newCache(opts.CacheBytes / int(sb.Bsize)), dirty: map[uint64]block{}, held: map[uint64]struct{}{},
		maxDirty: maxFlush,
	}
}

func readSuperblock(dev Device) (disk.Superblock, error) {
	buf := make([]byte, disk.SuperblockSize)
	_, err := dev.ReadAt(buf, disk.SuperblockOffset)
	if errors.Is(err, io.EOF) {
		return disk.Superblock{}, fmt.Errorf("%w: it ends before the superblock at byte %d", ErrNotGFS2, disk.SuperblockOffset)
	}
	if err != nil {
		return disk.Superblock{}, fmt.Errorf("read the superblock at byte %d: %w", disk.SuperblockOffset, err)
	}
	sb, err := disk.DecodeSuperblock(buf, disk.SuperblockOffset/4096)
	if t, ok := disk.TypeOf(buf); !ok || t != disk.TypeSB {
		err = fmt.Errorf("%w: %w", ErrNotGFS2, err)
	}
	return sb, err
}

// checkProtocol refuses what another machine may have mounted. fsck.gfs2 leaves a protocol fsck_... behind when it dies.
func checkProtocol(sb *disk.Superblock, opts Options) error {
	if sb.Protocol() == disk.LockNolock || opts.AnyProtocol || opts.ReadOnly {
		return nil
	}
	return disk.Unsupported(sb.Bsize.SuperblockAddr(), "lock protocol %q, want %q", sb.Protocol(), disk.LockNolock)
}

// BlockSize is the block size in bytes.
func (im *Image) BlockSize() disk.BlockSize { return im.bs }

// Superblock is a copy of the superblock.
func (im *Image) Superblock() disk.Superblock { return im.sb }

// Root is the root directory.
func (im *Image) Root() uint64 { return im.sb.RootDir.Addr }

// Master is the master directory, which holds the system files.
func (im *Image) Master() uint64 { return im.sb.MasterDir.Addr }

// View runs fn with a transaction that can't change anything. Several may run at once.
func (im *Image) View(fn func(tx *Tx) error) error {
	im.mu.RLock()
	defer im.mu.RUnlock()
	return fn(&Tx{im: im})
}

// Update runs fn with a transaction and commits it. When fn fails, nothing of it stays. After a method of the transaction
// failed fn must fail too: half of the work is done.
func (im *Image) Update(fn func(tx *Tx) error) error {
	im.mu.Lock()
	defer im.mu.Unlock()
	if err := im.writable(); err != nil {
		return err
	}
	tx := newTx(im)
	err := fn(tx)
	if err == nil {
		err = tx.commit()
	}
	if _, corrupt := errors.AsType[*disk.CorruptError](err); corrupt {
		im.withdrawn = err
	}
	return err
}

func (im *Image) writable() error {
	if im.readOnly {
		return syscall.EROFS
	}
	if im.withdrawn != nil {
		return fmt.Errorf("%w: the file system was withdrawn: %w", syscall.EIO, im.withdrawn)
	}
	return nil
}

// Withdrawn is the inconsistency after which the image takes no more changes; nil while all is well.
func (im *Image) Withdrawn() error {
	im.mu.RLock()
	defer im.mu.RUnlock()
	return im.withdrawn
}

// Withdraw stops all writing, as an inconsistency inside an Update does: for one that was found while reading. The first reason
// stays.
func (im *Image) Withdraw(reason error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.withdrawn == nil {
		im.withdrawn = reason
	}
}

// Dirty tells whether something was committed that is not durable yet.
func (im *Image) Dirty() bool {
	im.mu.RLock()
	defer im.mu.RUnlock()
	return len(im.dirty) > 0
}

// Sync makes everything committed so far durable.
func (im *Image) Sync() error {
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.readOnly {
		return nil
	}
	if err := im.writable(); err != nil {
		return err
	}
	return im.flush()
}

// Close makes everything durable and the journal clean. The device stays open. A withdrawn image is left as it is,
// for the next Open to recover.
func (im *Image) Close() error {
	if im.Withdrawn() != nil {
		return nil
	}
	if err := im.Sync(); err != nil {
		return fmt.Errorf("close GFS2 image: %w", err)
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	if !im.logged {
		return nil
	}
	im.logged = false
	if err := im.log.Close(); err != nil {
		return fmt.Errorf("close GFS2 image: %w", err)
	}
	return nil
}
