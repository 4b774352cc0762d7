package fused

import (
	"errors"
	"io"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"faultline/targetfs/disk"
	"faultline/targetfs/glock"
	"faultline/targetfs/image"
	"faultline/targetfs/usercopy"
)

// Open opens a file. Its pages stay cached: nobody else changes them, or glocks see to it.
func (n *node) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	ino := n.addr(in.NodeId)
	if n.shared() {
		status := n.open(in, ino)
		if status == fuse.OK {
			n.openedShared(ino, in.Flags, out)
		}
		return status
	}
	n.opened(ino, in.Flags, out)
	status := n.open(in, ino)
	if status != fuse.OK {
		n.closed(ino, out.Fh)
	}
	return status
}

func (n *node) open(in *fuse.OpenIn, ino uint64) fuse.Status {
	l := n.begin(&in.InHeader, "open", ino)
	defer l.end()
	err := l.take(glock.File, ino)
	var di disk.Dinode
	if err == nil {
		di, err = n.s.stat(ino)
	}
	if err == nil {
		err = mayOpen(&di, in.Flags)
	}
	return n.s.status("open", ino, err)
}

// mayOpen refuses what the flags of a file forbid (fs/namei.c, may_open).
func mayOpen(di *disk.Dinode, flags uint32) error {
	if flags&unix.O_ACCMODE == unix.O_RDONLY && flags&unix.O_TRUNC == 0 {
		return nil
	}
	if di.Flags&disk.FlagImmutable != 0 {
		return syscall.EPERM
	}
	if di.Flags&disk.FlagAppendOnly != 0 && (flags&unix.O_APPEND == 0 || flags&unix.O_TRUNC != 0) {
		return syscall.EPERM
	}
	return nil
}

// opened says how an open file behaves. O_DIRECT is left to the kernel, which then keeps mappings of the file coherent. No glock may be held: see
// around.go.
func (n *node) opened(ino uint64, flags uint32, out *fuse.OpenOut) {
	if n.shared() {
		n.openedShared(ino, flags, out)
		return
	}
	if flags&unix.O_ACCMODE != unix.O_RDONLY {
		out.Fh = fhWriter
		n.around.write(ino)
	}
	out.OpenFlags |= fuse.FOPEN_NOFLUSH
	if n.s.copier.Policy() == usercopy.Kernel {
		out.OpenFlags |= fuse.FOPEN_KEEP_CACHE
	} // else pages are to be missing, so that faults ask for their glocks
}

// Flush has nothing to do: there is no state of an open file, and locks are the kernel's where there is one node.
func (n *node) Flush(_ <-chan struct{}, in *fuse.FlushIn) fuse.Status {
	if !n.shared() {
		return fuse.ENOSYS
	}
	n.s.locks.drop(n.addr(in.NodeId), lockOwner{n, in.LockOwner, false})
	return fuse.OK
}

// Release ends an open file.
func (n *node) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	if n.shared() {
		n.releasedShared(in)
		return
	}
	n.closed(n.addr(in.NodeId), in.Fh)
}

// closed ends what opened began.
func (n *node) closed(ino, fh uint64) {
	if fh == fhWriter {
		n.around.written(ino)
	}
}

// Read reads, for read(2) and for page faults alike.
func (n *node) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	ino := n.addr(in.NodeId)
	done, err := n.lockRead(in, ino)
	if err != nil {
		return nil, n.s.status("read", ino, err)
	}
	defer done()
	di, err := n.s.stat(ino)
	if err != nil {
		return nil, n.s.status("read", ino, err)
	}
	got, err := n.s.image.ReadAt(ino, buf, int64(in.Offset))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, n.s.status("read", ino, err)
	}
	n.relatime(&di)
	n.readAround(in, ino)
	return fuse.ReadResultData(buf[:got]), fuse.OK
}

// lockRead takes the glock of a READ. A fault in a file that is open with O_DIRECT looks like a direct read.
func (n *node) lockRead(in *fuse.ReadIn, ino uint64) (done func(), err error) {
	if done, ok, err := n.lockFault(&in.InHeader, ino); ok {
		return done, err
	}
	if n.shared() {
		return n.lockReadShared(in, ino)
	}
	l := n.begin(&in.InHeader, readOp(in.Flags&unix.O_DIRECT != 0), ino)
	return l.end, l.take(glock.File, ino)
}

// Write writes. Pages that were dirtied in the cache, through mappings, come back without a glock: their node has had it since.
func (n *node) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	ino := n.addr(in.NodeId)
	off := int64(in.Offset)
	if in.WriteFlags&fuse.WRITE_CACHE == 0 {
		op, err := n.writeOpOf(in, ino)
		if err != nil {
			return 0, n.s.status("write", ino, err)
		}
		l := n.begin(&in.InHeader, op, ino)
		defer l.end()
		di, err := n.lockWrite(l, in, ino)
		if err == nil {
			err = n.killPrivileges(&di, in.WriteFlags&fuse.WRITE_KILL_SUIDGID != 0)
		}
		if err != nil {
			return 0, n.s.status("write", ino, err)
		}
		if n.shared() && in.Flags&unix.O_APPEND != 0 {
			off = int64(di.Size)
		}
	}
	done := 0
	err := n.withSpace(func() (err error) {
		done, err = n.s.image.WriteAt(ino, data, off)
		return err
	})
	if done > 0 {
		return uint32(done), fuse.OK
	}
	return 0, n.s.status("write", ino, err)
}

