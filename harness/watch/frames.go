package watch

import "strings"

// role is what a kernel function on a stack means to us. Functions that are in no table are plain: they stay in a
// signature under their own name, and say nothing about the cause.
type role int

const (
	plain   role = iota
	noise        // scheduler and generic wrappers: in every stack, so in no signature
	entry        // the way into the kernel for a system call
	fault        // the way into a page fault
	pin          // a page fault without an exception: the kernel faults pages in by hand (get_user_pages)
	remote       // work on another process's memory
	class        // one of many names for the same thing: replaced by its words in a signature
	wait         // sleeps until what the words say
	lock         // a lock of a generic type; the caller says which one
	inlined      // a part of its only caller, which compilers leave a function or not: left out of a signature
)

// frame is one row of the tables.
type frame struct {
	role  role
	words string
}

// lookUp finds what is known about a function of the kernel.
func lookUp(name string) frame {
	if known, ok := frames[name]; ok {
		return known
	}
	for _, known := range prefixes {
		if strings.HasPrefix(name, known.prefix) {
			return frame{role: known.role}
		}
	}
	return frame{}
}

// prefixes start the names that SYSCALL_DEFINE and the interrupt entry code make on the architectures we know.
var prefixes = []struct {
	prefix string
	role   role
}{
	{"__x64_sys_", entry}, {"__ia32_sys_", entry}, {"__arm64_sys_", entry}, {"__riscv_sys_", entry}, {"__s390x_sys_", entry},
	{"__se_sys_", entry}, {"__do_sys_", entry}, {"__se_compat_sys_", entry}, {"ksys_", entry}, {"sys_", entry}, {"entry_SYSCALL_", entry},
	{"invoke_syscall", entry}, {"el0_svc", entry}, {"sysvec_", noise}, {"asm_sysvec_", noise},
}

// anyCopy is a user copy of unknown direction; the function around it knows better.
const anyCopy = "user copy"

// table is rows of one role and meaning, by names separated by spaces.
type table struct {
	role  role
	words string
	names string
}

// The functions were named by stacks of kernels 5.10 to 6.18 (and 5.10 to 7.2 for gfs2). A function that the next kernel
// renames goes into its row beside the old name.
var frames = index(frameTables)

