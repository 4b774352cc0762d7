package worker

import (
	"golang.org/x/sys/unix"

	"faultline/generators/prog"
)

// words says which bits a flag of an operation stands for.
var words = map[string]map[string]uintptr{
	"open": {
		"rdonly": unix.O_RDONLY, "wronly": unix.O_WRONLY, "rdwr": unix.O_RDWR, "direct": unix.O_DIRECT, "append": unix.O_APPEND,
		"sync": unix.O_SYNC, "dsync": unix.O_DSYNC, "creat": unix.O_CREAT, "trunc": unix.O_TRUNC,
	},
	"mmap": {
		"shared": unix.MAP_SHARED, "private": unix.MAP_PRIVATE, "populate": unix.MAP_POPULATE,
		"none": unix.PROT_NONE, "r": unix.PROT_READ, "w": unix.PROT_WRITE, "rw": unix.PROT_READ | unix.PROT_WRITE,
	},
	"mprotect": {
		"none": unix.PROT_NONE, "r": unix.PROT_READ, "w": unix.PROT_WRITE, "rw": unix.PROT_READ | unix.PROT_WRITE,
	},
	"madvise": {
		"dontneed": unix.MADV_DONTNEED, "pageout": unix.MADV_PAGEOUT, "willneed": unix.MADV_WILLNEED,
		"populate_read": unix.MADV_POPULATE_READ, "populate_write": unix.MADV_POPULATE_WRITE,
	},
	"msync":   {"sync": unix.MS_SYNC, "async": unix.MS_ASYNC, "invalidate": unix.MS_INVALIDATE},
	"fadvise": {"dontneed": unix.FADV_DONTNEED},
	"lseek":   {"set": unix.SEEK_SET, "cur": unix.SEEK_CUR, "end": unix.SEEK_END, "data": unix.SEEK_DATA, "hole": unix.SEEK_HOLE},
	"fallocate": {
		"alloc": 0, "keep": unix.FALLOC_FL_KEEP_SIZE, "punch": unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE, "zero": unix.FALLOC_FL_ZERO_RANGE,
		"collapse": unix.FALLOC_FL_COLLAPSE_RANGE, "insert": unix.FALLOC_FL_INSERT_RANGE,
	},
	"stat":     {"size": statSize, "blocks": statBlocks},
	"preadv2":  rwf,
	"pwritev2": rwf,
	"ioctl":    requests(), "uring_cmd": requests(),
	// BTRFS_IOC_SUBVOL_CREATE_V2 and BTRFS_IOC_SNAP_CREATE_V2.
	"btrfs_subvolume": {"create": prog.BtrfsCreate, "snapshot": prog.BtrfsSnapshot},
	// Q_GETQUOTA and Q_SETQUOTA of USRQUOTA (linux/quota.h: QCMD).
	"quotactl":          {"getquota": 0x80000700, "setquota": 0x80000800},
	"futex_wait":        {"shared": 0, "private": futexPrivateFlag},
	"open_by_handle_at": {"rdonly": unix.O_RDONLY, "wronly": unix.O_WRONLY, "rdwr": unix.O_RDWR},
	"setxattr":          {"set": 0, "create": unix.XATTR_CREATE, "replace": unix.XATTR_REPLACE},
}

// requests are the numbers of ioctl(2).
func requests() map[string]uintptr {
	numbers := map[string]uintptr{}
	for name, r := range prog.Requests {
		numbers[name] = uintptr(r.Number)
	}
	return numbers
}

var rwf = map[string]uintptr{
	"nowait": unix.RWF_NOWAIT, "dsync": unix.RWF_DSYNC, "sync": unix.RWF_SYNC, "append": unix.RWF_APPEND, "hipri": unix.RWF_HIPRI,
	"dontcache": unix.RWF_DONTCACHE, "atomic": unix.RWF_ATOMIC,
}

// Fields of stat; no flags of the kernel.
const (
	statSize uintptr = iota
	statBlocks
)

func flagBits(op string, flags prog.Words) (bits uintptr) {
	known := words[op]
	for _, w := range flags {
		bits |= known[w]
	}
	return bits
}
