package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/targetfs/usercopy"
)

// needMount skips where FUSE mounts cannot be made.
func needMount(t *testing.T) {
	t.Helper()
	if err := unix.Access("/dev/fuse", unix.R_OK|unix.W_OK); err != nil {
		t.Skipf("/dev/fuse: %v", err)
	}
	if _, err := exec.LookPath("fusermount3"); err != nil && os.Geteuid() != 0 {
		t.Skip("neither root nor fusermount3")
	}
}

// withImage is a place with an image "img" and a directory "mnt". What is mounted there at the end is unmounted.
func withImage(t *testing.T) place {
	t.Helper()
	needMount(t)
	p := newPlace(t)
	p.says(t, 0, "fs mkfs DIR/img --size 64M")
	if err := os.Mkdir(filepath.Join(p.dir, "mnt"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unmountFuse(p.dir+"/mnt", "-z") }) // mostly it is not mounted any more
	return p
}

// unmountFuse unmounts as a user does.
func unmountFuse(dir string, how ...string) error {
	if os.Geteuid() != 0 {
		return exec.Command("fusermount3", append(append([]string{"-u"}, how...), dir)...).Run()
	}
	flags := 0
	if len(how) > 0 {
		flags = unix.MNT_DETACH
	}
	return unix.Unmount(dir, flags)
}

// mountInBackground mounts and returns the server.
func (p place) mountInBackground(t *testing.T, options ...string) (pid int) {
	t.Helper()
	said := p.says(t, 0, strings.Join(append([]string{"fs mount DIR/img DIR/mnt"}, options...), " "))
	words := strings.Fields(said)
	pid, err := strconv.Atoi(words[len(words)-1])
	if err != nil {
		t.Fatalf("no process in %q", said)
	}
	return pid
}

// serves tells whether the process lives.
func serves(pid int) func() bool {
	return func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err == nil && !strings.Contains(string(stat), ") Z ")
	}
}

func TestFsMountInTheBackground(t *testing.T) {
	g := gomega.NewWithT(t)
	p := withImage(t)
	file := filepath.Join(p.dir, "mnt", "file")
	pid := p.mountInBackground(t)
	write(t, file, "hello")
	g.Expect(p.says(t, 2, "fs mount DIR/img DIR/mnt")).To(gomega.Equal("faultline: DIR/img is mounted already, or another command works on it\n"))
	g.Expect(p.says(t, 2, "fs check DIR/img")).To(gomega.HaveSuffix("is mounted already, or another command works on it\n"))
	g.Expect(unmountFuse(p.dir + "/mnt")).To(gomega.Succeed())
	g.Expect(p.says(t, 0, "fs check DIR/img")).To(gomega.Equal("DIR/img is clean\n"))
	g.Eventually(serves(pid), soon).Should(gomega.BeFalse(), "the server ends with its mount")

	pid = p.mountInBackground(t, "-o", "ro", "-o", "noatime")
	g.Expect(os.ReadFile(file)).To(gomega.BeEquivalentTo("hello"))
	g.Expect(os.WriteFile(file, nil, 0o600)).To(gomega.MatchError(unix.EROFS))
	held, err := os.Open(file)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(unix.Kill(pid, unix.SIGTERM)).To(gomega.Succeed())
	g.Consistently(serves(pid), "300ms").Should(gomega.BeTrue(), "while somebody uses the mount it stays")
	g.Expect(held.Close()).To(gomega.Succeed())
	g.Expect(unix.Kill(pid, unix.SIGTERM)).To(gomega.Succeed())
	g.Eventually(serves(pid), soon).Should(gomega.BeFalse(), "SIGTERM ends the server")
	g.Expect(file).NotTo(gomega.BeAnExistingFile())
}

// A journal that is dirty is replayed by a mount that may write, and refused by one that may not.
func TestFsMountAfterAKill(t *testing.T) {
	g := gomega.NewWithT(t)
	p := withImage(t)
	pid := p.mountInBackground(t)
	file, err := os.Create(filepath.Join(p.dir, "mnt", "kept"))
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(file.Sync()).To(gomega.Succeed())
	g.Expect(unix.Kill(pid, unix.SIGKILL)).To(gomega.Succeed())
	g.Eventually(serves(pid), soon).Should(gomega.BeFalse())
	file.Close()
	g.Expect(unmountFuse(p.dir+"/mnt", "-z")).To(gomega.Succeed())
	g.Expect(p.says(t, 1, "fs check DIR/img")).To(gomega.ContainSubstring("journal 0 is dirty"))
	g.Expect(p.says(t, 2, "fs mount DIR/img DIR/mnt -o ro")).To(gomega.Equal(
		"faultline: DIR/img was not unmounted, and its journal must be replayed before it can be used read-only; mount it once without ro\n"))
	p.mountInBackground(t)
	g.Expect(filepath.Join(p.dir, "mnt", "kept")).To(gomega.BeAnExistingFile())
	g.Expect(unmountFuse(p.dir + "/mnt")).To(gomega.Succeed())
	g.Expect(p.says(t, 0, "fs check DIR/img")).To(gomega.Equal("DIR/img is clean\n"))
}

