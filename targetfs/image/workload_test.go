package image

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"faultline/targetfs/disk"
)

// soak tells whether long runs are wanted.
func soak() bool { return os.Getenv("FAULTLINE_SOAK") == "1" }

// workload makes random changes to an image and to a model of it.
type workload struct {
	ti    *testImage
	rnd   *rand.Rand
	root  *node
	dirs  []*node
	files []*node // that have a name
	step  int
}

func newWorkload(ti *testImage, seed uint64) *workload {
	root := newNode(ti.Root(), disk.ModeDir|0o755)
	return &workload{ti: ti, rnd: rand.New(rand.NewPCG(seed, 0)), root: root, dirs: []*node{root}}
}

// pick prefers the first few, so that some directories become large and some inodes see much.
func (w *workload) pick(all []*node) *node {
	if w.rnd.IntN(2) == 0 {
		return all[w.rnd.IntN(min(len(all), 6))]
	}
	return all[w.rnd.IntN(len(all))]
}

func (w *workload) dir() *node { return w.pick(w.dirs) }

// file is a random regular file, nil when there is none.
func (w *workload) file() *node {
	for range 10 {
		if n := w.any(); n != nil && n.isFile() {
			return n
		}
	}
	return nil
}

func (w *workload) any() *node {
	if len(w.files) == 0 {
		return nil
	}
	return w.pick(w.files)
}

func (w *workload) name() string {
	name := fmt.Sprintf("n%d", w.rnd.IntN(400))
	if w.rnd.IntN(4) == 0 {
		name += strings.Repeat("x", w.rnd.IntN(disk.MaxName-len(name)))
	}
	return name
}

// named is a random name of a random directory; ok is false when the directory is empty.
func (w *workload) named() (dir *node, name string, ok bool) {
	dir = w.dir()
	if len(dir.names) == 0 {
		return dir, "", false
	}
	names := make([]string, 0, len(dir.names))
	for name := range dir.names {
		names = append(names, name)
	}
	slices.Sort(names)
	return dir, names[w.rnd.IntN(len(names))], true
}

// run makes n changes. An error that the model does not expect is returned with the step that had it.
func (w *workload) run(n int) error {
	ops := []func() error{w.create, w.create, w.create, w.create, w.mkdir, w.symlink, w.special, w.link, w.unlink, w.unlink, w.rmdir,
		w.rename, w.rename, w.exchange, w.write, w.write, w.write, w.writeFar, w.truncate, w.punch, w.allocate, w.setXattr, w.setXattr, w.removeXattr,
		w.jdata, w.chown}
	for end := w.step + n; w.step < end; w.step++ {
		op := w.rnd.IntN(len(ops))
		if err := ops[op](); err != nil && !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("step %d, operation %d: %w", w.step, op, err)
		}
	}
	return nil
}

// expect compares an error with the one that the model predicts; nil when it predicts none.
func expect(err error, want error) error {
	if want == nil {
		return err
	}
	if errors.Is(err, want) {
		return nil
	}
	return fmt.Errorf("got %v, want %v", err, want)
}

func (w *workload) make(mode uint32, target string) error {
	dir, name := w.dir(), w.name()
	var want error
	if dir.names[name] != nil {
		want = syscall.EEXIST
	}
	var ino uint64
	err := w.ti.Update(func(tx *Tx) (err error) {
		ino, err = tx.Create(dir.ino, name, NewInode{Mode: mode, UID: w.rnd.Uint32N(3), GID: 1000, Target: target, Major: 8, Minor: 3})
		return err
	})
	if err != nil || want != nil {
		return expect(err, want)
	}
	n := newNode(ino, mode)
	n.target = target
	dir.names[name] = n
	if n.isDir() {
		n.parent = dir
		dir.nlink++
		w.dirs = append(w.dirs, n)
	} else {
		w.files = append(w.files, n)
	}
	return nil
}

func (w *workload) create() error  { return w.make(disk.ModeReg|0o644, "") }
func (w *workload) mkdir() error   { return w.make(disk.ModeDir|0o755, "") }
func (w *workload) special() error { return w.make(disk.ModeChar|0o600, "") }
func (w *workload) symlink() error {
	return w.make(disk.ModeLink|0o777, strings.Repeat("t", 1+w.rnd.IntN(w.ti.bs.StuffedMax()-2)))
}

func (w *workload) link() error {
	n, dir, name := w.any(), w.dir(), w.name()
	if n == nil {
		return nil
	}
	var want error
	if dir.names[name] != nil {
		want = syscall.EEXIST
	}
	err := w.ti.Update(func(tx *Tx) error { return tx.Link(n.ino, dir.ino, name) })
	if err == nil {
		dir.names[name] = n
		n.nlink++
	}
	return expect(err, want)
}

