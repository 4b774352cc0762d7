package disk

// Sizes in bytes.
const (
	LogHeaderSize     = 120
	LogDescriptorSize = 72
)

// Bits of lh_flags. Only LogUnmount has a meaning for recovery; the others say who wrote the header.
const (
	LogUnmount       = 0x00000001 // the journal is clean as of this header
	LogFlushNormal   = 0x00000002
	LogFlushSync     = 0x00000004
	LogFlushShutdown = 0x00000008
	LogRecovery      = 0x00000020
	LogShutdown      = 0x00000100
	LogSyncFs        = 0x00400000
	LogUserspace     = 0x80000000
)

// LogHeader ends a flush of the journal (struct gfs2_log_header).
type LogHeader struct {
	MetaHeader
	Sequence    uint64 // lh_sequence, one more than that of the header before
	Flags       uint32 // lh_flags
	Tail        uint32 // lh_tail: journal block where the live log starts
	Blkno       uint32 // lh_blkno: journal block of this header
	HeaderHash  uint32 // lh_hash: Hash of bytes 0-47 with this field 0
	Crc         uint32 // lh_crc: CRC-32C without inversion of the block from byte 52 on; 0 in a header of version 1
	Nsec        uint32 // lh_nsec
	Sec         uint64 // lh_sec
	Addr        uint64 // lh_addr: block of this header
	Jinode      uint64 // lh_jinode: dinode of the journal
	StatfsAddr  uint64 // lh_statfs_addr: dinode of statfs_changeN
	QuotaAddr   uint64 // lh_quota_addr: dinode of quota_changeN
	LocalTotal  int64  // lh_local_total: what the master statfs file does not contain yet
	LocalFree   int64  // lh_local_free
	LocalInodes int64  // lh_local_dinodes
}

const (
	logHashOffset = 44
	logCrcOffset  = 48
	logCrcStart   = 52
)

// DecodeLogHeader decodes the log header b, a whole block, and verifies both checksums. lh_blkno is for the caller to compare.
func DecodeLogHeader(b []byte, addr uint64) (LogHeader, error) {
	lh, err := decodeBlock[LogHeader](b, addr, TypeLH)
	if err != nil {
		return lh, err
	}
	if want := logHash(b); lh.HeaderHash != want {
		return lh, Corrupt(addr, "log header hash %08x, want %08x", lh.HeaderHash, want)
	}
	if want := crc32c(b[logCrcStart:]); lh.Crc != 0 && lh.Crc != want {
		return lh, Corrupt(addr, "log header checksum %08x, want %08x", lh.Crc, want)
	}
	return lh, nil
}

// Encode fills the block b with lh and zeros, and sets both checksums.
func (lh *LogHeader) Encode(b []byte) {
	lh.MetaHeader.Magic, lh.MetaHeader.Type, lh.MetaHeader.Format = Magic, TypeLH, TypeLH.Format()
	clear(b[LogHeaderSize:])
	encode(b, lh)
	lh.HeaderHash = logHash(b)
	lh.Crc = crc32c(b[logCrcStart:])
	be.PutUint32(b[logHashOffset:], lh.HeaderHash)
	be.PutUint32(b[logCrcOffset:], lh.Crc)
}

func logHash(b []byte) uint32 {
	var head [logCrcOffset]byte
	copy(head[:], b)
	clear(head[logHashOffset:])
	return Hash(head[:])
}

// Values of ld_type.
const (
	LogMetadata = 300 // block images follow; tags are addresses
	LogRevoke   = 301 // tags are revoked addresses, continued in LB blocks
	LogJdata    = 302 // block images follow; tags are pairs of address and escape flag
)

// LogDescriptor starts a chunk of a flush (struct gfs2_log_descriptor); tags follow.
type LogDescriptor struct {
	MetaHeader
	Type   uint32 // ld_type
	Length uint32 // ld_length: journal blocks of the chunk, this one included
	Data1  uint32 // ld_data1: number of block images or of revokes
	Data2  uint32 // ld_data2
	_      [32]byte
}

// DecodeLogDescriptor decodes the descriptor b and checks that its counts agree with each other.
func DecodeLogDescriptor(b []byte, addr uint64) (LogDescriptor, error) {
	ld, err := decodeBlock[LogDescriptor](b, addr, TypeLD)
	if err != nil {
		return ld, err
	}
	bs := BlockSize(len(b))
	bad := false
	switch ld.Type {
	case LogMetadata, LogJdata:
		bad = int64(ld.Data1) > int64(bs.LogTags(ld.Type)) || int64(ld.Length) != int64(ld.Data1)+1
	case LogRevoke:
		bad = int64(ld.Length) != int64(bs.RevokeBlocks(int(ld.Data1)))
	default:
		return ld, Corrupt(addr, "log descriptor of type %d", ld.Type)
	}
	if bad {
		return ld, Corrupt(addr, "log descriptor of type %d: %d blocks, %d entries", ld.Type, ld.Length, ld.Data1)
	}
	return ld, nil
}

// Encode writes ld at the start of b.
func (ld *LogDescriptor) Encode(b []byte) {
	ld.MetaHeader.Magic, ld.MetaHeader.Type, ld.MetaHeader.Format = Magic, TypeLD, TypeLD.Format()
	encode(b, ld)
}

// LogTags is the number of tags that a descriptor block of the given ld_type holds.
func (bs BlockSize) LogTags(ldType uint32) int {
	if ldType == LogJdata {
		return (int(bs) - LogDescriptorSize) / 16
	}
	return (int(bs) - LogDescriptorSize) / 8
}

// RevokeBlocks is the number of journal blocks that a chunk of n revokes takes.
func (bs BlockSize) RevokeBlocks(n int) int {
	if first := bs.LogTags(LogRevoke); n > first {
		return 1 + (n-first+bs.IndirectPtrs()-1)/bs.IndirectPtrs()
	}
	return 1
}

// Escaped tells whether a jdata block must be logged with its first word zeroed: recovery finds descriptors by the magic.
func Escaped(b []byte) bool { return be.Uint32(b) == Magic }
