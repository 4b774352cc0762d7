package devfuse

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// The first request is FUSE_INIT, and it is the only one.
func TestTheFirstRequestWaits(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	g := gomega.NewWithT(t)
	for range 3 {
		c, err := New()
		if err != nil {
			t.Skip(err)
		}
		buf := make([]byte, LeastRead)
		n, err := unix.Read(c.FD, buf)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(binary.NativeEndian.Uint32(buf)).To(gomega.Equal(uint32(n)))
		const opcode = 26 // FUSE_INIT
		g.Expect(binary.NativeEndian.Uint32(buf[4:])).To(gomega.Equal(uint32(opcode)))
		_, err = unix.Read(c.FD, buf)
		g.Expect(err).To(gomega.Equal(unix.EAGAIN))
		c.Close()
		_, err = unix.Read(c.FD, buf)
		g.Expect(err).To(gomega.Equal(unix.EBADF))
	}
}

// Once it is answered notifications are taken: there is no inode 99.
func TestNotificationsAreTaken(t *testing.T) {
	c, err := New()
	if err != nil {
		t.Skip(err)
	}
	defer c.Close()
	g := gomega.NewWithT(t)
	g.Expect(c.Init()).To(gomega.Succeed())
	notify := make([]byte, 40)
	notify[0], notify[4], notify[16] = 40, 2, 99 // FUSE_NOTIFY_INVAL_INODE
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		t.Skip("written for little-endian machines")
	}
	_, err = unix.Write(c.FD, notify)
	g.Expect(err).To(gomega.Equal(unix.ENOENT))
	g.Expect(c.Init()).To(gomega.MatchError(unix.EAGAIN), "there is one only")
}
