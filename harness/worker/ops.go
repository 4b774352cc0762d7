package worker

import "faultline/harness/uring"

// ops performs the operations, by name: one for each row of prog.Ops. It is filled in by init because wait leads back to the table.
var ops map[string]func(*actor, *call) result

func init() {
	ops = map[string]func(*actor, *call) result{
		"open": openOp, "close": closeOp, "lseek": lseekOp, "stat": statOp,
		"fsync": fsyncOp, "fdatasync": fdatasyncOp, "syncfs": syncfsOp, "sync_file_range": syncFileRangeOp, "fadvise": fadviseOp, "drop_caches": dropCachesOp,
		"sync": syncOp, "freeze": freezeOp, "umount": umountOp,
		"truncate": truncateOp, "ftruncate": ftruncateOp, "fallocate": fallocateOp,
		"rename": renameOp, "link": linkOp, "unlink": unlinkOp, "mkdir": mkdirOp,

		"read": readOp, "write": writeOp, "pread": preadOp, "pwrite": pwriteOp,
		"readv": readvOp, "writev": writevOp, "preadv": preadvOp, "pwritev": pwritevOp, "preadv2": preadv2Op, "pwritev2": pwritev2Op,

		"mmap": mmapOp, "anon": anonOp, "munmap": munmapOp, "mprotect": mprotectOp, "mremap": mremapOp,
		"madvise": madviseOp, "mlock": mlockOp, "msync": msyncOp,
		"load": loadOp, "store": storeOp, "check": checkOp,

		"put": storeOp, "put_path": storeOp, "look": lookOp, "ioctl": ioctlOp, "extents": extentsOp,
		"getdents": getdentsOp, "entries": entriesOp, "statx": statxOp,
		"fstat": fstatOp, "fstatfs": fstatfsOp, "getcwd": getcwdOp, "name_to_handle_at": nameToHandleOp, "open_by_handle_at": openByHandleOp, "xfs_open_by_handle": xfsOpenByHandleOp, "btrfs_subvolume": subvolumeOp,
		"file_getattr": fileGetattrOp, "file_setattr": fileSetattrOp, "statmount": statmountOp, "listmount": listmountOp, "quotactl": quotactlOp,
		"process_vm_readv": processVMReadvOp, "process_vm_writev": processVMWritevOp, "mem_read": memReadOp, "mem_write": memWriteOp,
		"futex_wait": futexWaitOp, "futex_wake": futexWakeOp, "mount": mountOp, "fsconfig": fsconfigOp, "execve": execveOp,
		"ptrace_peek": ptracePeekOp, "ptrace_poke": ptracePokeOp, "coredump": coredumpOp, "rseq": rseqOp, "fuse_read": fuseReadOp, "fuse_notify": fuseNotifyOp,
		"setxattr": setxattrOp, "getxattr": getxattrOp, "listxattr": listxattrOp, "removexattr": removexattrOp,
		"symlink": symlinkOp, "readlink": readlinkOp,
		"ficlone": ficloneOp, "copy_file_range": copyFileRangeOp, "sendfile": sendfileOp,
		"pipe": pipeOp, "vmsplice": vmspliceOp, "tee": teeOp, "splice_from": spliceFromOp, "splice_to": spliceToOp,
		"io_setup": ioSetupOp, "io_submit": ioSubmitOp, "io_getevents": ioGeteventsOp,
		"uring_read": uringOp(uring.Read), "uring_write": uringOp(uring.Write), "uring_readv": uringVectorOp(uring.Readv), "uring_writev": uringVectorOp(uring.Writev),
		"uring_read_fixed": uringFixedOp(uring.ReadFixed), "uring_write_fixed": uringFixedOp(uring.WriteFixed),
		"uring_cmd": uringCommandOp,

		"stall": stallOp, "guard": guardOp, "stalled": stalledOp, "serve": serveOp, "serve_struct": serveStructOp, "guard_struct": guardOp, "poison": poisonOp, "unregister": unregisterOp,
		"wait": waitOp, "proceeds": proceedsOp,
	}
}
