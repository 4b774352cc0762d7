package fused

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"faultline/targetfs/glock"
)

// Moment is which request may be the beginning of a system call that has a user buffer.
type Moment uint8

// Moments.
const (
	GetAttr       Moment = iota // before read(2), and any stat(2)
	GetCapability               // GETXATTR of security.capability: before write(2)
)

// UserCopy is a user-copy policy: what the server does with the buffer of a system call at its beginning, before the kernel touches it.
// Its methods are called from several goroutines.
type UserCopy interface {
	// Prologue is called before the request is answered. The calling thread of the request, Call.Header.Pid, waits for it.
	Prologue(c Call, m Moment)
	// Fault is called for a READ before it takes its glock: it may be the fault of a page that Prologue touches, whose reader is then
	// a thread of the server itself. It returns false to let the READ take its glock as always; else done is called when it is
	// answered, unless there is an error.
	Fault(c Call) (done func(), err error, handled bool)
}

// Call is a request as a policy sees it.
type Call struct {
	Server *Server
	Glocks *glock.Node
	Header *fuse.InHeader // not to be kept
	Inode  uint64
}

// Take takes the inode's glock as gfs2's operation of that name does: "read", "write", "direct read", "direct write", "page fault".
// Owner is who takes it; with untrapped it waits for itself where the recursion trap would end it.
func (c Call) Take(op string, owner glock.Owner, untrapped bool) (*glock.Holder, error) {
	r := c.Request(op, owner)
	r.Untrapped = untrapped
	return c.Glocks.Lock(c.Server.ctx, r)
}

// Request is the request that Take makes, for other uses of it.
func (c Call) Request(op string, owner glock.Owner) glock.Request {
	l := locks{op: operations[op], owner: owner}
	return l.request(glock.File, c.Inode)
}

// Owner is the task that made the request, which does what op says.
func (c Call) Owner(op string) glock.Owner {
	pid := int(c.Header.Pid)
	return glock.Owner{PID: pid, Comm: c.Server.comms.of(pid), Op: op + " of " + c.Server.title(c.Inode)}
}

// SetUserCopy changes the policy; nil is kernel. On a mount that was made for speed it returns ErrFixed.
func (s *Server) SetUserCopy(policy UserCopy) error {
	if policy == nil {
		s.copies.Store(nil)
		return nil
	}
	if s.options.fast() {
		return ErrFixed
	}
	s.copies.Store(&policy)
	return nil
}

// userCopy is the policy in force, nil for kernel.
func (s *Server) userCopy() UserCopy {
	if p := s.copies.Load(); p != nil {
		return *p
	}
	return nil
}

// prologue gives the policy its chance at the beginning of a system call.
func (n *node) prologue(h *fuse.InHeader, ino uint64, m Moment) {
	if policy := n.s.userCopy(); policy != nil {
		policy.Prologue(n.call(h, ino), m)
	}
}

// faultOf gives the policy its chance at a READ.
func (n *node) faultOf(h *fuse.InHeader, ino uint64) (done func(), err error, handled bool) {
	if policy := n.s.userCopy(); policy != nil {
		return policy.Fault(n.call(h, ino))
	}
	return nil, nil, false
}

func (n *node) call(h *fuse.InHeader, ino uint64) Call {
	return Call{Server: n.s, Glocks: n.glocks, Header: h, Inode: ino}
}
