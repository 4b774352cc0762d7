package prog

import "slices"

// Struct is a struct of the kernel's interface: what programs may put into memory, and look at there. Fields that are not listed are
// zero when it is put, and not looked at. Layouts are those of 64-bit machines.
type Struct struct {
	Name string
	// C is the type in C and Header the header that declares it; "" if none does, or not with these fields.
	C, Header string
	// Size is in bytes.
	Size   int64
	Fields []Field
}

// Field is one member of a Struct.
type Field struct {
	Name string
	// At and Width are in bytes.
	At, Width int64
	// Kind is KindSize for a number, KindFD for the number of a descriptor, KindMemory for an address.
	Kind Kind
}

func number(name string, at, width int64) Field { return Field{name, at, width, KindSize} }
func fdField(name string, at, width int64) Field {
	return Field{name, at, width, KindFD}
}
func address(name string, at int64) Field { return Field{name, at, 8, KindMemory} }

// Structs is the table of them, by name.
var Structs = func() map[string]*Struct {
	table := []Struct{
		{"fiemap", "struct fiemap", "linux/fiemap.h", 32, []Field{
			number("fm_start", 0, 8), number("fm_length", 8, 8), number("fm_flags", 16, 4), number("fm_mapped_extents", 20, 4), number("fm_extent_count", 24, 4)}},
		{"fsxattr", "struct fsxattr", "linux/fs.h", 28, []Field{
			number("fsx_xflags", 0, 4), number("fsx_extsize", 4, 4), number("fsx_nextents", 8, 4), number("fsx_projid", 12, 4), number("fsx_cowextsize", 16, 4)}},
		{"clone_range", "struct file_clone_range", "linux/fs.h", 32, []Field{
			fdField("src_fd", 0, 8), number("src_offset", 8, 8), number("src_length", 16, 8), number("dest_offset", 24, 8)}},
		{"dedupe_range", "", "", 56, []Field{
			number("src_offset", 0, 8), number("src_length", 8, 8), number("dest_count", 16, 2),
			fdField("dest_fd", 24, 8), number("dest_offset", 32, 8), number("bytes_deduped", 40, 8), number("status", 48, 4)}},
		{"statx", "struct statx", "sys/stat.h", 256, []Field{
			number("stx_mask", 0, 4), number("stx_blksize", 4, 4), number("stx_nlink", 16, 4), number("stx_size", 40, 8), number("stx_blocks", 48, 8)}},
		{"loff", "", "", 8, []Field{number("offset", 0, 8)}},
		{"flags", "", "", 4, []Field{number("flags", 0, 4)}},
		{"pointer", "", "", 8, []Field{address("to", 0)}},
		{"iovec", "struct iovec", "sys/uio.h", 16, []Field{address("iov_base", 0), number("iov_len", 8, 8)}},
		{"iocb", "struct iocb", "linux/aio_abi.h", 64, []Field{
			number("aio_data", 0, 8), number("aio_lio_opcode", 16, 2), fdField("aio_fildes", 20, 4),
			address("aio_buf", 24), number("aio_nbytes", 32, 8), number("aio_offset", 40, 8)}},
		{"io_event", "struct io_event", "linux/aio_abi.h", 32, []Field{number("data", 0, 8), number("res", 16, 8), number("res2", 24, 8)}},
		{"getbmapx", "", "", 48, []Field{
			number("bmv_offset", 0, 8), number("bmv_block", 8, 8), number("bmv_length", 16, 8), number("bmv_count", 24, 4), number("bmv_entries", 28, 4), number("bmv_iflags", 32, 4)}},
		{"bulkstat_req", "", "", 64, []Field{number("ino", 0, 8), number("icount", 12, 4), number("ocount", 16, 4)}},
		{"xfs_geometry", "", "", 256, []Field{number("blocksize", 0, 4), number("agcount", 8, 4), number("sectsize", 16, 4), number("inodesize", 20, 4)}},
		{"btrfs_fs_info", "struct btrfs_ioctl_fs_info_args", "linux/btrfs.h", 1024, []Field{
			number("num_devices", 8, 8), number("nodesize", 32, 4), number("sectorsize", 36, 4)}},
		{"btrfs_ino_lookup", "struct btrfs_ioctl_ino_lookup_args", "linux/btrfs.h", 4096, []Field{number("treeid", 0, 8), number("objectid", 8, 8)}},
		{"btrfs_subvol_info", "struct btrfs_ioctl_get_subvol_info_args", "linux/btrfs.h", 504, []Field{number("treeid", 0, 8)}},
		{"btrfs_search", "", "", 112, []Field{
			number("tree_id", 0, 8), number("min_objectid", 8, 8), number("max_objectid", 16, 8), number("max_offset", 32, 8), number("max_transid", 48, 8),
			number("max_type", 60, 4), number("nr_items", 64, 4), number("buf_size", 104, 8)}},
		{"btrfs_encoded", "struct btrfs_ioctl_encoded_io_args", "linux/btrfs.h", 128, []Field{
			address("iov", 0), number("iovcnt", 8, 8), number("offset", 16, 8), number("flags", 24, 8), number("len", 32, 8), number("unencoded_len", 40, 8)}},
	}
	byName := make(map[string]*Struct, len(table))
	for i := range table {
		byName[table[i].Name] = &table[i]
	}
	return byName
}()

