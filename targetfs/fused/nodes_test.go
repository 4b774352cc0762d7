package fused_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// mapping maps a file of n bytes, shared, until the test is done with it.
func mapping(t *testing.T, path string, n int) (m []byte, done func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	m, err = unix.Mmap(int(f.Fd()), 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err, f.Close())
	return m, func() { must(t, unix.Munmap(m)) }
}

func TestTwoNodesSeeEachOther(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "nodes=2")
	a, b := filepath.Join(m.dirs[0], "f"), filepath.Join(m.dirs[1], "f")
	for i := range 20 {
		text := fmt.Appendf(nil, "round %d", i)
		must(t, os.WriteFile(a, text, 0o600))
		g.Expect(os.ReadFile(b)).To(gomega.Equal(text))
		text = append(text, " and back"...)
		must(t, os.WriteFile(b, text, 0o600))
		g.Expect(os.ReadFile(a)).To(gomega.Equal(text))
	}
	must(t, os.Mkdir(filepath.Join(m.dirs[0], "d"), 0o755), os.Rename(b, filepath.Join(m.dirs[1], "d/g")))
	g.Expect(a).NotTo(gomega.BeAnExistingFile())
	g.Expect(filepath.Join(m.dirs[0], "d/g")).To(gomega.BeAnExistingFile())
	m.unmount()
}

func TestMappingsOnTwoNodes(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "nodes=2")
	const size = 4 * 4096
	a, b := filepath.Join(m.dirs[0], "f"), filepath.Join(m.dirs[1], "f")
	must(t, os.WriteFile(a, make([]byte, size), 0o600))
	ma, doneA := mapping(t, a, size)
	mb, doneB := mapping(t, b, size)
	f, err := os.OpenFile(b, os.O_RDWR, 0)
	must(t, err)
	one := make([]byte, 1)
	for i := range 60 {
		at := i * 257 % size
		ma[at] = byte(i)
		g.Expect(mb[at]).To(gomega.Equal(byte(i)), "a store on one node, seen through a mapping on the other, round %d", i)
		mb[at]++
		g.Expect(ma[at]).To(gomega.Equal(byte(i+1)), "and back, round %d", i)
		ma[at] += 2
		_, err := f.ReadAt(one, int64(at))
		must(t, err)
		g.Expect(one[0]).To(gomega.Equal(byte(i+3)), "a store on one node, seen by read(2) on the other, round %d", i)
		_, err = f.WriteAt([]byte{byte(i + 4)}, int64(at))
		must(t, err)
		g.Expect(ma[at]).To(gomega.Equal(byte(i+4)), "a write on one node, seen through a mapping on the other, round %d", i)
	}
	must(t, f.Close())
	doneA()
	doneB()
	m.unmount()
}

// Both nodes do all kinds of things to one file for a while. None of them may hang, and each node's own bytes must be right.
func TestTwoNodesUnderLoad(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "nodes=2")
	const size, rounds = 16 * 4096, 60
	must(t, os.WriteFile(filepath.Join(m.dirs[0], "f"), make([]byte, size), 0o600))
	var all sync.WaitGroup
	var done atomic.Int32
	for node, dir := range m.dirs {
		path := filepath.Join(dir, "f")
		// Odd bytes are node 0's, even ones node 1's, in every page.
		all.Go(func() {
			mem, unmap := mapping(t, path, size)
			defer unmap()
			for i := range rounds {
				at := i*4096%size + 2*i + node
				mem[at] = byte(i + 1)
				if mem[at] != byte(i+1) {
					t.Errorf("node %d: byte %d is %d, want %d", node, at, mem[at], i+1)
				}
			}
			done.Add(1)
		})
		all.Go(func() {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			for i := range rounds {
				at := int64(size + i*100 + node*50)
				f.WriteAt(bytes.Repeat([]byte{byte(i + 1)}, 10), at)
				got := make([]byte, 10)
				if _, err := f.ReadAt(got, at); err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(i + 1)}, 10)) {
					t.Errorf("node %d: at %d: %v %v", node, at, got, err)
				}
			}
			done.Add(1)
		})
		all.Go(func() {
			for i := range rounds {
				name := filepath.Join(dir, fmt.Sprintf("n%d-%d", node, i%3))
				if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
					t.Error(err)
				}
				if err := os.Rename(name, filepath.Join(dir, "common")); err != nil {
					t.Error(err)
				}
				os.Truncate(path, size+int64(rounds*200))
			}
			done.Add(1)
		})
	}
	g.Eventually(done.Load, patience).Should(gomega.Equal(int32(6)), "somebody hangs")
	all.Wait()
	m.unmount()
}