// lost is what happens to a node that lost a name.
func (w *workload) lost(n *node) error {
	n.nlink--
	if n.isDir() {
		n.nlink = 0
		n.parent.nlink--
		w.dirs = slices.DeleteFunc(w.dirs, func(d *node) bool { return d == n })
	}
	if n.nlink > 0 {
		return nil
	}
	w.files = slices.DeleteFunc(w.files, func(f *node) bool { return f == n })
	return w.ti.Reclaim(n.ino)
}

func (w *workload) unlink() error {
	dir, name, ok := w.named()
	if !ok {
		return nil
	}
	n := dir.names[name]
	var want error
	if n.isDir() {
		want = syscall.EISDIR
	}
	err := w.ti.Update(func(tx *Tx) error {
		_, _, err := tx.Unlink(dir.ino, name)
		return err
	})
	if err != nil || want != nil {
		return expect(err, want)
	}
	delete(dir.names, name)
	return w.lost(n)
}

func (w *workload) rmdir() error {
	dir, name, ok := w.named()
	if !ok {
		return nil
	}
	n := dir.names[name]
	var want error
	switch {
	case !n.isDir():
		want = syscall.ENOTDIR
	case len(n.names) > 0:
		want = syscall.ENOTEMPTY
	}
	err := w.ti.Update(func(tx *Tx) error {
		_, err := tx.Rmdir(dir.ino, name)
		return err
	})
	if err != nil || want != nil {
		return expect(err, want)
	}
	delete(dir.names, name)
	return w.lost(n)
}

func (w *workload) rename() error {
	from, oldName, ok := w.named()
	if !ok {
		return nil
	}
	to, newName := w.dir(), w.name()
	moved, target := from.names[oldName], to.names[newName]
	var want error
	switch {
	case target == moved:
		return nil
	case moved.isDir() && from != to && to.below(moved):
		want = syscall.EINVAL
	case target != nil && moved.isDir() && !target.isDir():
		want = syscall.ENOTDIR
	case target != nil && !moved.isDir() && target.isDir():
		want = syscall.EISDIR
	case target != nil && target.isDir() && len(target.names) > 0:
		want = syscall.ENOTEMPTY
	}
	err := w.ti.Update(func(tx *Tx) error {
		_, err := tx.Rename(from.ino, oldName, to.ino, newName, 0)
		return err
	})
	if err != nil || want != nil {
		return expect(err, want)
	}
	delete(from.names, oldName)
	to.names[newName] = moved
	w.reparent(moved, from, to)
	if target == nil {
		return nil
	}
	return w.lost(target)
}

func (w *workload) reparent(n, from, to *node) {
	if n.isDir() && from != to {
		n.parent = to
		from.nlink--
		to.nlink++
	}
}

func (w *workload) exchange() error {
	from, oldName, ok := w.named()
	to, newName, ok2 := w.named()
	if !ok || !ok2 {
		return nil
	}
	a, b := from.names[oldName], to.names[newName]
	if a == b {
		return nil
	}
	var want error
	if from != to && (a.isDir() && to.below(a) || b.isDir() && from.below(b)) {
		want = syscall.EINVAL
	}
	err := w.ti.Update(func(tx *Tx) error {
		_, err := tx.Rename(from.ino, oldName, to.ino, newName, RenameExchange)
		return err
	})
	if err != nil || want != nil {
		return expect(err, want)
	}
	from.names[oldName], to.names[newName] = b, a
	w.reparent(a, from, to)
	w.reparent(b, to, from)
	return nil
}

// maxFile is the size that files of the workload may reach, so that the model stays small.
const maxFile = 3 << 20

func (w *workload) writeTo(n *node, off, count int) error {
	p := make([]byte, count)
	for i := range p {
		p[i] = byte(w.step + i*7)
	}
	done, err := w.ti.WriteAt(n.ino, p, int64(off))
	if done > 0 {
		n.resize(max(len(n.data), off+done))
		copy(n.data[off:], p[:done])
	}
	return err
}

func (w *workload) write() error {
	n := w.file()
	if n == nil {
		return nil
	}
	return w.writeTo(n, w.rnd.IntN(len(n.data)+1), 1+w.rnd.IntN(1<<w.rnd.IntN(17)))
}

// writeFar leaves a hole.
func (w *workload) writeFar() error {
	n := w.file()
	if n == nil {
		return nil
	}
	return w.writeTo(n, w.rnd.IntN(maxFile), 1+w.rnd.IntN(5000))
}

func (w *workload) truncate() error {
	n := w.file()
	if n == nil {
		return nil
	}
	size := w.rnd.IntN(len(n.data) + 20000)
	if w.rnd.IntN(5) == 0 {
		size = 0
	}
	err := w.ti.Truncate(n.ino, int64(size))
	if err == nil {
		n.resize(size)
	}
	return err
}

