package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// fakeTool puts a shell script before the real tool of that name.
func fakeTool(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func realTool(t *testing.T, name string) string {
	t.Helper()
	path, err := findTool(name)
	if err != nil {
		t.Skip(err)
	}
	return path
}

func skipWithoutLoop(t *testing.T, fs string) {
	t.Helper()
	for _, row := range fsTypes {
		if row.name != fs {
			continue
		}
		if err := missing("loop:"+fs, lacksRoot(), lacksLoop(), row.lacks()); err != nil {
			t.Skip(err)
		}
	}
}

// Whatever step of Open fails, the steps before it are undone.
func TestAFailedOpenLeavesNothing(t *testing.T) {
	skipWithoutLoop(t, "ext4")
	for _, c := range []struct{ name, spec, tool, script, want string }{
		{"mkfs fails", "loop:ext4", "mkfs.ext4", "echo no luck >&2; exit 3", "mkfs.ext4 -q -F .*/image ended with code 3: no luck"},
		{"mkfs is silent", "loop:ext4", "mkfs.ext4", "exit 4", "mkfs.ext4 -q -F .*/image ended with code 4 and said nothing"},
		{"mkfs dies", "loop:ext4", "mkfs.ext4", "kill -9 $$", "mkfs.ext4 -q -F .*/image ended with code -1 and said nothing"},
		{"mkfs makes nothing", "loop:ext4", "mkfs.ext4", "exit 0", "mount -t ext4 -o loop .*/image .*/mnt ended with code 32: .*"},
		{"mkfs refuses an option", "loop:ext4,mkfs=--no-such", "", "", "mkfs.ext4 -q -F --no-such .*/image ended with code 1: .*"},
		{"mount refuses an option", "loop:ext4,mount=no_such", "", "", "mount -t ext4 -o loop,no_such .*/image .*/mnt ended with code 32: .*"},
		{"mount fails after it has mounted", "loop:ext4", "mount", realTool(t, "mount") + ` "$@"; exit 9`, "mount -t ext4 .* ended with code 9 and said nothing"},
		{"mount below an overlay fails", "overlay:loop:ext4", "mount", `[ "$2" != overlay ] || exit 8; exec ` + realTool(t, "mount") + ` "$@"`, "mount -t overlay .* ended with code 8 and said nothing"},
		{"read-only from the start", "loop:ext4,mount=ro", "", "", "make a folder of ours: .*: read-only file system"},
		{"too small", "tmpfs:size=1M", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			temp := t.TempDir()
			if c.tool != "" {
				fakeTool(t, c.tool, c.script)
			}
			_, err := Open(t.Context(), c.spec, Options{Temp: temp})
			if c.want == "" {
				g.Expect(err).To(gomega.MatchError(gomega.MatchRegexp(`^target "tmpfs:size=1M": .* has only 0 MiB left; 16 MiB are needed$`)))
			} else {
				g.Expect(err).To(gomega.MatchError(gomega.MatchRegexp("^open target " + c.spec + ": (open target loop:ext4: )?" + c.want + "$")))
			}
			expectNothingLeft(t, temp)
		})
	}
}

func TestACancelledOpenLeavesNothing(t *testing.T) {
	skipWithoutLoop(t, "ext4")
	for _, c := range []struct{ name, spec, tool, script string }{
		{"in mkfs", "loop:ext4", "mkfs.ext4", `: > "$STARTED"; sleep 1000 & sleep 1000`},
		{"before mount", "loop:ext4", "mount", `: > "$STARTED"; sleep 1000`},
		{"after mount", "loop:ext4", "mount", realTool(t, "mount") + ` "$@"; : > "$STARTED"; sleep 1000`},
		{"in the mount of an overlay", "overlay:loop:ext4", "mount", `[ "$2" = overlay ] || exec ` + realTool(t, "mount") + ` "$@"; : > "$STARTED"; sleep 1000`},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			temp, started := t.TempDir(), filepath.Join(t.TempDir(), "started")
			t.Setenv("STARTED", started)
			fakeTool(t, c.tool, c.script)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go cancelAt(ctx, started, cancel)
			_, err := Open(ctx, c.spec, Options{Temp: temp})
			g.Expect(err).To(gomega.MatchError(context.Canceled))
			expectNothingLeft(t, temp)
		})
	}
	t.Run("before it began", func(t *testing.T) {
		g := gomega.NewWithT(t)
		temp := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, spec := range []string{"loop:ext4", "tmpfs:", "planted:none", "fuse", "dir:" + temp} {
			_, err := Open(ctx, spec, Options{Temp: temp})
			g.Expect(err).To(gomega.MatchError(context.Canceled), spec)
		}
		expectNothingLeft(t, temp)
	})
}

