package image

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"faultline/targetfs/disk"

	"github.com/onsi/gomega"
)

// testTime is the time of everything in these tests.
var testTime = time.Unix(1_700_000_000, 123_456_789)

// fileDevice is an image file without syncs: no test here pulls a plug.
type fileDevice struct{ *os.File }

func (fileDevice) Sync() error { return nil }

// testImage is an image file and what is open of it.
type testImage struct {
	*Image
	t     *testing.T
	path  string
	size  int64
	dev   fileDevice
	quota QuotaMode
}

// formatted makes a file with an empty file system of ours and opens it.
func formatted(t *testing.T, size int64, opts FormatOptions) *testImage {
	t.Helper()
	ti := newFile(t, size)
	if opts.Time.IsZero() {
		opts.Time = testTime
	}
	if err := Format(ti.dev, size, opts); err != nil {
		t.Fatal(err)
	}
	ti.open()
	return ti
}

// mkfs makes a file with an empty file system of mkfs.gfs2, and opens it.
func mkfs(t *testing.T, size int64, args ...string) *testImage {
	t.Helper()
	ti := newFile(t, size)
	ti.tool("mkfs.gfs2", append([]string{"-O", "-q", "-p", "lock_nolock"}, append(args, ti.path)...)...)
	ti.open()
	return ti
}

func newFile(t *testing.T, size int64) *testImage {
	t.Helper()
	ti := &testImage{t: t, path: filepath.Join(t.TempDir(), "image"), size: size}
	f, err := os.Create(ti.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	ti.dev = fileDevice{f}
	return ti
}

func (ti *testImage) open() {
	ti.t.Helper()
	im, err := Open(ti.dev, ti.size, Options{Quota: ti.quota, Now: func() time.Time { return testTime }})
	if err != nil {
		ti.t.Fatal(err)
	}
	ti.Image = im
}

// tool runs a program of gfs2-utils and returns its exit code and output; the test is skipped when it is not installed.
// A program that does not end is killed and gives -1.
func (ti *testImage) tool(name string, args ...string) (int, string) {
	ti.t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		ti.t.Skipf("%s is not installed", name)
	}
	ctx, cancel := context.WithTimeout(ti.t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if err != nil && !failed {
		ti.t.Fatalf("%s: %v", name, err)
	}
	if failed {
		return exit.ExitCode(), string(out)
	}
	return 0, string(out)
}

// findings is what our own check says.
func (ti *testImage) findings() []string {
	ti.t.Helper()
	var all []string
	if err := Check(ti.dev, ti.size, func(f Finding) { all = append(all, f.String()) }); err != nil {
		ti.t.Fatal(err)
	}
	return all
}

// closeClean closes the image and asks both judges.
func (ti *testImage) closeClean() {
	ti.t.Helper()
	g := gomega.NewWithT(ti.t)
	g.Expect(ti.Close()).To(gomega.Succeed())
	g.Expect(ti.findings()).To(gomega.BeEmpty())
	if _, err := exec.LookPath("fsck.gfs2"); err != nil {
		ti.t.Log("fsck.gfs2 is not installed: only our own check judged this image")
		return
	}
	if code, out := ti.tool("fsck.gfs2", "-n", ti.path); code != 0 {
		ti.t.Fatalf("fsck.gfs2 -n returns %d:\n%s", code, out)
	}
}

// must runs fn in a transaction that has to succeed.
func (ti *testImage) must(fn func(tx *Tx) error) {
	ti.t.Helper()
	if err := ti.Update(fn); err != nil {
		ti.t.Fatal(err)
	}
}

// create makes an inode that has to succeed.
func (ti *testImage) create(dir uint64, name string, mode uint32) (ino uint64) {
	ti.t.Helper()
	ti.must(func(tx *Tx) (err error) {
		ino, err = tx.Create(dir, name, NewInode{Mode: mode})
		return err
	})
	return ino
}

// unlink removes a name, and its inode when it was the last one.
func (ti *testImage) unlink(dir uint64, name string) {
	ti.t.Helper()
	var ino uint64
	var gone bool
	ti.must(func(tx *Tx) (err error) {
		ino, gone, err = tx.Unlink(dir, name)
		return err
	})
	if gone {
		if err := ti.Reclaim(ino); err != nil {
			ti.t.Fatal(err)
		}
	}
}

func (ti *testImage) stat(ino uint64) (di disk.Dinode) {
	ti.t.Helper()
	if err := ti.View(func(tx *Tx) (err error) {
		di, err = tx.Stat(ino)
		return err
	}); err != nil {
		ti.t.Fatal(err)
	}
	return di
}
