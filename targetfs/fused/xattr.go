package fused

import (
	"errors"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"faultline/targetfs/disk"
	"faultline/targetfs/glock"
	"faultline/targetfs/image"
)

// capability is the attribute with the privileges of a program. The kernel asks for it before a write.
var capability = image.Xattr{Type: disk.EASecurity, Name: "capability"}

// xattrOf is the attribute with that name; EOPNOTSUPP for one that gfs2 has no place for.
func xattrOf(name string) (image.Xattr, error) {
	space, rest, _ := strings.Cut(name, ".")
	types := map[string]disk.EAType{"user": disk.EAUser, "security": disk.EASecurity, "trusted": disk.EATrusted}
	if t, ok := types[space]; ok {
		return image.Xattr{Type: t, Name: rest}, nil
	}
	switch x := (image.Xattr{Type: disk.EASystem, Name: rest}); x {
	case accessACL, defaultACL:
		if space == "system" {
			return x, nil
		}
	}
	return image.Xattr{}, syscall.EOPNOTSUPP
}

// xattrName is the name with its prefix.
func xattrName(x image.Xattr) string { return x.Type.String() + "." + x.Name }

// GetXAttr reads an attribute. One that isn't there must be ENODATA: after ENOSYS the kernel would not ask again.
func (n *node) GetXAttr(cancel <-chan struct{}, h *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	ino := n.addr(h.NodeId)
	x, err := xattrOf(name)
	if x == capability {
		n.prologue(h, cancel, ino, false)
	}
	l := n.begin(h, "getxattr", ino)
	defer l.end()
	if err == nil {
		err = l.take(glock.File, ino)
	}
	var value []byte
	if err == nil {
		err = n.s.view(func(tx *image.Tx) (err error) {
			value, err = tx.GetXattr(ino, x)
			return err
		})
	}
	return n.fill(dest, value, n.s.status("getxattr", ino, err))
}

// fill copies an answer whose room the caller chose.
func (n *node) fill(dest, value []byte, status fuse.Status) (uint32, fuse.Status) {
	if status != fuse.OK {
		return 0, status
	}
	if len(dest) < len(value) {
		return uint32(len(value)), fuse.ERANGE
	}
	return uint32(copy(dest, value)), fuse.OK
}

// ListXAttr lists the attributes. The trusted ones are root's.
func (n *node) ListXAttr(_ <-chan struct{}, h *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	ino := n.addr(h.NodeId)
	l := n.begin(h, "listxattr", ino)
	defer l.end()
	err := l.take(glock.File, ino)
	var list []byte
	if err == nil {
		err = n.s.view(func(tx *image.Tx) error {
			all, err := tx.ListXattr(ino)
			for _, x := range all {
				if x.Type != disk.EATrusted || h.Uid == 0 {
					list = append(append(list, xattrName(x)...), 0)
				}
			}
			return err
		})
	}
	return n.fill(dest, list, n.s.status("listxattr", ino, err))
}

// SetXAttr sets an attribute. The access list is one, and changes the mode.
func (n *node) SetXAttr(_ <-chan struct{}, in *fuse.SetXAttrIn, name string, value []byte) fuse.Status {
	return n.changeXattr(&in.InHeader, name, func(tx *image.Tx, di *disk.Dinode, x image.Xattr) error {
		if x == accessACL || x == defaultACL {
			return setACL(tx, di, x, value, in.SetXAttrFlags&fuse.SETXATTR_ACL_KILL_SGID != 0)
		}
		return tx.SetXattr(di.Num.Addr, x, value, image.XattrFlags(in.Flags))
	})
}

// RemoveXAttr removes an attribute. Without an access list the mode stays what it was; an ACL that isn't there is no error, as
// fs/posix_acl.c has it.
func (n *node) RemoveXAttr(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return n.changeXattr(h, name, func(tx *image.Tx, di *disk.Dinode, x image.Xattr) error {
		err := tx.RemoveXattr(di.Num.Addr, x)
		if x.Type == disk.EASystem && errors.Is(err, syscall.ENODATA) {
			return nil
		}
		return err
	})
}

func (n *node) changeXattr(h *fuse.InHeader, name string, change func(*image.Tx, *disk.Dinode, image.Xattr) error) fuse.Status {
	ino := n.addr(h.NodeId)
	l := n.begin(h, "setxattr", ino)
	defer l.end()
	x, err := xattrOf(name)
	if err == nil {
		err = l.take(glock.File, ino)
	}
	if err != nil {
		return n.s.status("setxattr", ino, err)
	}
	return n.s.status("setxattr", ino, n.s.image.Update(func(tx *image.Tx) error {
		di, err := tx.Stat(ino)
		if err != nil {
			return err
		}
		if di.Flags&(disk.FlagImmutable|disk.FlagAppendOnly) != 0 {
			return syscall.EPERM
		}
		return change(tx, &di, x)
	}))
}

// dropCapability removes the privileges of a program that is changed.
func dropCapability(tx *image.Tx, di *disk.Dinode) error {
	if di.Eattr == 0 {
		return nil
	}
	err := tx.RemoveXattr(di.Num.Addr, capability)
	if errors.Is(err, syscall.ENODATA) {
		return nil
	}
	return err
}
