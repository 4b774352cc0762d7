// Package initramfs writes the file system that a guest boots from: our own binary as /init, with its libraries if it has any, the kernel modules
// that it must insert, in order, and nothing else. A kernel unpacks it before it runs /init
// (Documentation/driver-api/early-userspace/buffer-format.rst). It imports harness/guest/unpack.
//
//	err := initramfs.Create("initrd", "/proc/self/exe", "/usr/lib/uml/modules/6.1.176", []string{"gfs2"}, nil) // inserts configfs, dlm, gfs2
package initramfs
