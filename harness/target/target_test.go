package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"faultline/harness/self"
)

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

// open opens a target in a temporary folder of the test's own, skips if it is missing here, and closes it in the end.
func open(t *testing.T, spec string) Target {
	t.Helper()
	g := gomega.NewWithT(t)
	temp := t.TempDir()
	before := leftovers(t, temp)
	tg, err := Open(t.Context(), spec, Options{Temp: temp})
	skipMissing(t, err)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() {
		g.Expect(tg.Close(context.Background())).To(gomega.Succeed())
		expectLeft(t, temp, before)
	})
	return tg
}

func skipMissing(t *testing.T, err error) {
	t.Helper()
	var missing *Missing
	if errors.As(err, &missing) {
		t.Skip(missing.Error())
	}
}

// expectNothingLeft looks for what a target whose temporary folder is temp may leave behind: mounts, loop devices, processes, folders.
// It waits, since the kernel frees a loop device a moment after the unmount.
func expectNothingLeft(t *testing.T, temp string) {
	t.Helper()
	expectLeft(t, temp, nil)
}

// expectLeft is for a test that opens several targets: before is what there was without the one that has been closed.
func expectLeft(t *testing.T, temp string, before []string) {
	t.Helper()
	g := gomega.NewWithT(t)
	g.Eventually(func() []string { return leftovers(t, temp) }, 10*time.Second, 20*time.Millisecond).Should(gomega.ConsistOf(before))
}

func leftovers(t *testing.T, temp string) []string {
	t.Helper()
	left := grep(readFile(t, "/proc/self/mounts"), temp)
	for _, file := range glob(t, "/sys/block/loop*/loop/backing_file") {
		left = append(left, grep(readFile(t, file), temp)...)
	}
	for _, file := range glob(t, "/proc/self/task/*/children") {
		for _, pid := range strings.Fields(readFile(t, file)) {
			left = append(left, "process "+pid)
		}
	}
	pid := fmt.Sprintf("\npid %d\n", os.Getpid())
	for _, file := range glob(t, "/dev/shm/faultline-*/.faultline") {
		if strings.Contains(readFile(t, file), pid) {
			left = append(left, file)
		}
	}
	return append(left, glob(t, filepath.Join(temp, "*"))...)
}

// readFile reads a file that may be gone by now.
func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
	return string(text)
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func grep(text, word string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			lines = append(lines, line)
		}
	}
	return lines
}

// specs are one target of every kind; those that this machine cannot have are skipped.
func specs(t *testing.T) map[string]string {
	return map[string]string{ // spec -> type
		"dir:" + t.TempDir(): "",
		"tmpfs:":             "tmpfs",
		"tmpfs:size=64M":     "tmpfs",
		"loop:ext4":          "ext4",
		"loop:ext3":          "ext3",
		"loop:ext2":          "ext2",
		"loop:xfs":           "xfs",
		"loop:btrfs":         "btrfs",
		"loop:f2fs":          "f2fs",
		"loop:gfs2":          "gfs2",
		"overlay:tmpfs:":     "overlay",
		"overlay:loop:xfs":   "overlay",
		"fuse":               "fuse.gfs2",
		"fuse:copy=kernel,size=64M,bsize=512,format=1801,nodes=2": "fuse.gfs2",
		"planted:none":        "fuse.planted",
		"planted:eio,nth=100": "fuse.planted",
		"loop:ext4,size=64M,mkfs=-b 1024 -O ^has_journal,mount=noatime,nodiscard": "ext4",
	}
}

func TestEveryKindOpensChecksAndLeavesNothing(t *testing.T) {
	for spec, fs := range specs(t) {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			tg := open(t, spec)
			g.Expect(tg.Spec()).To(gomega.Equal(spec))
			g.Expect(tg.Check(t.Context())).To(gomega.Succeed())
			g.Expect(os.WriteFile(filepath.Join(tg.Dir(), "file"), []byte("text"), 0o600)).To(gomega.Succeed())
			g.Expect(tg.Check(t.Context())).To(gomega.Succeed())

			mounted := tg.Mount()
			g.Expect(mounted.Type).To(gomega.Equal(tg.FS()))
			g.Expect(mounted.BlockSize).To(gomega.BeNumerically(">=", 512))
			g.Expect(mounted.Kernel).NotTo(gomega.BeEmpty())
			if fs == "" {
				return // the directory is on whatever the machine has
			}
			g.Expect(tg.FS()).To(gomega.Equal(fs))
			g.Expect(tg.Dir()).To(gomega.HavePrefix(mounted.Point + "/"))
			g.Expect(mounted.Options).To(gomega.ContainSubstring("rw"))
		})
	}
}

