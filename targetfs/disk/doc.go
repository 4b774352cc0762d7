// Package disk describes GFS2's on-disk structures: their fields, sizes, checksums and tiling rules. It does no I/O,
// and it imports the standard library only.
//
// Every structure is a fixed-size Go struct in the order of the kernel's include/uapi/linux/gfs2_ondisk.h, with the
// kernel's field name behind each field. All integers are big-endian. Pads are blank fields: they are written as
// zeros and ignored when read. A block is checked for magic and type by the function that decodes it:
//
//	sb, err := disk.DecodeSuperblock(buf, addr)
//	if _, bad := errors.AsType[*disk.CorruptError](err); bad { ... }
//
// Two errors say two different things: CorruptError means that the bytes break a rule of the format,
// UnsupportedError that they are fine and that this program can't work with them.
package disk
