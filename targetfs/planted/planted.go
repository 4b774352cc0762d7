// Package planted is a small file system in memory, served over FUSE, that is right in every respect but one: it carries one
// fault, chosen at mount time. It proves the judge of a test runner, for each fault must be found with the verdict its row
// in Faults names. With the fault "none" nothing may be found. It may import go-fuse, x/sys and the standard library,
// nothing of ours.
//
//	fault, err := planted.Parse("corrupt-byte,nth=3")
//	err = planted.Serve("/mnt", fault, os.Stdout) // prints one line when mounted, returns at SIGTERM or umount
//
// How requests reach the server decides when a fault fires. A READ is for one page; a read of many is many READs, one after
// the other. Reads through the page cache and page faults ask for pages that are not cached, and the cache is dropped at every
// open, so the first touch of a page after an open is a READ. O_DIRECT always reads. A write is one WRITE up to 1 MiB when it is
// made, but a part of a page that is not cached is a WRITE of its own; a store through a shared mapping is a WRITE when
// the page is written back (msync, munmap, fsync, open, close).
//
// One wrong is the kernel's and shows without a fault: bytes stored through a mapping beyond the end of the file, in its last
// page, become content when the file grows (truncate, write, fallocate) before the page was written back. Seen on Linux 6.18;
// the server cannot tell such bytes from others. It is what xfstests' generic/363 looks for.
package planted
