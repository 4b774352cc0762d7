package target

import (
	"fmt"
	"slices"
	"strings"
)

// Guarantees cannot be probed: a race that was not lost once proves nothing. What a file system promises is known from its
// source, and stands in one table. A type that no row names promises nothing, and the programs that need it are skipped.

// promise is a row: the types that give a guarantee, or do not, and since when.
type promise struct {
	need    string
	types   []string
	from    version // first kernel that keeps it, as far as its source was read; zero: none does
	until   version // first kernel that does not keep it any more, as far as was seen; zero: none
	without string  // mount option that takes it away
	why     string  // for those who do not keep it
	source  string  // where it was read
}

// version is the release of a kernel.
type version struct{ major, minor int }

func (v version) less(than version) bool {
	return v.major < than.major || v.major == than.major && v.minor < than.minor
}

// parseVersion reads the two numbers that a release begins with: "6.18.44-1-amd64".
func parseVersion(release string) version {
	var v version
	fmt.Sscanf(release, "%d.%d", &v.major, &v.minor)
	return v
}

// promises was read in the kernels 5.10, 6.1, 6.12 and 7.2.
var promises = []promise{
	{need: "atomic-read", types: []string{"xfs"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "fs/xfs/xfs_file.c: xfs_file_buffered_read holds IOLOCK shared, xfs_file_buffered_write exclusive, each over its whole call"},
	{need: "atomic-read", types: []string{"ext4", "ext3", "ext2", "btrfs", "f2fs", "tmpfs"},
		why:    "buffered reads take no inode lock, so a read may see a write half done",
		source: "mm/filemap.c: filemap_read"},
	{need: "atomic-read", types: []string{"gfs2"},
		why:    "reads of cached pages take no glock, and a fault in the buffer drops it",
		source: "fs/gfs2/file.c: gfs2_file_read_iter"},

	{need: "unlocked-read", types: []string{"ext4", "ext3", "ext2", "btrfs", "f2fs", "tmpfs", "fuse"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "mm/filemap.c: filemap_read takes no inode lock; ext4, btrfs, tmpfs and fuse seen on 6.18"},
	{need: "unlocked-read", types: []string{"gfs2"}, from: version{6, 1},
		why:    "up to 5.17 the user copy is done with the glock held",
		source: "fs/gfs2/file.c: gfs2_file_read_iter drops the glock before it faults the buffer in"},
	{need: "unlocked-read", types: []string{"xfs"},
		why:    "a buffered read holds IOLOCK shared over its user copy, and writes and truncates wait for it",
		source: "fs/xfs/xfs_file.c: xfs_file_buffered_read"},

	{need: "unlocked-fiemap", types: []string{"ext4", "ext3", "ext2", "xfs", "f2fs", "tmpfs", "fuse", "exfat", "ntfs3"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4 and xfs seen on 6.18, f2fs on 5.10 to 7.2"},
	{need: "unlocked-fiemap", types: []string{"gfs2"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "fs/gfs2/inode.c: gfs2_fiemap; up to 5.15 it copies with the inode's glock held, which is one of the bugs that are looked for, and not excused"},
	{need: "unlocked-fiemap", types: []string{"ocfs2"}, from: version{6, 1},
		why:    "fiemap copies with ip_alloc_sem held, which a store through a mapping wants alone",
		source: "fs/ocfs2/extent_map.c: ocfs2_fiemap, fs/ocfs2/mmap.c: ocfs2_page_mkwrite; seen on 5.10, not on 6.1, 6.12 and 7.2"},
	{need: "unlocked-fiemap", types: []string{"btrfs"}, from: version{6, 8},
		why:    "before 6.8 fiemap copies with the range of extents locked, which a page fault wants (generic/742, mended in 6.1.191 too)",
		source: "b0ad381fa769, fs/btrfs/extent_io.c: extent_fiemap; seen on 5.10 and 6.1.176, not on 6.12 and 7.2"},

	{need: "self-fiemap", types: []string{"ext4", "ext3", "ext2", "xfs", "f2fs", "tmpfs", "fuse", "exfat", "ntfs3"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4 and xfs seen on 6.18, f2fs on 5.10 to 7.2"},
	{need: "self-fiemap", types: []string{"gfs2"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "fs/gfs2/inode.c: gfs2_fiemap; up to 5.15 it takes its own glock again, which is the bug that is looked for, and not excused"},
	{need: "self-fiemap", types: []string{"ocfs2"}, from: version{6, 1},
		why:    "fiemap copies with ip_alloc_sem held, which the page fault of that copy wants alone",
		source: "fs/ocfs2/extent_map.c: ocfs2_fiemap; seen on 5.10, not on 6.1, 6.12 and 7.2: suites/regress/testdata/self-fiemap.prog"},
	{need: "self-fiemap", types: []string{"btrfs"}, from: version{6, 8},
		why:    "before 6.8 fiemap copies with the range of extents locked, which the page fault of that copy wants",
		source: "b0ad381fa769, fs/btrfs/extent_io.c: extent_fiemap; seen on 5.10 and 6.1, not on 6.12 and 7.2: suites/regress/testdata/self-fiemap.prog"},
	{need: "self-fiemap-sync", types: []string{"ext4", "ext3", "ext2", "xfs", "btrfs", "f2fs", "ocfs2", "tmpfs", "fuse", "exfat", "ntfs3"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4 and xfs seen on 6.18, btrfs, f2fs and ocfs2 on 7.2"},
	{need: "self-fiemap-sync", types: []string{"gfs2"}, from: version{5, 10}, until: version{5, 16},
		why:    "each try that FIEMAP_FLAG_SYNC begins writes the page of the buffer back, and so protects it, before the extents are copied: it never ends",
		source: "fs/gfs2/inode.c: gfs2_fiemap; seen on 6.1, 6.12 and 7.2: suites/regress/testdata/gfs2-self-fiemap.prog"},

	{need: "exact-short-write", types: []string{"ext4", "ext3", "ext2", "f2fs", "tmpfs"}, from: version{6, 1},
		why:    "before 6.1 a chunk of the write was all or nothing",
		source: "mm/filemap.c: generic_perform_write; fault_in_iov_iter_readable fails only if nothing is readable (a6294593e8a1)"},
	{need: "exact-short-write", types: []string{"xfs"}, from: version{6, 1},
		why:    "before 6.1 a chunk of the write was all or nothing",
		source: "fs/iomap/buffered-io.c: iomap_write_iter"},
	{need: "exact-short-write", types: []string{"gfs2"}, from: version{6, 1},
		why:    "before 5.18 a write may also end early because of a fault or a contended glock",
		source: "fs/gfs2/file.c: gfs2_file_buffered_write"},
	{need: "exact-short-write", types: []string{"btrfs"},
		why:    "btrfs faults in the whole chunk first",
		source: "fs/btrfs/file.c: btrfs_buffered_write"},
	{need: "exact-short-write", types: []string{"fuse", "ntfs3"},
		why:    "the whole page must be readable first",
		source: "fs/fuse/file.c: fuse_fill_write_pages; fs/ntfs3/file.c"},

	{need: "whole-dio", types: []string{"xfs", "ext4"}, from: version{5, 10}, without: "data=journal",
		why:    "with data=journal direct I/O goes through the page cache",
		source: "fs/iomap/direct-io.c: __iomap_dio_rw without IOMAP_DIO_PARTIAL; fs/ext4/file.c: ext4_should_use_dio"},
	{need: "whole-dio", types: []string{"btrfs"},
		why:    "btrfs returns what a direct read got, and ends a direct write through the page cache",
		source: "fs/btrfs/direct-io.c: btrfs_direct_read, btrfs_direct_write"},
	{need: "whole-dio", types: []string{"gfs2"},
		why:    "beyond the end of the file and into holes gfs2 writes through the page cache",
		source: "fs/gfs2/file.c: gfs2_file_direct_write"},
	{need: "whole-dio", types: []string{"fuse"},
		why:    "the kernel splits direct I/O into requests, and what went before the bad page is done",
		source: "fs/fuse/file.c: fuse_direct_io"},
	{need: "whole-dio", types: []string{"tmpfs"},
		why:    "direct I/O on tmpfs goes through the page cache",
		source: "mm/shmem.c: shmem_file_write_iter"},

	{need: "clean-efault", types: []string{"xfs", "btrfs", "fuse"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "seen on 6.18"},
	{need: "clean-efault", types: []string{"ext4", "ext3", "ext2", "tmpfs"},
		why:    "since 6.15 a write that fails with EFAULT behind the end of the file makes it grow up to its offset",
		source: "mm/filemap.c: generic_perform_write calls write_end with 0 bytes, which sets i_size (665575cff098 moved the fault-in behind the copy); seen on 6.18"},

	{need: "clean-append", types: []string{"ext4", "ext3", "ext2", "xfs", "tmpfs", "fuse", "gfs2", "f2fs", "ocfs2", "exfat", "ntfs3"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4, xfs, tmpfs and fuse seen on 6.18, gfs2, f2fs and ocfs2 on 5.10 to 7.2"},
	{need: "clean-append", types: []string{"btrfs"}, from: version{6, 12},
		why:    "a direct write across the end of the file that fails with EFAULT makes it grow by all that was to be written",
		source: "fs/btrfs/inode.c: btrfs_get_blocks_direct_write sets i_size before anything is written; seen on 5.10 and 6.1, not on 6.12, 6.18 and 7.2: suites/regress/testdata/btrfs-append-grows.prog"},

	{need: "short-dio-keeps", types: []string{"ext4", "ext3", "ext2", "xfs", "btrfs", "tmpfs", "fuse", "gfs2"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4, xfs, btrfs, tmpfs and fuse seen on 6.18, gfs2 on 5.10 to 7.2"},
	{need: "short-dio-keeps", types: []string{"f2fs"}, from: version{6, 1},
		why:    "before it used iomap, in 5.17, a direct write that ended short in a bad buffer zeroed the data in the rest of its range",
		source: "seen on 5.10, not on 6.1, 6.12 and 7.2: suites/regress/testdata/ocfs2-direct-write-zeroes.prog"},
	{need: "short-dio-keeps", types: []string{"exfat"}, from: version{7, 2},
		why:    "a direct write that ends short in a bad buffer zeroes the data in the rest of its range",
		source: "fs/direct-io.c: dio_refill_pages; seen on 5.10, 6.1 and 6.12, not on 7.2: suites/regress/testdata/ocfs2-direct-write-zeroes.prog"},
	{need: "short-dio-keeps", types: []string{"ocfs2", "ntfs3"},
		why:    "a direct write that ends short in a bad buffer zeroes the data in the rest of its range",
		source: "fs/direct-io.c: dio_refill_pages takes zeros for what cannot be read; ocfs2 seen on 5.10 to 7.2, ntfs3 on 6.12: suites/regress/testdata/ocfs2-direct-write-zeroes.prog"},

	{need: "clean-blocks", types: []string{"ext4", "ext3", "ext2", "xfs", "btrfs", "tmpfs", "fuse", "gfs2", "ocfs2", "exfat", "ntfs3"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4, xfs, btrfs, tmpfs and fuse seen on 6.18"},
	{need: "clean-blocks", types: []string{"f2fs"},
		why:    "blocks are allocated before they are written, and show data of deleted files: to a fault in the buffer, and for good when the write fails",
		source: "fs/f2fs/file.c: f2fs_preallocate_blocks, fs/f2fs/data.c: f2fs_iomap_begin; seen on 5.10, 6.1, 6.12 and 7.2: suites/regress/testdata/f2fs-stale-blocks.prog",
	},

	{need: "cold-write-keeps", types: []string{"ext4", "ext3", "ext2", "xfs", "btrfs", "tmpfs", "fuse", "f2fs", "gfs2", "exfat", "ntfs3"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4, xfs, btrfs, tmpfs and fuse seen on 6.18"},
	{need: "cold-write-keeps", types: []string{"ocfs2"},
		why:    "a block that was to be written whole is not read, and when the write ends short the rest of its page is what the memory held",
		source: "fs/ocfs2/aops.c: ocfs2_map_page_blocks does not read, ocfs2_write_end_nolock marks the whole range up to date; seen on 6.1, 6.12 and 7.2: suites/regress/testdata/ocfs2-cold-write-shows-memory.prog"},

	{need: "cold-fault-keeps", types: []string{"ext4", "ext3", "ext2", "xfs", "btrfs", "tmpfs", "fuse", "f2fs", "gfs2", "exfat", "ntfs3"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4, xfs, btrfs, tmpfs and fuse seen on 6.18"},
	{need: "cold-fault-keeps", types: []string{"ocfs2"}, from: version{5, 10}, until: version{6, 15},
		why:    "since 6.15 the buffer is faulted in after a first try, whose failure leaves what the memory held in the page",
		source: "mm/filemap.c: generic_perform_write (665575cff098), fs/ocfs2/aops.c: ocfs2_write_end_nolock; seen on 7.2, not on 6.1 and 6.12"},

	{need: "unstable-buffer", types: []string{"ext4", "ext3", "ext2", "xfs", "tmpfs", "fuse", "f2fs", "gfs2"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4, xfs, tmpfs and fuse seen on 6.18: no data checksums"},
	{need: "unstable-buffer", types: []string{"btrfs"},
		why:    "btrfs checks the checksum in the reader's memory: it fails if others write there",
		source: "fs/btrfs/bio.c: btrfs_check_read_bio; seen on 6.18"},

	{need: "exact-punch", types: []string{"ext4", "btrfs", "tmpfs", "fuse", "f2fs", "gfs2"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4, btrfs, tmpfs and fuse seen on 6.18"},
	{need: "exact-punch", types: []string{"xfs"},
		why:    "a punch of part of a page, beside a direct read into a mapping of the file, loses data around the range",
		source: "seen on 6.18, in some runs of a hundred: suites/regress/testdata/punch-beside-direct-read.prog"},

	{need: "punch-keeps-size", types: []string{"ext4", "xfs", "btrfs", "tmpfs", "fuse", "f2fs"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4, xfs, btrfs, tmpfs and fuse seen on 6.18"},
	{need: "punch-keeps-size", types: []string{"gfs2"}, from: version{6, 12},
		why:    "punching a hole from the middle of the last block across the end of the file makes the file end with that block",
		source: "seen on 5.10 and 6.1, not on 6.12 and 7.2: suites/regress/testdata/gfs2-punch-grows.prog"},

	{need: "zero-after-collapse", types: []string{"xfs", "btrfs", "tmpfs", "fuse", "f2fs", "gfs2"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "xfs seen on 6.18 and 7.2"},
	{need: "zero-after-collapse", types: []string{"ext4"}, from: version{5, 10}, until: version{7, 0},
		why:    "after a collapse the page cache keeps the old bytes of the last block when the range across the end of the file is zeroed",
		source: "seen on 7.2, not on 6.1, 6.12 and 6.18: suites/regress/testdata/ext4-zero-after-collapse.prog"},

	{need: "whole-uring-dio", types: []string{"ext4", "ext3", "ext2", "xfs", "tmpfs", "fuse", "f2fs"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "fs/iomap/direct-io.c: __iomap_dio_rw without IOMAP_DIO_PARTIAL"},
	{need: "whole-uring-dio", types: []string{"btrfs"}, from: version{5, 17},
		why:    "before 5.17 a direct read through io_uring ended where its buffer had to be faulted in",
		source: "fs/btrfs/inode.c: btrfs_direct_read; xfstests generic/678"},
	{need: "whole-uring-dio", types: []string{"gfs2"}, from: version{6, 12},
		why:    "a direct transfer through io_uring ends short where its buffer has to be faulted in",
		source: "seen on 6.1, not on 6.12 and 7.2: suites/regress/testdata/gfs2-short-uring.prog"},

	{need: "clean-short-write", types: []string{"xfs", "btrfs", "tmpfs", "fuse", "gfs2", "f2fs"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "xfs, btrfs, tmpfs and fuse seen on 6.18"},
	{need: "clean-short-write", types: []string{"ext4", "ext3", "ext2"},
		why:    "after a write that ended short in a bad buffer a direct read that reaches behind the end of the file fails with EIO",
		source: "a delayed allocation is left behind without a page, and iomap_dio_iter refuses IOMAP_DELALLOC; seen on 6.18"},

	{need: "sub-block-efault", types: []string{"gfs2"}, from: version{6, 1},
		why:    "before 6.1 a direct write into a hole may write although part of its buffer cannot be read",
		source: "seen on 5.10, not on 6.1, 6.12 and 7.2: suites/regress/testdata/sub-block-efault.prog"},
	{need: "sub-block-efault", types: []string{"ext4", "ext3", "ext2", "btrfs", "f2fs", "tmpfs", "fuse"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4, btrfs, tmpfs and fuse seen on 6.18"},
	{need: "sub-block-efault", types: []string{"xfs"},
		why:    "when the buffer of a direct write of less than a block faults, the call returns 0 and not EFAULT",
		source: "fs/iomap/direct-io.c: iomap_dio_bio_iter zeroes around the block and loses the error; seen on 6.18"},

	{need: "unlocked-encoded", types: []string{"btrfs"},
		why:    "through io_uring BTRFS_IOC_ENCODED_READ copies with the range locked that it reads, and a fault on it waits for ever",
		source: "fs/btrfs/ioctl.c: btrfs_uring_encoded_read; seen on 6.18 and 7.2: suites/regress/testdata/btrfs-encoded-self-read.prog"},

	{need: "mapped-store-keeps", types: []string{"ext4", "ext3", "ext2", "xfs", "btrfs", "tmpfs", "fuse", "f2fs", "gfs2", "ocfs2", "exfat"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4, xfs, btrfs, tmpfs and fuse seen on 6.18, f2fs, gfs2 and ocfs2 on 6.1 to 7.2, exfat on 5.10 to 7.2"},
	{need: "mapped-store-keeps", types: []string{"ntfs3"},
		why:    "what is stored through a mapping is lost to a write when the file lies in its MFT record, or was mapped before it grew",
		source: "fs/ntfs3/file.c: ntfs_extend_initialized_size zeroes pages up to the write; seen on 6.12: suites/regress/testdata/ntfs3-early-mapping.prog, ntfs3-small-file.prog"},

	{need: "mmap-beside", types: []string{"ext4", "ext3", "ext2", "xfs", "btrfs", "tmpfs", "fuse", "f2fs", "gfs2", "ocfs2", "exfat"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4, xfs, btrfs, tmpfs and fuse seen on 6.18, f2fs, gfs2 and ocfs2 on 6.1 to 7.2, exfat on 5.10 to 7.2"},
	{need: "mmap-beside", types: []string{"ntfs3"},
		why:    "a shared mapping is refused with EAGAIN while a call holds the inode's lock",
		source: "fs/ntfs3/file.c: ntfs_file_mmap tries the lock only; seen on 6.12"},

	{need: "eof-first", types: []string{"ext4", "ext3", "ext2", "xfs", "btrfs", "tmpfs", "f2fs", "gfs2", "ocfs2", "exfat", "vfat", "ntfs3", "nfs", "nfs4",
		"fuse.gfs2", "fuse.planted"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "mm/filemap.c: filemap_read compares with i_size before it copies"},
	{need: "eof-first", types: []string{"fuse"},
		why:    "a server may have its files read past the page cache, and then the kernel takes the pages of the buffer before it asks",
		source: "fs/fuse/file.c: fuse_direct_io, for FOPEN_DIRECT_IO"},

	{need: "dirty-seek", types: []string{"ext4", "ext3", "ext2", "xfs", "btrfs", "tmpfs", "f2fs", "gfs2"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4, xfs, btrfs and tmpfs seen on 6.18; page_mkwrite of gfs2 and f2fs allocates"},
	{need: "dirty-seek", types: []string{"fuse.gfs2"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "targetfs/fused makes the kernel write its dirty pages before it answers; seen on 6.18"},
	{need: "dirty-seek", types: []string{"fuse"},
		why:    "the server is asked before it has been sent what was stored through a mapping: it takes data for a hole",
		source: "fs/fuse/file.c: fuse_lseek writes nothing back; seen on 6.18: suites/regress/testdata/seek-over-dirty-mapping.prog"},

	{need: "self-direct-read", types: []string{"ext4", "ext3", "ext2", "xfs", "btrfs", "f2fs", "tmpfs", "fuse"}, from: version{5, 10},
		why:    "kernels before 5.10 were not looked at",
		source: "ext4, xfs, btrfs, tmpfs and fuse seen on 6.18: they pin or fault in the buffer without writing it back in between"},
	{need: "self-direct-read", types: []string{"gfs2"},
		why:    "a direct read into a shared mapping of the pages that it reads faults for ever: each retry writes them back, which protects them, before it pins them",
		source: "fs/gfs2/file.c: gfs2_file_direct_read retries __iomap_dio_rw, which calls filemap_write_and_wait_range; seen on 6.1, 6.12 and 7.2"},

	{need: "clean-tail", types: []string{"xfs", "btrfs", "ext4"}, from: version{6, 14},
		why:    "before 6.14 the tail of the last page was not always zeroed when the file grew",
		source: "xfstests generic/363; seen on 6.18; btrfs da2dccd7451d"},
	{need: "clean-tail", types: []string{"fuse", "tmpfs"},
		why:    "what is stored behind the end of the file reaches it when it grows",
		source: "seen on 6.18"},
	{need: "clean-tail-direct", types: []string{"xfs", "btrfs"}, from: version{6, 14},
		why:    "before 6.14 the tail of the last page was not always zeroed when the file grew",
		source: "seen on 6.18"},
	{need: "clean-tail-direct", types: []string{"ext4", "fuse", "tmpfs"},
		why:    "what is stored behind the end of the file reaches it when a direct write makes it grow",
		source: "seen on 6.18"},
}

// guarantees lists the needs that promises decides.
func guarantees() []string {
	var needs []string
	for _, p := range promises {
		if !slices.Contains(needs, p.need) {
			needs = append(needs, p.need)
		}
	}
	return needs
}

// unpromised says why a mount under a kernel does not give a guarantee; empty if it does.
func unpromised(m mountinfo, kernel version, need string) string {
	name, _, _ := strings.Cut(m.Type, ".") // "fuse.sshfs" is fuse
	for _, p := range promises {
		if p.need != need || !slices.Contains(p.types, name) && !slices.Contains(p.types, m.Type) {
			continue
		}
		if p.from == (version{}) || kernel.less(p.from) || p.until != (version{}) && !kernel.less(p.until) || p.without != "" && m.has(p.without) {
			return p.why
		}
		return ""
	}
	return "nothing is known about " + m.Type
}
