// Package fused serves a GFS2 image as a FUSE file system. Data and metadata are image's, locks are glock's: every operation
// takes the glocks that gfs2 takes, in gfs2's order. It imports image, glock, disk, usercopy and control, of ours.
//
//	opts, err := fused.ParseOptions("noatime,allow_other")
//	opts.Image, opts.Dirs = "disk.img", []string{"/mnt"}
//	server, err := fused.Mount(opts)
//	...
//	err = server.Unmount() // or wait for umount(8): server.Wait()
//
// The process that serves must never touch the mount itself: it may wait for itself then.
//
// A mount with one node is the only one that changes the image, and so the kernel may cache names, attributes and pages for as long
// as it likes. With more nodes, each has a mount of its own in the same process, and the glocks keep their caches coherent: see
// coherence.go.
//
// With copy=POLICY the user buffers of reads and writes are touched under the glock, as package usercopy says. Package control asks the
// server, also while everything hangs: its commands are in control.go.
//
// What FUSE can't do: syncfs(2) writes pages and never asks the server (FUSE_SYNCFS goes to virtiofs and block devices only,
// fs/fuse/inode.c), so the server flushes by itself every few seconds, as gfs2's commit= does; and a store through a shared mapping
// is not announced (there is no page_mkwrite).
package fused
