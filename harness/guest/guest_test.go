package guest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/guest"
	"faultline/harness/guest/initramfs"
	"faultline/harness/guest/kernels"
	"faultline/harness/guest/pid1"
	"faultline/harness/self"
	"faultline/targetfs/disk"
	"faultline/targetfs/image"
)

// relayRole is an agent for these tests: it answers lines. parentRole starts a guest and waits to be killed.
const (
	relayRole  = "test-relay"
	parentRole = "test-parent"
)

func init() {
	self.Register(relayRole, relay)
	self.Register(parentRole, parent)
}

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

func relay([]string) int {
	channel := os.NewFile(3, "channel")
	for lines := bufio.NewScanner(channel); lines.Scan(); {
		op, arg, _ := strings.Cut(lines.Text(), " ")
		var answer any
		switch op {
		case "read":
			text, err := os.ReadFile(arg)
			answer = fmt.Sprint(string(text), err)
		case "random":
			n, err := unix.Getrandom(make([]byte, 256), unix.GRND_NONBLOCK)
			answer = fmt.Sprint(n, " ", err)
		case "write":
			answer = os.WriteFile(arg, []byte("written in the guest"), 0o600)
		case "spawn": // a process of the guest that outlives its parent
			cmd := self.Command(relayRole)
			answer = cmd.Start()
		case "crash":
			answer = os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
		case "exit":
			return 3
		}
		fmt.Fprintf(channel, "%q\n", fmt.Sprint(answer))
	}
	return 0
}

// ask sends a line to the relay.
func ask(t *testing.T, vm *guest.Guest, line string) string {
	t.Helper()
	fmt.Fprintln(vm.Channel(), line)
	_ = vm.Channel().SetDeadline(time.Now().Add(time.Minute))
	answer, err := bufio.NewReader(vm.Channel()).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, vm.Console().Text())
	}
	text, err := strconv.Unquote(strings.TrimSpace(answer))
	if err != nil {
		t.Fatalf("%s: %q: %v", line, answer, err)
	}
	return text
}

// spec is a guest with a kernel from the cache and a small gfs2, or the test is skipped.
func spec(t *testing.T, kind kernels.Kind, kernel string) guest.Spec {
	t.Helper()
	store, err := kernels.Open()
	if err != nil {
		t.Skip(err)
	}
	k, err := store.Lookup(t.Context(), kind, kernel)
	if err != nil {
		t.Skip(err)
	}
	s := guest.Spec{
		Kernel: k, Initrd: initrd(t, k),
		Memory: 256 << 20, Temp: t.TempDir(), Order: pid1.Order{Agent: relayRole},
	}
	s.Disks = []string{gfs2(t)}
	s.Order.Mounts = []pid1.Mount{{Source: guest.Device(kind, 0), Point: "/fs", Type: "gfs2", Options: "noatime", Make: []string{"made"}}}
	return s
}

func initrd(t *testing.T, k kernels.Kernel) string {
	t.Helper()
	g := gomega.NewWithT(t)
	names := []string{"gfs2"}
	if k.Kind == kernels.BzImage {
		names = append([]string{"virtio_pci", "virtio_blk", "virtio_console"}, names...)
	}
	path := filepath.Join(t.TempDir(), "initrd")
	err := initramfs.Create(path, "/proc/self/exe", k.Modules, names, []string{"crc32c_generic"})
	if err != nil && strings.Contains(err.Error(), "linked dynamically") {
		t.Skip(err)
	}
	g.Expect(err).NotTo(gomega.HaveOccurred())
	return path
}

const imageSize = 64 << 20

func gfs2(t *testing.T) string {
	t.Helper()
	g := gomega.NewWithT(t)
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	g.Expect(f.Truncate(imageSize)).To(gomega.Succeed())
	g.Expect(image.Format(f, imageSize, image.FormatOptions{Version: disk.Format1801})).To(gomega.Succeed())
	return f.Name()
}

func start(t *testing.T, s guest.Spec) *guest.Guest {
	t.Helper()
	vm, err := guest.Start(t.Context(), s)
	if err != nil {
		var failed *guest.Error
		if errors.As(err, &failed) {
			t.Log(failed.Console)
		}
		t.Fatal(err)
	}
	t.Cleanup(vm.Close)
	return vm
}

