package structs

import "strings"

// call is an entry point with what lies in the mapping: room bytes that begin with an argument, or with text.
type call struct {
	name string
	doc  string
	room int
	arg  string // a struct, or a number of them
	text string // bytes
	// before are steps that are done first, do makes the call and looks at what it left.
	before []string
	do     func(l *layout)
}

// ask is a call that hands over an ioctl's struct and has it filled in.
func ask(request, record string, size int) func(l *layout) {
	return func(l *layout) {
		l.Line("ioctl(a, %s, %s)", request, l.all())
		l.Line("look(%s, %s{})", l.piece(0, size), record)
	}
}

// Each struct's sizes are those of package prog's table.
var calls = []call{
	{name: "fiemap", doc: "FS_IOC_FIEMAP", room: 32 + 3*56, arg: "fiemap{fm_length=-1, fm_flags=1, fm_extent_count=3}", do: func(l *layout) {
		ask("fiemap", "fiemap", 32)(l)
		l.Line("extents(%s)", l.all())
	}},
	{name: "getdents", doc: "getdents64(2)", room: 400, before: []string{"d = open(D, rdonly)"}, do: func(l *layout) {
		l.Line("getdents(d, %s)", l.all())
		l.Line("entries(%s)", l.all())
	}},
	{name: "readlink", doc: "readlink(2)", room: 40, before: []string{"symlink(Target_with_a_long_name, L)"}, do: func(l *layout) {
		l.Line("readlink(L, %s)", l.all())
	}},
	{name: "getxattr", doc: "fgetxattr(2) into it", room: 100, before: append(setAttr, "setxattr(a, n[0:7], n[7:107], set)"), do: func(l *layout) {
		l.Line("getxattr(a, n[0:7], %s)", l.all())
	}},
	{name: "getxattr-name", doc: "fgetxattr(2) of a name in it", room: 20, text: `"user.with.long.name" + zero*1`, before: append(setAttr, "setxattr(a, n[107:127], n[7:107], set)"), do: func(l *layout) {
		l.Line("getxattr(a, %s, n[7:107])", l.all())
	}},
	{name: "setxattr-name", doc: "fsetxattr(2) of a name in it", room: 20, text: `"user.with.long.name" + zero*1`, before: setAttr, do: func(l *layout) {
		l.Line("setxattr(a, %s, n[7:107], create)", l.all())
		l.Line("getxattr(a, n[107:127], n[7:107])")
	}},
	{name: "setxattr-value", doc: "fsetxattr(2) of a value in it", room: 100, text: "pat4*100", before: setAttr, do: func(l *layout) {
		l.Line("setxattr(a, n[0:7], %s, set)", l.all())
		l.Line("getxattr(a, n[0:7], n[7:107])")
		l.Line("check(n)")
	}},
	{name: "listxattr", doc: "flistxattr(2)", room: 400, before: append(setAttr, "setxattr(a, n[0:7], n[7:107], set)"), do: func(l *layout) {
		l.Line("listxattr(a, %s)", l.all())
	}},
	{name: "statx", doc: "statx(2)", room: 256, do: func(l *layout) {
		l.Line("statx(A, %s)", l.all())
		l.Line("look(%s, statx{})", l.all())
	}},
	{name: "getflags", doc: "FS_IOC_GETFLAGS", room: 4, do: ask("getflags", "flags", 4)},
	{name: "setflags", doc: "FS_IOC_GETFLAGS and FS_IOC_SETFLAGS", room: 4, do: func(l *layout) {
		l.Line("ioctl(a, getflags, n[0:4])")
		l.Line("pwrite(x, n[0:4], %v)", l.at)
		l.chill()
		l.Line("ioctl(a, setflags, %s)", l.all())
	}, before: setAttr},
	{name: "fsgetxattr", doc: "FS_IOC_FSGETXATTR", room: 28, do: ask("fsgetxattr", "fsxattr", 28)},
	{name: "clonerange", doc: "FICLONERANGE", room: 32, arg: "clone_range{src_fd=a, src_length=1p, dest_offset=1p}", before: []string{"c = open(C, rdwr)"}, do: func(l *layout) {
		l.Line("ioctl(c, clonerange, %s)", l.all())
		l.Line("check(C)")
	}},
	{name: "dedupe", doc: "FIDEDUPERANGE", room: 56, arg: "dedupe_range{src_length=1p, dest_count=1, dest_fd=c}", before: []string{"c = open(C, rdwr)"}, do: func(l *layout) {
		ask("dedupe", "dedupe_range", 56)(l)
		l.Line("check(C)")
	}},
	{name: "copy-from", doc: "copy_file_range(2) with the first offset in it", room: 8, arg: "loff{offset=2p}", before: copying, do: func(l *layout) {
		l.Line("copy_file_range(a, %s, c, n[0:8], 1p)", l.all())
		l.Line("look(%s, loff{})", l.all())
		l.Line("look(n[0:8], loff{})")
		l.Line("check(C)")
	}},
	{name: "copy-to", doc: "copy_file_range(2) with the second offset in it", room: 8, arg: "loff{offset=2p}", before: copying, do: func(l *layout) {
		l.Line("copy_file_range(a, n[0:8], c, %s, 1p)", l.all())
		l.Line("look(%s, loff{})", l.all())
		l.Line("check(C)")
	}},
	{name: "sendfile", doc: "sendfile(2) with the offset in it", room: 8, arg: "loff{offset=2p}", before: copying, do: func(l *layout) {
		l.Line("sendfile(c, a, %s, 1p)", l.all())
		l.Line("look(%s, loff{})", l.all())
		l.Line("check(C)")
	}},
	{name: "ext4-getstate", doc: "EXT4_IOC_GETSTATE", room: 4, do: ask("ext4_getstate", "flags", 4)},
	{name: "ext4-es-cache", doc: "EXT4_IOC_GET_ES_CACHE", room: 32 + 3*56, arg: "fiemap{fm_length=-1, fm_extent_count=3}", do: ask("ext4_es_cache", "fiemap", 32)},
	{name: "xfs-geometry", doc: "XFS_IOC_FSGEOMETRY", room: 256, do: ask("xfs_geometry", "xfs_geometry", 256)},
	{name: "xfs-getbmapx", doc: "XFS_IOC_GETBMAPX", room: 4 * 48, arg: "getbmapx{bmv_length=-1, bmv_count=4}", do: ask("xfs_getbmapx", "getbmapx", 48)},
	{name: "xfs-bulkstat", doc: "XFS_IOC_BULKSTAT", room: 64 + 2*192, arg: "bulkstat_req{icount=2}", do: ask("xfs_bulkstat", "bulkstat_req", 64)},
	{name: "btrfs-fs-info", doc: "BTRFS_IOC_FS_INFO", room: 1024, do: ask("btrfs_fs_info", "btrfs_fs_info", 1024)},
	{name: "btrfs-ino-lookup", doc: "BTRFS_IOC_INO_LOOKUP", room: 4096, arg: "btrfs_ino_lookup{objectid=256}", do: ask("btrfs_ino_lookup", "btrfs_ino_lookup", 4096)},
	{name: "btrfs-subvol-info", doc: "BTRFS_IOC_GET_SUBVOL_INFO", room: 504, do: ask("btrfs_subvol_info", "btrfs_subvol_info", 504)},
	{name: "btrfs-search", doc: "BTRFS_IOC_TREE_SEARCH_V2", room: 112 + 2048,
		arg: "btrfs_search{tree_id=1, max_objectid=-1, max_offset=-1, max_transid=-1, max_type=255, nr_items=2, buf_size=2048}", do: ask("btrfs_search", "btrfs_search", 112)},
	{name: "vmsplice", doc: "vmsplice(2) of it into a pipe", room: 600, text: "pat4*600", before: piped, do: func(l *layout) {
		l.Line("vmsplice(p, {%s})", l.all())
		l.Line("read(p, n)")
		l.Line("check(n)")
	}},
	{name: "pipe-read", doc: "read(2) from a pipe into it", room: 600, before: piped, do: func(l *layout) {
		l.Line("write(p, n)")
		l.Line("read(p, %s)", l.all())
	}},
	{name: "splice-from", doc: "splice(2) from a file with the offset in it", room: 8, arg: "loff{offset=1p}", before: piped, do: func(l *layout) {
		l.Line("splice_from(a, %s, p, 100)", l.all())
		l.Line("look(%s, loff{})", l.all())
	}},
	{name: "splice-to", doc: "splice(2) to a file with the offset in it", room: 8, arg: "loff{offset=1p}", before: append(piped, "c = open(C, rdwr)"), do: func(l *layout) {
		l.Line("write(p, n[0:100])")
		l.Line("splice_to(p, c, %s, 100)", l.all())
		l.Line("look(%s, loff{})", l.all())
		l.Line("check(C)")
	}},
	{name: "io-setup", doc: "io_setup(2)", room: 8, do: func(l *layout) { l.Line("io_setup(%s)", l.all()) }},
	{name: "aio-pointer", doc: "io_submit(2) with the pointer in it", room: 8, arg: "pointer{to=n[0:64]}", before: request, do: func(l *layout) {
		l.submit(l.all())
	}},
	{name: "aio-iocb", doc: "io_submit(2) with the request in it", room: 64, arg: "iocb{aio_data=7, aio_fildes=a, aio_buf=n[100:200], aio_nbytes=100}", before: request, do: func(l *layout) {
		l.Line("put(n[64:72], pointer{to=%s})", l.all())
		l.submit("n[64:72]")
	}},
	{name: "aio-event", doc: "io_getevents(2)", room: 32, before: request, do: func(l *layout) {
		l.Line("put(n[64:72], pointer{to=n[0:64]})")
		l.Line("io_submit(n[64:72])")
		l.Line("io_getevents(%s)", l.all())
		l.Line("look(%s, io_event{})", l.all())
	}},
	{name: "aio-read", doc: "io_submit(2) of a read into it", room: 600, do: func(l *layout) {
		l.Line("n = anon(zero*300)")
		l.Line("put(n[0:64], iocb{aio_fildes=a, aio_buf=%s, aio_nbytes=%d})", l.all(), l.c.room)
		l.Line("put(n[64:72], pointer{to=n[0:64]})")
		l.Line("io_submit(n[64:72])")
		l.events()
	}},
	transfer("read"), transfer("write"), transfer("read_fixed"), transfer("write_fixed"),
}

