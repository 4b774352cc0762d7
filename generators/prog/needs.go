package prog

// Need is an ability or a guarantee that not every file system has.
type Need struct {
	Name string
	Doc  string
}

// Needs is the table of what programs may need and targets may declare. Abilities are probed by doing; guarantees come from a
// table by file-system type, with its sources (package target).
var Needs = []Need{
	{"odirect", "open with O_DIRECT works"},
	{"dio512", "direct I/O takes offsets, lengths and memory aligned to 512 bytes"},
	{"shared-mmap", "files can be mapped MAP_SHARED and stored to"},
	{"unwritten", "fallocate(2) with mode 0 and with KEEP_SIZE works"},
	{"punch", "fallocate(2) PUNCH_HOLE works"},
	{"zero-range", "fallocate(2) ZERO_RANGE works"},
	{"collapse", "fallocate(2) COLLAPSE_RANGE works for whole pages"},
	{"insert", "fallocate(2) INSERT_RANGE works for whole pages"},
	{"link", "link(2) works"},
	{"symlink", "symlink(2) works"},
	{"xattr", "files have user.* extended attributes"},
	{"copy-range", "copy_file_range(2) works within the file system"},
	{"splice", "splice(2) from and to files works, and vmsplice(2)"},
	{"aio", "io_setup(2) and io_submit(2) work"},
	{"io-uring", "io_uring reads and writes files"},
	{"uring-file-buffer", "io_uring registers private mappings of files as buffers; Linux 6.1 answers EOPNOTSUPP"},
	{"sendfile", "sendfile(2) to a file works"},
	{"fiemap", "ioctl(2) FS_IOC_FIEMAP works"},
	{"getflags", "ioctl(2) FS_IOC_GETFLAGS works, and FS_IOC_SETFLAGS takes back what it returned"},
	{"fsgetxattr", "ioctl(2) FS_IOC_FSGETXATTR works"},
	{"fssetxattr", "ioctl(2) FS_IOC_FSSETXATTR takes back what FS_IOC_FSGETXATTR returned"},
	{"getfsmap", "ioctl(2) FS_IOC_GETFSMAP works"},
	{"getfslabel", "ioctl(2) FS_IOC_GETFSLABEL works"},
	{"fitrim", "ioctl(2) FITRIM works: the device takes discards (root)"},
	{"reflink", "ioctl(2) FICLONE and FICLONERANGE work for whole pages"},
	{"dedupe", "ioctl(2) FIDEDUPERANGE works for whole pages"},
	{"ext4-ioctl", "the file system has the ioctls of ext4"},
	{"ext4-resize", "ioctl(2) EXT4_IOC_GROUP_EXTEND works, and EXT4_IOC_GROUP_ADD and EXT4_IOC_RESIZE_FS read what they are given (root)"},
	{"xfs-ioctl", "the file system has the ioctls of xfs, and we may use XFS_IOC_BULKSTAT (root)"},
	{"xfs-scrub", "ioctl(2) XFS_IOC_SCRUB_METADATA works: the kernel was built with online scrub (root)"},
	{"xfs-handle", "ioctl(2) XFS_IOC_PATH_TO_HANDLE works, and its like, and those that take a handle (root)"},
	{"xfs-scrubv", "ioctl(2) XFS_IOC_SCRUBV_METADATA works: Linux 6.10, built with online scrub (root)"},
	{"btrfs-ioctl", "the file system has the ioctls of btrfs, and we may use TREE_SEARCH_V2 (root)"},
	{"btrfs-subvolume", "ioctl(2) BTRFS_IOC_SUBVOL_CREATE_V2 works, and rmdir(2) of what it makes (root)"},
	{"btrfs-encoded", "ioctl(2) BTRFS_IOC_ENCODED_READ works (Linux 5.18, root)"},
	{"btrfs-encoded-write", "ioctl(2) BTRFS_IOC_ENCODED_WRITE works for a frame of zstd that is two blocks of 4096 bytes (Linux 5.18, root)"},
	{"btrfs-encoded-uring", "IORING_OP_URING_CMD of BTRFS_IOC_ENCODED_READ works (Linux 6.13, root)"},
	{"btrfs-encoded-write-uring", "IORING_OP_URING_CMD of BTRFS_IOC_ENCODED_WRITE works (Linux 6.15, root)"},
	{"btrfs-scrub", "ioctl(2) BTRFS_IOC_SCRUB works (root)"},
	{"xfs-exchange", "ioctl(2) XFS_IOC_EXCHANGE_RANGE works (Linux 6.10, mkfs.xfs -i exchange=1)"},
	{"xfs-parents", "ioctl(2) XFS_IOC_GETPARENTS works (Linux 6.10, mkfs.xfs -n parent=1)"},
	{"f2fs-move", "ioctl(2) F2FS_IOC_MOVE_RANGE works for whole pages"},
	{"f2fs-ioctl", "the file system has the ioctls of f2fs"},
	{"f2fs-gc", "ioctl(2) F2FS_IOC_GARBAGE_COLLECT and F2FS_IOC_GARBAGE_COLLECT_RANGE read what they are given (root)"},
	{"f2fs-sectrim", "ioctl(2) F2FS_IOC_SEC_TRIM_FILE overwrites whole pages with zeros (Linux 5.9)"},
	{"f2fs-compression", "files of f2fs are compressed: mkfs.f2fs -O extra_attr,compression, mount option compress_extension=* (Linux 5.10)"},
	{"ocfs2-ioctl", "ioctl(2) OCFS2_IOC_INFO works"},
	{"file-handle", "name_to_handle_at(2) works, and open_by_handle_at(2) finds the file again (root)"},
	{"file-attr", "file_getattr(2) works, and file_setattr(2) takes back what it returned (Linux 6.17)"},
	{"statmount", "statmount(2) and listmount(2) work (Linux 6.8)"},
	{"quota", "quotactl_fd(2) finds quota of users in force (Linux 5.14, mount option usrquota or uquota)"},
	{"task-memory", "process_vm_readv(2) and /proc/self/mem reach our own memory"},
	{"fsopen", "fsopen(2) begins a tmpfs, and fsconfig(2) sets its source (Linux 5.2, root)"},
	{"execve", "execve(2) copies the arguments of a memory file that is no program"},
	{"ptrace", "a forked copy of ourselves can be traced"},
	{"coredump", "a forked copy of ourselves that dies leaves a core where it is, with its mappings of files (kernel.core_pattern=core)"},
	{"rseq", "rseq(2) registers memory for a thread that has none (Linux 4.18)"},
	{"fuse-device", "fsopen(2) makes a FUSE file system, and /dev/fuse gives its first request (Linux 5.4, root)"},
	{"verity", "the file system has fs-verity: ioctl(2) FS_IOC_ENABLE_VERITY and FS_IOC_MEASURE_VERITY (mkfs.ext4 -O verity)"},
	{"verity-metadata", "ioctl(2) FS_IOC_READ_VERITY_METADATA reads the tree of a protected file (Linux 5.12)"},
	{"encrypt", "ioctl(2) FS_IOC_ADD_ENCRYPTION_KEY takes a key, and other requests tell of it (mkfs.ext4 -O encrypt, root)"},
	{"setfslabel", "ioctl(2) FS_IOC_SETFSLABEL works, on a file system that refuses what is wrong (root)"},
	{"goingdown", "ioctl(2) XFS_IOC_GOINGDOWN, which is FS_IOC_SHUTDOWN, works, on a file system that refuses what is wrong (root)"},
	{"nowait", "RWF_NOWAIT is accepted for reads and for direct writes"},
	{"nowait-write", "RWF_NOWAIT is accepted for buffered writes"},
	{"hipri", "RWF_HIPRI is accepted"},
	{"dontcache", "RWF_DONTCACHE is accepted (Linux 6.14)"},
	{"atomic-write", "RWF_ATOMIC is accepted for direct writes of a page (Linux 6.11)"},
	{"append-flag", "RWF_APPEND is accepted"},
	{"sync-flag", "RWF_DSYNC and RWF_SYNC are accepted"},
	{"populate", "MADV_POPULATE_READ and MADV_POPULATE_WRITE are known (Linux 5.14)"},
	{"pageout", "MADV_PAGEOUT is known (Linux 5.4)"},
	{"drop-caches", "/proc/sys/vm/drop_caches can be written (root)"},
	{"prot-none", "system calls get EFAULT in memory that mprotect(2) has closed after it was touched"},
	{"mlock", "the limit of locked memory leaves room for some pages"},
	{"stall", "system calls can be stopped at memory of their caller: userfaultfd(2), or a FUSE file whose pages arrive on demand"},
	{"stall-poison", "pages of a stall can be made bad: UFFDIO_POISON (Linux 6.6), or a FUSE file"},
	{"userfaultfd", "userfaultfd(2) stops system calls at memory of their caller (root, vm.unprivileged_userfaultfd, or /dev/userfaultfd): several actors at one page too"},
	{"uffd-wp", "userfaultfd(2) has UFFDIO_WRITEPROTECT (Linux 5.7)"},
	{"other", "another file system, not under test, has room for a file"},
	{"own-mount", "the file system was mounted for the programs alone, and we may freeze it and try to unmount it (root)"},
	{"atomic-read", "a buffered read sees a buffered write of another task whole or not at all"},
	{"unlocked-read", "a buffered read holds nothing over its user copy for which a write to the file, or a truncate, waits"},
	{"unlocked-fiemap", "ioctl(2) FS_IOC_FIEMAP holds nothing over its user copy for which a page fault on the file waits"},
	{"self-fiemap", "ioctl(2) FS_IOC_FIEMAP ends whose extents go to a mapping of the file itself"},
	{"self-fiemap-sync", "it also does with FIEMAP_FLAG_SYNC, where that mapping is shared"},
	{"exact-short-write", "a buffered write whose buffer goes bad writes every byte up to the bad one"},
	{"clean-tail", "what is stored behind the end of a file through a mapping never reaches the file when it grows (generic/363)"},
	{"clean-tail-direct", "nor when a direct write makes it grow"},
	{"clean-efault", "a write behind the end of the file that fails with EFAULT leaves the size alone"},
	{"clean-append", "a direct write across the end of the file that fails or ends short in a bad buffer makes it grow no further than it has written"},
	{"short-dio-keeps", "a direct write that ends short in a bad buffer leaves the data behind its end alone"},
	{"clean-blocks", "a direct write that fails or ends short in a bad buffer leaves no blocks in the file that show what the disk held"},
	{"cold-write-keeps", "a buffered write that ends short in a bad buffer leaves nothing in the rest of the page that was in neither buffer nor file"},
	{"unstable-buffer", "a direct read into memory that others write meanwhile is neither taken for corruption nor zeroed"},
	{"exact-punch", "punching or zeroing part of a page changes nothing outside of the range, whatever else is done to the file"},
	{"punch-keeps-size", "punching or zeroing a range across the end of the file, with FALLOC_FL_KEEP_SIZE, leaves its size alone"},
	{"zero-after-collapse", "zeroing a range across the end of a file from which a range was collapsed is seen at once"},
	{"whole-uring-dio", "a direct read or write through io_uring does not end short because part of its buffer was not in memory (generic/678)"},
	{"cold-fault-keeps", "a fault in the buffer of a buffered write shows nothing of the page that is being written but what the file held"},
	{"clean-short-write", "a buffered write that ends short in a bad buffer leaves nothing behind that direct reads stumble over"},
	{"dirty-seek", "lseek(2) SEEK_DATA and SEEK_HOLE know of what was stored through a mapping and not yet written back"},
	{"mapped-store-keeps", "what is stored through a mapping stays when the file is written to, however small it is, and however small it was when it was mapped"},
	{"mmap-beside", "mmap(2) of a file works while another call on the file is under way"},
	{"eof-first", "a buffered read at the end of the file or behind it returns 0 without a look at its buffer"},
	{"unlocked-encoded", "BTRFS_IOC_ENCODED_READ through io_uring holds nothing over its user copy that a fault on the file needs"},
	{"sub-block-efault", "a direct write of less than a block whose buffer cannot be read fails with EFAULT"},
	{"self-direct-read", "a direct read ends whose buffer is a shared mapping of the very pages that it reads"},
	{"whole-dio", "a direct read or write whose buffer goes bad fails as a whole with EFAULT"},
}

