package initramfs_test

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/onsi/gomega"
	"github.com/ulikunitz/xz"

	"faultline/harness/guest/initramfs"
)

// tree makes a folder of modules; the files hold an ELF's first bytes and their own name.
func tree(t *testing.T, dep, builtin string, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("modules.dep", dep)
	write("modules.builtin", builtin)
	for _, name := range files {
		write(name, string(pack(t, filepath.Ext(name), "\x7fELF "+name)))
	}
	return dir
}

func pack(t *testing.T, ext, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch ext {
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".xz":
		w, err = xz.NewWriter(&b)
	case ".zst":
		w, err = zstd.NewWriter(&b)
	default:
		return []byte(text)
	}
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const dep = `kernel/fs/configfs/configfs.ko:
kernel/fs/dlm/dlm.ko.xz: kernel/fs/configfs/configfs.ko
kernel/fs/gfs2/gfs2.ko.zst: kernel/fs/dlm/dlm.ko.xz kernel/fs/configfs/configfs.ko
kernel/lib/crc-itu-t.ko.gz:
a.ko: b.ko
b.ko: a.ko
`

func TestModulesComeAfterWhatTheyNeed(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := tree(t, dep, "kernel/fs/ext4/ext4.ko\n")
	kernel, err := initramfs.OpenTree(dir)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	in := func(names ...string) []string {
		for i := range names {
			names[i] = filepath.Join(dir, names[i])
		}
		return names
	}
	for _, c := range []struct {
		names, maybe, want []string
	}{
		{[]string{"gfs2"}, nil, in("kernel/fs/configfs/configfs.ko", "kernel/fs/dlm/dlm.ko.xz", "kernel/fs/gfs2/gfs2.ko.zst")},
		{[]string{"dlm", "gfs2"}, nil, in("kernel/fs/configfs/configfs.ko", "kernel/fs/dlm/dlm.ko.xz", "kernel/fs/gfs2/gfs2.ko.zst")},
		{[]string{"ext4"}, []string{"xfs"}, nil},
		{nil, []string{"crc-itu-t"}, in("kernel/lib/crc-itu-t.ko.gz")},
		{[]string{"crc_itu_t"}, nil, in("kernel/lib/crc-itu-t.ko.gz")},
		{[]string{"a"}, nil, in("b.ko", "a.ko")},
	} {
		files, err := kernel.Resolve(c.names, c.maybe)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(files).To(gomega.Equal(c.want), "%v %v", c.names, c.maybe)
	}
	_, err = kernel.Resolve([]string{"gfs2", "xfs", "ntfs3"}, nil)
	g.Expect(err).To(gomega.MatchError("the kernel of " + dir + " has no module xfs, ntfs3"))
	g.Expect(kernel.Has("ext4")).To(gomega.BeTrue())
	g.Expect(kernel.Has("xfs")).To(gomega.BeFalse())
}

func TestAKernelWithoutModulesHasAllBuiltIn(t *testing.T) {
	g := gomega.NewWithT(t)
	kernel, err := initramfs.OpenTree("")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(kernel.Resolve([]string{"gfs2"}, nil)).To(gomega.BeEmpty())
	_, err = initramfs.OpenTree(t.TempDir())
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("modules.dep: no such file")))
}

// file is one file of an archive, as another reader of the format sees it.
type file struct {
	name string
	mode uint64
	data string
}

// unpack reads "newc" by its description in the kernel's buffer-format.rst.
func unpack(archive []byte) (files []file, err error) {
	at := 0
	field := func(header []byte, i int) uint64 {
		n, bad := strconv.ParseUint(string(header[6+8*i:14+8*i]), 16, 32)
		if bad != nil && err == nil {
			err = bad
		}
		return n
	}
	for {
		header := archive[at : at+110]
		if string(header[:6]) != "070701" {
			return nil, fmt.Errorf("no header at %d: %q", at, header)
		}
		size, nameSize := int(field(header, 6)), int(field(header, 11))
		name := string(archive[at+110 : at+110+nameSize-1])
		at = (at + 110 + nameSize + 3) &^ 3
		if name == "TRAILER!!!" {
			return files, err
		}
		files = append(files, file{name, field(header, 1), string(archive[at : at+size])})
		at = (at + size + 3) &^ 3
	}
}

