package mount_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/guest"
	"faultline/harness/guest/initramfs"
	"faultline/harness/guest/kernels"
	"faultline/harness/guest/pid1"
	"faultline/harness/machine"
	"faultline/harness/machine/agent"
	"faultline/harness/machine/credit"
	"faultline/harness/machine/remote"
)

// kernel is a guest's kernel that the tests may boot.
type kernel struct {
	kernels.Kernel
	initrd string
}

// findKernel is a kernel of User Mode Linux from the cache, or the test is skipped.
func findKernel(t *testing.T, name string) kernel {
	t.Helper()
	store, err := kernels.Open()
	if err != nil {
		t.Skip(err)
	}
	k, err := store.Lookup(t.Context(), kernels.UML, name)
	if err != nil {
		t.Skip(err)
	}
	initrd := filepath.Join(t.TempDir(), "initrd")
	err = initramfs.Create(initrd, "/proc/self/exe", k.Modules, []string{"gfs2"}, []string{"crc32c_generic"})
	if err != nil && strings.Contains(err.Error(), "linked dynamically") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return kernel{k, initrd}
}

// booted is a guest that has mounted gfs2 images, each at the point of its number.
type booted struct {
	*guest.Guest
	on     machine.Machine
	images []string
}

// point is where an image is mounted.
func point(image int) string { return "/fs" + string(rune('a'+image)) }

// unawaited is how gfs2 of 6.12 sometimes refuses to mount what it has just recovered: it reads the journal's head again before the clean one that it has
// written is there (fs/gfs2/super.c: gfs2_make_fs_rw; fs/gfs2/recovery.c: clean_journal).
const unawaited = "can't make FS RW: -5"

// boot mounts copies of the images in a guest.
func (k kernel) boot(t *testing.T, images ...string) *booted {
	t.Helper()
	s := guest.Spec{Kernel: k.Kernel, Initrd: k.initrd, Memory: 256 << 20, Temp: t.TempDir(), Disks: images, Order: pid1.Order{Agent: agent.Role}}
	for i := range images {
		s.Order.Mounts = append(s.Order.Mounts, pid1.Mount{Source: guest.Device(k.Kind, i), Point: point(i), Type: "gfs2"})
	}
	vm, err := guest.Start(t.Context(), s)
	if err != nil && strings.Contains(err.Error(), unawaited) {
		t.Skip("a fault of this kernel: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(vm.Close)
	on, err := remote.Dial(t.Context(), credit.Host(vm.Channel()), remote.Options{
		PID: vm.PID(), Exited: vm.Exited(), How: vm.How, Console: vm.Console().Text, Silence: soon, Patience: soon,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &booted{vm, on, images}
}

// run runs a role in the guest to its end, which must be a good one.
func (b *booted) run(t *testing.T, role string, args ...string) {
	t.Helper()
	p, err := b.on.Spawn(role, args...)
	if err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(p.Stdout())
	if err != nil {
		t.Fatal(err)
	}
	<-p.Exited()
	if p.State() != "exit status 0" {
		t.Fatalf("%s %q in the guest: %s\n%s%s\n%s", role, args, p.State(), said, p.Stderr(), b.Console().Text())
	}
}

// off unmounts everything in good order, and puts the disks where the images were.
func (b *booted) off(t *testing.T) {
	t.Helper()
	if !b.Off(t.Context()) {
		t.Fatal(b.Console().Text())
	}
	b.takeDisks(t)
}

// takeDisks puts the disks of a guest that has ended where the images were.
func (b *booted) takeDisks(t *testing.T) {
	t.Helper()
	g := gomega.NewWithT(t)
	for i, image := range b.images {
		g.Expect(os.Remove(image)).To(gomega.Succeed())
		g.Expect(guest.CopySparse(b.Disk(i), image)).To(gomega.Succeed())
	}
	b.Close()
}
