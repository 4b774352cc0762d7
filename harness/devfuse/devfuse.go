// Package devfuse makes FUSE file systems that are never mounted, so that /dev/fuse can be read from and written to without a server: their first request
// waits to be read, and notifications are taken. It imports nothing of ours.
//
//	c, err := devfuse.New()
//	defer c.Close()
//	n, err := unix.Read(c.FD, buf) // FUSE_INIT
package devfuse

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// LeastRead is how many bytes of memory a read must have at least (linux/fuse.h: FUSE_MIN_READ_BUFFER).
const LeastRead = 8192

// Conn is a connection to a file system.
type Conn struct {
	// FD is the device, which does not block.
	FD int
	fs int
}

// New makes a file system with fsopen(2): that wants root, and Linux 5.4 at least.
func New() (*Conn, error) {
	dev, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/fuse: %w", err)
	}
	fs, err := unix.Fsopen("fuse", unix.FSOPEN_CLOEXEC)
	if err != nil {
		unix.Close(dev)
		return nil, fmt.Errorf("fsopen(fuse): %w", err)
	}
	c := &Conn{FD: dev, fs: fs}
	if err := c.create(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) create() error {
	for _, option := range [][2]string{{"fd", fmt.Sprint(c.FD)}, {"rootmode", "40000"}, {"user_id", "0"}, {"group_id", "0"}} {
		if err := unix.FsconfigSetString(c.fs, option[0], option[1]); err != nil {
			return fmt.Errorf("set %s of a FUSE file system: %w", option[0], err)
		}
	}
	if err := unix.FsconfigCreate(c.fs); err != nil {
		return fmt.Errorf("create a FUSE file system: %w", err)
	}
	return nil
}

// Lengths in linux/fuse.h: fuse_in_header and fuse_out_header, and fuse_init_out.
const (
	inHeader  = 40
	outHeader = 16
	initOut   = 64
)

// Init answers the first request: since Linux 7.2 no notification is taken before.
func (c *Conn) Init() error {
	request := make([]byte, LeastRead)
	if n, err := unix.Read(c.FD, request); err != nil || n < inHeader {
		return fmt.Errorf("read FUSE_INIT, %d bytes: %w", n, err)
	}
	answer := make([]byte, outHeader+initOut)
	binary.NativeEndian.PutUint32(answer, uint32(len(answer)))
	copy(answer[8:outHeader], request[8:])                  // unique
	binary.NativeEndian.PutUint32(answer[outHeader:], 7)    // major
	binary.NativeEndian.PutUint32(answer[outHeader+4:], 31) // minor, of Linux 5.4
	if _, err := unix.Write(c.FD, answer); err != nil {
		return fmt.Errorf("answer FUSE_INIT: %w", err)
	}
	return nil
}

// Close gives the file system up; requests under way end with an error.
func (c *Conn) Close() {
	unix.Close(c.fs)
	unix.Close(c.FD)
}