// cancelAt cancels as soon as the file is there.
func cancelAt(ctx context.Context, file string, cancel func()) {
	for ctx.Err() == nil {
		if _, err := os.Stat(file); err == nil {
			cancel()
		}
		time.Sleep(time.Millisecond)
	}
}

func TestCloseFindsDamage(t *testing.T) {
	skipWithoutLoop(t, "ext4")
	g := gomega.NewWithT(t)
	// The inode of lost+found is wiped after the unmount, right before the real checker looks.
	fakeTool(t, "e2fsck", fmt.Sprintf(`%s -w -R "clri <11>" "$3" 2>/dev/null; exec %s "$@"`, realTool(t, "debugfs"), realTool(t, "e2fsck")))
	temp := t.TempDir()
	tg := openUnclosed(t, "loop:ext4", temp)
	err := tg.Close(t.Context())
	var damaged *CheckError
	g.Expect(errors.As(err, &damaged)).To(gomega.BeTrue(), "%v", err)
	g.Expect(damaged.Code).To(gomega.Equal(4))
	g.Expect(damaged.Output).To(gomega.ContainSubstring("lost+found"))
	g.Expect(err).To(gomega.MatchError(gomega.MatchRegexp(
		`^close loop:ext4: unmount: loop:ext4: the file system is damaged: e2fsck -f -n /.*/image ended with code 4: Entry 'lost\+found' .*$`)))
	expectNothingLeft(t, temp)
}

func TestACheckerThatCannotCheckIsNoDamage(t *testing.T) {
	skipWithoutLoop(t, "ext4")
	g := gomega.NewWithT(t)
	fakeTool(t, "e2fsck", "echo out of memory; exit 8")
	temp := t.TempDir()
	tg := openUnclosed(t, "loop:ext4", temp)
	err := tg.Close(t.Context())
	g.Expect(err).To(gomega.MatchError(gomega.MatchRegexp(
		`^close loop:ext4: unmount: it could not be checked: e2fsck -f -n /.*/image ended with code 8: out of memory$`)))
	var damaged *CheckError
	g.Expect(errors.As(err, &damaged)).To(gomega.BeFalse())
	expectNothingLeft(t, temp)
}

// The checker of every type is shown an image in order and one with wrong bytes in its metadata; no mount is needed.
func TestEveryCheckerFindsDamage(t *testing.T) {
	block := map[string]int64{ // 4 KiB each; where metadata is known to lie
		"ext4": 3, "ext3": 3, "ext2": 3, // group descriptors and bitmaps
		"xfs": 0, "btrfs": 16, // superblock
		"f2fs":  512, // checkpoint
		"gfs2":  17,  // resource group
		"exfat": 520, // a cluster of the root directory's
		"ocfs2": 3,   // group descriptor
	}
	for _, row := range fsTypes {
		t.Run(row.name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			realTool(t, row.mkfs[0])
			realTool(t, row.fsck[0])
			image := filepath.Join(t.TempDir(), "image")
			g.Expect(makeImage(image, defaultImageSize)).To(gomega.Succeed())
			_, err := runTool(t.Context(), row.mkfs[0], append(row.mkfs[1:len(row.mkfs):len(row.mkfs)], image)...)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(row.check(t.Context(), "loop:x", image)).To(gomega.Succeed())

			f, err := os.OpenFile(image, os.O_WRONLY, 0)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			_, err = f.WriteAt([]byte(strings.Repeat("Z", 4096)), block[row.name]*4096)
			g.Expect(errors.Join(err, f.Close())).To(gomega.Succeed())
			err = row.check(t.Context(), "loop:x", image)
			var damaged *CheckError
			if row.name == "ocfs2" {
				// fsck.ocfs2 -n 1.8.7 ends with 8 for damage and for troubles of its own alike: no damage is claimed, and no health either.
				g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("it could not be checked: fsck.ocfs2")))
				return
			}
			g.Expect(errors.As(err, &damaged)).To(gomega.BeTrue(), "%v", err)
			t.Log(err)
		})
	}
}

