package initramfs

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// cpio writes the "newc" format, the one that the kernel reads: per file a header of 110 bytes in hexadecimal, the name, the data, each padded to 4
// bytes; a file called TRAILER!!! ends it.
type cpio struct {
	w       io.Writer
	inode   uint32
	written int64
	err     error
}

// entry is one file. The size is that of the data that follows.
type entry struct {
	name         string
	mode         uint32 // with the type: unix.S_IFREG, ...
	size         int64  // bytes; less than 4 GiB
	major, minor uint32 // of a device
}

const trailer = "TRAILER!!!"

func (c *cpio) header(e entry) {
	c.inode++
	c.printf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		c.inode, e.mode, 0, 0, 1, 0, e.size, 0, 0, e.major, e.minor, len(e.name)+1, 0)
	c.printf("%s\x00", e.name)
	c.pad()
}

func (c *cpio) printf(format string, args ...any) {
	if c.err != nil {
		return
	}
	n, err := fmt.Fprintf(c.w, format, args...)
	c.written += int64(n)
	c.err = err
}

func (c *cpio) pad() {
	for c.written%4 != 0 && c.err == nil {
		c.printf("\x00")
	}
}

// file adds a plain file of exactly size bytes.
func (c *cpio) file(name string, mode uint32, size int64, r io.Reader) error {
	if size >= 1<<32 {
		return fmt.Errorf("%s has %d bytes; the format holds less than 4 GiB", name, size)
	}
	c.header(entry{name: name, mode: unix.S_IFREG | mode, size: size})
	if c.err != nil {
		return c.err
	}
	n, err := io.CopyN(c.w, r, size)
	c.written += n
	if err != nil {
		c.err = fmt.Errorf("add %s: %w", name, err)
		return c.err
	}
	c.pad()
	return c.err
}

func (c *cpio) dir(name string) { c.header(entry{name: name, mode: unix.S_IFDIR | 0o755}) }

func (c *cpio) char(name string, major, minor uint32) {
	c.header(entry{name: name, mode: unix.S_IFCHR | 0o600, major: major, minor: minor})
}

// close ends the archive. The error is the first of all.
func (c *cpio) close() error {
	c.header(entry{name: trailer})
	return c.err
}
