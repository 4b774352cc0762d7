package disk

import "bytes"

// SuperblockOffset is the byte offset of the superblock, whatever the block size.
const SuperblockOffset = 65536

// SuperblockSize is the size of Superblock in bytes.
const SuperblockSize = 272

// On-disk format versions. 1802 adds extended attributes of type trusted; nothing else differs.
const (
	Format1801 = 1801
	Format1802 = 1802
)

// LockNolock is the lock protocol of a file system that one machine mounts.
const LockNolock = "lock_nolock"

// Inum names an inode: the pair is its identity, the formal number alone is not unique (struct gfs2_inum).
type Inum struct {
	FormalIno uint64 // no_formal_ino
	Addr      uint64 // no_addr: block of the dinode, which is st_ino
}

// IsZero tells whether n names no inode, which in a dirent marks an empty record.
func (n Inum) IsZero() bool { return n.FormalIno == 0 || n.Addr == 0 }

// Superblock is struct gfs2_sb.
type Superblock struct {
	MetaHeader
	FsFormat        uint32 // sb_fs_format
	MultihostFormat uint32 // sb_multihost_format
	_               uint32
	Bsize           BlockSize // sb_bsize
	BsizeShift      uint32    // sb_bsize_shift
	_               uint32
	MasterDir       Inum // sb_master_dir
	_               Inum
	RootDir         Inum     // sb_root_dir
	Lockproto       [64]byte // sb_lockproto, padded with NUL
	Locktable       [64]byte // sb_locktable, padded with NUL
	_               [2]Inum
	UUID            [16]byte // sb_uuid, in RFC 4122 order
}

// DecodeSuperblock decodes the superblock b and refuses what no GFS2 of today can mount. addr names the block in errors.
// b needs SuperblockSize bytes only: the block size is not known before this call.
func DecodeSuperblock(b []byte, addr uint64) (Superblock, error) {
	sb, err := decodeBlock[Superblock](b, addr, TypeSB)
	if err != nil {
		return sb, err
	}
	if sb.MultihostFormat != FormatMultihost {
		return sb, Unsupported(addr, "multihost format %d, want %d", sb.MultihostFormat, FormatMultihost)
	}
	if sb.FsFormat != Format1801 && sb.FsFormat != Format1802 {
		return sb, Unsupported(addr, "file system format %d, want %d or %d", sb.FsFormat, Format1801, Format1802)
	}
	if !sb.Bsize.Valid() || sb.BsizeShift != sb.Bsize.Shift() {
		return sb, Corrupt(addr, "block size %d with shift %d", sb.Bsize, sb.BsizeShift)
	}
	return sb, nil
}

// Encode writes sb at the start of b.
func (sb *Superblock) Encode(b []byte) { encode(b, sb) }

// Protocol is the lock protocol as a string.
func (sb *Superblock) Protocol() string { return cString(sb.Lockproto[:]) }

// Table is the lock table as a string.
func (sb *Superblock) Table() string { return cString(sb.Locktable[:]) }

// MaxEAType is the highest extended attribute type that the format version allows.
func (sb *Superblock) MaxEAType() EAType {
	if sb.FsFormat >= Format1802 {
		return EATrusted
	}
	return EASecurity
}

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
