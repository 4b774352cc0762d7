package fused_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/self"
	"faultline/targetfs/fused"
	"faultline/targetfs/image"
)

// patience is how long a step that must end may take on a busy machine.
const patience = time.Minute

func init() { self.Register("fused-server", serverMain) }

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

// serverMain is the process that serves: arguments are the image, the options and the directories.
func serverMain(args []string) int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM)
	opts, err := fused.ParseOptions(args[1])
	opts.Image, opts.Dirs, opts.CheckOrder = args[0], args[2:], true
	var server *fused.Server
	if err == nil {
		server, err = fused.Mount(opts)
	}
	if err == nil {
		fmt.Println("mounted")
		go func() {
			for range signals {
				if err := server.Unmount(); err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
			}
		}()
		err = server.Wait()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A mount is an image served by a process of its own.
type mount struct {
	t       *testing.T
	image   string
	dirs    []string
	dir     string // the first
	server  *exec.Cmd
	command func(args ...string) *exec.Cmd // starts the server, in another way than usual
	output  *bytes.Buffer                  // of the server's stderr; valid when ended
	ended   chan struct{}
}

func needFUSE(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skipf("needs FUSE: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make devices and change owners")
	}
}

// scratch is a folder of the test's own. Not t.TempDir: that is deleted recursively, whatever is mounted there.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fused")
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { os.Remove(dir) })
	return dir
}

const imageSize = 128 << 20

// newImage formats an image.
func newImage(t *testing.T, opts image.FormatOptions) string {
	t.Helper()
	g := gomega.NewWithT(t)
	if opts.JournalBytes == 0 {
		opts.JournalBytes = 8 << 20
	}
	path := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	g.Expect(f.Truncate(imageSize)).To(gomega.Succeed())
	g.Expect(image.Format(f, imageSize, opts)).To(gomega.Succeed())
	return path
}

// mounted mounts a new image until the test ends, with one directory for each node.
func mounted(t *testing.T, options string) *mount {
	t.Helper()
	needFUSE(t)
	m := &mount{t: t, image: newImage(t, image.FormatOptions{})}
	m.dirs = append(m.dirs, scratch(t))
	if strings.Contains(options, "nodes=2") {
		m.dirs = append(m.dirs, scratch(t))
	}
	m.dir = m.dirs[0]
	m.start(options)
	t.Cleanup(m.end)
	return m
}

// start starts the server and waits for the mount.
func (m *mount) start(options string) {
	m.t.Helper()
	gomega.NewWithT(m.t).Expect(m.tryStart(options)).To(gomega.Succeed())
}

func (m *mount) tryStart(options string) error {
	command := m.command
	if command == nil {
		command = func(args ...string) *exec.Cmd { return self.Command("fused-server", args...) }
	}
	m.server = command(append([]string{m.image, options}, m.dirs...)...)
	m.output = new(bytes.Buffer)
	m.server.Stderr = m.output
	out, err := m.server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := m.server.Start(); err != nil {
		return err
	}
	line, readErr := bufio.NewReader(out).ReadString('\n')
	m.ended = make(chan struct{})
	go func() {
		m.server.Wait()
		close(m.ended)
	}()
	if line == "mounted\n" {
		return nil
	}
	<-m.ended
	return errors.Join(readErr, errors.New(m.output.String()))
}

// unmount ends the server with SIGTERM and has the image checked.
func (m *mount) unmount() {
	m.t.Helper()
	g := gomega.NewWithT(m.t)
	m.server.Process.Signal(syscall.SIGTERM)
	g.Eventually(m.ended, patience).Should(gomega.BeClosed(), "the server does not end")
	g.Expect(m.server.ProcessState.ExitCode()).To(gomega.Equal(0), m.output.String)
	m.check()
}

// check has our own check and fsck.gfs2 look at the image.
func (m *mount) check() {
	m.t.Helper()
	g := gomega.NewWithT(m.t)
	f, err := os.Open(m.image)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	info, err := f.Stat()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	var findings []string
	g.Expect(image.Check(f, info.Size(), func(f image.Finding) { findings = append(findings, f.String()) })).To(gomega.Succeed())
	g.Expect(findings).To(gomega.BeEmpty())
	if _, err := exec.LookPath("fsck.gfs2"); err != nil {
		m.t.Logf("fsck.gfs2 was not asked: %v", err)
		return
	}
	out, err := exec.Command("fsck.gfs2", "-n", m.image).CombinedOutput()
	g.Expect(err).NotTo(gomega.HaveOccurred(), string(out))
}

// end frees everyone who is stuck and takes the mounts away. It aborts the connections, for a server that is stuck in the kernel itself
// does not die before.
func (m *mount) end() {
	m.server.Process.Kill()
	for _, dir := range m.dirs {
		unix.Unmount(dir, unix.MNT_FORCE)
		unix.Unmount(dir, unix.MNT_DETACH)
	}
	<-m.ended
	if m.t.Failed() && m.output.Len() > 0 {
		m.t.Logf("the server says: %s", m.output)
	}
}

func (m *mount) path(name string) string { return filepath.Join(m.dir, name) }

// must fails the test at the first error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	}
}

func TestMountServesAndUnmountsClean(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	must(t, os.WriteFile(m.path("a"), []byte("hello"), 0o640), os.Mkdir(m.path("d"), 0o755), os.Rename(m.path("a"), m.path("d/b")))
	g.Expect(os.ReadFile(m.path("d/b"))).To(gomega.Equal([]byte("hello")))
	m.unmount()

	m.start("ro")
	g.Expect(os.ReadFile(m.path("d/b"))).To(gomega.Equal([]byte("hello")))
	g.Expect(os.WriteFile(m.path("c"), nil, 0o600)).To(gomega.MatchError(syscall.EROFS))
	m.unmount()
}
