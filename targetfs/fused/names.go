package fused

import (
	"errors"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"faultline/targetfs/disk"
	"faultline/targetfs/glock"
	"faultline/targetfs/image"
)

// Lookup finds a name in a directory. That a name is not there may be cached as well.
func (n *node) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	dir := n.addr(h.NodeId)
	l := n.begin(h, "lookup", dir)
	defer l.end()
	err := l.take(glock.Dir, dir)
	var child uint64
	if err == nil {
		child, err = n.s.lookup(dir, name)
	}
	if errors.Is(err, syscall.ENOENT) && n.entryTime() > 0 {
		out.EntryValid = n.entryTime()
		return fuse.OK
	}
	if err == nil {
		n.s.names.set(child, name)
		err = n.enter(l, child, out)
	}
	return n.s.status("lookup", dir, err)
}

func (s *Server) lookup(dir uint64, name string) (child uint64, err error) {
	err = s.view(func(tx *image.Tx) error {
		inum, err := tx.Lookup(dir, name)
		child = inum.Addr
		return err
	})
	return child, err
}

// enter tells the kernel of an inode, which then counts as looked up.
func (n *node) enter(l *locks, ino uint64, out *fuse.EntryOut) error {
	if err := n.know(l, ino); err != nil {
		return err
	}
	err := l.take(glock.Child, ino)
	var di disk.Dinode
	if err == nil {
		di, err = n.s.stat(ino)
	}
	if err != nil {
		n.forget(ino, 1)
		return err
	}
	n.entry(&di, out)
	return nil
}

// entry fills in what the kernel hears of an inode. The formal number tells generations of one address apart.
func (n *node) entry(di *disk.Dinode, out *fuse.EntryOut) {
	out.NodeId, out.Generation = n.nodeid(di.Num.Addr), di.Num.FormalIno
	out.EntryValid, out.AttrValid = n.entryTime(), n.attrTime()
	n.attributes(di, &out.Attr)
}

// Mknod makes files, devices, fifos and sockets.
func (n *node) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	spec := image.NewInode{Mode: in.Mode, UID: in.Uid, GID: in.Gid}
	if t := in.Mode & disk.ModeType; t == disk.ModeChar || t == disk.ModeBlock {
		spec.Major, spec.Minor = unix.Major(uint64(in.Rdev)), unix.Minor(uint64(in.Rdev))
	}
	return n.make(&in.InHeader, "mknod", name, spec, in.Umask, out)
}

// Mkdir makes a directory.
func (n *node) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	spec := image.NewInode{Mode: in.Mode&0o7777 | disk.ModeDir, UID: in.Uid, GID: in.Gid}
	return n.make(&in.InHeader, "mkdir", name, spec, in.Umask, out)
}

// Symlink makes a symbolic link.
func (n *node) Symlink(_ <-chan struct{}, h *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	spec := image.NewInode{Mode: disk.ModeLink | 0o777, UID: h.Uid, GID: h.Gid, Target: target}
	return n.make(h, "symlink", name, spec, 0, out)
}

// Create makes a file and opens it.
func (n *node) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	spec := image.NewInode{Mode: in.Mode&0o7777 | disk.ModeReg, UID: in.Uid, GID: in.Gid}
	status := n.make(&in.InHeader, "create", name, spec, in.Umask, &out.EntryOut)
	if status == fuse.Status(syscall.EEXIST) && in.Flags&unix.O_EXCL == 0 {
		return fuse.Status(syscall.ESTALE) // another node was faster: the kernel looks again, and opens what it finds
	}
	if status == fuse.OK {
		n.opened(n.addr(out.NodeId), in.Flags, &out.OpenOut)
	}
	return status
}

// Tmpfile makes a file without a name and opens it: O_TMPFILE.
func (n *node) Tmpfile(_ <-chan struct{}, in *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	spec := image.NewInode{Mode: in.Mode&0o7777 | disk.ModeReg, UID: in.Uid, GID: in.Gid}
	status := n.make(&in.InHeader, "create", "", spec, in.Umask, &out.EntryOut)
	if status == fuse.OK {
		n.opened(n.addr(out.NodeId), in.Flags, &out.OpenOut)
	}
	return status
}

// make makes an inode with a name in the directory of the request; with an empty name, a file without one.
func (n *node) make(h *fuse.InHeader, op, name string, spec image.NewInode, umask uint32, out *fuse.EntryOut) fuse.Status {
	dir := n.addr(h.NodeId)
	l := n.begin(h, op, dir)
	defer l.end()
	err := l.take(glock.Dir, dir)
	var child uint64
	if err == nil {
		err = n.withSpace(func() (err error) {
			child, err = n.s.create(dir, name, spec, umask)
			return err
		})
	}
	if err == nil {
		n.s.names.set(child, name)
		err = n.enter(l, child, out)
	}
	if err == nil {
		err = l.allocates(out.Attr.Owner, child)
	}
	return n.s.status(op, dir, err)
}

// create makes an inode, with the access control lists that it inherits.
func (s *Server) create(dir uint64, name string, spec image.NewInode, umask uint32) (child uint64, err error) {
	err = s.image.Update(func(tx *image.Tx) error {
		parent, err := tx.Stat(dir)
		if err != nil {
			return err
		}
		if parent.Flags&disk.FlagImmutable != 0 {
			return syscall.EPERM
		}
		acls, err := inherit(tx, &parent, &spec, umask)
		if err != nil {
			return err
		}
		if name == "" {
			child, err = tx.CreateUnnamed(dir, spec)
		} else {
			child, err = tx.Create(dir, name, spec)
		}
		if err != nil {
			return err
		}
		return acls.store(tx, child)
	})
	return child, err
}

// Link gives an inode another name.
func (n *node) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	dir, ino := n.addr(in.NodeId), n.addr(in.Oldnodeid)
	l := n.begin(&in.InHeader, "link", ino)
	defer l.end()
	err := l.take(glock.Dir, dir)
	if err == nil {
		err = n.know(l, ino)
	}
	if err != nil {
		return n.s.status("link", ino, err)
	}
	err = l.take(glock.Child, ino)
	var di disk.Dinode
	if err == nil {
		di, err = n.s.link(ino, dir, name)
	}
	if err != nil {
		n.forget(ino, 1)
		return n.s.status("link", ino, err)
	}
	n.entry(&di, out)
	return fuse.OK
}

func (s *Server) link(ino, dir uint64, name string) (di disk.Dinode, err error) {
	err = s.image.Update(func(tx *image.Tx) error {
		parent, err := tx.Stat(dir)
		if err != nil {
			return err
		}
		if di, err = tx.Stat(ino); err != nil {
			return err
		}
		if parent.Flags&disk.FlagImmutable != 0 || di.Flags&(disk.FlagImmutable|disk.FlagAppendOnly) != 0 {
			return syscall.EPERM
		}
		if err := tx.Link(ino, dir, name); err != nil {
			return err
		}
		di, err = tx.Stat(ino)
		return err
	})
	return di, err
}

// Readlink is the target of a symbolic link.
func (n *node) Readlink(_ <-chan struct{}, h *fuse.InHeader) ([]byte, fuse.Status) {
	ino := n.addr(h.NodeId)
	l := n.begin(h, "readlink", ino)
	defer l.end()
	err := l.take(glock.File, ino)
	var target string
	if err == nil {
		err = n.s.view(func(tx *image.Tx) (err error) {
			target, err = tx.Readlink(ino)
			return err
		})
	}
	return []byte(target), n.s.status("readlink", ino, err)
}
