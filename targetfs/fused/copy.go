package fused

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"faultline/targetfs/disk"
	"faultline/targetfs/glock"
)

// One COPY_FILE_RANGE copies so much at most, in pieces of copyPiece bytes; the caller goes on from there.
const (
	copyLimit = 64 << 20
	copyPiece = 1 << 20
)

// CopyFileRange copies within the image. gfs2 leaves that to splice, which reads and writes; so these are the glocks of a read
// and a write, taken in their order.
func (n *node) CopyFileRange(_ <-chan struct{}, in *fuse.CopyFileRangeIn) (uint32, fuse.Status) {
	from, to := n.addr(in.NodeId), n.addr(in.NodeIdOut)
	if in.Flags != 0 {
		return 0, fuse.EINVAL
	}
	read, write := n.begin(&in.InHeader, "read", from), n.begin(&in.InHeader, "write", to)
	defer read.end()
	defer write.end()
	err := lockBoth(read, from, write, to)
	var done int64
	if err == nil {
		done, err = n.copyRange(in.Uid, from, to, int64(in.OffIn), int64(in.OffOut), int64(min(in.Len, copyLimit)))
	}
	if done > 0 {
		return uint32(done), fuse.OK
	}
	return 0, n.s.status("copy", to, err)
}

// lockBoth takes the glocks of two inodes in the order of their numbers; of one inode, the stronger.
func lockBoth(read *locks, from uint64, write *locks, to uint64) error {
	if from == to {
		return write.take(glock.File, to)
	}
	type want struct {
		l   *locks
		ino uint64
	}
	both := []want{{read, from}, {write, to}}
	slices.SortFunc(both, func(a, b want) int { return cmp.Compare(a.ino, b.ino) })
	for _, w := range both {
		if err := w.l.take(glock.File, w.ino); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) copyRange(uid uint32, from, to uint64, in, out, size int64) (done int64, err error) {
	di, err := n.s.stat(to)
	if err != nil {
		return 0, err
	}
	if di.Flags&disk.FlagImmutable != 0 {
		return 0, syscall.EPERM
	}
	if err := n.killPrivileges(&di, uid != 0); err != nil {
		return 0, err
	}
	im := n.s.image
	buf := make([]byte, min(size, copyPiece))
	for done < size {
		piece := buf[:min(int64(len(buf)), size-done)]
		got, err := im.ReadAt(from, piece, in+done)
		if err != nil && !errors.Is(err, io.EOF) || got == 0 {
			return done, ignoreEOF(err)
		}
		wrote, err := im.WriteAt(to, piece[:got], out+done)
		done += int64(wrote)
		if err != nil || wrote < got {
			return done, err
		}
	}
	return done, nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
