package fused

import (
	"errors"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"faultline/targetfs/glock"
	"faultline/targetfs/usercopy"
)

// newCopier applies the user-copy policy of the options. Where there can be none, it says so and uses kernel.
func (s *Server) newCopier() {
	if err := s.mayCopy(s.options.Copy); err != nil {
		s.log.Printf("copy=%v is not possible, and so copy=kernel is used: %v", s.options.Copy, err)
		s.options.Copy = usercopy.Kernel
	}
	s.copier = usercopy.New(s.options.Copy, func(err error) {
		s.log.Printf("copy=%v is not possible for all callers; with some it is copy=kernel: %v", s.copier.Policy(), err)
	})
}

// mayCopy tells whether a policy can be had. Where several nodes share the image, files are open with FOPEN_DIRECT_IO, and then the kernel asks
// for nothing before it takes the buffer (fs/fuse/file.c, fuse_direct_read_iter and fuse_direct_write_iter).
func (s *Server) mayCopy(p usercopy.Policy) error {
	if p == usercopy.Kernel {
		return nil
	}
	if s.options.nodes() > 1 {
		return errors.New("with several nodes FUSE does not say when a read or a write begins")
	}
	return usercopy.Allowed()
}

// Copier is the user-copy policy in force, with its counters.
func (s *Server) Copier() *usercopy.Copier { return s.copier }

// SetPolicy changes the policy. On a mount that was made for speed it returns ErrFixed.
func (s *Server) SetPolicy(p usercopy.Policy) error {
	if err := s.mayCopy(p); err != nil {
		return err
	}
	if s.options.fast() && p != usercopy.Kernel {
		return ErrFixed
	}
	s.copier.SetPolicy(p)
	return nil
}

// prologue gives the policy its chance at the first request of a read(2) or a write(2). The caller waits for the answer; cancel is closed
// when a signal came for it. What the policy can't do, because the server ends, the request can't either.
func (n *node) prologue(h *fuse.InHeader, cancel <-chan struct{}, ino uint64, read bool) {
	_ = n.s.copier.Start(n.s.ctx, int(h.Pid), read, func(c *usercopy.Call) (*glock.Node, glock.Request) {
		c.Interrupt = cancel
		l := locks{op: operations[n.copyOp(c, ino)], owner: c.Owner(n.s.title(ino))}
		return n.glocks, l.request(glock.File, ino)
	})
}

// copyOp is what gfs2 makes of the call. A read touches no more of its buffer than there is to read.
func (n *node) copyOp(c *usercopy.Call, ino uint64) string {
	di, err := n.s.stat(ino)
	switch {
	case err != nil: // the call finds it too
		c.Clip(0)
		return "read"
	case c.Read:
		c.Clip(int64(di.Size) - c.Offset)
		return readOp(c.Direct)
	}
	off := c.Offset
	if c.Append {
		off = int64(di.Size)
	}
	return writeOp(c.Direct, off, c.Bytes(), &di, n.s.image.BlockSize())
}

func readOp(direct bool) string {
	if direct {
		return "direct read"
	}
	return "read"
}

// lockFault takes the glock of a READ that is the fault of a page which the policy touches with a glock held; ok is false for any other. A
// fault that fails is the policy's own, and none of the image's: EDEADLK gets no line in the log.
func (n *node) lockFault(h *fuse.InHeader, ino uint64) (done func(), ok bool, err error) {
	f := n.s.copier.Fault(int(h.Pid))
	if f == nil {
		return nil, false, nil
	}
	l := locks{op: operations["page fault"]}
	holder, err := f.Lock(n.s.ctx, n.glocks, l.request(glock.File, ino))
	if _, weak := errors.AsType[*glock.WeakError](err); weak {
		return nil, true, syscall.EDEADLK
	}
	if err != nil {
		return nil, true, err
	}
	return holder.Unlock, true, nil
}
