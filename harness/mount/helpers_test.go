package mount_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/harness/mount"
	"faultline/harness/self"
	"faultline/targetfs/image"
	"faultline/targetfs/workload"
)

// Processes that work on a mount, here or in a guest. A store through a mapping kills them when the server dies.
const (
	workRole   = "mount-workload" // directory, seed, steps that were done before, steps to do
	verifyRole = "mount-verify"   // directory, seed, steps
	keepRole   = "mount-promises" // directory, seed: makes promises, and prints a line for each that is kept
	proveRole  = "mount-proofs"   // directory, seed, number of promises
)

func init() {
	register(workRole, func(dir string, n []uint64) error {
		_, err := workload.Continue(dir, n[0], int(n[1]), int(n[2]))
		return err
	})
	register(verifyRole, func(dir string, n []uint64) error {
		return workload.Verify(dir, workload.Expect(n[0], int(n[1])))
	})
	register(keepRole, func(dir string, n []uint64) error {
		for i := uint64(0); ; i++ {
			if err := newPromise(n[0], i).keep(dir); err != nil {
				return err
			}
			fmt.Println(i)
		}
	})
	register(proveRole, func(dir string, n []uint64) error {
		var lost []error
		for i := range n[1] {
			lost = append(lost, newPromise(n[0], i).prove(dir))
		}
		return errors.Join(lost...)
	})
}

// register makes a role of a function that takes a directory and numbers.
func register(role string, do func(dir string, n []uint64) error) {
	self.Register(role, func(args []string) int {
		var n []uint64
		var err error
		for _, arg := range args[1:] {
			value, parseErr := strconv.ParseUint(arg, 10, 64)
			n, err = append(n, value), errors.Join(err, parseErr)
		}
		if err == nil {
			err = do(args[0], n)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	})
}

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

// soon is for what happens within a second or so on an idle machine.
const soon = time.Minute

// needMount skips where FUSE mounts cannot be made.
func needMount(t testing.TB) {
	t.Helper()
	if err := unix.Access("/dev/fuse", unix.R_OK|unix.W_OK); err != nil || os.Geteuid() != 0 {
		t.Skipf("needs root and /dev/fuse: %v", err)
	}
}

// formatted is a new image of ours.
func formatted(t testing.TB, size int64, opts image.FormatOptions) string {
	t.Helper()
	return formattedIn(t, t.TempDir(), size, opts)
}

func formattedIn(t testing.TB, dir string, size int64, opts image.FormatOptions) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "image"))
	if err == nil {
		err = errors.Join(f.Truncate(size), image.Format(f, size, opts), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// mounted is an image that is mounted.
type mounted struct {
	image, dir string
	pid        int // of the server
}

// mountImage mounts an image in the background. What is left of it at the end is detached.
func mountImage(t testing.TB, path, options string) *mounted {
	t.Helper()
	m := &mounted{image: path, dir: t.TempDir()}
	log := filepath.Join(t.TempDir(), "log")
	pid, err := mount.Background(mount.Args{Image: path, Dirs: []string{m.dir}, Options: options, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	m.pid = pid
	t.Cleanup(func() {
		if text, _ := os.ReadFile(log); t.Failed() {
			t.Logf("the server of %s says:\n%s", path, text)
		}
		if unix.Unmount(m.dir, unix.MNT_FORCE) != nil {
			_ = unix.Unmount(m.dir, unix.MNT_DETACH) // mostly it is not mounted any more
		}
	})
	return m
}

// ended tells whether the server is gone. It is nobody's child, or a zombie of ours.
func (m *mounted) ended() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// unmount unmounts and waits until the server has closed the image.
func (m *mounted) unmount(t testing.TB) {
	t.Helper()
	g := gomega.NewWithT(t)
	g.Eventually(func() error { return unix.Unmount(m.dir, 0) }, soon).Should(gomega.Succeed())
	g.Eventually(m.ended, soon).Should(gomega.BeTrue())
}

// judged has our own check and fsck.gfs2 look at an image: both must find nothing.
func judged(t testing.TB, path string) {
	t.Helper()
	for _, what := range findings(t, path) {
		t.Errorf("%s: %s", path, what)
	}
	if code, out := tool(t, "fsck.gfs2", "-n", path); code != 0 {
		t.Errorf("fsck.gfs2 -n %s returns %d:\n%s", path, code, out)
	}
}

// findings are those of our own check.
func findings(t testing.TB, path string) (all []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := image.Check(f, info.Size(), func(what image.Finding) { all = append(all, what.String()) }); err != nil {
		t.Error(err)
	}
	return all
}

// tool runs a program of gfs2-utils, without which the test is skipped.
func tool(t testing.TB, name string, args ...string) (code int, out string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	said, err := exec.Command(path, args...).CombinedOutput()
	exit, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case failed:
		return exit.ExitCode(), string(said)
	case err != nil:
		t.Fatal(err)
	}
	return 0, string(said)
}

// work is the directory for a workload on a mount; it is made when it is not there.
func (m *mounted) work(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(m.dir, "work")
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	return dir
}
