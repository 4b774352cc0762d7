// Package planted is a small file system in memory, served over FUSE, that is right in every respect but one: it carries one
// fault, chosen at mount time. It proves the judge of a test runner, for each fault must be found with the verdict its row
// in Faults names. With the fault "none" nothing may be found. It may import go-fuse, x/sys and the standard library, nothing of ours.
//
//	fault, err := planted.Parse("corrupt-byte,nth=3")
//	err = planted.Serve("/mnt", fault, os.Stdout) // prints one line when mounted, returns at SIGTERM or umount
//
// How requests reach the server decides when a fault fires. Reads through the page cache and page faults ask for pages
// that are not cached, one page a READ, for read-ahead is off. The cache is dropped at every open, so the first touch of
// a page after an open is a READ. An O_DIRECT read is one READ, whatever is cached. A write is one WRITE when it is made; a store
// through a shared mapping is a WRITE when the page is written back (msync, munmap, fsync, close).
package planted
