package prog

import (
	"fmt"
	"maps"
	"slices"
)

// request is the parameter that names a row of the table Requests.
func request() Param { return words("request", slices.Sorted(maps.Keys(Requests))...) }

func memory(name string) Param { return Param{Name: name, Kind: KindMemory} }
func source() Param            { return Param{Name: "from", Kind: KindFD} }

func record() Param  { return Param{Name: "struct", Kind: KindStruct} }
func listing() Param { return Param{Name: "files", Kind: KindNames} }

// entryOps are the operations on further entry points where the kernel copies to or from user memory, and those that write their
// arguments and look at their results. They are rows of the table Ops.
var entryOps = []Op{
	{Name: "put_path", Counts: true, Params: []Param{buf(), file("file")}, Doc: "write the path of a file with the processor, with a zero byte as the last; more slashes than it needs make it as long as the memory"},
	{Name: "put", Counts: true, Params: []Param{buf(), record()}, Doc: "write a struct with the processor; fields that are not named are zero; returns the bytes written, or SIGBUS or SIGSEGV"},
	{Name: "look", Params: []Param{buf(), record()}, Doc: "compare the named fields of a struct in memory with what they must be"},
	{Name: "ioctl", Params: []Param{fd(), request(), buf()}, Doc: "ioctl(2) with the address of a struct; see the table of requests"},
	{Name: "extents", Params: []Param{buf(), {Name: "data", Kind: KindAlts, Optional: true}}, Doc: "look at what fiemap has left in memory: extents that rise, and cover all of the data that is not zero"},
	{Name: "getdents", Counts: true, Params: []Param{fd(), buf()}, Doc: "getdents64(2) of an open directory"},
	{Name: "entries", Params: []Param{buf(), optional(listing())}, Doc: "look at what getdents has left in memory: names of these files, none twice"},
	{Name: "setxattr", Params: []Param{fd(), memory("name"), memory("value"), words("flags", "set", "create", "replace")}, Doc: "fsetxattr(2); name and value lie in memory, the name with a zero byte behind it"},
	{Name: "getxattr", Counts: true, Params: []Param{fd(), memory("name"), memory("value")}, Doc: "fgetxattr(2)"},
	{Name: "listxattr", Counts: true, Params: []Param{fd(), buf()}, Doc: "flistxattr(2)"},
	{Name: "removexattr", Params: []Param{fd(), memory("name")}, Doc: "fremovexattr(2)"},
	{Name: "symlink", Params: []Param{file("old"), file("new")}, Doc: "symlink(2) to a file in the same directory"},
	{Name: "readlink", Counts: true, Params: []Param{file("file"), buf()}, Doc: "readlink(2)"},
	{Name: "ficlone", Params: []Param{fd(), source()}, Doc: "ioctl(2) FICLONE: share all of the second file's data with the first"},
	{Name: "copy_file_range", Counts: true, Params: []Param{fd(), memory("offset"), {Name: "to", Kind: KindFD}, memory("offset to"), size("length")}, Doc: "copy_file_range(2); the offsets lie in memory, a loff each, and move on"},
	{Name: "sendfile", Counts: true, Params: []Param{fd(), source(), memory("offset"), size("length")}, Doc: "sendfile(2) to a file, from an offset that lies in memory"},
	{Name: "pipe", Makes: KindFD, Doc: "pipe2(2), opened once more so that one descriptor is both ends; it does not block"},
	{Name: "vmsplice", Counts: true, Params: []Param{fd(), iov()}, Doc: "vmsplice(2): pages of memory into a pipe"},
	{Name: "tee", Counts: true, Params: []Param{fd(), {Name: "to", Kind: KindFD}, size("length")}, Doc: "tee(2) from one pipe to another"},
	{Name: "splice_from", Counts: true, Params: []Param{fd(), memory("offset"), {Name: "to", Kind: KindFD}, size("length")}, Doc: "splice(2) from a file to a pipe; the offset lies in memory, a loff, and moves on"},
	{Name: "splice_to", Counts: true, Params: []Param{fd(), {Name: "to", Kind: KindFD}, memory("offset"), size("length")}, Doc: "splice(2) from a pipe to a file"},
	{Name: "io_setup", Params: []Param{buf()}, Doc: "io_setup(2), which writes a context to memory; it is given up at once"},
	{Name: "io_submit", Counts: true, Params: []Param{buf()}, Doc: "io_submit(2) to a context of the actor's own: the memory holds pointers to iocb structs; returns how many were taken"},
	{Name: "io_getevents", Counts: true, Params: []Param{buf()}, Doc: "io_getevents(2): wait for one io_event at least, and have them written to memory; returns how many"},
	{Name: "uring_read", Counts: true, Params: []Param{fd(), buf(), size("offset")}, Doc: "IORING_OP_READ: submit to an io_uring of the actor's own, and wait"},
	{Name: "uring_write", Counts: true, Params: []Param{fd(), buf(), size("offset")}, Doc: "IORING_OP_WRITE"},
	{Name: "uring_readv", Counts: true, Params: []Param{fd(), iov(), size("offset")}, Doc: "IORING_OP_READV"},
	{Name: "uring_writev", Counts: true, Params: []Param{fd(), iov(), size("offset")}, Doc: "IORING_OP_WRITEV"},
	{Name: "uring_read_fixed", Counts: true, Params: []Param{fd(), buf(), size("offset")}, Doc: "IORING_OP_READ_FIXED, with the memory registered for the time of the step"},
	{Name: "uring_write_fixed", Counts: true, Params: []Param{fd(), buf(), size("offset")}, Doc: "IORING_OP_WRITE_FIXED"},
	{Name: "uring_cmd", Counts: true, Params: []Param{fd(), words("request", "btrfs_encoded_read", "btrfs_encoded_write"), buf()}, Doc: "IORING_OP_URING_CMD of a request that is an ioctl(2) as well"},
	{Name: "statx", Params: []Param{file("file"), buf()}, Doc: "statx(2) of basic fields, and of the mount's number that is never used again, into memory"},
	{Name: "fstat", Params: []Param{fd(), buf()}, Doc: "fstat(2) into memory"},
	{Name: "fstatfs", Params: []Param{fd(), buf()}, Doc: "fstatfs(2) into memory"},
	{Name: "getcwd", Counts: true, Params: []Param{buf()}, Doc: "getcwd(2) into memory; returns the length with the zero byte"},
	{Name: "name_to_handle_at", Params: []Param{file("file"), memory("handle"), memory("mount id")}, Doc: "name_to_handle_at(2): the memory of the handle begins with handle_bytes, the room behind it"},
	{Name: "open_by_handle_at", Makes: KindFD, Params: []Param{fd(), memory("handle"), words("flags", "rdonly", "wronly", "rdwr")}, Doc: "open_by_handle_at(2) of a handle in memory, on the mount of a descriptor"},
	{Name: "xfs_open_by_handle", Makes: KindFD, Params: []Param{fd(), buf()}, Doc: "ioctl(2) XFS_IOC_OPEN_BY_HANDLE with the address of a struct xfs_handle_req, on a directory"},
	{Name: "btrfs_subvolume", Params: []Param{fd(), words("command", "create", "snapshot"), buf(), file("new")},
		Doc: "ioctl(2) BTRFS_IOC_SUBVOL_CREATE_V2 or BTRFS_IOC_SNAP_CREATE_V2 on a directory, with a struct btrfs_vol in memory, whose name is the last part of the new one's"},
	{Name: "file_getattr", Params: []Param{file("file"), buf()}, Doc: "file_getattr(2) into memory"},
	{Name: "file_setattr", Params: []Param{file("file"), buf()}, Doc: "file_setattr(2) from memory"},
	{Name: "statmount", Params: []Param{memory("request"), memory("result")}, Doc: "statmount(2): the request lies in memory as well"},
	{Name: "listmount", Counts: true, Params: []Param{memory("request"), memory("result")}, Doc: "listmount(2); returns how many numbers of mounts it has written"},
	{Name: "quotactl", Params: []Param{fd(), words("command", "getquota", "setquota"), buf()}, Doc: "quotactl_fd(2) of the file system's quota of our own user"},
}

// forget drops what Derive says of a step beyond its result.
func (s *Step) forget() {
	switch s.Op {
	case "check", "extents", "entries":
		s.Args = s.Args[:1]
	case "look":
		if v, is := s.Args[1].(Value); is {
			s.Args[1] = Value{Struct: v.Struct}
		}
	}
}

// pathRule demands memory for a path: names of folders are long, and the kernel reads 4096 bytes at most.
func pathRule(v *validator, s *Step) error {
	n, err := v.pieceLength(s)
	if err != nil {
		return err
	}
	if !Bytes(256).AtMost(n) || !n.AtMost(Bytes(4096)) {
		return fmt.Errorf("found memory of %v, wanted 256 to 4096 bytes for a path", n)
	}
	return nil
}

// notBefore refuses an offset before the beginning of the file: to io_uring -1 is the file position.
func notBefore(_ *validator, s *Step) error {
	if off := s.Args[2].(Size); !Bytes(0).AtMost(off) {
		return fmt.Errorf("found offset %v, wanted 0 at least", off)
	}
	return nil
}
