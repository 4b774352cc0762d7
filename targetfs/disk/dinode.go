package disk

// DinodeSize is the size of Dinode in bytes. Stuffed data, dirents or block pointers follow.
const DinodeSize = 232

// Bits of di_flags.
const (
	FlagJdata        = 0x00000001 // data blocks are journaled; always set on directories
	FlagExhash       = 0x00000002 // directory with a hash table
	FlagEAIndirect   = 0x00000008 // di_eattr is an indirect block
	FlagImmutable    = 0x00000020
	FlagAppendOnly   = 0x00000040
	FlagNoatime      = 0x00000080
	FlagSync         = 0x00000100
	FlagSystem       = 0x00000200 // belongs to the master directory
	FlagTopdir       = 0x00000400
	FlagTruncInProg  = 0x20000000 // a truncation was begun and must be finished
	FlagInheritJdata = 0x80000000
)

// Bits of di_mode.
const (
	ModeType   = 0o170000
	ModeFifo   = 0o010000
	ModeChar   = 0o020000
	ModeDir    = 0o040000
	ModeBlock  = 0o060000
	ModeReg    = 0o100000
	ModeLink   = 0o120000
	ModeSocket = 0o140000
)

// Dinode is struct gfs2_dinode.
type Dinode struct {
	MetaHeader
	Num           Inum   // di_num
	Mode          uint32 // di_mode
	UID           uint32 // di_uid
	GID           uint32 // di_gid
	Nlink         uint32 // di_nlink
	Size          uint64 // di_size, in bytes
	Blocks        uint64 // di_blocks: blocks owned, this one included
	Atime         int64  // di_atime, in seconds
	Mtime         int64  // di_mtime
	Ctime         int64  // di_ctime
	Major         uint32 // di_major
	Minor         uint32 // di_minor
	GoalMeta      uint64 // di_goal_meta: where to look for the next block
	GoalData      uint64 // di_goal_data
	Generation    uint64 // di_generation
	Flags         uint32 // di_flags
	PayloadFormat uint32 // di_payload_format
	_             uint16
	Height        uint16 // di_height of the metadata tree, 0 when stuffed
	_             uint32
	_             uint16
	Depth         uint16 // di_depth of the hash table
	Entries       uint32 // di_entries, "." and ".." included
	_             Inum
	Eattr         uint64 // di_eattr: EA block or indirect block, 0 for none
	AtimeNsec     uint32 // di_atime_nsec
	MtimeNsec     uint32 // di_mtime_nsec
	CtimeNsec     uint32 // di_ctime_nsec
	_             [44]byte
}

// DecodeDinode decodes the dinode block b read from addr and checks what every use relies on: the dinode knows its own
// address, height, depth and size are possible, and a stuffed payload fits.
func DecodeDinode(b []byte, addr uint64) (Dinode, error) {
	var di Dinode
	if err := checkBlock(b, addr, TypeDI, DinodeSize); err != nil {
		return di, err
	}
	(&fields{b: b}).dinode(&di)
	bs := BlockSize(len(b))
	switch {
	case di.Num.Addr != addr:
		return di, Corrupt(addr, "dinode claims to be at block %d", di.Num.Addr)
	case di.Height > MaxHeight:
		return di, Corrupt(addr, "metadata tree of height %d", di.Height)
	case di.Size > MaxFileSize:
		return di, Corrupt(addr, "size %d", di.Size)
	case di.Height == 0 && di.Size > uint64(bs.StuffedMax()):
		return di, Corrupt(addr, "%d stuffed bytes, %d fit", di.Size, bs.StuffedMax())
	case di.IsDir() && di.Flags&FlagExhash != 0:
		return di, di.checkHashTable(bs, addr)
	}
	return di, nil
}

func (di *Dinode) checkHashTable(bs BlockSize, addr uint64) error {
	if int(di.Depth) < bs.MinHashDepth() || di.Depth > MaxHashDepth {
		return Corrupt(addr, "hash table of depth %d", di.Depth)
	}
	if di.Size != 8<<di.Depth {
		return Corrupt(addr, "hash table of depth %d in %d bytes", di.Depth, di.Size)
	}
	return nil
}

// Encode writes di at the start of b; what follows the dinode stays.
func (di *Dinode) Encode(b []byte) { (&fields{b: b, write: true}).dinode(di) }

// Type is the file type bits of the mode.
func (di *Dinode) Type() uint32 { return di.Mode & ModeType }

// IsDir tells whether di is a directory.
func (di *Dinode) IsDir() bool { return di.Type() == ModeDir }

// DirentType is the d_type of an inode with the given mode.
func DirentType(mode uint32) uint16 { return uint16(mode & ModeType >> 12) }

// ValidType tells whether mode has one of the seven file types.
func ValidType(mode uint32) bool {
	switch mode & ModeType {
	case ModeFifo, ModeChar, ModeDir, ModeBlock, ModeReg, ModeLink, ModeSocket:
		return true
	}
	return false
}
