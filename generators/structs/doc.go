// Package structs is the family of programs whose arguments or results are structs, names and lists in a mapping of a file: the kernel copies them
// while it works on that file, on another one, or on their directory. It is exhaustive over its dimensions. It imports prog, family and entry, whose table has the calls.
//
//   - call: fiemap getdents readlink getxattr getxattr-name setxattr-name setxattr-value listxattr statx fstat fstatfs getcwd name-to-handle handle-mount
//     open-by-handle file-getattr file-setattr statmount statmount-request listmount getquota setquota getflags setflags fsgetxattr fssetxattr getfsmap
//     getfslabel fitrim clonerange dedupe dedupe-two copy-from copy-to sendfile ext4-es-cache ext4-move-ext xfs-inumbers btrfs-search-v1 btrfs-logical-ino
//     btrfs-logical-ino-to btrfs-ino-paths btrfs-defrag btrfs-encoded-read btrfs-encoded-write btrfs-encoded-data btrfs-scrub xfs-getbmap xfs-exchange
//     xfs-parents xfs-parents-to resvsp unresvsp zero-range f2fs-move xfs-getbmapx xfs-bulkstat btrfs-search vmsplice pipe-read pipe-write splice-from
//     splice-to io-setup aio-pointer aio-iocb aio-event aio-read write-atomic write-dontcache read-dontcache uring-read uring-write uring-read-fixed
//     uring-write-fixed verity-enable verity-salt verity-measure verity-metadata verity-tree crypt-add crypt-status crypt-policy setfslabel goingdown
//     process-vm-read process-vm-from process-vm-to mem-read mem-to futex-wait futex-wait-private futex-wake mount-data fsconfig execve-argv execve-string
//     ptrace-peek ptrace-poke coredump rseq fuse-read fuse-notify xfs-ag-geometry xfs-counts xfs-scrub xfs-geometry xfs-path-to-handle xfs-path xfs-handle
//     xfs-open-by-handle xfs-readlink-to xfs-attrlist xfs-attrlist-to xfs-attrmulti-op xfs-attrmulti-value xfs-scrubv btrfs-dev-info btrfs-space-info
//     btrfs-rootref btrfs-rescan btrfs-fs-info btrfs-ino-lookup btrfs-subvol-info btrfs-create btrfs-snapshot btrfs-lookup-user btrfs-received btrfs-send
//     btrfs-send-sources btrfs-balance btrfs-balance-progress btrfs-dev-stats btrfs-quota btrfs-qgroup-create btrfs-qgroup-assign btrfs-qgroup-limit
//     btrfs-uring-read btrfs-uring-read-to btrfs-uring-write ext4-getstate ext4-group-extend ext4-group-add ext4-resize f2fs-pin-file f2fs-defragment
//     f2fs-sec-trim f2fs-gc f2fs-gc-range f2fs-get-compression f2fs-set-compression f2fs-set-pin ocfs2-info ocfs2-info-list ocfs2-info-request;
//     the entry point, and of some which of its arguments lies in the mapping
//   - map: private shared read-only; the mapping; into one that is read-only nothing can be written
//   - file: self other elsewhere; what is mapped: the file that the call is about (for a directory one in it), another one, one on another file system
//   - place: inside across end; where the bytes are in the mapping: on one page, across a page boundary, or across the end of the file, where they cannot be touched
//   - warm: cold first-warm all-warm; what was touched before: nothing and not even cached, the first page, all
//
// A is what the call is about, X what is mapped.
//
//	p := structs.Family.Find("structs/fiemap/private/self/inside/cold")
package structs