func TestAppendsFromTwoNodesDoNotOverlap(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "nodes=2")
	const lines = 200
	var all sync.WaitGroup
	for node, dir := range m.dirs {
		all.Go(func() {
			f, err := os.OpenFile(filepath.Join(dir, "f"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
			for i := 0; i < lines && err == nil; i++ {
				_, err = fmt.Fprintf(f, "node %d line %03d\n", node, i)
			}
			if err := errors.Join(err, f.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	text, err := os.ReadFile(m.path("f"))
	must(t, err)
	for node := range m.dirs {
		for i := range lines {
			g.Expect(bytes.Count(text, fmt.Appendf(nil, "node %d line %03d\n", node, i))).To(gomega.Equal(1), "node %d line %d", node, i)
		}
	}
	m.unmount()
}

func TestAnOpenFileOutlivesItsNameOnAnotherNode(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "nodes=2")
	a, b := filepath.Join(m.dirs[0], "f"), filepath.Join(m.dirs[1], "f")
	data := bytes.Repeat([]byte("x"), 1<<20)
	must(t, os.WriteFile(a, data, 0o600))
	f, err := os.Open(b)
	must(t, err)
	must(t, os.Remove(a))
	// The node that removed it tries to delete it a moment later, in vain.
	time.Sleep(300 * time.Millisecond)
	got := make([]byte, len(data))
	_, err = f.ReadAt(got, 0)
	must(t, err)
	g.Expect(bytes.Equal(got, data)).To(gomega.BeTrue())
	must(t, f.Close())
	m.unmount()
}

func TestLocksOnTwoNodes(t *testing.T) {
	for name, lock := range map[string]func(f *os.File, how int) error{
		"flock": func(f *os.File, how int) error { return unix.Flock(int(f.Fd()), how) },
		"fcntl": func(f *os.File, how int) error {
			l := unix.Flock_t{Type: unix.F_WRLCK, Start: 10, Len: 10}
			if how&unix.LOCK_UN != 0 {
				l.Type = unix.F_UNLCK
			}
			cmd := unix.F_SETLKW
			if how&unix.LOCK_NB != 0 {
				cmd = unix.F_SETLK
			}
			return unix.FcntlFlock(f.Fd(), cmd, &l)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			m := mounted(t, "nodes=2")
			must(t, os.WriteFile(m.path("f"), nil, 0o600))
			var files []*os.File
			for _, dir := range m.dirs {
				f, err := os.OpenFile(filepath.Join(dir, "f"), os.O_RDWR, 0)
				must(t, err)
				files = append(files, f)
			}
			must(t, lock(files[0], unix.LOCK_EX))
			g.Expect(lock(files[1], unix.LOCK_EX|unix.LOCK_NB)).To(gomega.MatchError(syscall.EAGAIN))
			got := make(chan error)
			go func() { got <- lock(files[1], unix.LOCK_EX) }()
			g.Consistently(got, 100*time.Millisecond).ShouldNot(gomega.Receive())
			must(t, lock(files[0], unix.LOCK_UN|unix.LOCK_NB))
			g.Eventually(got, patience).Should(gomega.Receive(gomega.BeNil()))
			must(t, files[1].Close())
			// RELEASE comes a moment after close(2).
			g.Eventually(func() error { return lock(files[0], unix.LOCK_EX|unix.LOCK_NB) }, patience).Should(gomega.Succeed(), "closing gives locks back")
			must(t, files[0].Close())
			m.unmount()
		})
	}
}
