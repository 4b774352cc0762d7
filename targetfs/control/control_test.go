package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"
	"github.com/onsi/gomega"

	"faultline/harness/self"
)

func init() {
	self.Register("control-client", func(args []string) int {
		text, err := ask(context.Background(), args[0], args[1:])
		fmt.Print(text, err)
		return 0
	})
}

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

// served answers for a device number that no mount has.
func served(t *testing.T, commands Commands) (dev string) {
	dev = fmt.Sprintf("test:%d:%s", os.Getpid(), t.Name())
	l, err := Listen(dev, commands)
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { l.Close() })
	return dev
}

func TestAsk(t *testing.T) {
	g := gomega.NewWithT(t)
	dev := served(t, Commands{
		"say":  func(w io.Writer, args []string) error { _, err := fmt.Fprintf(w, "%q\nmore\n", args); return err },
		"fail": func(w io.Writer, args []string) error { fmt.Fprint(w, "half"); return errors.New("so it is:\nbad") },
	})
	text, err := ask(t.Context(), dev, []string{"say", "a", "b"})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(text).To(gomega.Equal("[\"a\" \"b\"]\nmore\n"))
	text, err = ask(t.Context(), dev, []string{"fail"})
	g.Expect(err).To(gomega.MatchError("so it is:; bad"))
	g.Expect(text).To(gomega.BeEmpty())
	_, err = ask(t.Context(), dev, []string{"what", "else"})
	g.Expect(err).To(gomega.MatchError(`unknown command "what else"; there are fail, say`))
	_, err = ask(t.Context(), dev, nil)
	g.Expect(err).To(gomega.MatchError(`unknown command ""; there are fail, say`))
	_, err = ask(t.Context(), dev, []string{strings.Repeat("x", requestLength)})
	g.Expect(err).To(gomega.HaveOccurred())
}

func TestNobodyAnswers(t *testing.T) {
	g := gomega.NewWithT(t)
	_, err := ask(t.Context(), "no:such", []string{"say"})
	g.Expect(err).To(gomega.MatchError(ErrNoServer))
	dir := t.TempDir()
	_, err = Ask(t.Context(), dir, "say")
	g.Expect(err).To(gomega.MatchError("ask the server of " + dir + ": nothing is mounted there: " + ErrNoServer.Error()))
	_, err = Ask(t.Context(), "/proc", "say")
	g.Expect(err).To(gomega.MatchError(ErrNoServer), "a mount, but not ours")
}

// TestHangs: a command that never comes back keeps neither its client beyond the client's patience nor other clients.
func TestHangs(t *testing.T) {
	g := gomega.NewWithT(t)
	free, stuck := make(chan struct{}), make(chan struct{})
	defer close(free)
	dev := served(t, Commands{
		"hang": func(io.Writer, []string) error { close(stuck); <-free; return nil },
		"say":  func(w io.Writer, _ []string) error { _, err := io.WriteString(w, "hello"); return err },
	})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { _, err := ask(ctx, dev, []string{"hang"}); result <- err }()
	g.Eventually(stuck, time.Minute).Should(gomega.BeClosed())
	g.Expect(ask(t.Context(), dev, []string{"say"})).To(gomega.Equal("hello"))
	cancel()
	g.Eventually(result, time.Minute).Should(gomega.Receive(gomega.MatchError(context.Canceled)))
}

// TestTorn: a server that dies in the middle does not look like one that said nothing.
func TestTorn(t *testing.T) {
	g := gomega.NewWithT(t)
	dev := "test:torn"
	socket, err := net.ListenUnix("unix", address(dev))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer socket.Close()
	go func() {
		c, err := socket.Accept()
		if err == nil {
			io.ReadFull(c, make([]byte, len("say\n")))
			c.Close()
		}
	}()
	_, err = ask(t.Context(), dev, []string{"say"})
	g.Expect(err).To(gomega.MatchError(`the server ended in the middle of its answer: ""`))
}

func TestStrangersAreRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become somebody else")
	}
	g := gomega.NewWithT(t)
	dev := served(t, Commands{"say": func(w io.Writer, _ []string) error { _, err := io.WriteString(w, "hello"); return err }})
	cmd := self.Command("control-client", dev, "say")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	g.Expect(cmd.Output()).To(gomega.BeEquivalentTo("the mount is somebody else's"))
}

func TestListenTwice(t *testing.T) {
	dev := served(t, nil)
	_, err := Listen(dev, nil)
	gomega.NewWithT(t).Expect(err).To(gomega.MatchError(syscall.EADDRINUSE))
}

func TestDeviceOf(t *testing.T) {
	g := gomega.NewWithT(t)
	mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(`21 1 254:0 / / rw - ext4 /dev/root rw
30 21 0:51 / /mnt/a\040b rw - fuse.gfs2 /x rw
31 21 0:52 / /mnt/c rw - tmpfs none rw
32 31 0:53 / /mnt/c rw - fuse.gfs2 /y rw
33 21 0:54 / /mnt/d\134 rw - tmpfs none rw
`), nil)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	for dir, dev := range map[string]string{"/": "254:0", "/mnt/a b": "0:51", "/mnt/c": "0:53", "/mnt/d\\": "0:54", "/mnt": "", "/mnt/a\\040b": ""} {
		g.Expect(deviceOf(mounts, dir)).To(gomega.Equal(dev), dir)
	}
	g.Expect(Device("/proc")).To(gomega.MatchRegexp(`^\d+:\d+$`))
}
