package fused

import (
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"faultline/targetfs/disk"
	"faultline/targetfs/glock"
	"faultline/targetfs/image"
)

// forever is how long the kernel may believe what nobody else changes, in seconds.
const forever = 365 * 24 * 3600

// Bits of a mode that a change of content or owner takes away.
const (
	modeSuid    = 0o4000
	modeSgid    = 0o2000
	modeExec    = 0o010 // of the group: without it the set-group-ID bit does not mean a program's
	modeAnyExec = 0o111 // of anybody: without it root may not execute the file either
)

// entryTime is how long names may be cached, attrTime how long attributes may be, in seconds. Under a user-copy policy each
// read asks for the attributes: that is how it is noticed.
func (n *node) entryTime() uint64 {
	if n.shared() {
		return 0
	}
	return forever
}

func (n *node) attrTime() uint64 {
	if n.shared() || !n.s.options.fast() {
		return 0
	}
	return forever
}

// attributes fills in what stat(2) shows of an inode.
func (n *node) attributes(di *disk.Dinode, out *fuse.Attr) {
	bs := uint64(n.s.image.BlockSize())
	*out = fuse.Attr{
		Ino: di.Num.Addr, Size: di.Size, Blocks: di.Blocks * bs / 512, Blksize: uint32(bs),
		Atime: uint64(di.Atime), Mtime: uint64(di.Mtime), Ctime: uint64(di.Ctime),
		Atimensec: di.AtimeNsec, Mtimensec: di.MtimeNsec, Ctimensec: di.CtimeNsec,
		Mode: di.Mode, Nlink: di.Nlink, Owner: fuse.Owner{Uid: di.UID, Gid: di.GID},
	}
	if t := di.Type(); t == disk.ModeChar || t == disk.ModeBlock {
		out.Rdev = uint32(unix.Mkdev(di.Major, di.Minor))
	}
}

// GetAttr answers stat(2), and begins a read(2) under a user-copy policy.
func (n *node) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	ino := n.addr(in.NodeId)
	n.prologue(&in.InHeader, cancel, ino, true)
	l := n.begin(&in.InHeader, "getattr", ino)
	defer l.end()
	if err := l.take(glock.File, ino); err != nil {
		return n.s.status("getattr", ino, err)
	}
	return n.s.status("getattr", ino, n.attrOut(ino, out))
}

func (n *node) attrOut(ino uint64, out *fuse.AttrOut) error {
	di, err := n.s.stat(ino)
	if err != nil {
		return err
	}
	out.AttrValid = n.attrTime()
	n.attributes(&di, &out.Attr)
	return nil
}

// SetAttr is chmod, chown, utimensat and truncate.
func (n *node) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	ino := n.addr(in.NodeId)
	op := "setattr"
	if in.Valid&fuse.FATTR_SIZE != 0 {
		op = "truncate"
		n.around.write(ino)
		defer n.around.written(ino)
	}
	l := n.begin(&in.InHeader, op, ino)
	defer l.end()
	err := n.lockSetAttr(l, in, ino)
	if err == nil {
		err = n.setAttr(ino, in)
	}
	if err == nil {
		err = n.attrOut(ino, out)
	}
	return n.s.status(op, ino, err)
}

func (n *node) lockSetAttr(l *locks, in *fuse.SetAttrIn, ino uint64) error {
	if n.shared() && in.Valid&fuse.FATTR_SIZE != 0 {
		return n.lockThrough(l, ino, glock.EX)
	}
	return l.take(glock.File, ino)
}

func (n *node) setAttr(ino uint64, in *fuse.SetAttrIn) error {
	if size, ok := in.GetSize(); ok {
		if err := n.truncate(ino, int64(size), in.Valid&fuse.FATTR_KILL_SUIDGID != 0); err != nil {
			return err
		}
	}
	c := changes(in)
	_, sized := in.GetSize()
	if c == (image.Changes{}) && sized {
		return nil
	}
	// A request for nothing is chown(2) to the same owner, which takes the set-ID bits all the same.
	owned := c.UID != nil || c.GID != nil || c == (image.Changes{})
	return n.s.image.Update(func(tx *image.Tx) error {
		di, err := tx.Stat(ino)
		if err != nil {
			return err
		}
		if di.Flags&(disk.FlagImmutable|disk.FlagAppendOnly) != 0 && (c.Mode != nil || owned) {
			return syscall.EPERM
		}
		if owned {
			if err := killOwner(tx, &di, &c); err != nil {
				return err
			}
		}
		if c.Mode != nil && in.Valid&fuse.FATTR_MODE != 0 {
			if err := chmodACL(tx, ino, *c.Mode); err != nil {
				return err
			}
		}
		return tx.SetAttr(ino, c)
	})
}

