package prog

// Structs and requests that only one type of file system has. Numbers and layouts of xfs are those of fs/xfs/libxfs/xfs_fs.h, of btrfs linux/btrfs.h, of ext4
// linux/ext4.h, of f2fs linux/f2fs.h, of ocfs2 fs/ocfs2/ocfs2_ioctl.h.

// typeStructs are rows of the table Structs. A name in a struct of btrfs is the number whose first byte is its only
// letter, and a group of quotas has a number and a level.
var typeStructs = []Struct{
	{"xfs_handle_req", "", "", 56, []Field{
		fdField("fd", 0, 4), address("path", 8), number("oflags", 16, 4), address("ihandle", 24), number("ihandlen", 32, 4), address("ohandle", 40), address("ohandlen", 48)}},
	{"xfs_handle", "", "", 24, nil},
	{"xfs_attr_list", "", "", 88, []Field{address("ihandle", 24), number("ihandlen", 32, 4), number("flags", 72, 4), number("buflen", 76, 4), address("buffer", 80)}},
	{"xfs_attrs", "", "", 8, []Field{number("al_count", 0, 4), number("al_more", 4, 4)}},
	{"xfs_attr_multi", "", "", 72, []Field{address("ihandle", 24), number("ihandlen", 32, 4), number("opcount", 56, 4), address("ops", 64)}},
	{"xfs_attr_op", "", "", 32, []Field{
		number("am_opcode", 0, 4), number("am_error", 4, 4), address("am_attrname", 8), address("am_attrvalue", 16), number("am_length", 24, 4), number("am_flags", 28, 4)}},
	{"xfs_scrub_vec", "", "", 40, []Field{number("svh_ino", 0, 8), number("svh_flags", 16, 4), number("svh_nr", 22, 2), address("svh_vectors", 32)}},
	{"xfs_scrub_item", "", "", 16, []Field{number("sv_type", 0, 4), number("sv_flags", 4, 4), number("sv_ret", 8, 4)}},

	{"btrfs_vol", "", "", 4096, []Field{fdField("fd", 0, 8), number("transid", 8, 8), number("flags", 16, 8), number("name", 56, 8)}},
	{"btrfs_ino_lookup_user", "", "", 4096, []Field{number("dirid", 0, 8), number("treeid", 8, 8), number("name", 16, 8)}},
	{"btrfs_received", "", "", 200, []Field{number("stransid", 16, 8), number("rtransid", 24, 8), number("flags", 64, 8)}},
	{"btrfs_send", "", "", 72, []Field{
		fdField("send_fd", 0, 8), number("clone_sources_count", 8, 8), address("clone_sources", 16), number("parent_root", 24, 8), number("flags", 32, 8)}},
	{"btrfs_balance", "", "", 1024, []Field{number("flags", 0, 8), number("state", 8, 8), number("data_usage", 24, 8), number("data_flags", 80, 8)}},
	{"btrfs_dev_stats", "struct btrfs_ioctl_get_dev_stats", "linux/btrfs.h", 1032, []Field{number("devid", 0, 8), number("nr_items", 8, 8), number("flags", 16, 8)}},
	{"btrfs_quota", "struct btrfs_ioctl_quota_ctl_args", "linux/btrfs.h", 16, []Field{number("cmd", 0, 8), number("status", 8, 8)}},
	{"btrfs_qgroup", "", "", 16, []Field{number("create", 0, 8), number("id", 8, 4), number("level", 14, 2)}},
	{"btrfs_qgroup_assign", "", "", 24, []Field{number("assign", 0, 8), number("src_id", 8, 4), number("src_level", 14, 2), number("dst_id", 16, 4), number("dst_level", 22, 2)}},
	{"btrfs_limit", "", "", 48, []Field{number("id", 0, 4), number("level", 6, 2), number("flags", 8, 8), number("max_rfer", 16, 8)}},

	{"ext4_group", "", "", 40, []Field{
		number("group", 0, 4), number("block_bitmap", 8, 8), number("inode_bitmap", 16, 8), number("inode_table", 24, 8), number("blocks_count", 32, 4), number("reserved_blocks", 36, 2)}},
	{"word", "", "", 4, []Field{number("n", 0, 4)}},
	{"blocks", "", "", 8, []Field{number("blocks", 0, 8)}},
	{"f2fs_sectrim", "", "", 24, []Field{number("start", 0, 8), number("len", 8, 8), number("flags", 16, 8)}},
	{"f2fs_gc", "", "", 24, []Field{number("sync", 0, 4), number("start", 8, 8), number("len", 16, 8)}},
	{"f2fs_compression", "", "", 2, nil},
	{"ocfs2_info", "", "", 16, []Field{address("oi_requests", 0), number("oi_count", 8, 4)}},
	{"ocfs2_request", "", "", 24, []Field{number("ir_magic", 0, 4), number("ir_code", 4, 4), number("ir_size", 8, 4), number("ir_flags", 12, 4), number("answer", 16, 4)}},
}

// Numbers of requests that have steps of their own, as they make a descriptor or a name: XFS_IOC_OPEN_BY_HANDLE, BTRFS_IOC_SUBVOL_CREATE_V2 and
// BTRFS_IOC_SNAP_CREATE_V2.
const (
	XFSOpenByHandle = 0xc038586b
	BtrfsCreate     = 0x50009418
	BtrfsSnapshot   = 0x50009417
)