func TestArchive(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := tree(t, dep, "", "kernel/fs/configfs/configfs.ko", "kernel/fs/dlm/dlm.ko.xz", "kernel/fs/gfs2/gfs2.ko.zst", "kernel/lib/crc-itu-t.ko.gz")
	kernel, err := initramfs.OpenTree(dir)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	modules, err := kernel.Resolve([]string{"gfs2", "crc-itu-t"}, nil)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	var b bytes.Buffer
	g.Expect(initramfs.Write(&b, "/proc/self/exe", modules)).To(gomega.Succeed())
	files, err := unpack(b.Bytes())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(files).To(gomega.HaveLen(8))
	g.Expect(files[3].name).To(gomega.Equal("init"))
	g.Expect(files[3].mode).To(gomega.BeEquivalentTo(0o100755))
	expectProgram(t, files[3].data)
	files[3] = file{}
	g.Expect(files).To(gomega.Equal([]file{
		{"dev", 0o040755, ""},
		{"dev/console", 0o020600, ""},
		{"modules", 0o040755, ""},
		{},
		{"modules/000-configfs.ko", 0o100644, "\x7fELF kernel/fs/configfs/configfs.ko"},
		{"modules/001-dlm.ko", 0o100644, "\x7fELF kernel/fs/dlm/dlm.ko.xz"},
		{"modules/002-gfs2.ko", 0o100644, "\x7fELF kernel/fs/gfs2/gfs2.ko.zst"},
		{"modules/003-crc_itu_t.ko", 0o100644, "\x7fELF kernel/lib/crc-itu-t.ko.gz"},
	}))
}

// expectProgram expects our own program, without its debug data, to be what the kernel loads of it, and to run.
func expectProgram(t *testing.T, data string) {
	t.Helper()
	g := gomega.NewWithT(t)
	whole, err := elf.Open("/proc/self/exe")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer whole.Close()
	packed, err := elf.NewFile(strings.NewReader(data))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(packed.Sections).To(gomega.BeEmpty())
	g.Expect(packed.Entry).To(gomega.Equal(whole.Entry))
	g.Expect(packed.Progs).To(gomega.HaveLen(len(whole.Progs)))
	for i, p := range whole.Progs {
		g.Expect(packed.Progs[i].ProgHeader).To(gomega.Equal(p.ProgHeader))
		want, err := io.ReadAll(p.Open())
		g.Expect(err).NotTo(gomega.HaveOccurred())
		if p.Off == 0 && p.Filesz > 0 {
			want = want[elfHeader:]
		}
		got, err := io.ReadAll(io.NewSectionReader(packed.Progs[i], int64(p.Filesz)-int64(len(want)), int64(len(want))))
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(bytes.Equal(got, want)).To(gomega.BeTrue(), "segment %d", i)
	}
	path := filepath.Join(t.TempDir(), "program")
	g.Expect(os.WriteFile(path, []byte(data), 0o700)).To(gomega.Succeed())
	out, err := exec.Command(path, "-test.list", "^TestArchive$").CombinedOutput()
	g.Expect(string(out), err).To(gomega.Equal("TestArchive\n"))
}

// elfHeader is the size of the header that names the sections.
const elfHeader = 64

func TestWhatCannotBePacked(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	text := filepath.Join(dir, "text.ko")
	torn := filepath.Join(dir, "torn.ko.xz")
	g.Expect(os.WriteFile(text, []byte("no module"), 0o600)).To(gomega.Succeed())
	whole := pack(t, ".xz", "\x7fELF"+string(make([]byte, 4096)))
	g.Expect(os.WriteFile(torn, whole[:len(whole)/2], 0o600)).To(gomega.Succeed())
	for _, c := range []struct{ init, module, want string }{
		{text, "", text + ": "},
		{"/proc/self/exe", text, text + " holds no kernel module"},
		{"/proc/self/exe", torn, "unpack " + torn},
		{"/proc/self/exe", dir + "/none.ko", "no such file"},
	} {
		var modules []string
		if c.module != "" {
			modules = []string{c.module}
		}
		err := initramfs.Write(io.Discard, c.init, modules)
		g.Expect(err).To(gomega.MatchError(gomega.And(gomega.HavePrefix("write an initramfs: "), gomega.ContainSubstring(c.want))))
	}
}
