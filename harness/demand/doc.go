// Package demand is a FUSE file system whose pages arrive on demand: whoever touches a page that was not given out yet waits for it, in the middle of a
// system call if need be, and another process is told. It is the second way to stop a system call in its user copy, where
// userfaultfd(2) is not allowed. It imports harness/self, targetfs/connection, go-fuse and x/sys.
//
// The server is a process of its own, our binary in the role [Role], with the mount point as its argument. It prints a line when it has mounted, and
// unmounts and ends when its standard input closes. It never touches its mount, and nobody who serves pages may wait for one himself.
//
// What is on the mount, for each address space that maps files there:
//
//	SPACE/           made by mkdir(2); any name, such as the process number
//	SPACE/stops      a read(2) waits for the next stop and returns it: see [Stop]
//	SPACE/orders     a write(2) is one order, and fails if the order does: see [Order]
//	SPACE/7          a file, by number; creat(2), ftruncate(2) to whole pages, mmap(2) with MAP_PRIVATE, unlink(2)
//
// The file's memory is like anonymous memory from then on: a private copy of a page is made when it is written to. Nothing is read ahead, so that a
// stop is at the page that was touched. Which byte of it was is not told. Nor is who touches a page at which somebody else is stopped
// already: he waits for the same answer in the kernel's page cache.
//
//	server := self.Command(demand.Role, dir)
//	fd, err := unix.Open(dir+"/1/orders", unix.O_WRONLY, 0)
//	_, err = unix.Write(fd, demand.Order{Do: demand.Serve, File: 7, From: 0, To: 1, Data: page}.Append(nil))
package demand
