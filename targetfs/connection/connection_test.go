package connection_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/targetfs/connection"
)

func TestNewDevicesAreFound(t *testing.T) {
	g := gomega.NewWithT(t)
	before, err := connection.Devices()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	_, err = connection.New(before)
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("not there")))
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("needs FUSE: %v", err)
	}
	defer device.Close()
	fd, err := connection.New(before)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(connection.Devices()).To(gomega.ContainElement(fd))
}

// A pipe without a reader ends as a connection does: with POLLERR. What ends with a mount is planted's and fused's to test.
func TestWaitNoticesTheEnd(t *testing.T) {
	g := gomega.NewWithT(t)
	read, write, err := os.Pipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer write.Close()
	ended := waiting(t.Context(), write)
	g.Consistently(ended, 120*time.Millisecond).ShouldNot(gomega.BeClosed())
	g.Expect(read.Close()).To(gomega.Succeed())
	g.Eventually(ended, time.Minute).Should(gomega.BeClosed())
}

func TestWaitIsCancelled(t *testing.T) {
	g := gomega.NewWithT(t)
	read, write, err := os.Pipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer read.Close()
	defer write.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := waiting(ctx, write)
	g.Consistently(ended, 120*time.Millisecond).ShouldNot(gomega.BeClosed())
	cancel()
	g.Eventually(ended, time.Minute).Should(gomega.BeClosed())
}

// waiting is closed when Wait is back.
func waiting(ctx context.Context, f *os.File) <-chan struct{} {
	back := make(chan struct{})
	go func() {
		defer close(back)
		connection.Wait(ctx, int(f.Fd()))
	}()
	return back
}
