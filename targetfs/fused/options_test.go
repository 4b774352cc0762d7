package fused_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/onsi/gomega"

	"faultline/harness/self"
	"faultline/targetfs/fused"
	"faultline/targetfs/image"
)

func TestParseOptions(t *testing.T) {
	g := gomega.NewWithT(t)
	o, err := fused.ParseOptions("noatime,ro,allow_other,journal=1,nodes=2,quota=on,inodes=7,switchable,suid,dev,default_permissions")
	must(t, err)
	g.Expect(o).To(gomega.Equal(fused.Options{NoAtime: true, ReadOnly: true, AllowOther: true, Journal: 1, Nodes: 2, Quota: image.QuotaOn,
		Inodes: 7, Switchable: true, Suid: true, Dev: true, DefaultPermissions: true}))
	g.Expect(fused.ParseOptions("")).To(gomega.Equal(fused.Options{}))
	for _, wrong := range []string{"sync=1", "atime", "nodes", "nodes=0", "nodes=two", "journal=-1", "copy=sometimes", "quota", "ro=1", "inodes=0"} {
		_, err := fused.ParseOptions("rw," + wrong)
		g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring(wrong)))
	}
}

func TestErrorsOfMountHaveNames(t *testing.T) {
	needFUSE(t)
	g := gomega.NewWithT(t)
	dir := scratch(t)
	fails := func(o fused.Options, want any) {
		t.Helper()
		o.Dirs = append(o.Dirs, dir)
		_, err := fused.Mount(o)
		g.Expect(err).To(gomega.MatchError(want))
	}
	fails(fused.Options{Image: filepath.Join(dir, "missing")}, fs.ErrNotExist)
	text := filepath.Join(t.TempDir(), "text")
	must(t, os.WriteFile(text, make([]byte, 1<<20), 0o600))
	fails(fused.Options{Image: text}, image.ErrNotGFS2)
	good := newImage(t, image.FormatOptions{Journals: 2})
	fails(fused.Options{Image: good, Nodes: 2}, gomega.ContainSubstring("1 directories for 2 nodes"))
	fails(fused.Options{Image: good, Journal: 5}, syscall.ENOENT)
	_, err := fused.Mount(fused.Options{Image: good, Dirs: []string{filepath.Join(dir, "missing")}})
	g.Expect(err).To(gomega.MatchError(fs.ErrNotExist))
	_, err = fused.Mount(fused.Options{Image: good, Dirs: []string{text}})
	g.Expect(err).To(gomega.MatchError(syscall.ENOTDIR))
	// The second of two mounts fails: the first one goes.
	_, err = fused.Mount(fused.Options{Image: good, Nodes: 2, Dirs: []string{dir, text}})
	g.Expect(err).To(gomega.MatchError(syscall.ENOTDIR))
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	g.Expect(string(mounts)).NotTo(gomega.ContainSubstring(dir))
}

func TestADirtyJournalStopsAReadOnlyMount(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	must(t, os.WriteFile(m.path("a"), []byte("x"), 0o600))
	f, err := os.Open(m.dir)
	must(t, err, f.Sync(), f.Close())
	m.end()
	_, err = fused.Mount(fused.Options{Image: m.image, Dirs: m.dirs, ReadOnly: true})
	g.Expect(err).To(gomega.MatchError(image.ErrDirtyJournal))
	m.start("journal=0")
	g.Expect(os.ReadFile(m.path("a"))).To(gomega.Equal([]byte("x")))
	m.unmount()
}

// Without root the server mounts with fusermount3, and serves its own user.
func TestMountingWithoutRoot(t *testing.T) {
	needFUSE(t)
	if _, err := exec.LookPath("fusermount3"); err != nil {
		t.Skipf("needs fusermount3: %v", err)
	}
	g := gomega.NewWithT(t)
	folder, err := os.MkdirTemp("", "fused-user")
	must(t, err)
	m := &mount{t: t, image: filepath.Join(folder, "image"), dir: filepath.Join(folder, "dir")}
	m.dirs = []string{m.dir}
	t.Cleanup(func() {
		m.end()
		must(t, os.Remove(m.image), os.Remove(m.dir), os.Remove(folder))
	})
	must(t, os.Rename(newImage(t, image.FormatOptions{}), m.image), os.Mkdir(m.dir, 0o755))
	giveRoot(t, m.image, 1000)
	for _, path := range []string{folder, m.dir, m.image} {
		must(t, os.Chown(path, 1000, 1000))
	}
	m.command = func(args ...string) *exec.Cmd {
		cmd := self.Command("fused-server", args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
		return cmd
	}
	if err := m.tryStart(""); err != nil {
		t.Skipf("needs a binary, /dev/fuse and fusermount3 that other users can use: %v", err)
	}
	out, err := as(t, 1000, folder, "echo hello > dir/a && mkdir dir/d && cat dir/a")
	g.Expect(out, err).To(gomega.Equal("hello\n"))
	_, err = os.ReadDir(m.dir)
	g.Expect(errors.Is(err, fs.ErrPermission)).To(gomega.BeTrue(), "root has no business there")
	m.unmount()
}

// giveRoot makes a user the owner of the root directory in an image, which mkfs leaves to root.
func giveRoot(t *testing.T, path string, uid uint32) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	im, err := image.Open(f, imageSize, image.Options{})
	must(t, err)
	must(t, im.Update(func(tx *image.Tx) error { return tx.SetAttr(im.Root(), image.Changes{UID: &uid, GID: &uid}) }), im.Close())
}
