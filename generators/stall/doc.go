// Package stall is the family of programs that stop a system call in the middle of its user copy, do something else meanwhile, and let it go on:
// races as exact schedules. It imports prog, family and entry.
//
// Its dimensions:
//
//   - op: pread preadv read pwrite pwritev write uring-read uring-write fiemap getdents statx readlink getxattr setxattr aio-read aio-write aio-preadv
//     uring-readv uring-read-fixed uring-write-fixed listxattr clonerange dedupe dedupe-two copy-from sendfile splice-from vmsplice pipe-read pipe-write
//     aio-iocb aio-event getfsmap ext4-es-cache ext4-move-ext xfs-getbmapx xfs-bulkstat btrfs-search btrfs-logical-ino-to btrfs-encoded-read write-atomic
//     name-to-handle file-getattr statmount listmount getquota btrfs-encoded-data btrfs-scrub xfs-exchange xfs-parents-to f2fs-move xfs-attrmulti-value
//     btrfs-send btrfs-uring-write btrfs-uring-read-to f2fs-sec-trim ext4-group-extend ocfs2-info-request
//     process-vm-read process-vm-from futex-wait mount-data execve-string fuse-read fuse-notify verity-tree; the system call that is stopped, t1's;
//
//   - mode: buffered direct sync; how its file is opened;
//
//   - stop: first middle last all several between guard; the page of three where it is stopped, and of the first or last one a single byte; all, one after
//     the other; the three stalls of a vector, one after the other; a page between two pieces that map another file; or a page that is there and must not be written to;
//
//   - end: serve unregister poison munmap; how it is let go: with bytes, with zeros, or with an error;
//
//   - meanwhile: nothing load-same store-same load-far store-far load-other store-other pread pread-direct pwrite pwrite-direct truncate punch fsync stat syncfs create pwrite-other handler-mmap handler-pread handler-pwrite handler-truncate handler-fsync crossed crossed-processes; what is done before it is let go: p2 touches, through a mapping,
//     pages of the transfer, pages of the same file far from it, or another file, and must come back before anybody is let go; p2 makes another
//     call, which may wait for that; t2, whose affair it is to let t1 go, itself maps and touches, reads, writes, truncates or syncs the same file before; or there are two calls, each stopped with
//     what it holds, and then both go on into a mapping of the other's file;
//
// An example:
//
//	stall/pwrite/buffered/first/serve/store-far
package stall