func TestOtherIsAFolderOfOursOnAnotherFileSystem(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "tmpfs:")
	g.Expect(tg.Lacks("other")).To(gomega.BeEmpty())
	h, err := openHome(tg.Other())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(h.Mark.Owner.PID).To(gomega.Equal(os.Getpid()))
	g.Expect(h.Dev).NotTo(gomega.Equal(tg.(*local).home.Dev))
}

func TestOtherMustNotBeUnderTest(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "tmpfs:")
	temp := t.TempDir()
	_, err := Open(t.Context(), "dir:"+tg.Dir(), Options{Temp: temp, Other: tg.Dir()})
	g.Expect(err).To(gomega.MatchError(fmt.Sprintf("target %q: files cannot be put elsewhere: %s is on the file system under test", "dir:"+tg.Dir(), tg.Dir())))
	g.Expect(glob(t, tg.Dir()+"/faultline-*")).To(gomega.BeEmpty())
}

func TestOtherLackingHasEveryReason(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "tmpfs:")
	inner, err := Open(t.Context(), "dir:/dev/shm", Options{Temp: tg.Dir() + "/none"})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(inner.Other()).To(gomega.BeEmpty())
	g.Expect(inner.Lacks("other")).To(gomega.Equal(fmt.Sprintf(
		"other: no other file system will do: /dev/shm is on the file system under test; lstat %s/none: no such file or directory", tg.Dir())))
	g.Expect(inner.Close(t.Context())).To(gomega.Succeed())
}

// The first request that a fault counts must be one of a program, not one of Open or Check.
func TestPlantedFaultsAreNotSetOffByUs(t *testing.T) {
	t.Run("write", func(t *testing.T) {
		g := gomega.NewWithT(t)
		tg := openAndCheck(t, "planted:enospc,nth=1")
		g.Expect(os.WriteFile(filepath.Join(tg.Dir(), "file"), []byte("text"), 0o600)).To(gomega.MatchError(syscall.ENOSPC))
	})
	t.Run("read", func(t *testing.T) {
		g := gomega.NewWithT(t)
		tg := openAndCheck(t, "planted:corrupt-byte,nth=1")
		path := filepath.Join(tg.Dir(), "file")
		g.Expect(os.WriteFile(path, []byte("text"), 0o600)).To(gomega.Succeed())
		for _, want := range []string{string([]byte{^byte('t')}) + "ext", "text"} {
			g.Expect(os.ReadFile(path)).To(gomega.BeEquivalentTo(want))
		}
	})
}

func openAndCheck(t *testing.T, spec string) Target {
	t.Helper()
	tg := open(t, spec)
	for range 3 {
		gomega.NewWithT(t).Expect(tg.Check(t.Context())).To(gomega.Succeed())
	}
	return tg
}

func TestAbortOfWhatIsNotOurs(t *testing.T) {
	g := gomega.NewWithT(t)
	disk := open(t, "tmpfs:")
	g.Expect(disk.Abort()).To(gomega.MatchError(ErrNothingToAbort))
	g.Expect(disk.Abort()).To(gomega.MatchError("tmpfs:: nothing to abort: the kernel itself serves tmpfs"))

	fuse := open(t, "planted:none")
	dir := open(t, "dir:"+fuse.Dir())
	g.Expect(dir.Abort()).To(gomega.MatchError(gomega.MatchRegexp(
		`^dir:.*: nothing to abort: the FUSE mount is not ours; to free what hangs there, as root: echo 1 > /sys/fs/fuse/connections/\d+/abort$`)))
	g.Expect(dir.Servers()).To(gomega.BeEmpty())
	g.Expect(fuse.Servers()).To(gomega.HaveLen(1))
}

func TestUnknownNeedIsLacking(t *testing.T) {
	gomega.NewWithT(t).Expect(open(t, "dir:"+t.TempDir()).Lacks("magic")).To(gomega.Equal("magic: there is no such need"))
}
