package footprint

import "faultline/harness/footprint/matrix"

// onlooker is what p2 does meanwhile. Its setup is done before.
type onlooker struct {
	group             matrix.Group
	name, setup, step string
	// fails is the error that it must come back with, "" for none.
	fails string
	// everywhere says that it waits for every file system of the machine, so that what others do there can hold it up.
	everywhere bool
}

// onlookers are all there are, in order. Pages and files are apart from those of the stopped call, but where the name says same: far is another page of
// its file, other a file in the same directory, apart one in another directory.
var onlookers = []onlooker{
	{group: matrix.Faults, name: "load-same", setup: mapA, step: "load(n[0:1p])"},
	{group: matrix.Faults, name: "store-same", setup: mapA, step: "store(n[0:1], 'x')"},
	{group: matrix.Faults, name: "load-far", setup: mapA, step: "load(n[8p:9p])"},
	{group: matrix.Faults, name: "store-far", setup: mapA, step: "store(n[9p:9p+1], 'x')"},
	{group: matrix.Faults, name: "load-other", setup: mapB, step: "load(n[8p:9p])"},
	{group: matrix.Faults, name: "store-other", setup: mapB, step: "store(n[9p:9p+1], 'x')"},
	{group: matrix.Faults, name: "load-apart", setup: mapF, step: "load(n[0:1p])"},
	{group: matrix.Faults, name: "store-apart", setup: mapF, step: "store(n[1p:1p+1], 'x')"},
	{group: matrix.SameFile, name: "open", step: "f = open(D/A, rdwr)"},
	{group: matrix.SameFile, name: "stat", step: "stat(D/A, size)"},
	{group: matrix.SameFile, name: "mmap", setup: openA, step: "n = mmap(f, shared, rw, 0, 16p)"},
	{group: matrix.SameFile, name: "munmap", setup: mapA, step: "munmap(n)"},
	{group: matrix.SameFile, name: "msync", setup: mapA + "\nstore(n[10p:10p+1], 'x')", step: "msync(n[10p:11p], sync)"},
	{group: matrix.SameFile, name: "pread", setup: openA, step: "pread(f, b, 4p)"},
	{group: matrix.SameFile, name: "pread-direct", setup: openDirect, step: "pread(f, b, 5p)"},
	{group: matrix.SameFile, name: "pwrite", setup: openA, step: "pwrite(f, b, 6p)"},
	{group: matrix.SameFile, name: "pwrite-direct", setup: openDirect, step: "pwrite(f, b, 7p)"},
	{group: matrix.SameFile, name: "truncate", step: "truncate(D/A, 15p)"},
	{group: matrix.SameFile, name: "punch", setup: openA, step: "fallocate(f, punch, 12p, 1p)"},
	{group: matrix.SameFile, name: "fallocate", setup: openA, step: "fallocate(f, keep, 16p, 1p)"},
	{group: matrix.SameFile, name: "fsync", setup: openA, step: "fsync(f)"},
	{group: matrix.SameFile, name: "seek", setup: openA, step: "lseek(f, 0, hole)"},
	{group: matrix.SameFile, name: "fiemap", setup: openA + "\nput(b[0:32], fiemap{fm_length=-1, fm_extent_count=8})", step: "ioctl(f, fiemap, b)"},
	{group: matrix.SameFile, name: "setxattr", setup: openA + "\n" + attributeB, step: "setxattr(f, v[0:7], v[7:47], set)"},
	{group: matrix.SameFile, name: "listxattr", setup: openA, step: "listxattr(f, b)"},
	{group: matrix.OtherFile, name: "pread-other", setup: openB, step: "pread(f, b, 4p)"},
	{group: matrix.OtherFile, name: "pwrite-other", setup: openB, step: "pwrite(f, b, 6p)"},
	{group: matrix.OtherFile, name: "truncate-other", step: "truncate(D/B, 15p)"},
	{group: matrix.Names, name: "create", step: "f = open(D/C, rdwr|creat)"},
	{group: matrix.Names, name: "mkdir", step: "mkdir(D/M)"},
	{group: matrix.Names, name: "unlink", step: "unlink(D/X)"},
	{group: matrix.Names, name: "rename", step: "rename(D/X, D/Y)"},
	{group: matrix.Names, name: "link", step: "link(D/X, D/Y)"},
	{group: matrix.Names, name: "readdir", setup: "f = open(D, rdonly)\nb = anon('b'*1p)", step: "getdents(f, b)"},
	{group: matrix.Whole, name: "syncfs", setup: openA, step: "syncfs(f)"},
	{group: matrix.Whole, name: "freeze", setup: openA, step: "freeze(f)"},
	{group: matrix.Whole, name: "umount", setup: openA, step: "umount(f)", fails: "EBUSY"},
	{group: matrix.Whole, name: "sync", step: "sync()", everywhere: true},
	{group: matrix.Whole, name: "drop_caches", step: "drop_caches()", everywhere: true},
}

const (
	openA      = "f = open(D/A, rdwr)\nb = anon('b'*1p)"
	openB      = "f = open(D/B, rdwr)\nb = anon('b'*1p)"
	openDirect = "f = open(D/A, rdwr|direct)\nb = anon('b'*1p)"
	mapA       = "f = open(D/A, rdwr)\nn = mmap(f, shared, rw, 0, 16p)"
	mapB       = "f = open(D/B, rdwr)\nn = mmap(f, shared, rw, 0, 16p)"
	mapF       = "f = open(E/F, rdwr)\nn = mmap(f, shared, rw, 0, 2p)"
	attributeB = `v = anon("user.b" + zero*1 + 'w'*40)`
)

// refuses says why an onlooker is not tried on a file system, "" if it may be. What waits for the whole machine is tried where the machine is ours, or
// where somebody asks for it by name.
func (by onlooker) refuses(guest, ours, named bool) string {
	switch {
	case !by.everywhere || guest || ours && named:
		return ""
	case ours:
		return "it waits for every file system of this machine; to try it here, name it, or measure in a guest"
	}
	return "it waits for every file system of this machine; it is tried in guests, and on file systems of our own"
}