// lockWrite takes the glocks of a write, and reads the inode under them.
func (n *node) lockWrite(l *locks, in *fuse.WriteIn, ino uint64) (disk.Dinode, error) {
	if err := l.take(glock.File, ino); err != nil {
		return disk.Dinode{}, err
	}
	di, err := n.s.stat(ino)
	if err != nil || l.op.Name == "direct write" || !mayAllocate(&di, int64(in.Offset), int64(in.Size), n.s.image.BlockSize()) {
		return di, err
	}
	return di, l.allocates(fuse.Owner{Uid: di.UID, Gid: di.GID}, di.GoalMeta)
}

// writeOpOf is writeOp of a request.
func (n *node) writeOpOf(in *fuse.WriteIn, ino uint64) (string, error) {
	if in.Flags&unix.O_DIRECT == 0 {
		return "write", nil
	}
	di, err := n.s.stat(ino)
	return writeOp(true, int64(in.Offset), int64(in.Size), &di, n.s.image.BlockSize()), err
}

// writeOp is what gfs2 makes of a write: a direct one that allocates is a buffered one.
func writeOp(direct bool, off, n int64, di *disk.Dinode, bs disk.BlockSize) string {
	if !direct || di.Height == 0 || mayAllocate(di, off, n, bs) {
		return "write"
	}
	return "direct write"
}

// mayAllocate tells whether a write may need new blocks: it does when it goes beyond the end, or the file is sparse.
func mayAllocate(di *disk.Dinode, off, n int64, bs disk.BlockSize) bool {
	whole := (di.Size + uint64(bs) - 1) / uint64(bs)
	return uint64(off+n) > whole*uint64(bs) || di.Blocks < whole+1
}

// Fsync makes everything durable that was written so far: there is one log for all files.
func (n *node) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return n.s.status("fsync", n.addr(in.NodeId), n.s.image.Sync())
}

// FsyncDir is Fsync.
func (n *node) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return n.Fsync(cancel, in)
}

// Fallocate allocates, punches holes and zeroes.
func (n *node) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	const known = unix.FALLOC_FL_KEEP_SIZE | unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_ZERO_RANGE
	if in.Mode&^known != 0 {
		return fuse.Status(syscall.EOPNOTSUPP)
	}
	ino := n.addr(in.NodeId)
	l := n.begin(&in.InHeader, "fallocate", ino)
	defer l.end()
	err := l.take(glock.File, ino)
	var di disk.Dinode
	if err == nil {
		di, err = n.s.stat(ino)
	}
	if err == nil {
		err = l.allocates(fuse.Owner{Uid: di.UID, Gid: di.GID}, di.GoalMeta)
	}
	if err == nil {
		err = n.killPrivileges(&di, in.Uid != 0) // there is no flag for it here
	}
	if err == nil {
		err = n.withSpace(func() error { return n.s.fallocate(&di, int64(in.Offset), int64(in.Length), in.Mode) })
	}
	return n.s.status("fallocate", ino, err)
}

func (s *Server) fallocate(di *disk.Dinode, off, n int64, mode uint32) error {
	ino := di.Num.Addr
	if off < 0 || n <= 0 || n > disk.MaxFileSize-off {
		return syscall.EINVAL
	}
	if di.Flags&disk.FlagAppendOnly != 0 && mode&^unix.FALLOC_FL_KEEP_SIZE != 0 || di.Flags&disk.FlagImmutable != 0 {
		return syscall.EPERM
	}
	if mode&(unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_ZERO_RANGE) != 0 {
		if err := s.image.Punch(ino, off, n); err != nil || mode&unix.FALLOC_FL_PUNCH_HOLE != 0 {
			return err
		}
	}
	return s.image.Allocate(ino, off, n, mode&unix.FALLOC_FL_KEEP_SIZE != 0)
}

// Lseek finds data and holes. The kernel asks without having sent what was stored through a mapping (fs/fuse/file.c, fuse_lseek), which may lie
// where the image has a hole. So it is made to write and drop its pages first, with no lock held that their WRITEs may want.
func (n *node) Lseek(_ <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	want := image.Data
	switch in.Whence {
	case unix.SEEK_DATA:
	case unix.SEEK_HOLE:
		want = image.Hole
	default:
		return fuse.EINVAL
	}
	_ = n.fuse.Invalidate(in.NodeId, int64(in.Offset), 0) // a mount that is gone asks no more
	ino := n.addr(in.NodeId)
	l := n.begin(&in.InHeader, "seek data", ino)
	defer l.end()
	err := l.take(glock.File, ino)
	if err == nil {
		err = n.s.view(func(tx *image.Tx) error {
			at, err := tx.Seek(ino, int64(in.Offset), want)
			out.Offset = uint64(at)
			return err
		})
	}
	return n.s.status("seek", ino, err)
}
