package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/targetfs/connection"
)

// soon is for what happens within a second or so on an idle machine.
const soon = time.Minute

// shelf is a directory with files of a page. A READ of one waits until gate is closed, if there is one.
type shelf struct {
	fuse.RawFileSystem
	gate    chan struct{}
	waiting atomic.Int32
	reads   atomic.Int32
	opens   uint32 // flags of open files
	forgot  atomic.Int32
}

func (f *shelf) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	n, ok := strings.CutPrefix(name, "file")
	if !ok {
		return fuse.ENOENT
	}
	var i uint64
	if _, err := fmt.Sscan(n, &i); err != nil {
		return fuse.ENOENT
	}
	out.NodeId, out.Ino, out.Generation = i+2, i+2, 1
	f.attr(&out.Attr, out.NodeId)
	out.SetEntryTimeout(time.Hour)
	out.SetAttrTimeout(time.Hour)
	return fuse.OK
}

func (f *shelf) attr(out *fuse.Attr, id uint64) {
	out.Ino, out.Mode, out.Nlink, out.Size = id, unix.S_IFREG|0o644, 1, uint64(os.Getpagesize())
	if id == 1 {
		out.Mode = unix.S_IFDIR | 0o755
	}
}

func (f *shelf) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	f.attr(&out.Attr, in.NodeId)
	out.SetTimeout(time.Hour)
	return fuse.OK
}

func (f *shelf) Open(_ <-chan struct{}, _ *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

func (f *shelf) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }
func (f *shelf) Forget(uint64, uint64)                            { f.forgot.Add(1) }

func (f *shelf) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	f.reads.Add(1)
	if f.gate != nil {
		f.waiting.Add(1)
		<-f.gate
		f.waiting.Add(-1)
	}
	return fuse.ReadResultData(bytes.Repeat([]byte{byte(in.NodeId)}, len(buf))), fuse.OK
}

// served is a shelf that is mounted and served to the end of the test.
func served(t *testing.T, f *shelf) (*Session, string) {
	t.Helper()
	if err := unix.Access("/dev/fuse", unix.R_OK|unix.W_OK); err != nil || os.Geteuid() != 0 {
		t.Skipf("needs root and /dev/fuse: %v", err)
	}
	f.RawFileSystem = fuse.NewDefaultRawFileSystem()
	dir := t.TempDir()
	s, err := Mount(f, dir, &fuse.MountOptions{FsName: "shelf, of tests", Name: "shelf", MaxWrite: 64 << 10, ExplicitDataCacheControl: true,
		DirectMountFlags: unix.MS_NODEV})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Serve()
	}()
	t.Cleanup(func() {
		if err := connection.Abort(dir); err != nil {
			t.Error(err)
		}
		select {
		case <-ended:
		case <-time.After(soon):
			t.Error("the session does not end with its connection")
		}
	})
	ready(t, filepath.Join(dir, name(1000)))
	return s, dir
}

// ready asks whether a file is ready, by a thread of its own: Go's poller, which asks the same of each file that os opens, would hold up all of this
// process, the session too.
func ready(t *testing.T, path string) {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(poll, -1)
	for err == unix.EINTR {
		n, err = unix.Poll(poll, -1)
	}
	if n != 1 || err != nil || poll[0].Revents != unix.POLLIN {
		t.Errorf("poll: %d, %v, %v; want that the file is ready", n, err, poll)
	}
}

func name(i int) string { return fmt.Sprint("file", i) }

// TestRequestsThatWait has more requests wait than readers do: who asks next is answered all the same.
func TestRequestsThatWait(t *testing.T) {
	g := gomega.NewWithT(t)
	f := &shelf{gate: make(chan struct{})}
	_, dir := served(t, f)
	const many = 20 * spare
	var readers sync.WaitGroup
	for i := range many {
		readers.Go(func() {
			data, err := os.ReadFile(filepath.Join(dir, name(i)))
			if err != nil || len(data) != os.Getpagesize() || data[0] != byte(i+2) {
				t.Errorf("file %d: %d bytes, %v", i, len(data), err)
			}
		})
	}
	g.Eventually(f.waiting.Load, soon).Should(gomega.BeEquivalentTo(many))
	looked := make(chan error, 1)
	go func() {
		_, err := os.Lstat(filepath.Join(dir, name(many)))
		looked <- err
	}()
	g.Eventually(looked, soon).Should(gomega.Receive(gomega.BeNil()))
	close(f.gate)
	readers.Wait()
}

