package kernels

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/guest/apt"
)

func TestNamesThatCannotBeFetched(t *testing.T) {
	s := store(t)
	for name, want := range map[string]string{
		"nonesuch":  `no kernel "nonesuch" can be fetched; there are uml-5.10, uml-6.1, uml-6.12, uml-7.2, deb-VERSION`,
		"uml-4.4":   `no kernel "uml-4.4" can be fetched`,
		"deb-":      `no kernel "deb-" can be fetched`,
		"deb-x":     `no kernel "deb-x" can be fetched`,
		"deb-6/../": `is no name of a kernel`,
		"-o":        `is no name of a kernel`,
	} {
		_, err := s.Fetch(context.Background(), name, "", func(string) {})
		gomega.NewWithT(t).Expect(err).To(gomega.MatchError(gomega.ContainSubstring(want)))
	}
}

// deaf is the URI of a mirror that does not answer.
func deaf(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // from now on its port refuses
	return "http://" + l.Addr().String() + "/debian"
}

func TestNoNetwork(t *testing.T) {
	needApt(t)
	g := gomega.NewWithT(t)
	s := store(t)
	_, err := s.Fetch(context.Background(), "uml-6.1", deaf(t), func(string) {})
	g.Expect(err).To(gomega.MatchError(gomega.MatchRegexp(`^fetch kernel uml-6.1: download package user-mode-linux: http://127\S+ bookworm [^\n]+$`)))
	g.Expect(inside(t, s)).To(gomega.BeEmpty())
}

func TestNoApt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := store(t).Fetch(context.Background(), "uml-6.1", "http://mirror.example/debian", func(string) {})
	gomega.NewWithT(t).Expect(err).To(gomega.MatchError("fetch kernel uml-6.1: there is no apt-get on this machine; add a kernel of your own with faultline kernel add"))
}

func needApt(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("there is no apt-get here")
	}
}

// needMirror skips when this machine's apt reaches no Debian mirror.
func needMirror(t *testing.T) {
	t.Helper()
	needApt(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("packaged UML kernels run on amd64")
	}
	sources, err := apt.System("/etc/apt")
	if err != nil {
		t.Fatal(err)
	}
	debian, err := apt.FindDebian(sources, "")
	if errors.Is(err, apt.ErrNoMirror) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	a, err := apt.New(t.TempDir(), debian.Suite("bookworm"))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.Trouble() != "" {
		t.Skipf("apt reaches no mirror: %s", a.Trouble())
	}
}

// A real package: two processes ask for it at once, one fetches, and the program runs with the C library that came with it.
func TestFetchUML(t *testing.T) {
	needMirror(t)
	g := gomega.NewWithT(t)
	dir := store(t).dir
	var lock sync.Mutex
	var said []string
	var got [2]Kernel
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			s, err := At(dir)
			if err == nil {
				got[i], err = s.Fetch(t.Context(), "uml-6.1", "", func(line string) {
					lock.Lock()
					said = append(said, line)
					lock.Unlock()
				})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	k := got[0]
	g.Expect(got[1]).To(gomega.Equal(k))
	g.Expect(said).To(gomega.ContainElement("unpacking"))
	g.Expect(slices.DeleteFunc(said, func(line string) bool { return line != "unpacking" })).To(gomega.HaveLen(1), "fetched once")
	g.Expect(k.Kind).To(gomega.Equal(UML))
	g.Expect(k.Release).To(gomega.HavePrefix("6.1."))
	g.Expect(k.Linux).To(gomega.Equal(dir + "/uml-6.1/linux"))
	g.Expect(os.ReadFile(k.Modules + "/modules.dep")).To(gomega.ContainSubstring("/gfs2.ko: "))

	// --version makes UML print its release and exit.
	cmd := exec.CommandContext(t.Context(), k.Linux, "--version")
	cmd.WaitDelay = time.Minute
	version, err := cmd.Output()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(strings.TrimSpace(string(version))).To(gomega.Equal(k.Release))
	cmd = exec.CommandContext(t.Context(), k.Linux, "--version")
	cmd.Env = []string{"LD_TRACE_LOADED_OBJECTS=1"}
	libs, err := cmd.Output()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(string(libs)).To(gomega.ContainSubstring("libc.so.6 => " + filepath.Join(dir, "uml-6.1", "lib", "libc.so.6")))
}

// Of the packages only what a guest needs is kept.
func TestPlaces(t *testing.T) {
	g := gomega.NewWithT(t)
	for file, want := range map[string]string{
		"usr/bin/linux.uml": "linux", "usr/lib/uml/modules/6.1.176/modules.dep": "modules/6.1.176/modules.dep",
		"lib/x86_64-linux-gnu/libc.so.6": "lib/libc.so.6", "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": "lib/ld-linux-x86-64.so.2",
		"lib/x86_64-linux-gnu/ld-2.31.so": "lib/ld-2.31.so", "usr/lib/x86_64-linux-gnu/gconv/UTF-7.so": "", "usr/share/doc/libc6/copyright": "", "etc/passwd": "",
	} {
		g.Expect(umlPlan{}.place(file)).To(gomega.Equal(want), file)
	}
	for file, want := range map[string]string{
		"boot/vmlinuz-6.1.0-50-amd64": "linux", "usr/lib/modules/7.2.13+deb14-amd64/vmlinuz": "linux", "boot/config-6.1.0-50-amd64": "",
		"lib/modules/6.1.0-50-amd64/modules.builtin":           "modules/6.1.0-50-amd64/modules.builtin",
		"usr/lib/modules/7.2/kernel/fs/gfs2/gfs2.ko.xz":        "modules/7.2/kernel/fs/gfs2/gfs2.ko.xz",
		"usr/lib/modules/7.2/kernel/drivers/gpu/drm/drm.ko.xz": "",
		"lib/modules/6.1/kernel/drivers/block/virtio_blk.ko":   "modules/6.1/kernel/drivers/block/virtio_blk.ko",
	} {
		g.Expect(debPlan{}.place(file)).To(gomega.Equal(want), file)
	}
}
