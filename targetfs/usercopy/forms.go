package usercopy

import "golang.org/x/sys/unix"

// form is what the arguments of a system call mean.
type form struct {
	name   string
	read   bool // the kernel stores into the buffers
	vector bool // argument 1 is an iovec, 2 its length; otherwise they are address and length of the only buffer
	offset bool // argument 3 is the offset
	flags  bool // argument 5 is RWF_ flags, and an offset of -1 is the file position
}

// forms are the system calls that copy between a file and the caller's memory while the caller waits. pos_h, the upper half of the offset
// of vectors, is empty on 64-bit machines (pos_from_hilo in fs/read_write.c). Numbers are those of the machine's native calls: a call of a
// 32-bit program on a 64-bit kernel is taken for another one. That does no harm, for a touch changes nothing.
var forms = map[int64]form{
	unix.SYS_READ:     {name: "read", read: true},
	unix.SYS_PREAD64:  {name: "pread", read: true, offset: true},
	unix.SYS_READV:    {name: "readv", read: true, vector: true},
	unix.SYS_PREADV:   {name: "preadv", read: true, vector: true, offset: true},
	unix.SYS_PREADV2:  {name: "preadv2", read: true, vector: true, offset: true, flags: true},
	unix.SYS_WRITE:    {name: "write"},
	unix.SYS_PWRITE64: {name: "pwrite", offset: true},
	unix.SYS_WRITEV:   {name: "writev", vector: true},
	unix.SYS_PWRITEV:  {name: "pwritev", vector: true, offset: true},
	unix.SYS_PWRITEV2: {name: "pwritev2", vector: true, offset: true, flags: true},
}

// asynchronous are the calls that have buffers of their own, which the arguments do not show. Neither can be followed: the
// control blocks may be gone from the caller's memory by the time they are looked for.
var asynchronous = map[int64]string{unix.SYS_IO_SUBMIT: "io_submit", unix.SYS_IO_URING_ENTER: "io_uring_enter"}
