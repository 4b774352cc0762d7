package lock

// terms are the locks of package watch by the names they have in the kernel's source.
var terms = []struct{ words, name string }{
	{"the inode lock", inode},
	{"the mmap lock", "the mmap lock of the process (mmap_lock)"},
	{"the invalidate lock of the mapping", invalidate},
	{"a page to be unlocked", "a folio lock"},
	{"the writeback of a page", "the writeback of a folio"},
	{"a glock", "a glock (gfs2_glock_nq)"},
	{"a btrfs extent range", "an extent range of btrfs (io_tree)"},
	{"a frozen file system", "the freeze protection of the file system (sb_start_write)"},
	{"a locked buffer of xfs", "a locked buffer of xfs (xfs_buf)"},
}

// Names that more than one row has.
const (
	inode      = "the inode's lock (i_rwsem)"
	directory  = "the directory's lock (i_rwsem)"
	invalidate = "the mapping's invalidate lock (invalidate_lock)"
)

// rule names a lock by the function that sleeps, and one of those that called it; without callers by that function alone.
type rule struct{ name, in, under string }

// rules are tried in order. /proc/PID/stack leaves out the functions of rwsems and mutexes (they are __sched functions), so that the innermost
// function is the one that takes the lock, or, if that was inlined, its caller. Stacks that were seen are in testdata. Three rows follow the kernel's
// source and have not been seen in a stack so far: xfs's ILOCK and MMAPLOCK (fs/xfs/xfs_inode.c), and gfs2's resource group (fs/gfs2/rgrp.c).
var rules = []rule{
	// Names are made, removed and looked up under the lock of the directory.
	{directory, `path_openat open_last_lookups lookup_slow filename_create do_unlinkat do_rmdir do_renameat2 lock_rename do_linkat iterate_dir
		__start_dirop __start_renaming`, ""},
	{directory, "btrfs_inode_lock", "iterate_dir"},

	{inode, "gfs2_file_write_iter gfs2_fallocate gfs2_fiemap gfs2_seek_data gfs2_seek_hole", ""},
	{inode, "vfs_setxattr ext4_llseek shmem_file_llseek", ""},

	// Who freezes waits for all who write, and xfs then for its log to be written back to where it belongs (fs/super.c, fs/xfs/xfs_log.c).
	{"the writers of the file system (s_writers)", "freeze_super", ""},
	{"what the log of xfs still holds (AIL)", "xfs_ail_push_all_sync", ""},

	// xfs takes three locks of an inode through one function (fs/xfs/xfs_inode.c): ILOCK, MMAPLOCK, and IOLOCK, which is i_rwsem. The caller tells.
	{"the inode's ILOCK (xfs i_lock)", "xfs_ilock", `xfs_ilock_data_map_shared xfs_ilock_attr_map_shared xfs_ilock_for_iomap xfs_trans_alloc_inode
		xfs_buffered_write_iomap_begin xfs_direct_write_iomap_begin`},
	{"the mapping's invalidate lock (xfs MMAPLOCK)", "xfs_ilock xfs_filemap_fault __xfs_filemap_fault xfs_write_fault", "do_page_mkwrite __do_fault"},
	{inode, "xfs_ilock xfs_ilock_iocb xfs_ilock_iocb_for_write xfs_file_buffered_write", ""},

	// The operation that a glock is taken for says of which object it is.
	{"the glock of a resource group (gfs2_glock_nq)", "gfs2_glock_nq gfs2_glock_nq_m", "gfs2_inplace_reserve"},
	{"the glock of the directory (gfs2_glock_nq)", "gfs2_glock_nq gfs2_glock_nq_m", "gfs2_readdir gfs2_create_inode gfs2_unlink gfs2_link gfs2_lookupi gfs2_drevalidate iterate_dir"},
	{"the glock of the inode (gfs2_glock_nq)", "gfs2_glock_nq gfs2_glock_nq_m", `gfs2_fault gfs2_page_mkwrite gfs2_file_read_iter gfs2_file_write_iter gfs2_file_buffered_write gfs2_file_direct_read
		gfs2_file_direct_write gfs2_fallocate gfs2_fiemap gfs2_fsync gfs2_getattr gfs2_setattr gfs2_permission gfs2_mmap gfs2_llseek gfs2_readpage gfs2_write_begin gfs2_iomap_begin gfs2_dirty_inode gfs2_listxattr gfs2_xattr_get gfs2_xattr_set`},
}
