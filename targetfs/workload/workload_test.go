package workload

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// fresh is an empty directory that has user attributes; the test is skipped when it hasn't.
func fresh(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "work")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setxattr(dir, "user.probe", nil, 0); err != nil {
		t.Skipf("user attributes in %s: %v", dir, err)
	}
	return dir
}

// The kernel's own file systems do what the model says.
func TestModelIsThatOfLinux(t *testing.T) {
	for seed := range uint64(3) {
		g := gomega.NewWithT(t)
		dir := fresh(t)
		m, err := Apply(dir, seed, 1500)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(Verify(dir, m)).To(gomega.Succeed())
		g.Expect(Verify(dir, Expect(seed, 1500))).To(gomega.Succeed(), "the model alone is the same")
		g.Expect(Verify(dir, Expect(seed, 1499))).NotTo(gomega.Succeed(), "and not that of another number of steps")
	}
}

// A workload that is made in parts is the same as in one piece.
func TestContinue(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := fresh(t)
	for done := 0; done < 900; done += 300 {
		_, err := Continue(dir, 5, done, 300)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(Verify(dir, Expect(5, done+300))).To(gomega.Succeed())
	}
}

// someOf finds a path of the model with what is wanted.
func someOf(m *Model, dir string, want func(*inode) bool) string {
	w := newWork(dir, 99)
	w.root, w.dirs = m.root, nil
	var walk func(d *inode)
	walk = func(d *inode) {
		w.dirs = append(w.dirs, d)
		for _, name := range d.order {
			if isDir(d.names[name]) {
				walk(d.names[name])
			}
		}
	}
	walk(m.root)
	for {
		if d, name, ok := w.someName(want); ok {
			return w.path(d, name)
		}
	}
}

// Each planted difference is found, and named.
func TestVerifyFindsDifferences(t *testing.T) {
	written := func(n *inode) bool {
		return n.kind == kindFile && n.links == 1 && len(n.at(0)) > 0 && n.data[0] != nil && n.size > 1
	}
	sparse := func(n *inode) bool { return n.kind == kindFile && n.links == 1 && n.data[0] == nil && n.size > 2*chunk }
	for _, c := range []struct {
		name, want string
		of         func(*inode) bool
		spoil      func(path string) error
	}{
		{"a byte", "bytes differ from 0 on", written, func(p string) error { return poke(p, 0) }},
		{"a byte in a hole", "bytes differ from 5 on", sparse, func(p string) error { return poke(p, 5) }},
		{"size", "bytes, want", isFile, func(p string) error { return os.Truncate(p, 1<<31) }},
		{"permissions", "permissions 0777, want", isFile, func(p string) error { return os.Chmod(p, 0o777) }},
		{"a name too many", "should not be there", isDir, func(p string) error { return os.WriteFile(filepath.Join(p, "more"), nil, 0o600) }},
		{"a name missing", "does not list", isNoDir, os.Remove},
		{"a link too many", "2 links, want 1", func(n *inode) bool { return n.links == 1 && isFile(n) }, func(p string) error { return os.Link(p, p+"+") }},
		{"a target", "target \"x\", want", func(n *inode) bool { return n.kind == kindSymlink && n.links == 1 }, func(p string) error { return replace(p, os.Symlink("x", p+"+")) }},
		{"a type", "type 040000, want", func(n *inode) bool { return n.links == 1 && isFile(n) }, func(p string) error { return replace(p, os.Mkdir(p+"+", 0o700)) }},
		{"an attribute", "attributes [", isFile, func(p string) error { return unix.Setxattr(p, "user.z", nil, 0) }},
		{"a value", "want", func(n *inode) bool { return len(n.xattrs["user.a"]) > 1 }, func(p string) error { return unix.Setxattr(p, "user.a", []byte{1}, 0) }},
		{"a time", "mtime 1.000000000, want", func(n *inode) bool { return isFile(n) && !n.mtime.IsZero() }, func(p string) error { return os.Chtimes(p, time.Unix(1, 0), time.Unix(1, 0)) }},
		{"other inode", "but another name of it has", func(n *inode) bool { return n.links == 2 && isFile(n) }, func(p string) error { return replace(p, os.WriteFile(p+"+", nil, 0o600)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			dir := fresh(t)
			m, err := Apply(dir, 7, 800)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(c.spoil(someOf(m, dir, c.of))).To(gomega.Succeed())
			g.Expect(Verify(dir, m)).To(gomega.MatchError(gomega.ContainSubstring(c.want)))
		})
	}
}

// poke changes a byte and nothing else.
func poke(path string, off int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, off); err != nil {
		return err
	}
	b[0]++
	_, err = f.WriteAt(b, off)
	return err
}

// replace puts what was made beside path in its place.
func replace(path string, made error) error {
	if made != nil {
		return made
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Rename(path+"+", path)
}

// A step that fails is named, and the model stays that of the steps before.
func TestApplyNamesTheStep(t *testing.T) {
	g := gomega.NewWithT(t)
	_, err := Apply("/proc/none", 1, 100)
	g.Expect(err).To(gomega.MatchError(gomega.MatchRegexp(`^step \d+ of the workload with seed 1 in /proc/none: .*no such file or directory$`)))
}