// A mount in use is unmounted lazily and not checked; it is gone for good when its user ends.
func TestCloseOfABusyTargetComesBack(t *testing.T) {
	for _, spec := range []string{"loop:ext4", "planted:none", "fuse"} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			temp := t.TempDir()
			tg, err := Open(t.Context(), spec, Options{Temp: temp, Patience: 10 * time.Second})
			skipMissing(t, err)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			user, err := os.Create(filepath.Join(tg.Dir(), "file"))
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(tg.Close(t.Context())).To(gomega.MatchError(gomega.MatchRegexp(
				"^close " + spec + ": unmount: it was unmounted lazily and not checked: unmount /.*/mnt: device or resource busy$")))
			g.Expect(grep(readFile(t, "/proc/self/mounts"), temp)).To(gomega.BeEmpty())
			user.Close()
			expectNothingLeft(t, temp)
		})
	}
}

// A user who comes to an end in time does no harm.
func TestCloseWaitsForUsers(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "loop:ext4")
	user, err := os.Create(filepath.Join(tg.Dir(), "file"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	time.AfterFunc(200*time.Millisecond, func() { user.Close() })
}

func TestCloseAfterTheEndOfItsContextCleansUp(t *testing.T) {
	for _, spec := range []string{"loop:ext4", "tmpfs:", "planted:none", "fuse", "dir:" + t.TempDir()} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			temp := t.TempDir()
			tg := openUnclosed(t, spec, temp)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			err := tg.Close(ctx)
			if !strings.HasPrefix(spec, "dir:") {
				g.Expect(err).To(gomega.MatchError(context.Canceled), "it says that it did not check")
			}
			g.Expect(tg.Dir()).NotTo(gomega.BeADirectory())
			expectNothingLeft(t, temp)
		})
	}
}

func TestCloseOfAHangingServerComesBack(t *testing.T) {
	g := gomega.NewWithT(t)
	temp := t.TempDir()
	tg := openUnclosed(t, "planted:spin", temp)
	path := filepath.Join(tg.Dir(), "file")
	g.Expect(os.WriteFile(path, []byte("text"), 0o600)).To(gomega.Succeed())
	done := make(chan error, 1)
	go func() {
		_, err := runTool(context.WithoutCancel(t.Context()), "cat", path)
		done <- err
	}()
	g.Consistently(done, 200*time.Millisecond).ShouldNot(gomega.Receive())
	g.Expect(tg.Close(t.Context())).To(gomega.MatchError(gomega.ContainSubstring("it was unmounted lazily")))
	g.Eventually(done, 10*time.Second).Should(gomega.Receive())
	expectNothingLeft(t, temp)
}

func TestCloseTwiceIsHarmless(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "dir:"+t.TempDir())
	g.Expect(tg.Close(t.Context())).To(gomega.Succeed())
	g.Expect(tg.Close(t.Context())).To(gomega.Succeed())
}

// Paths with blanks and other odd characters reach mount(8) and mountinfo whole.
func TestOddPaths(t *testing.T) {
	g := gomega.NewWithT(t)
	temp := filepath.Join(t.TempDir(), `a b\c,d:e`+"\t\nü")
	g.Expect(os.Mkdir(temp, 0o755)).To(gomega.Succeed())
	for _, spec := range []string{"dir:" + temp, "tmpfs:", "loop:ext4", "planted:none", "fuse"} {
		tg := openUnclosed(t, spec, temp)
		g.Expect(tg.Check(t.Context())).To(gomega.Succeed(), spec)
		g.Expect(tg.Close(t.Context())).To(gomega.Succeed(), spec)
		expectNothingLeft(t, temp)
	}
	_, err := Open(t.Context(), "overlay:tmpfs:", Options{Temp: temp})
	skipMissing(t, err)
	g.Expect(err).To(gomega.MatchError(gomega.HaveSuffix("holds a comma, a colon or a backslash, which mount options of overlayfs cannot")))
	expectNothingLeft(t, temp)
}
