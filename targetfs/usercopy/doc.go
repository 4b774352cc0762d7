// Package usercopy does to a caller's buffer what gfs2 did and does: it touches the memory that read(2) or write(2) was given while the inode's
// glock is held, or in the way that does not hang. A FUSE server never sees that memory, for the kernel copies when the server has answered.
// So the server calls this package at the first request of a system call, before the kernel touches the buffer: GETATTR in a read, GETXATTR of
// "security.capability" in a write (fuse_cache_read_iter and fuse_cache_write_iter in fs/fuse/file.c).
//
//	call, err := usercopy.Look(int(header.Pid)) // which system call is the task in, and with which buffers?
//	if err == nil {
//		err = copier.Copy(ctx, node, call, glock.Request{Name: glock.InodeName(ino), State: glock.SH, Owner: call.Owner("A")})
//	}
//
// A touch that faults comes back to the server as a READ of the thread that touches. What that takes, it takes as the caller:
//
//	if f := copier.Fault(int(header.Pid)); f != nil {
//		h, err := f.Lock(ctx, node, request)
//	}
//
// The package imports targetfs/glock and golang.org/x/sys.
package usercopy