// KnownNeed reports whether the table has the need.
func KnownNeed(name string) bool {
	for _, n := range Needs {
		if n.Name == name {
			return true
		}
	}
	return false
}

// Requires lists the abilities that the program's own steps call for, in the order of the table.
func Requires(p *Prog) []string {
	want := map[string]bool{}
	for i := range p.Files {
		if p.Files[i].Elsewhere {
			want["other"] = true
		}
		for _, r := range p.Files[i].Data {
			if r.May[0].Kind == Unwritten {
				want["unwritten"] = true
			}
		}
	}
	for i := range p.Steps {
		requires(&p.Steps[i], want)
	}
	if crowded(p) {
		want["userfaultfd"] = true
	}
	var list []string
	for _, n := range Needs {
		if want[n.Name] {
			list = append(list, n.Name)
		}
	}
	return list
}

// wordNeeds says which word of which operation needs what.
var wordNeeds = map[string]map[string]string{
	"open":      {"direct": "odirect"},
	"fallocate": {"alloc": "unwritten", "keep": "unwritten", "punch": "punch", "zero": "zero-range", "collapse": "collapse", "insert": "insert"},
	"madvise":   {"populate_read": "populate", "populate_write": "populate", "pageout": "pageout"},
	"mprotect":  {"none": "prot-none"},
	"uring_cmd": {"btrfs_encoded_read": "btrfs-encoded-uring", "btrfs_encoded_write": "btrfs-encoded-write-uring"},
	"ioctl":     {"setfslabel": "own-mount", "goingdown": "own-mount", "verity_enable": "own-mount"}, // besides what the requests themselves need
	"preadv2":   {"nowait": "nowait", "hipri": "hipri", "dontcache": "dontcache"},
	"pwritev2":  {"hipri": "hipri", "dontcache": "dontcache", "atomic": "atomic-write", "append": "append-flag", "dsync": "sync-flag", "sync": "sync-flag"},
}

