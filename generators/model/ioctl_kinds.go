package model

// typeRequests are what is known of the requests of package prog's file types.go.
var typeRequests = map[string]func(*request) (*value, error){
	"xfs_path_to_fshandle": (*request).pathToFSHandle, "xfs_path_to_handle": (*request).pathToHandle, "xfs_fd_to_handle": (*request).fdToHandle,
	"xfs_readlink_by_handle": (*request).readlinkByHandle, "xfs_attrlist_by_handle": (*request).attrlist, "xfs_attrmulti_by_handle": (*request).attrmulti,
	"xfs_scrubv": (*request).scrubv,

	"btrfs_ino_lookup_user": (*request).lookupUser, "btrfs_received": (*request).received, "btrfs_send": (*request).send,
	"btrfs_balance": (*request).balance, "btrfs_balance_progress": (*request).balanceProgress, "btrfs_dev_stats": (*request).devStats, "btrfs_quota": (*request).quota,
	"btrfs_rescan_wait":   func(*request) (*value, error) { return nil, nil },
	"btrfs_qgroup_create": (*request).qgroupCreate, "btrfs_qgroup_assign": (*request).qgroupAssign, "btrfs_qgroup_limit": (*request).qgroupLimit,

	"ext4_group_extend": (*request).groupExtend, "ext4_group_add": (*request).groupAdd, "ext4_resize": (*request).resize,
	"f2fs_sec_trim": (*request).secTrim, "f2fs_gc": (*request).collect, "f2fs_gc_range": (*request).collectRange, "f2fs_set_compression": (*request).setCompression,
	"f2fs_set_pin": (*request).setPin,
	"ocfs2_info":   (*request).ocfs2Info,
}