var frameTables = []table{
	{noise, "", `schedule __schedule __switch_to __switch_to_asm preempt_schedule_irq schedule_timeout schedule_preempt_disabled
		schedule_hrtimeout_range schedule_hrtimeout_range_clock do_nanosleep io_schedule io_schedule_timeout
		bit_wait bit_wait_io wait_on_bit __wait_on_bit __wait_on_bit_lock out_of_line_wait_on_bit out_of_line_wait_on_bit_lock
		gfs2_glock_async_wait wait_for_common __wait_for_common wait_on_bit_io rwsem_optimistic_spin
		ret_from_fork ret_from_fork_asm kthread worker_thread process_one_work do_futex
		irqentry_exit_to_user_mode irqentry_exit exit_to_user_mode_loop exit_to_user_mode_prepare common_interrupt
		userspace fork_handler new_thread_handler`},
	{noise, "", `show_stack dump_stack dump_stack_lvl panic vpanic __warn warn_slowpath_fmt __warn_printk report_bug handle_bug exc_invalid_op asm_exc_invalid_op
		die oops_end oops_exit make_task_dead do_error_trap do_invalid_op invalid_op no_context bad_area_nosemaphore page_fault_oops exc_general_protection
		asm_exc_general_protection kernelmode_fixup_or_oops`},
	{noise, "", `down_read down_write down_read_killable down_write_killable down_read_interruptible mutex_lock mutex_lock_killable
		mutex_lock_interruptible __mutex_lock_slowpath __mutex_lock_killable_slowpath __mutex_lock_interruptible_slowpath`},
	{noise, "", `vfs_read vfs_write new_sync_read new_sync_write call_read_iter call_write_iter vfs_iter_read vfs_iter_write
		do_iter_read do_iter_write do_iter_readv_writev do_loop_readv_writev vfs_readv vfs_writev do_readv do_writev do_preadv do_pwritev
		__vfs_read __vfs_write generic_file_read_iter generic_file_buffered_read filemap_read generic_file_write_iter
		__generic_file_write_iter generic_perform_write iomap_apply iomap_iter iomap_write_actor iomap_file_buffered_write`},
	{noise, "", `handle_mm_fault __handle_mm_fault handle_pte_fault do_fault __do_fault do_read_fault do_cow_fault do_shared_fault
		do_pte_missing do_wp_page wp_page_shared do_page_mkwrite do_anonymous_page __do_anonymous_page`},

	{inlined, "", `gfs2_file_buffered_write gfs2_file_direct_read gfs2_file_direct_write iomap_dio_actor iomap_dio_bio_actor iomap_dio_inline_actor
		iomap_dio_iter iomap_dio_bio_iter iomap_dio_inline_iter`},

	{entry, "", `do_syscall_64 syscall_exit_to_user_mode x64_sys_call do_syscall_x64 do_fast_syscall_32 do_int80_emulation handle_syscall do_el0_svc el0_svc_common
		el0t_64_sync_handler el0t_64_sync ret_fast_syscall system_call_exception system_call_vectored_common`},
	{fault, "", `asm_exc_page_fault exc_page_fault do_user_addr_fault page_fault async_page_fault do_page_fault __do_page_fault
		do_mem_abort do_translation_fault el0_da el1_abort el1h_64_sync el1h_64_sync_handler handle_page_fault segv segv_handler`},
	{pin, "pin user pages", `faultin_page __get_user_pages __get_user_pages_locked internal_get_user_pages_fast __gup_longterm_locked gup_fast_fallback
		get_user_pages_fast get_user_pages_unlocked get_user_pages pin_user_pages_fast pin_user_pages_unlocked pin_user_pages fixup_user_fault populate_vma_page_range __mm_populate`},
	{remote, "another process's memory", `process_vm_rw process_vm_rw_core process_vm_rw_single_vec pin_user_pages_remote
		get_user_pages_remote __get_user_pages_remote access_remote_vm __access_remote_vm access_process_vm mem_rw`},

	{class, "copy to user", `copyout copyout_mc copy_to_user _copy_to_user __copy_to_user raw_copy_to_user copy_to_user_iter
		copy_page_to_iter copy_folio_to_iter _copy_to_iter copy_to_iter iov_iter_zero clear_user __clear_user put_user __put_user_1 __put_user_2 __put_user_4 __put_user_8 __put_user_nocheck_4 __put_user_nocheck_8
		fault_in_writeable fault_in_safe_writeable fault_in_iov_iter_writeable`},
	{class, "copy from user", `copyin copy_from_user _copy_from_user __copy_from_user raw_copy_from_user copy_from_user_iter
		copy_page_from_iter copy_page_from_iter_atomic copy_folio_from_iter_atomic _copy_from_iter copy_from_iter _copy_from_iter_full
		iov_iter_copy_from_user_atomic iov_iter_fault_in_readable fault_in_readable fault_in_pages_readable fault_in_iov_iter_readable
		import_iovec __import_iovec copy_iovec_from_user get_user __get_user_1 __get_user_2 __get_user_4 __get_user_8 __get_user_nocheck_1
		__get_user_nocheck_2 __get_user_nocheck_4 __get_user_nocheck_8 strncpy_from_user`},
	{class, anyCopy, `rep_movs_alternative rep_stos_alternative copy_user_generic copy_user_generic_unrolled
		copy_user_generic_string copy_user_enhanced_fast_string copy_mc_enhanced_fast_string __arch_copy_to_user __arch_copy_from_user buffer_op do_op_one_page`},
	{class, "pin user pages", `iov_iter_get_pages iov_iter_get_pages2 __iov_iter_get_pages_alloc iov_iter_extract_pages
		iov_iter_extract_user_pages bio_iov_iter_get_pages __bio_iov_iter_get_pages bio_iov_iter_get_pages_aligned`},

	{wait, "a page to be unlocked", `folio_wait_bit_common folio_wait_bit __folio_lock __folio_lock_killable __folio_lock_or_retry
		wait_on_page_bit_common wait_on_page_bit __lock_page __lock_page_killable __lock_page_or_retry folio_wait_locked`},
	{wait, "the writeback of a page", `folio_wait_writeback folio_wait_stable wait_on_page_writeback wait_for_stable_page
		__filemap_fdatawait_range filemap_fdatawait_range`},
	{wait, "the answer to a FUSE request", `request_wait_answer`},
	{wait, "a free slot of the FUSE connection", `fuse_get_req`},
	{wait, "a userfaultfd handler", `handle_userfault`},
	{wait, "a glock", `gfs2_glock_nq gfs2_glock_nq_m`},
	{wait, "the journal of gfs2", `gfs2_log_reserve gfs2_log_flush log_flush_wait`},
	{wait, "a journal commit", `jbd2_log_wait_commit jbd2_journal_commit_transaction wait_current_trans btrfs_commit_transaction
		btrfs_wait_for_commit xfs_log_force xfs_log_force_seq xlog_wait_on_iclog f2fs_issue_checkpoint`},
	{wait, "space in the journal", `jbd2_log_do_checkpoint __jbd2_log_wait_for_space add_transaction_credits wait_transaction_locked
		start_this_handle xlog_grant_head_wait`},
	{wait, "a btrfs extent range", `btrfs_lock_extent_bits lock_extent_bits wait_extent_bit btrfs_start_ordered_extent
		btrfs_start_ordered_extent_nowriteback`},
	{wait, "direct I/O in flight", `inode_dio_wait __inode_dio_wait`},
	{wait, "its own direct I/O", `__iomap_dio_rw __blockdev_direct_IO submit_bio_wait blk_wait_io`},
	{wait, "a locked buffer of xfs", `xfs_buf_lock xfs_buf_find_lock`},
	{wait, "a buffer of a block device", `__wait_on_buffer __lock_buffer wait_on_buffer`},
	{wait, "a free request of a block device", `blk_mq_get_tag rq_qos_wait`},
	{wait, "dirty pages to become fewer", `balance_dirty_pages balance_dirty_pages_ratelimited_flags`},
	{wait, "an inode on its way out", `__wait_on_freeing_inode find_inode find_inode_fast inode_wait_for_writeback __inode_wait_for_writeback`},
	{wait, "a frozen file system", `percpu_rwsem_wait __percpu_down_read`},
	{wait, "a file lock", `locks_lock_inode_wait fcntl_setlk flock_lock_inode_wait`},
	{wait, "a futex", `futex_wait_queue futex_wait_queue_me __futex_wait futex_wait futex_do_wait futex_wait_setup`},
	{wait, "the other end of a pipe or its lock", `pipe_read pipe_write anon_pipe_read anon_pipe_write fifo_pipe_read pipe_wait_readable pipe_wait_writable`},
	{wait, "a file to become ready", `do_poll do_sys_poll ep_poll do_select do_epoll_wait`},
	{wait, "a timer", `hrtimer_nanosleep common_nsleep`},
	{wait, "a child process", `do_wait kernel_wait4`},
	{wait, "a signal or a tracer", `do_signal_stop ptrace_stop do_freezer_trap __refrigerator`},
	{lock, "an rwsem, to read", `rwsem_down_read_slowpath rwsem_down_read_failed`},
	{lock, "an rwsem, to write", `rwsem_down_write_slowpath rwsem_down_write_failed`},
	{lock, "a mutex", `__mutex_lock mutex_lock_io ww_mutex_lock`},
}

