package entry

import (
	"fmt"
	"slices"
	"strings"
)

// Calls is the table. Sizes of structs are those of package prog's.
var Calls = slices.Concat(fileCalls, protectCalls, taskCalls, plain(typeCalls))

// fileCalls are about files, and about pipes and requests that move their bytes.
var fileCalls = []Call{
	{Name: "fiemap", Doc: "FS_IOC_FIEMAP", Room: 32 + 3*56, Arg: "fiemap{fm_length=-1, fm_flags=1, fm_extent_count=3}", Out: true,
		Do: "ioctl(a, fiemap, $)", After: []string{"look($[0:32], fiemap{})", "extents($)"}},
	{Name: "getdents", Doc: "getdents64(2)", Room: 400, Out: true, Before: []string{"d = open(D, rdonly)"}, Do: "getdents(d, $)", After: []string{"entries($)"}},
	{Name: "readlink", Doc: "readlink(2)", Room: 40, Out: true, Before: []string{"symlink(Target_with_a_long_name, L)"}, Do: "readlink(L, $)"},
	{Name: "getxattr", Doc: "fgetxattr(2) into it", Room: 100, Out: true, Before: append(setAttr, "setxattr(a, n[0:7], n[7:107], set)"), Do: "getxattr(a, n[0:7], $)"},
	{Name: "getxattr-name", Doc: "fgetxattr(2) of a name in it", Room: 20, Text: longName, Before: append(setAttr, "setxattr(a, n[107:127], n[7:107], set)"), Do: "getxattr(a, $, n[7:107])"},
	{Name: "setxattr-name", Doc: "fsetxattr(2) of a name in it", Room: 20, Text: longName, Before: setAttr,
		Do: "setxattr(a, $, n[7:107], create)", After: []string{"getxattr(a, n[107:127], n[7:107])"}},
	{Name: "setxattr-value", Doc: "fsetxattr(2) of a value in it", Room: 100, Text: "pat4*100", Before: setAttr,
		Do: "setxattr(a, n[0:7], $, set)", After: []string{"getxattr(a, n[0:7], n[7:107])", "check(n)"}},
	{Name: "listxattr", Doc: "flistxattr(2)", Room: 400, Out: true, Before: append(setAttr, "setxattr(a, n[0:7], n[7:107], set)"), Do: "listxattr(a, $)"},
	{Name: "statx", Doc: "statx(2)", Room: 256, Out: true, Do: "statx(A, $)", After: []string{"look($, statx{})"}},
	{Name: "fstat", Doc: "fstat(2)", Room: 144, Out: true, Do: "fstat(a, $)", After: []string{"look($, stat{})"}},
	{Name: "fstatfs", Doc: "fstatfs(2)", Room: 120, Out: true, Do: "fstatfs(a, $)", After: []string{"look($, statfs{})"}},
	{Name: "getcwd", Doc: "getcwd(2)", Room: 4096, Out: true, Do: "getcwd($)"},
	{Name: "name-to-handle", Doc: "name_to_handle_at(2)", Room: handleRoom, Arg: "file_handle{handle_bytes=128}", Out: true, Before: []string{"n = anon(zero*4)"},
		Do: "name_to_handle_at(A, $, n)", After: []string{"look($[0:8], file_handle{})"}},
	{Name: "handle-mount", Doc: "name_to_handle_at(2) with the number of the mount in it", Room: 4, Out: true, Before: handle[:2], Do: "name_to_handle_at(A, n[0:136], $)"},
	{Name: "open-by-handle", Doc: "open_by_handle_at(2)", Room: handleRoom, From: "n", Before: handle, Do: "h = open_by_handle_at(a, $, rdonly)"},
	{Name: "file-getattr", Doc: "file_getattr(2)", Room: 24, Out: true, Do: "file_getattr(A, $)", After: []string{"look($, file_attr{})"}},
	{Name: "file-setattr", Doc: "file_getattr(2) and file_setattr(2)", Room: 24, From: "n", Before: append(setAttr, "file_getattr(A, n[0:24])"), Do: "file_setattr(A, $)"},
	{Name: "statmount", Doc: "statmount(2)", Room: 512, Out: true, Before: mountNumber,
		Ready: []string{"put(n[0:24], mount_request{size=24, param=3})", "read(p, n[8:16])"}, Do: "statmount(n[0:24], $)", After: []string{"look($, mount_info{})"}},
	{Name: "statmount-request", Doc: "statmount(2) with the request in it", Room: 24, From: "n",
		Before: append(mountNumber, "put(n[0:24], mount_request{size=24, param=3})", "read(p, n[8:16])"), Do: "statmount($, n[88:600])"},
	{Name: "listmount", Doc: "listmount(2)", Room: 64, Out: true, Before: []string{"n = anon(zero*24)", "put(n, mount_request{size=24, mnt_id=-1})"}, Do: "listmount(n, $)"},
	{Name: "getquota", Doc: "quotactl(2) Q_GETQUOTA", Room: 72, Out: true, Do: "quotactl(a, getquota, $)", After: []string{"look($, dqblk{})"}},
	{Name: "setquota", Doc: "quotactl(2) Q_SETQUOTA", Room: 72, Arg: "dqblk{}", Do: "quotactl(a, setquota, $)"},
	answered("getflags", "FS_IOC_GETFLAGS", "getflags", "flags", 4),
	{Name: "setflags", Doc: "FS_IOC_GETFLAGS and FS_IOC_SETFLAGS", Room: 4, From: "n", Before: append(setAttr, "ioctl(a, getflags, n[0:4])"), Do: "ioctl(a, setflags, $)"},
	answered("fsgetxattr", "FS_IOC_FSGETXATTR", "fsgetxattr", "fsxattr", 28),
	{Name: "fssetxattr", Doc: "FS_IOC_FSGETXATTR and FS_IOC_FSSETXATTR", Room: 28, From: "n", Before: append(setAttr, "ioctl(a, fsgetxattr, n[0:28])"), Do: "ioctl(a, fssetxattr, $)"},
	asked("getfsmap", "FS_IOC_GETFSMAP", "getfsmap",
		"fsmap_range{fmh_count=3, high_device=-1, high_flags=-1, high_physical=-1, high_owner=-1, high_offset=-1}", 192, 192+3*64),
	answered("getfslabel", "FS_IOC_GETFSLABEL", "getfslabel", "label", 256),
	asked("fitrim", "FITRIM", "fitrim", "fstrim_range{len=-1}", 24, 24),
	{Name: "clonerange", Doc: "FICLONERANGE", Room: 32, Arg: "clone_range{src_fd=a, src_length=1p, dest_offset=1p}", Copied: true, Before: []string{openC},
		Do: "ioctl(c, clonerange, $)", After: []string{"check(C)"}},
	{Name: "dedupe", Doc: "FIDEDUPERANGE", Room: 56, Arg: "dedupe_range{src_length=1p, dest_count=1, dest_fd=c}", Out: true, Copied: true, Before: []string{openC},
		Do: "ioctl(a, dedupe, $)", After: []string{"look($[0:56], dedupe_range{})", "check(C)"}},
	{Name: "dedupe-two", Doc: "FIDEDUPERANGE with two ranges", Room: 88, Arg: "dedupe_two{src_length=1p, dest_count=2, dest_fd=c, dest_fd_2=c, dest_offset_2=1p}", Out: true, Copied: true,
		Before: []string{openC}, Do: "ioctl(a, dedupe_two, $)", After: []string{"look($, dedupe_two{})", "check(C)"}},
	{Name: "copy-from", Doc: "copy_file_range(2) with the first offset in it", Room: 8, Arg: "loff{offset=2p}", Out: true, Copied: true, Before: copying,
		Do: "copy_file_range(a, $, c, n[0:8], 1p)", After: []string{"look($, loff{})", "look(n[0:8], loff{})", "check(C)"}},
	{Name: "copy-to", Doc: "copy_file_range(2) with the second offset in it", Room: 8, Arg: "loff{offset=2p}", Out: true, Copied: true, Before: copying,
		Do: "copy_file_range(a, n[0:8], c, $, 1p)", After: []string{"look($, loff{})", "check(C)"}},
	{Name: "sendfile", Doc: "sendfile(2) with the offset in it", Room: 8, Arg: "loff{offset=2p}", Out: true, Copied: true, Before: copying,
		Do: "sendfile(c, a, $, 1p)", After: []string{"look($, loff{})", "check(C)"}},
	asked("ext4-es-cache", "EXT4_IOC_GET_ES_CACHE", "ext4_es_cache", "fiemap{fm_length=-1, fm_extent_count=3}", 32, 32+3*56),
	{Name: "ext4-move-ext", Doc: "EXT4_IOC_MOVE_EXT", Room: 40, Arg: "move_extent{donor_fd=c, len=1}", Out: true, Copied: true, Before: []string{openC, "fsync(c)", "fsync(a)"},
		Do: "ioctl(a, ext4_move_ext, $)", After: []string{"look($, move_extent{})", "check(C)"}},
	asked("xfs-inumbers", "XFS_IOC_INUMBERS", "xfs_inumbers", "bulkstat_req{icount=2}", 64, 64+2*24),
	asked("btrfs-search-v1", "BTRFS_IOC_TREE_SEARCH", "btrfs_search_v1",
		"btrfs_search_v1{tree_id=1, max_objectid=-1, max_offset=-1, max_transid=-1, max_type=255, nr_items=2}", 104, 4096),
	{Name: "btrfs-logical-ino", Doc: "BTRFS_IOC_LOGICAL_INO_V2", Room: 56, From: "n", Before: append(logical, "put(n[0:56], btrfs_logical_ino{size=256, inodes=n[300:556]})", "read(p, n[0:8])"), Do: "ioctl(a, btrfs_logical_ino_v2, $)"},
	{Name: "btrfs-logical-ino-to", Doc: "BTRFS_IOC_LOGICAL_INO with its answers in it", Room: 256, Out: true, Before: logical,
		Ready: []string{"put(n[0:56], btrfs_logical_ino{size=256, inodes=$})", "read(p, n[0:8])"}, Do: "ioctl(a, btrfs_logical_ino, n[0:56])"},
	{Name: "btrfs-ino-paths", Doc: "BTRFS_IOC_INO_PATHS with its answers in it", Room: 256, Out: true, Before: inode,
		Ready: []string{"put(n[0:56], btrfs_ino_path{size=256, fspath=$})", "read(p, n[0:8])"}, Do: "ioctl(a, btrfs_ino_paths, n[0:56])"},
	{Name: "btrfs-defrag", Doc: "BTRFS_IOC_DEFRAG_RANGE", Room: 48, Arg: "btrfs_defrag{len=-1}", Do: "ioctl(a, btrfs_defrag, $)"},
	{Name: "btrfs-encoded-read", Doc: "BTRFS_IOC_ENCODED_READ", Room: 128, Arg: "btrfs_encoded{iov=n[0:16], iovcnt=1}", Out: true, Before: encoded,
		Do: "ioctl(a, btrfs_encoded_read, $)", After: []string{"look($, btrfs_encoded{})"}},
	{Name: "btrfs-encoded-write", Doc: "BTRFS_IOC_ENCODED_WRITE", Room: 128, Arg: "btrfs_encoded{iov=n, iovcnt=1, len=8192, unencoded_len=8192, compression=2}",
		Before: []string{"n = anon(zero*16)", "z = anon(" + Frame + ")", "put(n, iovec{iov_base=z, iov_len=11})"}, Do: "ioctl(a, btrfs_encoded_write, $)", After: []string{"fsync(a)"}},
	{Name: "btrfs-encoded-data", Doc: "BTRFS_IOC_ENCODED_WRITE of compressed data in it", Room: 11, Text: Frame, Before: []string{"n = anon(zero*144)"},
		Ready: []string{"put(n[0:16], iovec{iov_base=$, iov_len=11})", "put(n[16:144], btrfs_encoded{iov=n[0:16], iovcnt=1, len=8192, unencoded_len=8192, compression=2})"},
		Do:    "ioctl(a, btrfs_encoded_write, n[16:144])", After: []string{"fsync(a)"}},
	asked("btrfs-scrub", "BTRFS_IOC_SCRUB", "btrfs_scrub", "btrfs_scrub{devid=1, end=65536, flags=1}", 1024, 1024),
	asked("xfs-getbmap", "XFS_IOC_GETBMAP", "xfs_getbmap", "getbmap{bmv_length=-1, bmv_count=4}", 32, 4*32),
	{Name: "xfs-exchange", Doc: "XFS_IOC_EXCHANGE_RANGE", Room: 40, Arg: "xfs_exchange{file1_fd=c, length=1p}", Copied: true, Before: []string{openC},
		Do: "ioctl(a, xfs_exchange, $)", After: []string{"check(C)"}},
	{Name: "xfs-parents", Doc: "XFS_IOC_GETPARENTS", Room: 40, Arg: "xfs_parents{gp_bufsize=600, gp_buffer=n}", Out: true, Before: []string{"n = anon(zero*600)"},
		Do: "ioctl(a, xfs_parents, $)", After: []string{"look($, xfs_parents{})"}},
	{Name: "xfs-parents-to", Doc: "XFS_IOC_GETPARENTS with its answers in it", Room: 600, Out: true, Before: []string{"n = anon(zero*40)"},
		Ready: []string{"put(n, xfs_parents{gp_bufsize=600, gp_buffer=$})"}, Do: "ioctl(a, xfs_parents, n)"},
	{Name: "resvsp", Doc: "XFS_IOC_RESVSP64, which every file system has", Room: 48, Arg: "space_resv{l_start=1p, l_len=1p}", Do: "ioctl(a, resvsp, $)"},
	{Name: "unresvsp", Doc: "XFS_IOC_UNRESVSP64, which every file system has", Room: 48, Arg: "space_resv{l_len=1p}", Do: "ioctl(a, unresvsp, $)"},
	{Name: "zero-range", Doc: "XFS_IOC_ZERO_RANGE, which every file system has", Room: 48, Arg: "space_resv{l_len=1p}", Do: "ioctl(a, zero_range, $)"},
	{Name: "f2fs-move", Doc: "F2FS_IOC_MOVE_RANGE", Room: 32, Arg: "f2fs_move{dst_fd=c, pos_in=1p, len=1p}", Copied: true, Before: []string{openC},
		Do: "ioctl(a, f2fs_move, $)", After: []string{"check(C)"}},
	asked("xfs-getbmapx", "XFS_IOC_GETBMAPX", "xfs_getbmapx", "getbmapx{bmv_length=-1, bmv_count=4}", 48, 4*48),
	asked("xfs-bulkstat", "XFS_IOC_BULKSTAT", "xfs_bulkstat", "bulkstat_req{icount=2}", 64, 64+2*192),
	asked("btrfs-search", "BTRFS_IOC_TREE_SEARCH_V2", "btrfs_search",
		"btrfs_search{tree_id=1, max_objectid=-1, max_offset=-1, max_transid=-1, max_type=255, nr_items=2, buf_size=2048}", 112, 112+2048),
	{Name: "vmsplice", Doc: "vmsplice(2) of it into a pipe", Room: 600, Text: "pat4*600", Before: piped, Do: "vmsplice(p, {$})", After: []string{"read(p, n)", "check(n)"}},
	{Name: "pipe-read", Doc: "read(2) from a pipe into it", Room: 600, Out: true, Before: append(piped, "write(p, n)"), Do: "read(p, $)"},
	{Name: "pipe-write", Doc: "write(2) of it into a pipe", Room: 600, Text: "pat4*600", Before: piped, Do: "write(p, $)", After: []string{"read(p, n)", "check(n)"}},
	{Name: "splice-from", Doc: "splice(2) from a file with the offset in it", Room: 8, Arg: "loff{offset=1p}", Out: true, Before: piped,
		Do: "splice_from(a, $, p, 100)", After: []string{"look($, loff{})"}},
	{Name: "splice-to", Doc: "splice(2) to a file with the offset in it", Room: 8, Arg: "loff{offset=1p}", Out: true, Copied: true, Before: append(piped, openC, "write(p, n[0:100])"),
		Do: "splice_to(p, c, $, 100)", After: []string{"look($, loff{})", "check(C)"}},
	{Name: "io-setup", Doc: "io_setup(2)", Room: 8, Out: true, Do: "io_setup($)"},
	{Name: "aio-pointer", Doc: "io_submit(2) with the pointer in it", Room: 8, Arg: "pointer{to=n[0:64]}", Before: request, Do: "io_submit($)", Request: "n"},
	{Name: "aio-iocb", Doc: "io_submit(2) with the request in it", Room: 64, Arg: "iocb{aio_data=7, aio_fildes=a, aio_buf=n[100:200], aio_nbytes=100}", Before: request,
		Ready: []string{"put(n[64:72], pointer{to=$})"}, Do: "io_submit(n[64:72])", Request: "$"},
	{Name: "aio-event", Doc: "io_getevents(2)", Room: 32, Out: true, Before: append(request, "put(n[64:72], pointer{to=n[0:64]})"), Own: []string{"io_submit(n[64:72])"},
		Do: "io_getevents($)", After: []string{"look($, io_event{})"}},
	{Name: "aio-read", Doc: "io_submit(2) of a read into it", Room: 600, Out: true, Before: []string{"n = anon(zero*300)"}, Request: "n", Do: "io_submit(n[64:72])",
		Ready: []string{"put(n[0:64], iocb{aio_fildes=a, aio_buf=$, aio_nbytes=600})", "put(n[64:72], pointer{to=n[0:64]})"}},
	{Name: "write-atomic", Doc: "pwritev2(2) with RWF_ATOMIC", Room: 4096, Text: "pat4*4096", Before: []string{"d = open(A, rdwr|direct)"}, Do: "pwritev2(d, {$}, 0, atomic)"},
	{Name: "write-dontcache", Doc: "pwritev2(2) with RWF_DONTCACHE", Room: 600, Text: "pat4*600", Do: "pwritev2(a, {$}, 0, dontcache)"},
	{Name: "read-dontcache", Doc: "preadv2(2) with RWF_DONTCACHE", Room: 600, Out: true, Do: "preadv2(a, {$}, 0, dontcache)"},
	transfer("read"), transfer("write"), transfer("read_fixed"), transfer("write_fixed"),
}

