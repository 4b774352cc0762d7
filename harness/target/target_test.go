package target_test

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

	"faultline/generators/prog"
	"faultline/harness/self"
	"faultline/harness/target"
)

func TestMain(m *testing.M) {
	self.Dispatch()
	os.Exit(m.Run())
}

// open opens a target in a temporary folder of the test's own, skips if it is missing here, and closes it in the end.
func open(t *testing.T, spec string) target.Target {
	t.Helper()
	g := gomega.NewWithT(t)
	temp := t.TempDir()
	tg, err := target.Open(t.Context(), spec, target.Options{Temp: temp})
	skipMissing(t, err)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() {
		g.Expect(tg.Close(context.Background())).To(gomega.Succeed())
		expectNothingLeft(t, temp)
	})
	return tg
}

func skipMissing(t *testing.T, err error) {
	t.Helper()
	var missing *target.Missing
	if errors.As(err, &missing) {
		t.Skip(missing.Error())
	}
}

// expectNothingLeft looks for what a target whose temporary folder is temp may leave behind: mounts, loop devices, processes, folders.
// It waits, since the kernel frees a loop device a moment after the unmount.
func expectNothingLeft(t *testing.T, temp string) {
	t.Helper()
	g := gomega.NewWithT(t)
	g.Eventually(func() []string { return leftovers(t, temp) }, 10*time.Second, 20*time.Millisecond).Should(gomega.BeEmpty())
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

func TestEveryKindOpensChecksAndLeavesNothing(t *testing.T) {
	for _, spec := range []string{
		"dir:" + t.TempDir(), "tmpfs:", "loop:ext4", "loop:ext3", "loop:ext2", "loop:xfs", "loop:btrfs", "loop:f2fs", "loop:gfs2",
		"overlay:tmpfs:", "overlay:loop:ext4", "planted:none",
	} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			tg := open(t, spec)
			g.Expect(tg.Spec()).To(gomega.Equal(spec))
			g.Expect(tg.Check(t.Context())).To(gomega.Succeed())
			g.Expect(os.WriteFile(filepath.Join(tg.Dir(), "file"), []byte("text"), 0o600)).To(gomega.Succeed())
			g.Expect(tg.Check(t.Context())).To(gomega.Succeed())
			t.Logf("%+v", tg.Mount())
			for _, n := range prog.Needs {
				if why := tg.Lacks(n.Name); why != "" {
					t.Log(why)
				}
			}
			t.Log(tg.Abort())
		})
	}
}
