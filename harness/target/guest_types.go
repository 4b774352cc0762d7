package target

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"faultline/harness/guest"
	"faultline/harness/guest/kernels"
	"faultline/harness/guest/pid1"
)

// guestType is how a file system is mounted in a guest.
type guestType struct {
	name    string
	modules string // that it needs where they are not built in, by spaces; modules.dep knows what those need in turn
	maybe   string // that it asks for while it runs, in some kernels
	options string // of mount(8), that it always has
	plain   bool   // it has no disk
	stacked bool   // it lies on another type
	served  bool   // by our own GFS2 server in the guest
}

func (t guestType) onDisk() bool { return t.name != "" && !t.plain && !t.stacked }

// disk is how the type is made and checked.
func (t guestType) disk() *fsType {
	name := t.name
	if t.served {
		name = "gfs2"
	}
	i := slices.IndexFunc(fsTypes, func(f fsType) bool { return f.name == name })
	return &fsTypes[i]
}

// checksums are those that file systems get by name from the kernel's crypto layer, which would have modprobe(8) insert them.
const checksums = "libcrc32c crc32c_generic crc32c_cryptoapi crc32_generic crc32_cryptoapi"

// guestTypes are the types that fs= may name.
var guestTypes = []guestType{
	{name: "gfs2", modules: "gfs2", maybe: checksums, options: "lockproto=lock_nolock"},
	{name: "ext4", modules: "ext4", maybe: checksums},
	{name: "xfs", modules: "xfs", maybe: checksums},
	{name: "btrfs", modules: "btrfs", maybe: checksums + " xxhash_generic sha256_generic blake2b_generic"},
	{name: "f2fs", modules: "f2fs", maybe: checksums},
	{name: "exfat", modules: "exfat", maybe: "nls_utf8 nls_ascii nls_iso8859_1"},
	{name: "ntfs3", modules: "ntfs3", maybe: "nls_utf8"},
	{name: "ocfs2", modules: "ocfs2", maybe: checksums, options: "heartbeat=none"}, // mkfs: "-M local"; 7.2 does not mount it otherwise
	{name: "tmpfs", plain: true},
	{name: "overlay", modules: "overlay", stacked: true},
	{name: "fuse", modules: "fuse", served: true},
}

func findGuestType(spec, name string) (guestType, error) {
	var names []string
	for _, t := range guestTypes {
		if t.name == name {
			return t, nil
		}
		names = append(names, t.name)
	}
	problem := fmt.Sprintf("there is no file-system type %q", name)
	if near := nearest(name, names); near != "" {
		problem += fmt.Sprintf("; did you mean %q", near)
	}
	return guestType{}, &UsageError{spec, problem + "; the types are " + strings.Join(names, ", ")}
}

// modules are what is inserted in the guest; those in maybe only where there are such.
func (o guestOptions) modules() (must, maybe []string) {
	if o.kind == kernels.BzImage {
		must = append(must, "virtio_pci", "virtio_blk", "virtio_console")
	}
	for _, t := range []guestType{otherType, o.on, o.fs} {
		must = append(must, strings.Fields(t.modules)...)
		maybe = append(maybe, strings.Fields(t.maybe)...)
	}
	return must, append(maybe, "fuse")
}

// guestPoint is where the file system under test is in the guest, guestLayers where those of an overlay are, and guestOther is another file system,
// for files that programs want elsewhere: on tmpfs old kernels have no direct I/O.
const (
	guestPoint  = "/fs"
	guestLayers = "/layers"
	guestOther  = "/other"
)

// otherType is the type of the other file system, which all kernels have, and otherSize its size in bytes.
var otherType = guestTypes[slices.IndexFunc(guestTypes, func(t guestType) bool { return t.name == "ext4" })]

const otherSize = 128 << 20

// mounts are what the guest is to mount. The other file system is on the first disk.
func (o guestOptions) mounts() []pid1.Mount {
	other := pid1.Mount{Source: guest.Device(o.kind, 0), Point: guestOther, Type: otherType.name}
	return append([]pid1.Mount{other}, o.own()...)
}

// own are the mounts of the file system under test.
func (o guestOptions) own() []pid1.Mount {
	own := pid1.Mount{Source: guest.Device(o.kind, 1), Point: guestPoint, Type: o.fs.name, Options: both(o.fs.options, o.mount)}
	switch {
	case o.fs.served:
		return nil // by the server
	case o.fs.plain:
		own.Source, own.Options = "faultline", both(fmt.Sprintf("size=%d", o.size), o.mount)
	case o.fs.stacked:
		below := pid1.Mount{
			Source: own.Source, Point: guestLayers, Type: o.on.name, Options: o.on.options, Make: []string{"lower", "upper", "work"},
		}
		layer := func(name string) string { return filepath.Join(guestLayers, name) }
		own.Source = "faultline"
		own.Options = both(fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", layer("lower"), layer("upper"), layer("work")), o.mount)
		return []pid1.Mount{below, own}
	}
	return []pid1.Mount{own}
}

func both(a, b string) string { return strings.Trim(a+","+b, ",") }