// handleRoom is what a handle takes at most: its length and kind, and MAX_HANDLE_SZ.
const handleRoom = 8 + 128

// Frame is a frame of zstd (RFC 8878) of 11 bytes that stands for 8192 times the byte z.
const Frame = `'(' + '\xb5' + '/' + '\xfd' + '\x60' + '\x00' + '\x1f' + '\x03' + '\x00' + '\x01' + 'z'`

const (
	longName = `"user.with.long.name" + zero*1`
	openC    = "c = open(C, rdwr)"
)

var (
	// request makes memory with a request to read 100 bytes of A, and room for them and for an event.
	request = []string{"n = anon(zero*300)", "put(n[0:64], iocb{aio_data=7, aio_fildes=a, aio_buf=n[100:200], aio_nbytes=100})"}
	// piped makes a pipe and as much memory as goes through it.
	piped = []string{"p = pipe()", "n = anon(pat5*600)"}
	// setAttr makes memory with a name, 100 bytes and a longer name; copying opens what is copied to.
	setAttr = []string{`n = anon("user.a" + zero*1 + pat3*100 + "user.with.long.name" + zero*1)`}
	copying = []string{openC, "n = anon(zero*8)"}
	// logical makes a struct at n with the address of A's first extent, which is on disk, inode a pipe with A's number (stx_ino).
	logical = []string{"n = anon(zero*600)", "syncfs(a)", "put(n[100:132], fiemap{fm_length=-1, fm_flags=1, fm_extent_count=1})", "ioctl(a, fiemap, n[100:188])", "p = pipe()", "write(p, n[140:148])"}
	inode   = []string{"n = anon(zero*600)", "statx(A, n[100:356])", "p = pipe()", "write(p, n[132:140])"}
	// handle makes the handle of A, which is followed by the number of its mount; mountNumber a pipe with the number that statmount(2) takes (stx_mnt_id).
	handle      = []string{"n = anon(zero*140)", "put(n[0:8], file_handle{handle_bytes=128})", "name_to_handle_at(A, n[0:136], n[136:140])"}
	mountNumber = []string{"n = anon(zero*600)", "statx(A, n[100:356])", "p = pipe()", "write(p, n[244:252])"}
	// encoded makes room for two pages of A, and the iovec that says so.
	encoded = []string{"n = anon(zero*16)", "to = anon(zero*2p)", "put(n[0:16], iovec{iov_base=to, iov_len=2p})"}
)

// asked is a call that hands over an ioctl's struct of size bytes, and has it filled in.
func asked(name, doc, request, arg string, size, room int) Call {
	record, _, _ := strings.Cut(arg, "{")
	return Call{Name: name, Doc: doc, Room: room, Arg: arg, Out: true, Do: fmt.Sprintf("ioctl(a, %s, $)", request), After: []string{fmt.Sprintf("look($[0:%d], %s{})", size, record)}}
}

// answered is a call that has an ioctl's struct filled in, of which the kernel reads nothing that matters.
func answered(name, doc, request, record string, size int) Call {
	c := asked(name, doc, request, record+"{}", size, size)
	c.Arg = ""
	return c
}

// transfer is a read or write through io_uring.
func transfer(op string) Call {
	c := Call{Name: "uring-" + strings.ReplaceAll(op, "_", "-"), Doc: "a " + op + " through io_uring", Room: 600, Do: fmt.Sprintf("uring_%s(a, $, 0)", op)}
	if c.Text = "pat4*600"; strings.HasPrefix(op, "read") {
		c.Out = true
	}
	return c
}