// TestReadersLeave has as many readers as before when many requests are done at once, and one at least at any time.
func TestReadersLeave(t *testing.T) {
	g := gomega.NewWithT(t)
	f := &shelf{}
	s, dir := served(t, f)
	for round := range 20 {
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				if _, err := os.Lstat(filepath.Join(dir, name(100*round+i))); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	g.Eventually(s.waiting.Load, soon).Should(gomega.BeEquivalentTo(spare))
}

// TestRefusal answers a READ that asks for more than an answer can have.
func TestRefusal(t *testing.T) {
	g := gomega.NewWithT(t)
	r, w, err := os.Pipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer r.Close()
	defer w.Close()
	s := &Session{fd: int(w.Fd()), server: fuse.NewProtocolServer(fuse.NewDefaultRawFileSystem(), &fuse.MountOptions{Name: "none",
		Logger: log.New(io.Discard, "", 0)})}
	const opRead = 15
	in := fuse.ReadIn{InHeader: fuse.InHeader{Opcode: opRead, Unique: 77, NodeId: 1}, Size: 1 << 20}
	in.Length = uint32(binary.Size(in))
	b := &buffers{in: make([]byte, leastBuffer), out: make([]byte, leastBuffer)}
	n, err := binary.Encode(b.in, binary.NativeEndian, in)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(s.answer(b, n)).To(gomega.Succeed())
	var out fuse.OutHeader
	g.Expect(binary.Read(r, binary.NativeEndian, &out)).To(gomega.Succeed())
	g.Expect(out).To(gomega.Equal(fuse.OutHeader{Length: outHeaderSize, Status: -int32(unix.EIO), Unique: 77}))
}

// TestNotifications stores, invalidates and prunes.
func TestNotifications(t *testing.T) {
	g := gomega.NewWithT(t)
	f := &shelf{}
	s, dir := served(t, f)
	page := os.Getpagesize()
	path := filepath.Join(dir, name(1))
	g.Expect(s.Store(3, 0, bytes.Repeat([]byte("s"), page))).To(gomega.MatchError(unix.ENOENT), "the kernel does not know it yet")
	_, err := os.Lstat(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())

	g.Expect(s.Store(3, 0, bytes.Repeat([]byte("s"), page))).To(gomega.Succeed())
	data, err := os.ReadFile(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(data)).To(gomega.Equal(strings.Repeat("s", page)))
	g.Expect(f.reads.Load()).To(gomega.BeZero(), "it was there before it was asked for")

	g.Expect(s.Invalidate(3, 0, 0)).To(gomega.Succeed())
	data, err = os.ReadFile(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(data)).To(gomega.Equal(strings.Repeat("\x03", page)))
	g.Expect(f.reads.Load()).To(gomega.BeEquivalentTo(1))

	err = s.Prune([]uint64{3})
	if errors.Is(err, unix.EINVAL) {
		t.Skip("this kernel does not know FUSE_NOTIFY_PRUNE")
	}
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Eventually(f.forgot.Load, soon).Should(gomega.BeNumerically(">", 0))
}

// TestEndOfTheMount: a mount in use stays, one that is not goes, and the session with it.
func TestEndOfTheMount(t *testing.T) {
	g := gomega.NewWithT(t)
	s, dir := served(t, &shelf{})
	file, err := os.Open(filepath.Join(dir, name(1)))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(s.Unmount()).To(gomega.MatchError(unix.EBUSY))
	g.Consistently(s.Gone(), 50*time.Millisecond).ShouldNot(gomega.BeClosed())
	g.Expect(file.Close()).To(gomega.Succeed())
	g.Eventually(s.Unmount, soon).Should(gomega.Succeed())
	g.Eventually(s.Gone(), soon).Should(gomega.BeClosed())
	g.Expect(s.Invalidate(1, 0, 0)).NotTo(gomega.Succeed(), "there is nobody to notify")
}

// TestHelperMounts has fusermount3 mount, as it does for those who may not themselves.
func TestHelperMounts(t *testing.T) {
	g := gomega.NewWithT(t)
	if _, err := exec.LookPath("fusermount3"); err != nil {
		t.Skip(err)
	}
	if err := unix.Access("/dev/fuse", unix.R_OK|unix.W_OK); err != nil {
		t.Skipf("needs /dev/fuse: %v", err)
	}
	dir := t.TempDir()
	o := &fuse.MountOptions{FsName: `a,b\c`, Name: "shelf", MaxWrite: 64 << 10, DirectMountFlags: unix.MS_RDONLY}
	file, err := attachByHelper(dir, o)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	mounts, err := os.ReadFile("/proc/self/mounts")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(mounts)).To(gomega.MatchRegexp(`(?m)^a,b\\134c ` + dir + ` fuse\.shelf ro,`))
	g.Expect(errors.Join(connection.Abort(dir), file.Close())).To(gomega.Succeed())

	_, err = attachByHelper(filepath.Join(dir, "missing"), o)
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("missing")), "what the helper said is told")
}

// TestMountRefuses names what cannot be mounted on.
func TestMountRefuses(t *testing.T) {
	g := gomega.NewWithT(t)
	_, err := Mount(fuse.NewDefaultRawFileSystem(), "/no/such/place", &fuse.MountOptions{Name: "shelf"})
	g.Expect(err).To(gomega.MatchError(unix.ENOENT))
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("/no/such/place")))
}