// lockOf names the lock that a function takes with a generic primitive. The kernel leaves such primitives out of
// /proc/PID/stack as it does the scheduler (they are __sched functions, stack_trace_save_tsk in kernel/stacktrace.c), so
// there a thread that waits for a lock seems to sleep in the function that takes it. In hung-task reports they are shown.
var lockOf = index(lockTables)

var lockTables = []table{
	{lock, "the mmap lock", `lock_mm_and_find_vma get_mmap_lock_carefully do_user_addr_fault exc_page_fault vm_mmap_pgoff __vm_munmap
		do_mprotect_pkey do_madvise madvise_lock process_vm_rw_core process_vm_rw_single_vec __get_user_pages_locked __gup_longterm_locked
		internal_get_user_pages_fast gup_fast_fallback __access_remote_vm m_start proc_get_vma mmap_read_lock mmap_write_lock userfaultfd_register
		mfill_atomic proc_pid_cmdline_read`},
	{lock, "the inode lock", `ext4_buffered_write_iter ext4_file_write_iter ext4_dio_write_iter ext4_file_read_iter xfs_ilock
		xfs_file_buffered_write xfs_ilock_iocb btrfs_inode_lock btrfs_buffered_write f2fs_file_write_iter gfs2_file_write_iter gfs2_file_buffered_write
		gfs2_fallocate fuse_cache_write_iter fuse_file_write_iter fuse_direct_write_iter ovl_write_iter do_truncate
		ext4_fallocate ext4_fiemap shmem_file_write_iter shmem_fallocate path_openat do_renameat2 do_linkat lock_two_nondirectories open_last_lookups lookup_slow do_unlinkat filename_create iterate_dir generic_file_write_iter chmod_common chown_common`},
	{lock, "the invalidate lock of the mapping", `filemap_invalidate_lock_two filemap_fault page_cache_ra_unbounded
		filemap_create_folio filemap_add_folio truncate_pagecache xfs_filemap_fault ext4_page_mkwrite ext4_filemap_fault`},
	{lock, "the pipe's mutex", `pipe_lock pipe_double_lock anon_pipe_read anon_pipe_write pipe_read pipe_write`},
	{lock, "the file position", `fdget_pos __fdget_pos`},
}

func index(tables []table) map[string]frame {
	all := map[string]frame{}
	for _, t := range tables {
		for _, name := range strings.Fields(t.names) {
			all[name] = frame{t.role, t.words}
		}
	}
	return all
}