// expectWritten says that a gfs2 was left clean, and holds what the relay writes, in /made/file.
func expectWritten(t *testing.T, path string) {
	t.Helper()
	g := gomega.NewWithT(t)
	f, err := os.Open(path)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	var found []string
	g.Expect(image.Check(f, imageSize, func(f image.Finding) { found = append(found, f.String()) })).To(gomega.Succeed())
	g.Expect(found).To(gomega.BeEmpty())
	im, err := image.Open(f, imageSize, image.Options{ReadOnly: true})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer im.Close()
	ino := im.Root()
	err = im.View(func(tx *image.Tx) error {
		for _, name := range []string{"made", "file"} {
			entry, err := tx.Lookup(ino, name)
			if err != nil {
				return err
			}
			ino = entry.Addr
		}
		return nil
	})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	text := make([]byte, 100)
	n, _ := im.ReadAt(ino, text, 0)
	g.Expect(string(text[:n])).To(gomega.Equal("written in the guest"))
}

// booted are the kernels that the tests boot, as far as they are in the store.
var booted = []struct {
	kind   kernels.Kind
	kernel string
}{{kernels.UML, "5.10"}, {kernels.UML, "6.1"}, {kernels.UML, "6.12"}, {kernels.UML, "7.2"}, {kernels.BzImage, "5.10"}, {kernels.BzImage, "6.1"}}

func TestGuestsMountAndUnmount(t *testing.T) {
	for _, c := range booted {
		t.Run(string(c.kind)+"-"+c.kernel, func(t *testing.T) {
			g := gomega.NewWithT(t)
			s := spec(t, c.kind, c.kernel)
			vm := start(t, s)
			t.Log("booted in", vm.Boot(), "of it the kernel", vm.Hello().Uptime)
			g.Expect(vm.Hello().Release).To(gomega.HavePrefix(c.kernel + "."))
			g.Expect(ask(t, vm, "read /proc/mounts")).To(gomega.ContainSubstring(guest.Device(c.kind, 0) + " /fs gfs2 rw,noatime"))
			g.Expect(ask(t, vm, "read /proc/sys/kernel/panic_on_oops")).To(gomega.HavePrefix("1"))
			g.Expect(ask(t, vm, "random")).To(gomega.Equal("256 <nil>"), "without waiting")
			g.Expect(ask(t, vm, "write /fs/made/file")).To(gomega.Equal("<nil>"))
			g.Expect(ask(t, vm, "spawn")).To(gomega.Equal("<nil>"))
			g.Expect(vm.How()).To(gomega.BeEmpty())

			g.Expect(vm.Off(t.Context())).To(gomega.BeTrue(), "%s", vm.Console().Text())
			g.Expect(vm.How()).To(gomega.Equal("exit status 0"))
			expectWritten(t, vm.Disk(0))
			g.Expect(os.ReadDir(s.Temp)).NotTo(gomega.BeEmpty())
			vm.Close()
			g.Expect(os.ReadDir(s.Temp)).To(gomega.BeEmpty())
		})
	}
}

func TestAGuestThatPanicsEnds(t *testing.T) {
	for _, c := range booted {
		t.Run(string(c.kind)+"-"+c.kernel, func(t *testing.T) {
			g := gomega.NewWithT(t)
			vm := start(t, spec(t, c.kind, c.kernel))
			fmt.Fprintln(vm.Channel(), "crash")
			g.Eventually(vm.Exited(), time.Minute).Should(gomega.BeClosed())
			g.Eventually(vm.Console().Done(), time.Minute).Should(gomega.BeClosed())
			g.Expect(vm.Console().Text()).To(gomega.ContainSubstring("Kernel panic - not syncing"))
			_, err := vm.Channel().Read(make([]byte, 1))
			g.Expect(err).To(gomega.HaveOccurred())
			g.Expect(vm.Off(t.Context())).To(gomega.BeFalse())
		})
	}
}

func TestAnAgentThatEndsTurnsTheGuestOff(t *testing.T) {
	g := gomega.NewWithT(t)
	vm := start(t, spec(t, kernels.UML, "6.1"))
	fmt.Fprintln(vm.Channel(), "exit")
	g.Eventually(vm.Exited(), time.Minute).Should(gomega.BeClosed())
	g.Eventually(vm.Console().Done(), time.Minute).Should(gomega.BeClosed())
	g.Expect(vm.Console().Text()).To(gomega.ContainSubstring("the agent ended: exit code 3"))
}

func TestKillAndClose(t *testing.T) {
	g := gomega.NewWithT(t)
	s := spec(t, kernels.UML, "6.1")
	vm := start(t, s)
	vm.Kill()
	g.Eventually(vm.Exited(), time.Minute).Should(gomega.BeClosed())
	g.Expect(vm.How()).To(gomega.Equal("signal: killed"))
	g.Expect(vm.Disk(0)).To(gomega.BeAnExistingFile())
	vm.Kill()
	vm.Close()
	vm.Close()
	g.Expect(os.ReadDir(s.Temp)).To(gomega.BeEmpty())
}

