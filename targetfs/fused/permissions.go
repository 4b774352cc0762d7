package fused

import (
	"os"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"faultline/targetfs/disk"
	"faultline/targetfs/glock"
)

// Who checks permissions. With default_permissions, and with access control lists, which imply it, the kernel does (fs/fuse/dir.c,
// fuse_permission). Then it asks for the attributes of a directory again after each change in it: a second request for every name that is
// created or removed. Where nobody but root gets in there is nothing that a check could refuse, but for the execution of files without an x,
// and so the mount does without. Root that has given its capabilities away gets in as well: who wants it checked mounts with
// default_permissions.

// trusting tells whether permissions are not checked. Mounts for policies and for several nodes, where the number of requests does not
// matter, are as mounts for everybody.
func (o *Options) trusting() bool {
	return o.fast() && o.nodes() == 1 && !o.AllowOther && !o.DefaultPermissions && os.Geteuid() == 0
}

// Access answers access(2) and chdir(2) where the kernel does not check: root may do all but execute files that nobody may execute (path_resolution(7)).
func (n *node) Access(_ <-chan struct{}, in *fuse.AccessIn) fuse.Status {
	if !n.s.options.trusting() || in.Mask&unix.X_OK == 0 {
		return fuse.OK
	}
	ino := n.addr(in.NodeId)
	l := n.begin(&in.InHeader, "getattr", ino)
	defer l.end()
	if err := l.take(glock.File, ino); err != nil {
		return n.s.status("access", ino, err)
	}
	di, err := n.s.stat(ino)
	if err == nil && di.Type() == disk.ModeReg && di.Mode&modeAnyExec == 0 {
		return fuse.EACCES
	}
	return n.s.status("access", ino, err)
}