func TestFsMountInTheForeground(t *testing.T) {
	g := gomega.NewWithT(t)
	p := withImage(t)
	cmd := p.command(p.words("fs mount -f DIR/img DIR/mnt")...)
	g.Expect(cmd.Start()).To(gomega.Succeed())
	file := filepath.Join(p.dir, "mnt", "file")
	g.Eventually(func() string {
		mounts, _ := os.ReadFile("/proc/self/mountinfo") // always there
		return string(mounts)
	}, soon).Should(gomega.ContainSubstring(" " + p.dir + "/mnt "))
	write(t, file, "hello")
	g.Expect(cmd.Process.Signal(unix.SIGINT)).To(gomega.Succeed())
	g.Expect(cmd.Wait()).To(gomega.Succeed())
	g.Expect(p.says(t, 0, "fs check DIR/img")).To(gomega.Equal("DIR/img is clean\n"))
}

func TestFsMountMistakes(t *testing.T) {
	p := withImage(t)
	write(t, filepath.Join(p.dir, "file"), "no image\n")
	for command, want := range map[string]string{
		"fs mount DIR/img":                           `faultline fs mount takes an image and a directory, found 1 arguments`,
		"fs mount DIR/none DIR/mnt":                  `DIR/none does not exist; faultline fs mkfs makes an image`,
		"fs mount DIR/file DIR/mnt":                  `DIR/file is not a GFS2 file system: it has no superblock at byte 65536`,
		"fs mount DIR/img DIR/none":                  `DIR/img: the mount point: stat DIR/none: no such file or directory`,
		"fs mount DIR/img DIR/file":                  `DIR/img: the mount point DIR/file is not a directory`,
		"fs mount DIR/img DIR/mnt -o nonesuch":       `DIR/img: mount option "nonesuch": there is no such option`,
		"fs mount DIR/img DIR/mnt -o copy=x":         `DIR/img: mount option "copy=x": unknown user-copy policy "x"; there are kernel, faulting, recursive, nofault`,
		"fs mount DIR/img DIR/mnt -o nodes=2":        `mount DIR/img: 1 directories for 2 nodes`,
		"fs mount DIR/img DIR/mnt --log /proc/x":     `open the log: open /proc/x: no such file or directory`,
		"fs mount -f DIR/none DIR/mnt":               `DIR/none does not exist; faultline fs mkfs makes an image`,
		"fs mount DIR/img DIR/mnt -o ro --nonesuch":  `unknown flag: --nonesuch; see faultline fs mount --help`,
		"fs mount DIR/img DIR/mnt -o quota=nonesuch": `DIR/img: mount option "quota=nonesuch": want off, account or on`,
	} {
		t.Run(command, func(t *testing.T) {
			gomega.NewWithT(t).Expect(p.says(t, 2, command)).To(gomega.Equal("faultline: " + want + "\n"))
		})
	}
}

func TestFsAsksTheServer(t *testing.T) {
	g := gomega.NewWithT(t)
	p := withImage(t)
	p.mountInBackground(t, "-o", "switchable")
	write(t, filepath.Join(p.dir, "mnt", "file"), "hello")
	g.Expect(p.says(t, 0, "fs glocks DIR/mnt")).To(gomega.MatchRegexp(`(?m)^G:  s:\w\w n:2/`))
	g.Expect(p.says(t, 0, "fs cycle DIR/mnt")).To(gomega.HavePrefix("No task waits for itself.\n"))
	g.Expect(p.says(t, 0, "fs counters DIR/mnt")).To(gomega.HavePrefix("faulting:\n"))
	g.Expect(p.says(t, 0, "fs policy DIR/mnt")).To(gomega.Equal("kernel\n"))
	if usercopy.Allowed() == nil {
		g.Expect(p.says(t, 0, "fs policy DIR/mnt nofault")).To(gomega.Equal("nofault\n"))
	}
	g.Expect(p.says(t, 2, "fs policy DIR/mnt nonesuch")).To(gomega.ContainSubstring(`unknown user-copy policy "nonesuch"; there are kernel, faulting, recursive, nofault`))
	g.Expect(p.says(t, 2, "fs glocks DIR")).To(gomega.ContainSubstring("DIR"))
	g.Expect(p.says(t, 2, "fs glocks")).To(gomega.Equal("faultline: faultline fs glocks takes the directory of a mount, found 0 arguments\n"))
	g.Expect(unmountFuse(p.dir + "/mnt")).To(gomega.Succeed())
	g.Expect(p.says(t, 2, "fs glocks DIR/mnt")).To(gomega.SatisfyAll(gomega.HavePrefix("faultline: "), gomega.ContainSubstring("DIR/mnt")))
}
