// Package workload changes a directory by seeded random system calls and knows what the directory must hold afterwards: creates, renames,
// links, large directories, sparse files, extended attributes, truncations, stores through mappings. It is to be run on any file
// system of Linux, ours over FUSE and the kernel's. It imports golang.org/x/sys and the standard library.
//
//	model, err := workload.Apply("/mnt/work", seed, 2000)
//	...unmount, mount elsewhere...
//	err = workload.Verify("/mnt/work", model) // or workload.Expect(seed, 2000), in another process
//
// The calls depend on the seed only, and so what one kernel wrote another can verify.
package workload

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Apply makes n random changes in the empty directory dir and returns what it must hold then. The error names the step that failed; the
// model is then that of the steps before it.
func Apply(dir string, seed uint64, n int) (*Model, error) { return Continue(dir, seed, 0, n) }

// Continue makes the n changes that follow on the first done ones, which somebody has made in dir before, maybe another kernel.
func Continue(dir string, seed uint64, done, n int) (*Model, error) {
	w := newWork("", seed)
	w.steps(done)
	w.dir = dir
	for step := done; step < done+n; step++ {
		if what, err := w.step(); err != nil {
			return w.model(), fmt.Errorf("step %d of the workload with seed %d in %s: %s: %w", step, seed, dir, what, err)
		}
	}
	return w.model(), nil
}

// Expect is what a directory must hold after Apply with the same seed and number. It makes no system calls.
func Expect(seed uint64, n int) *Model {
	w := newWork("", seed)
	w.steps(n)
	return w.model()
}

// work is a workload under way. Without a directory only the model changes.
type work struct {
	dir  string
	rnd  *rand.Rand
	root *inode
	dirs []*inode
}

func newWork(dir string, seed uint64) *work {
	root := newInode(kindDir, 0)
	return &work{dir: dir, rnd: rand.New(rand.NewPCG(seed, 0)), root: root, dirs: []*inode{root}}
}

func (w *work) model() *Model { return &Model{w.root} }

// ops are the changes; those that stand there more than once are made more often.
var ops = []struct {
	name string
	do   func(w *work) error
}{
	{"create", (*work).create}, {"create", (*work).create}, {"create", (*work).create}, {"create many", (*work).createMany},
	{"mkdir", (*work).mkdir}, {"symlink", (*work).symlink}, {"mkfifo", (*work).mkfifo}, {"link", (*work).link},
	{"unlink", (*work).unlink}, {"unlink", (*work).unlink}, {"rmdir", (*work).rmdir}, {"rename", (*work).rename}, {"rename", (*work).rename},
	{"exchange", (*work).exchange}, {"write", (*work).write}, {"write", (*work).write}, {"write", (*work).write}, {"write far", (*work).writeFar},
	{"truncate", (*work).truncate}, {"punch", (*work).punch}, {"allocate", (*work).allocate}, {"store through a mapping", (*work).store},
	{"store through a mapping", (*work).store}, {"set an attribute", (*work).setXattr}, {"set an attribute", (*work).setXattr},
	{"remove an attribute", (*work).removeXattr}, {"chmod", (*work).chmod}, {"set times", (*work).setTimes}, {"fsync", (*work).fsync},
	{"refused", (*work).refused},
}

// steps are steps of the model alone.
func (w *work) steps(n int) {
	for range n {
		_, _ = w.step() // nothing can fail
	}
}

func (w *work) step() (what string, err error) {
	op := ops[w.rnd.IntN(len(ops))]
	return op.name, op.do(w)
}

// call makes a system call, again when a signal interrupted it. Without a directory it makes none.
func (w *work) call(fn func() error) error {
	for w.dir != "" {
		if err := fn(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	return nil
}

// path is where a name in a directory is.
func (w *work) path(dir *inode, name string) string {
	parts := []string{name}
	for ; dir != w.root; dir = dir.parent {
		parts = append(parts, dir.name)
	}
	parts = append(parts, w.dir)
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return filepath.Join(parts...)
}

// someDir prefers the first few, so that some directories become large.
func (w *work) someDir() *inode {
	if w.rnd.IntN(2) == 0 {
		return w.dirs[w.rnd.IntN(min(len(w.dirs), 4))]
	}
	return w.dirs[w.rnd.IntN(len(w.dirs))]
}

// someName is a random name that exists; ok is false when none was found.
func (w *work) someName(want func(*inode) bool) (dir *inode, name string, ok bool) {
	for range 12 {
		dir = w.someDir()
		if len(dir.order) == 0 {
			continue
		}
		if name = dir.order[w.rnd.IntN(len(dir.order))]; want(dir.names[name]) {
			return dir, name, true
		}
	}
	return nil, "", false
}

// newName is a directory and a name that it does not have, sometimes one of up to 255 bytes.
func (w *work) newName() (dir *inode, name string) {
	const longest = 255
	dir = w.someDir()
	for {
		name = fmt.Sprintf("n%d", w.rnd.IntN(10_000))
		if w.rnd.IntN(6) == 0 {
			name += strings.Repeat("x", w.rnd.IntN(longest-len(name)+1))
		}
		if dir.names[name] == nil {
			return dir, name
		}
	}
}

func isAny(*inode) bool      { return true }
func isFile(n *inode) bool   { return n.kind == kindFile }
func isDir(n *inode) bool    { return n.kind == kindDir }
func isNoDir(n *inode) bool  { return n.kind != kindDir }
func isNoLink(n *inode) bool { return n.kind != kindSymlink }