func (w *workload) punch() error {
	n := w.file()
	if n == nil {
		return nil
	}
	off, count := w.rnd.IntN(len(n.data)+1), 1+w.rnd.IntN(len(n.data)+1)
	err := w.ti.Punch(n.ino, int64(off), int64(count))
	if err == nil {
		clear(n.data[off:min(len(n.data), off+count)])
	}
	return err
}

func (w *workload) allocate() error {
	n := w.file()
	if n == nil {
		return nil
	}
	off, count, keep := w.rnd.IntN(maxFile/2), 1+w.rnd.IntN(100000), w.rnd.IntN(2) == 0
	err := w.ti.Allocate(n.ino, int64(off), int64(count), keep)
	if err == nil && !keep {
		n.resize(max(len(n.data), off+count))
	}
	return err
}

func (w *workload) xattr() Xattr {
	types := []disk.EAType{disk.EAUser, disk.EASystem, disk.EASecurity}
	return Xattr{types[w.rnd.IntN(len(types))], fmt.Sprintf("attribute%d", w.rnd.IntN(4))}
}

func (w *workload) setXattr() error {
	n, x := w.any(), w.xattr()
	if n == nil {
		return nil
	}
	value := strings.Repeat(string(rune('a'+w.step%26)), w.rnd.IntN(1<<w.rnd.IntN(14)))
	_, exists := n.xattrs[x]
	flags, want := XattrFlags(w.rnd.IntN(3)), error(nil)
	switch {
	case flags == XattrCreate && exists:
		want = syscall.EEXIST
	case flags == XattrReplace && !exists:
		want = syscall.ENODATA
	}
	err := w.ti.Update(func(tx *Tx) error { return tx.SetXattr(n.ino, x, []byte(value), flags) })
	if err == nil {
		n.xattrs[x] = value
	}
	return expect(err, want)
}

func (w *workload) removeXattr() error {
	n, x := w.any(), w.xattr()
	if n == nil {
		return nil
	}
	_, exists := n.xattrs[x]
	var want error
	if !exists {
		want = syscall.ENODATA
	}
	err := w.ti.Update(func(tx *Tx) error { return tx.RemoveXattr(n.ino, x) })
	if err == nil {
		delete(n.xattrs, x)
	}
	return expect(err, want)
}

func (w *workload) jdata() error {
	n := w.file()
	if n == nil {
		return nil
	}
	return w.ti.SetJdata(n.ino, w.rnd.IntN(2) == 0)
}

func (w *workload) chown() error {
	n, uid := w.any(), w.rnd.Uint32N(3)
	if n == nil {
		return nil
	}
	return w.ti.Update(func(tx *Tx) error { return tx.SetAttr(n.ino, Changes{UID: &uid}) })
}

// finish compares model and image, before and after the image was closed, and asks both judges.
func (w *workload) finish(t *testing.T) {
	t.Helper()
	if err := compare(w.ti.Image, w.root); err != nil {
		t.Fatal(err)
	}
	w.ti.closeClean()
	w.ti.open()
	if err := compare(w.ti.Image, w.root); err != nil {
		t.Fatalf("after closing and opening: %v", err)
	}
}

func TestWorkload(t *testing.T) {
	seeds := uint64(2)
	if soak() {
		seeds = 100
	}
	for name, open := range map[string]func(*testing.T) *testImage{
		"ours-512": func(t *testing.T) *testImage { return formatted(t, 64<<20, FormatOptions{BlockSize: 512}) },
		"ours-1024-1801": func(t *testing.T) *testImage {
			return formatted(t, 48<<20, FormatOptions{BlockSize: 1024, Version: 1801})
		},
		"ours-2048": func(t *testing.T) *testImage {
			return formatted(t, 128<<20, FormatOptions{BlockSize: 2048, Journals: 2})
		},
		"ours-4096":       func(t *testing.T) *testImage { return formatted(t, 256<<20, FormatOptions{GroupBytes: 32 << 20}) },
		"ours-4096-small": func(t *testing.T) *testImage { return formatted(t, 32<<20, FormatOptions{}) },
		"mkfs-512":        func(t *testing.T) *testImage { return mkfs(t, 64<<20, "-b", "512") },
		"mkfs-1024":       func(t *testing.T) *testImage { return mkfs(t, 64<<20, "-b", "1024", "-j", "2") },
		"mkfs-4096-1801":  func(t *testing.T) *testImage { return mkfs(t, 128<<20, "-o", "format=1801") },
	} {
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s-%d", name, seed), func(t *testing.T) {
				w := newWorkload(open(t), seed)
				if err := w.run(1500); err != nil {
					t.Fatal(err)
				}
				w.finish(t)
			})
		}
	}
}
