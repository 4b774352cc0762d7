// Package initramfs writes the file system that a guest boots from: our own static binary as /init, the kernel modules that it must insert, in
// order, and nothing else. A kernel unpacks it before it runs /init (Documentation/driver-api/early-userspace/buffer-format.rst). It imports
// harness/guest/unpack.
//
//	tree, err := initramfs.OpenTree("/usr/lib/uml/modules/6.1.176")
//	files, err := tree.Resolve([]string{"gfs2"}, nil) // configfs, dlm, gfs2
//	err = initramfs.Write(w, "/proc/self/exe", files)
package initramfs