// changes is what a SETATTR sets, but for the size.
func changes(in *fuse.SetAttrIn) (c image.Changes) {
	if mode, ok := in.GetMode(); ok {
		mode &= 0o7777
		c.Mode = &mode
	}
	if uid, ok := in.GetUID(); ok {
		c.UID = &uid
	}
	if gid, ok := in.GetGID(); ok {
		c.GID = &gid
	}
	if t, ok := in.GetATime(); ok {
		c.Atime = &t
	}
	if t, ok := in.GetMTime(); ok {
		c.Mtime = &t
	}
	return c
}

func (n *node) truncate(ino uint64, size int64, kill bool) error {
	di, err := n.s.stat(ino)
	if err != nil {
		return err
	}
	if di.Flags&(disk.FlagImmutable|disk.FlagAppendOnly) != 0 {
		return syscall.EPERM
	}
	if err := n.killPrivileges(&di, kill); err != nil {
		return err
	}
	return n.s.image.Truncate(ino, size)
}

// killOwner takes the set-ID bits and the capabilities from a file that gets another owner. A mode in the same request is the
// kernel's word for it (fs/fuse/dir.c, fuse_setattr).
func killOwner(tx *image.Tx, di *disk.Dinode, c *image.Changes) error {
	if di.IsDir() {
		return nil
	}
	if mode := withoutPrivileges(di.Mode); c.Mode == nil && mode != di.Mode {
		mode &= 0o7777
		c.Mode = &mode
	}
	return dropCapability(tx, di)
}

// withoutPrivileges is the mode after a change of content by somebody without privileges (fs/attr.c, setattr_should_drop_suidgid).
func withoutPrivileges(mode uint32) uint32 {
	mode &^= modeSuid
	if mode&modeExec != 0 {
		mode &^= modeSgid
	}
	return mode
}

// killPrivileges takes the capabilities from a file whose content changes, and with ids the set-ID bits as well. The kernel does it
// itself unless it left that to us.
func (n *node) killPrivileges(di *disk.Dinode, ids bool) error {
	mode := di.Mode
	if ids {
		mode = withoutPrivileges(mode)
	}
	if mode == di.Mode && di.Eattr == 0 {
		return nil
	}
	ino := di.Num.Addr
	return n.s.image.Update(func(tx *image.Tx) error {
		if err := dropCapability(tx, di); err != nil || mode == di.Mode {
			return err
		}
		mode := mode & 0o7777
		return tx.SetAttr(ino, image.Changes{Mode: &mode})
	})
}

// relatime moves the time of access when it is not younger than the last change, or a day old.
func (n *node) relatime(di *disk.Dinode) {
	o := &n.s.options
	if o.NoAtime || o.ReadOnly || di.Flags&disk.FlagNoatime != 0 {
		return
	}
	now := time.Now()
	a := time.Unix(di.Atime, int64(di.AtimeNsec))
	changed := !a.After(time.Unix(di.Mtime, int64(di.MtimeNsec))) || !a.After(time.Unix(di.Ctime, int64(di.CtimeNsec)))
	if !changed && now.Sub(a) < 24*time.Hour {
		return
	}
	ino := di.Num.Addr
	// A failure is not the reader's.
	_ = n.s.image.Update(func(tx *image.Tx) error { return tx.SetAtime(ino, now) })
}

// StatFs counts blocks as gfs2 does: an inode takes a block, so that free blocks are free inodes.
func (n *node) StatFs(_ <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	if n.orphans.pending() {
		n.reap()
	}
	return n.s.status("statfs", n.addr(in.NodeId), n.s.view(func(tx *image.Tx) error {
		all, err := tx.Statfs()
		if err != nil {
			return err
		}
		bs := uint32(n.s.image.BlockSize())
		free := uint64(max(all.Free, 0))
		*out = fuse.StatfsOut{Blocks: uint64(max(all.Total, 0)), Bfree: free, Bavail: free, Files: uint64(max(all.Dinodes, 0)) + free, Ffree: free,
			Bsize: bs, Frsize: bs, NameLen: disk.MaxName}
		return nil
	}))
}
