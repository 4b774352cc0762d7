package guest_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/guest"
	"faultline/harness/guest/initramfs"
	"faultline/harness/guest/pid1"
	"faultline/harness/self"
)

// relayRole is an agent that answers lines.
const relayRole = "test-relay"

func init() { self.Register(relayRole, relay) }

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

func relay([]string) int {
	channel := os.NewFile(3, "channel")
	for lines := bufio.NewScanner(channel); lines.Scan(); {
		switch line := lines.Text(); line {
		case "mounts":
			text, _ := os.ReadFile("/proc/mounts")
			fmt.Fprintf(channel, "%q\n", text)
		case "panic":
			os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
		default:
			fmt.Fprintf(channel, "%s\n", line)
		}
	}
	return 0
}

// spec is a guest with the kernel from the cache, or the test is skipped.
func spec(t *testing.T, kernel string) guest.Spec {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	dir := filepath.Join(cache, "faultline", "kernels", kernel)
	if _, err := os.Stat(filepath.Join(dir, "linux")); err != nil {
		t.Skip(err)
	}
	trees, _ := filepath.Glob(filepath.Join(dir, "modules/*/modules.dep"))
	g := gomega.NewWithT(t)
	tree, err := initramfs.OpenTree(filepath.Dir(trees[0]))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	files, err := tree.Resolve([]string{"gfs2"}, nil)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	initrd := filepath.Join(t.TempDir(), "initrd")
	f, err := os.Create(initrd)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	g.Expect(initramfs.Write(f, "/proc/self/exe", files)).To(gomega.Succeed())
	return guest.Spec{
		Kernel: guest.Kernel{Kind: guest.UML, Linux: filepath.Join(dir, "linux")}, Initrd: initrd, Memory: 256 << 20, Temp: t.TempDir(),
		Order: pid1.Order{Agent: relayRole},
	}
}

func TestBoot(t *testing.T) {
	for _, name := range []string{"uml-5.10", "uml-6.1", "uml-6.12", "uml-7.2"} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			vm, err := guest.Start(t.Context(), spec(t, name))
			g.Expect(err).NotTo(gomega.HaveOccurred())
			defer vm.Close()
			t.Log(vm.Hello(), vm.Boot(), pid1.Spin())
			in := bufio.NewReader(vm.Channel())
			fmt.Fprintln(vm.Channel(), "mounts")
			line, err := in.ReadString('\n')
			g.Expect(err).NotTo(gomega.HaveOccurred())
			t.Log(line)
			began := time.Now()
			t.Log("off", vm.Off(t.Context()), time.Since(began), vm.How())
			t.Log(vm.Console().Text())
		})
	}
}
