package planted

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is what files and directories have in common: the attributes. Its lock guards them and what the embedding type adds.
type node struct {
	fs.Inode
	mu                  sync.Mutex
	mode                uint32 // permissions
	uid, gid            uint32
	nlink               uint32
	atime, mtime, ctime time.Time
}

// init makes n a new node with one name, owned by the caller of the request.
func (n *node) init(ctx context.Context, mode uint32) {
	n.mode, n.nlink = mode&07777, 1
	if caller, ok := fuse.FromContext(ctx); ok {
		n.uid, n.gid = caller.Uid, caller.Gid
	}
	n.touch()
	n.atime = n.mtime
}

// touch notes a change of the content.
func (n *node) touch() {
	n.mtime = time.Now()
	n.ctime = n.mtime
}

// attributes fills in everything but length and blocks. Blksize is set, or go-fuse would make up blocks of its own.
func (n *node) attributes(out *fuse.Attr) {
	out.Ino = n.StableAttr().Ino
	out.Mode = n.mode
	out.Owner = fuse.Owner{Uid: n.uid, Gid: n.gid}
	out.Nlink = n.nlink
	out.Blksize = blockSize
	out.SetTimes(&n.atime, &n.mtime, &n.ctime)
}

// change does what a SETATTR asks for, but for the length.
func (n *node) change(in *fuse.SetAttrIn) {
	n.ctime = time.Now()
	if mode, ok := in.GetMode(); ok {
		n.mode = mode & 07777
	}
	if uid, ok := in.GetUID(); ok {
		n.uid = uid
	}
	if gid, ok := in.GetGID(); ok {
		n.gid = gid
	}
	if atime, ok := in.GetATime(); ok {
		n.atime = atime
	}
	if mtime, ok := in.GetMTime(); ok {
		n.mtime = mtime
	}
}

// links adds to the number of names and returns it.
func (n *node) links(add int) uint32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nlink = uint32(int(n.nlink) + add)
	n.ctime = time.Now()
	return n.nlink
}

// Fsync has nothing to do: memory is all there is.
func (n *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno { return 0 }
