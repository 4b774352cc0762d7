package planted

import (
	"context"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// dir is a directory. go-fuse keeps the entries; this keeps the rules, and the nodes alive while they have names.
type dir struct {
	node
	volume *volume
}

// volume is what all nodes of a mount share.
type volume struct {
	space
	*injector
}

var (
	_ fs.NodeGetattrer = (*dir)(nil)
	_ fs.NodeSetattrer = (*dir)(nil)
	_ fs.NodeCreater   = (*dir)(nil)
	_ fs.NodeMkdirer   = (*dir)(nil)
	_ fs.NodeLinker    = (*dir)(nil)
	_ fs.NodeUnlinker  = (*dir)(nil)
	_ fs.NodeRmdirer   = (*dir)(nil)
	_ fs.NodeRenamer   = (*dir)(nil)
	_ fs.NodeStatfser  = (*dir)(nil)
	_ fs.NodeFsyncer   = (*dir)(nil)
)

// newRoot is the root directory of an empty file system with the fault.
func newRoot(fault Fault) *dir {
	v := &volume{injector: newInjector(fault)}
	v.give(capacity)
	root := &dir{volume: v}
	root.init(context.Background(), 0755)
	// No request made it: it belongs to who serves it.
	root.uid, root.gid = uint32(os.Geteuid()), uint32(os.Getegid())
	return root
}

func (d *dir) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	subdirs := d.subdirs()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.attributes(&out.Attr)
	out.Size = blockSize
	out.Nlink = 2 + subdirs
	return 0
}

// subdirs counts the names in it that are directories: each has a ".." that is a link to d.
func (d *dir) subdirs() (n uint32) {
	for _, child := range d.Children() {
		if child.IsDir() {
			n++
		}
	}
	return n
}

func (d *dir) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	d.mu.Lock()
	d.change(in)
	d.mu.Unlock()
	return d.Getattr(ctx, h, out)
}

func (d *dir) Create(ctx context.Context, name string, _, mode uint32, out *fuse.EntryOut) (
	*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if d.GetChild(name) != nil {
		return nil, nil, 0, syscall.EEXIST
	}
	f := &faulty{injector: d.volume.injector}
	f.init(ctx, mode)
	f.data = data{space: &d.volume.space, blocks: map[int64]*block{}}
	inode := d.NewPersistentInode(ctx, f, fs.StableAttr{Mode: unix.S_IFREG})
	f.attributes(&out.Attr)
	d.changed()
	return inode, nil, 0, 0
}

func (d *dir) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if d.GetChild(name) != nil {
		return nil, syscall.EEXIST
	}
	sub := &dir{volume: d.volume}
	sub.init(ctx, mode)
	inode := d.NewPersistentInode(ctx, sub, fs.StableAttr{Mode: unix.S_IFDIR})
	var attr fuse.AttrOut
	sub.Getattr(ctx, nil, &attr)
	out.Attr = attr.Attr
	out.Attr.Mode |= unix.S_IFDIR
	d.changed()
	return inode, 0
}

func (d *dir) Link(_ context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	f, ok := target.(*faulty)
	if !ok {
		return nil, syscall.EPERM
	}
	if d.GetChild(name) != nil {
		return nil, syscall.EEXIST
	}
	f.links(+1)
	f.mu.Lock()
	f.attributes(&out.Attr)
	f.mu.Unlock()
	d.changed()
	return f.EmbeddedInode(), 0
}

func (d *dir) Unlink(_ context.Context, name string) syscall.Errno {
	child := d.GetChild(name)
	if child == nil {
		return syscall.ENOENT
	}
	drop(child)
	d.changed()
	return 0
}

func (d *dir) Rmdir(_ context.Context, name string) syscall.Errno {
	child := d.GetChild(name)
	if child == nil {
		return syscall.ENOENT
	}
	if len(child.Children()) > 0 {
		return syscall.ENOTEMPTY
	}
	drop(child)
	d.changed()
	return 0
}

// Rename is renameat2(2). The kernel has compared the types and looked for loops before it asks.
func (d *dir) Rename(_ context.Context, name string, newParent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	to, ok := newParent.(*dir)
	if !ok || flags&^(unix.RENAME_EXCHANGE|unix.RENAME_NOREPLACE) != 0 {
		return syscall.EINVAL
	}
	child, old := d.GetChild(name), to.GetChild(newName)
	switch {
	case child == nil, flags == unix.RENAME_EXCHANGE && old == nil:
		return syscall.ENOENT
	case flags == unix.RENAME_NOREPLACE && old != nil:
		return syscall.EEXIST
	case flags == 0 && old != nil && len(old.Children()) > 0:
		return syscall.ENOTEMPTY
	case flags == 0 && old != nil && old != child:
		drop(old)
	}
	d.changed()
	to.changed()
	return 0
}

// drop takes one name off a node. The last one takes its persistence too: it lives on as long as the kernel has it open.
func drop(inode *fs.Inode) {
	switch n := inode.Operations().(type) {
	case *faulty:
		if n.links(-1) > 0 {
			return
		}
	case *dir:
		n.links(-1)
	}
	inode.ForgetPersistent()
}

// changed notes that an entry came or went.
func (d *dir) changed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.touch()
}

func (d *dir) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	free := uint64(d.volume.free.Load())
	*out = fuse.StatfsOut{
		Blocks: capacity, Bfree: free, Bavail: free, Bsize: blockSize, Frsize: blockSize,
		Files: 1 << 20, Ffree: 1 << 20, NameLen: 255,
	}
	return 0
}
