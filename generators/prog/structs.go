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

// Structs is the table of them, by name. Sizes of file_attr, mount_request (struct mnt_id_req) and mount_info (struct statmount) are those of their first
// versions in linux/fs.h and linux/mount.h. On arm64 and riscv64 struct stat ends 16 bytes earlier.
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
		{"dedupe_two", "", "", 88, []Field{
			number("src_offset", 0, 8), number("src_length", 8, 8), number("dest_count", 16, 2),
			fdField("dest_fd", 24, 8), number("dest_offset", 32, 8), number("bytes_deduped", 40, 8), number("status", 48, 4),
			fdField("dest_fd_2", 56, 8), number("dest_offset_2", 64, 8), number("bytes_deduped_2", 72, 8), number("status_2", 80, 4)}},
		{"statx", "struct statx", "sys/stat.h", 256, []Field{
			number("stx_mask", 0, 4), number("stx_blksize", 4, 4), number("stx_nlink", 16, 4), number("stx_size", 40, 8), number("stx_blocks", 48, 8)}},
		{"stat", "struct stat", "sys/stat.h", 144, []Field{number("st_size", 48, 8)}},
		{"statfs", "struct statfs", "sys/statfs.h", 120, []Field{number("f_bsize", 8, 8), number("f_namelen", 64, 8)}},
		{"file_handle", "struct file_handle", "fcntl.h", 8, []Field{number("handle_bytes", 0, 4), number("handle_type", 4, 4)}},
		{"file_attr", "", "", 24, []Field{number("fa_xflags", 0, 8), number("fa_extsize", 8, 4), number("fa_nextents", 12, 4), number("fa_projid", 16, 4), number("fa_cowextsize", 20, 4)}},
		{"mount_request", "", "", 24, []Field{number("size", 0, 4), number("mnt_id", 8, 8), number("param", 16, 8)}},
		{"mount_info", "", "", 512, []Field{number("size", 0, 4), number("mask", 8, 8)}},
		{"dqblk", "struct if_dqblk", "linux/quota.h", 72, []Field{number("dqb_curspace", 16, 8), number("dqb_curinodes", 40, 8), number("dqb_valid", 64, 4)}},
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
		{"fsmap_range", "", "", 192, []Field{
			number("fmh_iflags", 0, 4), number("fmh_oflags", 4, 4), number("fmh_count", 8, 4), number("fmh_entries", 12, 4),
			number("low_device", 64, 4), number("low_physical", 72, 8),
			number("high_device", 128, 4), number("high_flags", 132, 4), number("high_physical", 136, 8), number("high_owner", 144, 8), number("high_offset", 152, 8)}},
		{"fstrim_range", "struct fstrim_range", "linux/fs.h", 24, []Field{number("start", 0, 8), number("len", 8, 8), number("minlen", 16, 8)}},
		{"label", "", "", 256, nil},
		{"move_extent", "", "", 40, []Field{
			fdField("donor_fd", 4, 4), number("orig_start", 8, 8), number("donor_start", 16, 8), number("len", 24, 8), number("moved_len", 32, 8)}},
		{"xfs_ag_geometry", "", "", 128, []Field{number("ag_number", 0, 4), number("ag_length", 4, 4), number("ag_freeblks", 8, 4)}},
		{"xfs_counts", "", "", 32, []Field{number("freedata", 0, 8), number("freertx", 8, 8), number("freeino", 16, 8), number("allocino", 24, 8)}},
		{"xfs_scrub", "", "", 64, []Field{number("sm_type", 0, 4), number("sm_flags", 4, 4), number("sm_ino", 8, 8)}},
		{"f2fs_defragment", "", "", 16, []Field{number("start", 0, 8), number("len", 8, 8)}},
		{"btrfs_search_v1", "", "", 104, []Field{
			number("tree_id", 0, 8), number("min_objectid", 8, 8), number("max_objectid", 16, 8), number("max_offset", 32, 8), number("max_transid", 48, 8),
			number("max_type", 60, 4), number("nr_items", 64, 4)}},
		{"btrfs_logical_ino", "", "", 56, []Field{number("logical", 0, 8), number("size", 8, 8), number("flags", 40, 8), address("inodes", 48)}},
		{"btrfs_ino_path", "", "", 56, []Field{number("inum", 0, 8), number("size", 8, 8), address("fspath", 48)}},
		{"btrfs_dev_info", "struct btrfs_ioctl_dev_info_args", "linux/btrfs.h", 4096, []Field{number("devid", 0, 8), number("bytes_used", 24, 8), number("total_bytes", 32, 8)}},
		{"btrfs_space", "struct btrfs_ioctl_space_args", "linux/btrfs.h", 16, []Field{number("space_slots", 0, 8), number("total_spaces", 8, 8)}},
		{"btrfs_rootref", "", "", 4096, []Field{number("min_treeid", 0, 8), number("num_items", 4088, 8)}},
		{"btrfs_defrag", "struct btrfs_ioctl_defrag_range_args", "linux/btrfs.h", 48, []Field{
			number("start", 0, 8), number("len", 8, 8), number("flags", 16, 8), number("extent_thresh", 24, 4)}},
		{"btrfs_encoded", "struct btrfs_ioctl_encoded_io_args", "linux/btrfs.h", 128, []Field{
			address("iov", 0), number("iovcnt", 8, 8), number("offset", 16, 8), number("flags", 24, 8), number("len", 32, 8), number("unencoded_len", 40, 8),
			number("unencoded_offset", 48, 8), number("compression", 56, 4), number("encryption", 60, 4)}},
		{"btrfs_scrub", "struct btrfs_ioctl_scrub_args", "linux/btrfs.h", 1024, []Field{number("devid", 0, 8), number("start", 8, 8), number("end", 16, 8), number("flags", 24, 8)}},
		{"btrfs_rescan", "struct btrfs_ioctl_quota_rescan_args", "linux/btrfs.h", 64, []Field{number("flags", 0, 8), number("progress", 8, 8)}},
		{"getbmap", "", "", 32, []Field{
			number("bmv_offset", 0, 8), number("bmv_block", 8, 8), number("bmv_length", 16, 8), number("bmv_count", 24, 4), number("bmv_entries", 28, 4)}},
		{"xfs_exchange", "", "", 40, []Field{
			fdField("file1_fd", 0, 4), number("file1_offset", 8, 8), number("file2_offset", 16, 8), number("length", 24, 8), number("flags", 32, 8)}},
		{"xfs_parents", "", "", 40, []Field{number("gp_iflags", 16, 2), number("gp_oflags", 18, 2), number("gp_bufsize", 20, 4), address("gp_buffer", 32)}},
		{"space_resv", "", "", 48, []Field{number("l_start", 8, 8), number("l_len", 16, 8)}},
		{"f2fs_move", "", "", 32, []Field{fdField("dst_fd", 0, 4), number("pos_in", 8, 8), number("pos_out", 16, 8), number("len", 24, 8)}},
	}
	table = slices.Concat(table, typeStructs, taskStructs, protectStructs)
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
		{"dedupe_two", "FIDEDUPERANGE", 0xc0189436, 88, 88, "dedupe_two", "dedupe"},
		{"fssetxattr", "FS_IOC_FSSETXATTR", 0x401c5820, 28, 0, "fsxattr", "fssetxattr"},
		{"getfsmap", "FS_IOC_GETFSMAP", 0xc0c0583b, 192, 192, "fsmap_range", "getfsmap"},
		{"getfslabel", "FS_IOC_GETFSLABEL", 0x81009431, 0, 0, "label", "getfslabel"},
		{"fitrim", "FITRIM", 0xc0185879, 24, 24, "fstrim_range", "fitrim"},
		{"ext4_move_ext", "EXT4_IOC_MOVE_EXT", 0xc028660f, 40, 40, "move_extent", "ext4-ioctl"},
		{"ext4_getstate", "EXT4_IOC_GETSTATE", 0x40046629, 0, 4, "flags", "ext4-ioctl"},
		{"ext4_es_cache", "EXT4_IOC_GET_ES_CACHE", 0xc020662a, 32, 32, "fiemap", "ext4-ioctl"},
		{"xfs_geometry", "XFS_IOC_FSGEOMETRY", 0x8100587e, 0, 256, "xfs_geometry", "xfs-ioctl"},
		{"xfs_getbmapx", "XFS_IOC_GETBMAPX", 0xc0205838, 28, 48, "getbmapx", "xfs-ioctl"},
		{"xfs_bulkstat", "XFS_IOC_BULKSTAT", 0x8040587f, 64, 64, "bulkstat_req", "xfs-ioctl"},
		{"xfs_inumbers", "XFS_IOC_INUMBERS", 0x80405880, 64, 64, "bulkstat_req", "xfs-ioctl"},
		{"xfs_ag_geometry", "XFS_IOC_AG_GEOMETRY", 0xc080583d, 128, 128, "xfs_ag_geometry", "xfs-ioctl"},
		{"xfs_counts", "XFS_IOC_FSCOUNTS", 0x80205871, 0, 32, "xfs_counts", "xfs-ioctl"},
		{"xfs_scrub", "XFS_IOC_SCRUB_METADATA", 0xc040583c, 64, 64, "xfs_scrub", "xfs-scrub"},
		{"btrfs_search_v1", "BTRFS_IOC_TREE_SEARCH", 0xd0009411, 104, 104, "btrfs_search_v1", "btrfs-ioctl"},
		{"btrfs_logical_ino", "BTRFS_IOC_LOGICAL_INO", 0xc0389424, 56, 0, "btrfs_logical_ino", "btrfs-ioctl"},
		{"btrfs_logical_ino_v2", "BTRFS_IOC_LOGICAL_INO_V2", 0xc038943b, 56, 0, "btrfs_logical_ino", "btrfs-ioctl"},
		{"btrfs_ino_paths", "BTRFS_IOC_INO_PATHS", 0xc0389423, 56, 0, "btrfs_ino_path", "btrfs-ioctl"},
		{"btrfs_dev_info", "BTRFS_IOC_DEV_INFO", 0xd000941e, 4096, 4096, "btrfs_dev_info", "btrfs-ioctl"},
		{"btrfs_space_info", "BTRFS_IOC_SPACE_INFO", 0xc0109414, 16, 16, "btrfs_space", "btrfs-ioctl"},
		{"btrfs_rootref", "BTRFS_IOC_GET_SUBVOL_ROOTREF", 0xd000943d, 4096, 4096, "btrfs_rootref", "btrfs-ioctl"},
		{"btrfs_defrag", "BTRFS_IOC_DEFRAG_RANGE", 0x40309410, 48, 0, "btrfs_defrag", "btrfs-ioctl"},
		{"btrfs_fs_info", "BTRFS_IOC_FS_INFO", 0x8400941f, 1024, 1024, "btrfs_fs_info", "btrfs-ioctl"},
		{"btrfs_ino_lookup", "BTRFS_IOC_INO_LOOKUP", 0xd0009412, 4096, 4096, "btrfs_ino_lookup", "btrfs-ioctl"},
		{"btrfs_subvol_info", "BTRFS_IOC_GET_SUBVOL_INFO", 0x81f8943c, 0, 504, "btrfs_subvol_info", "btrfs-ioctl"},
		{"btrfs_search", "BTRFS_IOC_TREE_SEARCH_V2", 0xc0709411, 112, 104, "btrfs_search", "btrfs-ioctl"},
		{"btrfs_encoded_read", "BTRFS_IOC_ENCODED_READ", 0x80809440, 128, 128, "btrfs_encoded", "btrfs-encoded"},
		{"btrfs_encoded_write", "BTRFS_IOC_ENCODED_WRITE", 0x40809440, 128, 0, "btrfs_encoded", "btrfs-encoded-write"},
		{"btrfs_scrub", "BTRFS_IOC_SCRUB", 0xc400941b, 1024, 1024, "btrfs_scrub", "btrfs-scrub"},
		{"btrfs_rescan", "BTRFS_IOC_QUOTA_RESCAN_STATUS", 0x8040942d, 0, 64, "btrfs_rescan", "btrfs-ioctl"},
		{"xfs_getbmap", "XFS_IOC_GETBMAP", 0xc0205826, 28, 32, "getbmap", "xfs-ioctl"},
		{"xfs_exchange", "XFS_IOC_EXCHANGE_RANGE", 0x40285881, 40, 0, "xfs_exchange", "xfs-exchange"},
		{"xfs_parents", "XFS_IOC_GETPARENTS", 0xc028583e, 40, 40, "xfs_parents", "xfs-parents"},
		{"resvsp", "XFS_IOC_RESVSP64", 0x4030582a, 48, 0, "space_resv", "unwritten"},
		{"unresvsp", "XFS_IOC_UNRESVSP64", 0x4030582b, 48, 0, "space_resv", "punch"},
		{"zero_range", "XFS_IOC_ZERO_RANGE", 0x40305839, 48, 0, "space_resv", "zero-range"},
		{"f2fs_move", "F2FS_IOC_MOVE_RANGE", 0xc020f509, 32, 0, "f2fs_move", "f2fs-move"},
		{"f2fs_pin_file", "F2FS_IOC_GET_PIN_FILE", 0x8004f50e, 0, 4, "flags", "f2fs-ioctl"},
		{"f2fs_defragment", "F2FS_IOC_DEFRAGMENT", 0xc010f508, 16, 16, "f2fs_defragment", "f2fs-ioctl"},
		{"f2fs_features", "F2FS_IOC_GET_FEATURES", 0x8004f50c, 0, 4, "flags", "f2fs-ioctl"},
	}
	table = slices.Concat(table, typeRequests, protectRequests)
	byName := make(map[string]*Request, len(table))
	for i := range table {
		byName[table[i].Name] = &table[i]
	}
	return byName
}()
