package fused

import (
	"encoding/binary"
	"errors"
	"slices"
	"syscall"

	"faultline/targetfs/disk"
	"faultline/targetfs/image"
)

// The two access control lists of an inode. The kernel checks permissions with them; to keep them in step with the mode, and to
// give them to new inodes, is the server's.
var (
	accessACL  = image.Xattr{Type: disk.EASystem, Name: "posix_acl_access"}
	defaultACL = image.Xattr{Type: disk.EASystem, Name: "posix_acl_default"}
)

// acl is a list as the attribute has it (include/uapi/linux/posix_acl_xattr.h): a version, and entries of a tag, permissions and an ID,
// little-endian.
type acl []aclEntry

type aclEntry struct {
	Tag, Perm uint16
	ID        uint32
}

// Tags, in the order in which a list has them.
const (
	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20
)

const (
	aclVersion    = 2
	aclHeaderSize = 4
	aclEntrySize  = 8
)

var le = binary.LittleEndian

// parseACL reads a list and checks it as posix_acl_valid does in the kernel.
func parseACL(value []byte) (acl, error) {
	if len(value) < aclHeaderSize || (len(value)-aclHeaderSize)%aclEntrySize != 0 {
		return nil, syscall.EINVAL
	}
	if le.Uint32(value) != aclVersion {
		return nil, syscall.EOPNOTSUPP
	}
	var a acl
	for b := value[aclHeaderSize:]; len(b) > 0; b = b[aclEntrySize:] {
		a = append(a, aclEntry{le.Uint16(b), le.Uint16(b[2:]), le.Uint32(b[4:])})
	}
	return a, a.check()
}

func (a acl) check() error {
	count := map[uint16]int{}
	last := uint16(0)
	for _, e := range a {
		known := e.Tag == aclUserObj || e.Tag == aclUser || e.Tag == aclGroupObj || e.Tag == aclGroup || e.Tag == aclMask || e.Tag == aclOther
		if !known || e.Tag < last || e.Perm > 7 {
			return syscall.EINVAL
		}
		last = e.Tag
		count[e.Tag]++
	}
	named := count[aclUser]+count[aclGroup] > 0
	if count[aclUserObj] != 1 || count[aclGroupObj] != 1 || count[aclOther] != 1 || count[aclMask] > 1 || named && count[aclMask] == 0 {
		return syscall.EINVAL
	}
	return nil
}

func (a acl) encode() []byte {
	b := le.AppendUint32(nil, aclVersion)
	for _, e := range a {
		b = le.AppendUint16(b, e.Tag)
		b = le.AppendUint16(b, e.Perm)
		b = le.AppendUint32(b, e.ID)
	}
	return b
}

// entry is the entry that stands for the owner, the group or the others of a mode. With a mask the group's bits are the mask's.
func (a acl) entry(tag uint16) *aclEntry {
	i := slices.IndexFunc(a, func(e aclEntry) bool { return e.Tag == tag })
	if i < 0 {
		return nil
	}
	return &a[i]
}

func (a acl) group() *aclEntry {
	if mask := a.entry(aclMask); mask != nil {
		return mask
	}
	return a.entry(aclGroupObj)
}

// mode is the permissions that the list stands for, and whether they say all of it.
func (a acl) mode() (mode uint32, all bool) {
	mode = uint32(a.entry(aclUserObj).Perm)<<6 | uint32(a.group().Perm)<<3 | uint32(a.entry(aclOther).Perm)
	return mode, len(a) == 3
}

// setMode makes the list fit new permissions: chmod(2).
func (a acl) setMode(mode uint32) {
	a.entry(aclUserObj).Perm = uint16(mode >> 6 & 7)
	a.group().Perm = uint16(mode >> 3 & 7)
	a.entry(aclOther).Perm = uint16(mode & 7)
}

// load is a list of an inode, nil when it has none.
func loadACL(tx *image.Tx, di *disk.Dinode, x image.Xattr) (acl, error) {
	if di.Eattr == 0 {
		return nil, nil
	}
	value, err := tx.GetXattr(di.Num.Addr, x)
	if errors.Is(err, syscall.ENODATA) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseACL(value)
}

// setACL stores a list. The access list gives the inode its permissions, and is not kept when they say all of it.
func setACL(tx *image.Tx, di *disk.Dinode, x image.Xattr, value []byte, killSgid bool) error {
	a, err := parseACL(value)
	if err != nil {
		return err
	}
	ino := di.Num.Addr
	if x == defaultACL {
		if !di.IsDir() {
			return syscall.EACCES
		}
		return tx.SetXattr(ino, x, value, 0)
	}
	bits, all := a.mode()
	mode := di.Mode&0o7000 | bits
	if killSgid {
		mode &^= modeSgid
	}
	if err := tx.SetAttr(ino, image.Changes{Mode: &mode}); err != nil {
		return err
	}
	if !all {
		return tx.SetXattr(ino, x, value, 0)
	}
	if err := tx.RemoveXattr(ino, x); !errors.Is(err, syscall.ENODATA) {
		return err
	}
	return nil
}

// chmodACL makes an access list fit a new mode.
func chmodACL(tx *image.Tx, ino uint64, mode uint32) error {
	di, err := tx.Stat(ino)
	if err != nil {
		return err
	}
	a, err := loadACL(tx, &di, accessACL)
	if err != nil || a == nil {
		return err
	}
	a.setMode(mode)
	return tx.SetXattr(ino, accessACL, a.encode(), 0)
}

// inherited are the lists of a new inode.
type inherited struct{ access, byDefault []byte }

// inherit finds out what a new inode gets from its directory, and sets its permissions: those of the directory's default list, or
// without one, what the umask leaves (fs/posix_acl.c, posix_acl_create).
func inherit(tx *image.Tx, parent *disk.Dinode, spec *image.NewInode, umask uint32) (in inherited, err error) {
	if spec.Mode&disk.ModeType == disk.ModeLink {
		return in, nil
	}
	a, err := loadACL(tx, parent, defaultACL)
	if err != nil {
		return in, err
	}
	if a == nil {
		spec.Mode &^= umask & 0o777
		return in, nil
	}
	if spec.Mode&disk.ModeType == disk.ModeDir {
		in.byDefault = a.encode()
	}
	a.entry(aclUserObj).Perm &= uint16(spec.Mode >> 6 & 7)
	a.group().Perm &= uint16(spec.Mode >> 3 & 7)
	a.entry(aclOther).Perm &= uint16(spec.Mode & 7)
	bits, all := a.mode()
	spec.Mode = spec.Mode&^0o777 | bits
	if !all {
		in.access = a.encode()
	}
	return in, nil
}

// store gives them to the inode.
func (in inherited) store(tx *image.Tx, ino uint64) error {
	if in.access != nil {
		if err := tx.SetXattr(ino, accessACL, in.access, 0); err != nil {
			return err
		}
	}
	if in.byDefault != nil {
		return tx.SetXattr(ino, defaultACL, in.byDefault, 0)
	}
	return nil
}