// typeRequests are rows of the table Requests. What is read and written was looked up in fs/xfs/xfs_handle.c, fs/xfs/scrub/scrub.c, fs/btrfs/ioctl.c,
// fs/ext4/ioctl.c, fs/f2fs/file.c and fs/ocfs2/ioctl.c.
var typeRequests = []Request{
	{"xfs_path_to_fshandle", "XFS_IOC_PATH_TO_FSHANDLE", 0xc0385868, 56, 0, "xfs_handle_req", "xfs-handle"},
	{"xfs_path_to_handle", "XFS_IOC_PATH_TO_HANDLE", 0xc0385869, 56, 0, "xfs_handle_req", "xfs-handle"},
	{"xfs_fd_to_handle", "XFS_IOC_FD_TO_HANDLE", 0xc038586a, 56, 0, "xfs_handle_req", "xfs-handle"},
	{"xfs_readlink_by_handle", "XFS_IOC_READLINK_BY_HANDLE", 0xc038586c, 56, 0, "xfs_handle_req", "xfs-handle"},
	{"xfs_attrlist_by_handle", "XFS_IOC_ATTRLIST_BY_HANDLE", 0x4058587a, 88, 72, "xfs_attr_list", "xfs-handle"},
	{"xfs_attrmulti_by_handle", "XFS_IOC_ATTRMULTI_BY_HANDLE", 0x4048587b, 72, 0, "xfs_attr_multi", "xfs-handle"},
	{"xfs_scrubv", "XFS_IOC_SCRUBV_METADATA", 0xc0285840, 40, 0, "xfs_scrub_vec", "xfs-scrubv"},

	{"btrfs_ino_lookup_user", "BTRFS_IOC_INO_LOOKUP_USER", 0xd000943e, 4096, 4096, "btrfs_ino_lookup_user", "btrfs-subvolume"},
	{"btrfs_received", "BTRFS_IOC_SET_RECEIVED_SUBVOL", 0xc0c89425, 200, 200, "btrfs_received", "btrfs-subvolume"},
	{"btrfs_send", "BTRFS_IOC_SEND", 0x40489426, 72, 0, "btrfs_send", "btrfs-subvolume"},
	{"btrfs_balance", "BTRFS_IOC_BALANCE_V2", 0xc4009420, 1024, 1024, "btrfs_balance", "btrfs-ioctl"},
	{"btrfs_balance_progress", "BTRFS_IOC_BALANCE_PROGRESS", 0x84009422, 0, 1024, "btrfs_balance", "btrfs-ioctl"},
	{"btrfs_dev_stats", "BTRFS_IOC_GET_DEV_STATS", 0xc4089434, 1032, 1032, "btrfs_dev_stats", "btrfs-ioctl"},
	{"btrfs_quota", "BTRFS_IOC_QUOTA_CTL", 0xc0109428, 16, 16, "btrfs_quota", "btrfs-ioctl"},
	{"btrfs_rescan_wait", "BTRFS_IOC_QUOTA_RESCAN_WAIT", 0x942e, 0, 0, "loff", "btrfs-ioctl"}, // has no argument
	{"btrfs_qgroup_create", "BTRFS_IOC_QGROUP_CREATE", 0x4010942a, 16, 0, "btrfs_qgroup", "btrfs-ioctl"},
	{"btrfs_qgroup_assign", "BTRFS_IOC_QGROUP_ASSIGN", 0x40189429, 24, 0, "btrfs_qgroup_assign", "btrfs-ioctl"},
	{"btrfs_qgroup_limit", "BTRFS_IOC_QGROUP_LIMIT", 0x8030942b, 48, 0, "btrfs_limit", "btrfs-ioctl"},

	{"ext4_group_extend", "EXT4_IOC_GROUP_EXTEND", 0x40086607, 4, 0, "word", "ext4-resize"},
	{"ext4_group_add", "EXT4_IOC_GROUP_ADD", 0x40286608, 40, 0, "ext4_group", "ext4-resize"},
	{"ext4_resize", "EXT4_IOC_RESIZE_FS", 0x40086610, 8, 0, "blocks", "ext4-resize"},
	{"f2fs_sec_trim", "F2FS_IOC_SEC_TRIM_FILE", 0x4018f514, 24, 0, "f2fs_sectrim", "f2fs-sectrim"},
	{"f2fs_gc", "F2FS_IOC_GARBAGE_COLLECT", 0x4004f506, 4, 0, "word", "f2fs-gc"},
	{"f2fs_gc_range", "F2FS_IOC_GARBAGE_COLLECT_RANGE", 0x4018f50b, 24, 0, "f2fs_gc", "f2fs-gc"},
	{"f2fs_get_compression", "F2FS_IOC_GET_COMPRESS_OPTION", 0x8002f515, 0, 2, "f2fs_compression", "f2fs-compression"},
	{"f2fs_set_compression", "F2FS_IOC_SET_COMPRESS_OPTION", 0x4002f516, 2, 0, "f2fs_compression", "f2fs-compression"},
	{"f2fs_set_pin", "F2FS_IOC_SET_PIN_FILE", 0x4004f50d, 4, 0, "word", "f2fs-ioctl"},
	{"ocfs2_info", "OCFS2_IOC_INFO", 0x80106f05, 16, 0, "ocfs2_info", "ocfs2-ioctl"},
}