// Field is the field of that name, or nil.
func (s *Struct) Field(name string) *Field {
	at := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == name })
	if at < 0 {
		return nil
	}
	return &s.Fields[at]
}

// Request is an ioctl(2) whose third argument is the address of a struct.
type Request struct {
	Name string
	// C is the name in C and Number the number on machines with the common encoding (asm-generic/ioctl.h: amd64, arm64, riscv64).
	C      string
	Number uint32
	// In and Out are how many bytes at the address the kernel reads, and writes when it succeeds.
	In, Out int64
	// Struct is what stands at the address, by its name in Structs.
	Struct string
	// Need is the ability that says whether a file system has it.
	Need string
}

// Requests is the table of them, by name. Numbers are from linux/fs.h, linux/fiemap.h, linux/btrfs.h and linux/f2fs.h; those of ext4 from
// fs/ext4/ext4.h, those of xfs from fs/xfs/libxfs/xfs_fs.h. What is read and written was looked up in fs/ioctl.c, fs/remap_range.c, fs/xfs/xfs_ioctl.c,
// fs/ext4/ioctl.c and fs/btrfs/ioctl.c of 6.12.
var Requests = func() map[string]*Request {
	table := []Request{
		{"fiemap", "FS_IOC_FIEMAP", 0xc020660b, 32, 32, "fiemap", "fiemap"},
		{"getflags", "FS_IOC_GETFLAGS", 0x80086601, 0, 4, "flags", "getflags"},
		{"setflags", "FS_IOC_SETFLAGS", 0x40086602, 4, 0, "flags", "getflags"},
		{"fsgetxattr", "FS_IOC_FSGETXATTR", 0x801c581f, 0, 28, "fsxattr", "fsgetxattr"},
		{"clonerange", "FICLONERANGE", 0x4020940d, 32, 0, "clone_range", "reflink"},
		{"dedupe", "FIDEDUPERANGE", 0xc0189436, 56, 56, "dedupe_range", "dedupe"},
		{"ext4_getstate", "EXT4_IOC_GETSTATE", 0x40046629, 0, 4, "flags", "ext4-ioctl"},
		{"ext4_es_cache", "EXT4_IOC_GET_ES_CACHE", 0xc020662a, 32, 32, "fiemap", "ext4-ioctl"},
		{"xfs_geometry", "XFS_IOC_FSGEOMETRY", 0x8100587e, 0, 256, "xfs_geometry", "xfs-ioctl"},
		{"xfs_getbmapx", "XFS_IOC_GETBMAPX", 0xc0205838, 28, 48, "getbmapx", "xfs-ioctl"},
		{"xfs_bulkstat", "XFS_IOC_BULKSTAT", 0x8040587f, 64, 64, "bulkstat_req", "xfs-ioctl"},
		{"btrfs_fs_info", "BTRFS_IOC_FS_INFO", 0x8400941f, 1024, 1024, "btrfs_fs_info", "btrfs-ioctl"},
		{"btrfs_ino_lookup", "BTRFS_IOC_INO_LOOKUP", 0xd0009412, 4096, 4096, "btrfs_ino_lookup", "btrfs-ioctl"},
		{"btrfs_subvol_info", "BTRFS_IOC_GET_SUBVOL_INFO", 0x81f8943c, 0, 504, "btrfs_subvol_info", "btrfs-ioctl"},
		{"btrfs_search", "BTRFS_IOC_TREE_SEARCH_V2", 0xc0709411, 112, 104, "btrfs_search", "btrfs-ioctl"},
		{"btrfs_encoded_read", "BTRFS_IOC_ENCODED_READ", 0x80809440, 128, 128, "btrfs_encoded", "btrfs-ioctl"},
		{"f2fs_features", "F2FS_IOC_GET_FEATURES", 0x8004f50c, 0, 4, "flags", "f2fs-ioctl"},
	}
	byName := make(map[string]*Request, len(table))
	for i := range table {
		byName[table[i].Name] = &table[i]
	}
	return byName
}()