// opNeeds says which operation needs what.
var opNeeds = map[string]string{"drop_caches": "drop-caches", "freeze": "own-mount", "umount": "own-mount", "mlock": "mlock", "link": "link", "symlink": "symlink", "setxattr": "xattr", "getxattr": "xattr", "listxattr": "xattr", "removexattr": "xattr",
	"ficlone": "reflink", "copy_file_range": "copy-range", "sendfile": "sendfile", "pipe": "splice", "io_setup": "aio", "io_submit": "aio", "io_getevents": "aio", "uring_read": "io-uring", "uring_write": "io-uring",
	"uring_readv": "io-uring", "uring_writev": "io-uring", "uring_read_fixed": "io-uring", "uring_write_fixed": "io-uring",
	"name_to_handle_at": "file-handle", "open_by_handle_at": "file-handle", "file_getattr": "file-attr", "file_setattr": "file-attr",
	"xfs_open_by_handle": "xfs-handle", "btrfs_subvolume": "btrfs-subvolume",
	"statmount": "statmount", "listmount": "statmount", "quotactl": "quota",
	"process_vm_readv": "task-memory", "process_vm_writev": "task-memory", "mem_read": "task-memory", "mem_write": "task-memory", "fsconfig": "fsopen", "execve": "execve",
	"ptrace_peek": "ptrace", "ptrace_poke": "ptrace", "coredump": "coredump", "rseq": "rseq", "fuse_read": "fuse-device", "fuse_notify": "fuse-device",
	"stall": "stall", "guard": "uffd-wp", "guard_struct": "uffd-wp", "poison": "stall-poison"}

func requires(s *Step, want map[string]bool) {
	if need := opNeeds[s.Op]; need != "" {
		want[need] = true
	}
	if s.Op == "ioctl" {
		want[Requests[s.words(1)[0]].Need] = true
	}
	for _, a := range s.Args {
		words, ok := a.(Words)
		if !ok {
			continue
		}
		for _, w := range words {
			if need := wordNeeds[s.Op][w]; need != "" {
				want[need] = true
			}
		}
		if s.Op == "mmap" && words.Has("shared") {
			want["shared-mmap"] = true
		}
	}
}