// request makes memory with a request to read 100 bytes of A, and room for them and for an event.
var request = []string{"n = anon(zero*300)", "put(n[0:64], iocb{aio_data=7, aio_fildes=a, aio_buf=n[100:200], aio_nbytes=100})"}

// submit hands over a pointer. Where it, or the request, cannot be read there is no event, nor where the kernel cannot write to the request.
func (l *layout) submit(pointer string) {
	l.Line("io_submit(%s)", pointer)
	if !l.p.Is("place", "end") && !(l.p.Is("call", "aio-iocb") && l.p.Is("map", "read-only")) {
		l.events()
	}
}

func (l *layout) events() {
	l.Line("io_getevents(n[200:232])")
	l.Line("look(n[200:232], io_event{})")
	l.Line("check(n[100:200])")
}

// piped makes a pipe and as much memory as goes through it.
var piped = []string{"p = pipe()", "n = anon(pat5*600)"}

// setAttr makes memory with a name, 100 bytes and a longer name; copying opens what is copied to.
var (
	setAttr = []string{`n = anon("user.a" + zero*1 + pat3*100 + "user.with.long.name" + zero*1)`}
	copying = []string{"c = open(C, rdwr)", "n = anon(zero*8)"}
)

// transfer is a read or write through io_uring.
func transfer(op string) call {
	return call{name: "uring-" + strings.ReplaceAll(op, "_", "-"), doc: "a " + op + " through io_uring", room: 600, text: "pat4*600", do: func(l *layout) {
		l.Line("uring_%s(a, %s, 0)", op, l.all())
	}}
}