func TestWhatDoesNotStart(t *testing.T) {
	s := spec(t, kernels.UML, "6.1")
	for name, c := range map[string]struct {
		spoil func(*guest.Spec)
		want  string
	}{
		"no kernel":      {func(s *guest.Spec) { s.Kernel.Linux = "/no/linux" }, "fork/exec /no/linux: no such file"},
		"no disk":        {func(s *guest.Spec) { s.Disks = []string{"/no/disk"} }, "open /no/disk: no such file"},
		"no folder":      {func(s *guest.Spec) { s.Temp = "/no/folder" }, "make a folder for a guest"},
		"no kind":        {func(s *guest.Spec) { s.Kernel.Kind = "x" }, `there is no kind of guest "x"`},
		"not a kernel":   {func(s *guest.Spec) { s.Kernel.Linux = "/bin/false" }, "it has ended (exit status 1)"},
		"no such type":   {func(s *guest.Spec) { s.Order.Mounts[0].Type = "nofs" }, `mount -t nofs -o "noatime" /dev/ubda /fs: no such device`},
		"no such option": {func(s *guest.Spec) { s.Order.Mounts[0].Options = "nonsense" }, "invalid argument"},
		"no such agent":  {func(s *guest.Spec) { s.Order.Agent = "nobody" }, ""},
		"no time":        {func(s *guest.Spec) { s.Patience = time.Millisecond }, "it has not come up for 1ms"},
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			s := s
			s.Temp = t.TempDir()
			s.Order.Mounts = append([]pid1.Mount(nil), s.Order.Mounts...)
			c.spoil(&s)
			vm, err := guest.Start(t.Context(), s)
			if c.want == "" {
				g.Expect(err).NotTo(gomega.HaveOccurred())
				defer vm.Close()
				g.Eventually(vm.Exited(), time.Minute).Should(gomega.BeClosed())
				return
			}
			g.Expect(err).To(gomega.MatchError(gomega.And(gomega.HavePrefix("start a guest: "), gomega.ContainSubstring(c.want))))
			if s.Temp != "/no/folder" {
				g.Expect(os.ReadDir(s.Temp)).To(gomega.BeEmpty())
			}
		})
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	g := gomega.NewWithT(t)
	s := spec(t, kernels.UML, "6.1")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(errors.New("enough")) })
	_, err := guest.Start(ctx, s)
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("enough")))
	g.Expect(os.ReadDir(s.Temp)).To(gomega.BeEmpty())
}

// parent boots a guest as its arguments say, tells where it is, and waits.
func parent(args []string) int {
	vm, err := guest.Start(context.Background(), guest.Spec{
		Kernel: kernels.Kernel{Kind: kernels.UML, Linux: args[0]}, Initrd: args[1], Temp: args[2], Memory: 256 << 20, Order: pid1.Order{Agent: relayRole},
	})
	fmt.Println("started", err)
	if err == nil {
		<-vm.Exited()
	}
	return 0
}

func TestNoGuestOutlivesUs(t *testing.T) {
	s := spec(t, kernels.UML, "6.1")
	for _, victim := range []string{"parent", "keeper"} {
		t.Run(victim, func(t *testing.T) {
			g := gomega.NewWithT(t)
			temp := t.TempDir()
			cmd := self.Command(parentRole, s.Kernel.Linux, s.Initrd, temp)
			out, err := cmd.StdoutPipe()
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(cmd.Start()).To(gomega.Succeed())
			line, err := bufio.NewReader(out).ReadString('\n')
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(line).To(gomega.Equal("started <nil>\n"))
			g.Expect(running(temp)).NotTo(gomega.BeEmpty(), "the guest and its processes")
			if victim == "parent" {
				g.Expect(cmd.Process.Kill()).To(gomega.Succeed())
			} else {
				g.Expect(unix.Kill(child(t, cmd.Process.Pid), unix.SIGKILL)).To(gomega.Succeed())
			}
			g.Eventually(func() []string { return running(temp) }, time.Minute, 20*time.Millisecond).Should(gomega.BeEmpty())
			if victim == "parent" {
				g.Eventually(func() ([]os.DirEntry, error) { return os.ReadDir(temp) }, time.Minute, 20*time.Millisecond).Should(gomega.BeEmpty())
			}
			cmd.Wait() //nolint:errcheck // it was killed
		})
	}
}

// running lists the processes whose working directory is below a folder: a guest's is its own.
func running(dir string) []string {
	var found []string
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir+"/") {
			found = append(found, link)
		}
	}
	return found
}

// child is a child of a process.
func child(t *testing.T, pid int) int {
	t.Helper()
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			return n
		}
	}
	t.Fatalf("process %d has no child", pid)
	return 0
}
