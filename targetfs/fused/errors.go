package fused

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"faultline/targetfs/disk"
)

// Errors of Mount, for errors.Is. What else can be wrong with an image has errors of its own: fs.ErrNotExist, image.ErrNotGFS2,
// image.ErrDirtyJournal, *disk.CorruptError, *disk.UnsupportedError.
var (
	ErrBusy         = errors.New("the image is mounted already")
	ErrNoDevice     = errors.New("there is no /dev/fuse; FUSE is not in this kernel, its module is not loaded, or the container hides it")
	ErrNoFusermount = errors.New("mounting takes root, or the program fusermount3, which is not installed")
	ErrOneNode      = errors.New("this kernel cannot have several nodes: it does not keep mappings coherent with reads and writes past its cache; Linux 6.6 does")
	ErrFixed        = errors.New("the mount was made for speed with copy=kernel; mount with copy=POLICY or switchable")
)

// status is what the kernel hears of err. What is not a caller's mistake is EIO, with a line in the log; an inconsistency found while
// reading stops all writing, as one found while writing does.
func (s *Server) status(op string, ino uint64, err error) fuse.Status {
	if err == nil {
		return fuse.OK
	}
	if corrupt, is := errors.AsType[*disk.CorruptError](err); is {
		s.image.Withdraw(err)
		s.log.Printf("%s of inode %d: block %d: %v", op, ino, corrupt.Block, err)
		return fuse.EIO
	}
	if errno, is := errors.AsType[syscall.Errno](err); is {
		if errno == syscall.EIO {
			s.log.Printf("%s of inode %d: %v", op, ino, err)
		}
		return fuse.Status(errno)
	}
	s.log.Printf("%s of inode %d: %v", op, ino, err)
	return fuse.EIO
}

// panicked keeps the server alive when an operation panics, which is a mistake of ours.
func (s *Server) panicked(what any, stack []byte) fuse.Status {
	s.image.Withdraw(fmt.Errorf("panic: %v", what))
	s.log.Printf("panic: %v\n%s", what, stack)
	return fuse.EIO
}
