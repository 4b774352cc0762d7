package fused

import (
	"encoding/binary"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"faultline/targetfs/disk"
	"faultline/targetfs/glock"
	"faultline/targetfs/image"
)

// Numbers and flags of ioctl_iflags(2) and of struct fsxattr (include/uapi/linux/fs.h). The kernel passes 32 bits of flags.
const (
	fsGetXattr = 0x801c581f
	fsSetXattr = 0x401c5820
	fsxSize    = 28

	fsSync         = 0x8
	fsImmutable    = 0x10
	fsAppend       = 0x20
	fsNoatime      = 0x80
	fsIndex        = 0x1000
	fsTopdir       = 0x20000
	fsJournalData  = 0x4000
	xflagSync      = 0x20
	xflagImmutable = 0x8
	xflagAppend    = 0x10
	xflagNoatime   = 0x40
)

// inodeFlags pairs the bits of di_flags with those of the ioctls (fs/gfs2/file.c, fsflag_gfs2flag); xflag 0 has no name there.
var inodeFlags = []struct{ di, fs, xflag uint32 }{
	{disk.FlagSync, fsSync, xflagSync},
	{disk.FlagImmutable, fsImmutable, xflagImmutable},
	{disk.FlagAppendOnly, fsAppend, xflagAppend},
	{disk.FlagNoatime, fsNoatime, xflagNoatime},
	{disk.FlagExhash, fsIndex, 0},
	{disk.FlagTopdir, fsTopdir, 0},
	{disk.FlagJdata, fsJournalData, 0},
}

// Ioctl gets and sets the flags of an inode.
func (n *node) Ioctl(_ <-chan struct{}, in *fuse.IoctlIn, arg []byte, _ *fuse.IoctlOut, reply []byte) fuse.Status {
	ino := n.addr(in.NodeId)
	var run func() error
	op := "getflags"
	switch cmd := in.Cmd; {
	case cmd == unix.FS_IOC_GETFLAGS && len(reply) >= 4:
		run = func() error { return n.getFlags(ino, func(fs, _ uint32) { binary.NativeEndian.PutUint32(reply, fs) }) }
	case cmd == fsGetXattr && len(reply) >= fsxSize:
		run = func() error {
			clear(reply)
			return n.getFlags(ino, func(_, x uint32) { binary.NativeEndian.PutUint32(reply, x) })
		}
	case cmd == unix.FS_IOC_SETFLAGS && len(arg) >= 4:
		op, run = "setflags", func() error { return n.setFlags(ino, binary.NativeEndian.Uint32(arg), false) }
	case cmd == fsSetXattr && len(arg) >= fsxSize:
		op, run = "setflags", func() error { return n.setXflags(ino, arg) }
	default:
		return fuse.Status(syscall.ENOTTY)
	}
	l := n.begin(&in.InHeader, op, ino)
	defer l.end()
	err := l.take(glock.File, ino)
	if err == nil {
		err = run()
	}
	return n.s.status(op, ino, err)
}

func (n *node) getFlags(ino uint64, put func(fs, xflags uint32)) error {
	di, err := n.s.stat(ino)
	if err == nil {
		put(fsFlags(&di))
	}
	return err
}

// fsFlags are the flags of an inode as the ioctls have them. A directory's journaled data means that of new files in it.
func fsFlags(di *disk.Dinode) (fs, xflags uint32) {
	have := shownFlags(di)
	for _, f := range inodeFlags {
		if have&f.di != 0 {
			fs, xflags = fs|f.fs, xflags|f.xflag
		}
	}
	return fs, xflags
}

func shownFlags(di *disk.Dinode) uint32 {
	if !di.IsDir() {
		return di.Flags
	}
	have := di.Flags &^ disk.FlagJdata
	if di.Flags&disk.FlagInheritJdata != 0 {
		have |= disk.FlagJdata
	}
	return have
}

// setXflags takes the flags of a struct fsxattr. The rest of it is for other file systems: extent sizes and projects.
func (n *node) setXflags(ino uint64, arg []byte) error {
	if binary.NativeEndian.Uint32(arg[4:]) != 0 || binary.NativeEndian.Uint32(arg[12:]) != 0 || binary.NativeEndian.Uint32(arg[16:]) != 0 {
		return syscall.EOPNOTSUPP
	}
	return n.setFlags(ino, binary.NativeEndian.Uint32(arg), true)
}

// setFlags sets the flags that may be set; whether the caller may is the kernel's to check. A struct fsxattr leaves alone what it
// has no name for.
func (n *node) setFlags(ino uint64, flags uint32, xflags bool) error {
	di, err := n.s.stat(ino)
	if err != nil {
		return err
	}
	want := di.Flags
	for _, f := range inodeFlags {
		bit := f.fs
		if xflags {
			bit = f.xflag
		}
		if bit == 0 {
			continue
		}
		mask := f.di
		if mask == disk.FlagJdata && di.IsDir() {
			mask = disk.FlagInheritJdata // beside FlagJdata, which every directory has
		}
		want &^= mask
		if flags&bit != 0 {
			want |= mask
		}
		flags &^= bit
	}
	if flags != 0 || (want^di.Flags)&disk.FlagExhash != 0 {
		return syscall.EOPNOTSUPP
	}
	return n.storeFlags(&di, want)
}

func (n *node) storeFlags(di *disk.Dinode, want uint32) error {
	ino := di.Num.Addr
	if !di.IsDir() && (want^di.Flags)&disk.FlagJdata != 0 {
		if err := n.s.image.SetJdata(ino, want&disk.FlagJdata != 0); err != nil {
			return err
		}
	}
	return n.s.image.Update(func(tx *image.Tx) error { return tx.SetFlags(ino, want) })
}
