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
	{"a locked buffer of xfs", "a locked buffer of xfs (xfs_buf)"},
}

// Names that more than one row has.
const (
	inode      = "the inode's lock (i_rwsem)"
	directory  = "the directory's lock (i_rwsem)"
	invalidate = "the mapping's invalidate lock (invalidate_lock)"
	freeze     = "the freeze protection of the file system (sb_start_write)"
)

// rule names a lock by the function that sleeps, and one of those that called it; without callers by that function alone.
type rule struct{ name, in, under string }

// rules are tried in order. /proc/PID/stack leaves out the functions of rwsems and mutexes (they are __sched functions), so that the innermost
// function is the one that takes the lock, or, if that was inlined, its caller. The functions were seen in stacks of 5.10 to 6.18, or read
// in the source of 6.18 (fs/namei.c, fs/open.c, fs/xfs, fs/btrfs, fs/ext4, fs/gfs2, kernel/locking/percpu-rwsem.c).
var rules = []rule{
	// Names are made, removed and looked up under the lock of the directory.
	{directory, `path_openat open_last_lookups do_open lookup_slow lookup_open filename_create start_dirop do_unlinkat do_rmdir do_renameat2 lock_rename do_linkat do_mkdirat do_symlinkat
		filename_unlinkat filename_rmdir filename_renameat2 filename_linkat __start_dirop iterate_dir`, ""},
	{directory, "btrfs_inode_lock xfs_ilock ovl_iterate", "btrfs_readdir_get_delayed_items btrfs_real_readdir"},

	// xfs takes three locks of an inode through one function: IOLOCK, MMAPLOCK and ILOCK (fs/xfs/xfs_inode.c). The innermost caller tells.
	{"the inode's ILOCK (xfs i_lock)", "xfs_ilock xfs_ilock_nowait", `xfs_ilock_data_map_shared xfs_ilock_attr_map_shared xfs_ilock_for_iomap xfs_trans_alloc_inode
		xfs_bmapi_reserve_delalloc xfs_buffered_write_iomap_begin xfs_direct_write_iomap_begin xfs_getbmap_one xfs_iomap_write_direct xfs_reflink_allocate_cow`},
	{"the mapping's invalidate lock (xfs MMAPLOCK)", "xfs_ilock xfs_filemap_fault __xfs_filemap_fault xfs_write_fault", "do_page_mkwrite __do_fault xfs_filemap_page_mkwrite xfs_filemap_map_pages"},
	{"the inode's IOLOCK (xfs i_rwsem)", "xfs_ilock xfs_ilock_iocb xfs_ilock_iocb_for_write xfs_file_buffered_write", ""},

	// ext4 (fs/ext4/ext4.h: i_data_sem, xattr_sem).
	{"the inode's block map (ext4 i_data_sem)", "ext4_map_blocks ext4_da_map_blocks ext4_da_get_block_prep ext4_truncate ext4_ext_truncate ext4_ext_insert_range ext4_punch_hole", ""},
	{"the inode's xattrs (ext4 xattr_sem)", "ext4_xattr_get ext4_xattr_ibody_get ext4_listxattr ext4_xattr_set_handle ext4_xattr_set", ""},
	{inode, "ext4_fallocate ext4_fiemap ext4_dio_read_iter ext4_llseek ext4_zero_range ext4_collapse_range shmem_file_write_iter shmem_fallocate", ""},

	// btrfs (fs/btrfs/locking.c, fs/btrfs/transaction.c).
	{"a block of a btrfs tree", `btrfs_tree_lock btrfs_tree_lock_nested __btrfs_tree_lock btrfs_tree_read_lock btrfs_tree_read_lock_nested __btrfs_tree_read_lock
		btrfs_lock_root_node btrfs_read_lock_root_node`, ""},
	{"the running transaction of btrfs", "wait_current_trans start_transaction btrfs_commit_transaction wait_for_commit", ""},

	// gfs2: the operation on the inode says whose glock it is (fs/gfs2/file.c); resource groups have glocks of their own.
	{"the glock of a resource group (gfs2_glock_nq)", "gfs2_glock_nq gfs2_glock_nq_m", "gfs2_inplace_reserve gfs2_rgrp_bh_get gfs2_rlist_alloc gfs2_statfs_slow"},
	{"the glock of the directory (gfs2_glock_nq)", "gfs2_glock_nq gfs2_glock_nq_m", "gfs2_readdir gfs2_create_inode gfs2_unlink gfs2_rename gfs2_link gfs2_lookupi gfs2_atomic_open gfs2_drevalidate"},
	{"the glock of the inode (gfs2_glock_nq)", "gfs2_glock_nq gfs2_glock_nq_m", `gfs2_fault gfs2_page_mkwrite gfs2_file_read_iter gfs2_file_write_iter gfs2_file_buffered_write gfs2_file_direct_read gfs2_file_direct_write
		gfs2_fallocate gfs2_fiemap gfs2_fsync gfs2_getattr gfs2_setattr gfs2_permission gfs2_open_common gfs2_open gfs2_mmap gfs2_llseek gfs2_readpage gfs2_read_folio gfs2_readpages
		gfs2_readahead gfs2_write_begin gfs2_iomap_begin gfs2_xattr_get gfs2_xattr_set gfs2_listxattr`},
	{"the glock of an open file (flock)", "gfs2_glock_nq gfs2_glock_nq_m", "gfs2_flock do_flock"},

	// A frozen file system, and one that is being frozen (include/linux/fs.h: sb_start_write, sb_start_pagefault; percpu_rwsem).
	{freeze, "percpu_rwsem_wait __percpu_down_read percpu_down_write sb_wait_write freeze_super thaw_super mnt_want_write mnt_want_write_file file_start_write", ""},
	{freeze, "vfs_write vfs_fallocate", ""},
	{"the superblock (s_umount)", "grab_super super_lock sync_filesystem ksys_sync iterate_supers do_umount deactivate_super cleanup_mnt __do_sys_syncfs __x64_sys_syncfs", ""},
}
