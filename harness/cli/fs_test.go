package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// words splits a command, with DIR for the place.
func (p place) words(command string) []string {
	return strings.Fields(strings.ReplaceAll(command, "DIR", p.dir))
}

// says runs a command that must end with the code, and returns what it said, with DIR for the place.
func (p place) says(t *testing.T, code int, command string) string {
	t.Helper()
	got := p.run(t, p.words(command)...)
	if got.code != code {
		t.Fatalf("%s ended with %d, wanted %d: %s%s", command, got.code, code, got.out, got.stderr)
	}
	return strings.ReplaceAll(got.out+got.stderr, p.dir, "DIR")
}

func TestFsImages(t *testing.T) {
	g := gomega.NewWithT(t)
	p := newPlace(t)
	img := filepath.Join(p.dir, "a.img")
	const uuid = "01234567-89ab-cdef-0123-456789abcdef"
	g.Expect(p.says(t, 0, "fs mkfs DIR/a.img --size 64M --bsize 1024 --format 1801 --journals 2 --uuid "+uuid)).To(gomega.Equal(
		"DIR/a.img: GFS2 of 67108864 bytes, format 1801, block size 1024, journals 2, UUID " + uuid + "\n"))
	if tool, err := exec.LookPath("fsck.gfs2"); err == nil {
		out, err := exec.Command(tool, "-n", img).CombinedOutput()
		g.Expect(err).NotTo(gomega.HaveOccurred(), string(out))
	}
	g.Expect(p.says(t, 0, "fs check DIR/a.img")).To(gomega.Equal("DIR/a.img is clean\n"))
	g.Expect(p.says(t, 0, "fs dump DIR/a.img")).To(gomega.SatisfyAll(gomega.ContainSubstring("1801"), gomega.ContainSubstring(uuid)))
	g.Expect(p.says(t, 0, "fs dump DIR/a.img journal 1")).To(gomega.HavePrefix("journal 1, inode "))
	g.Expect(p.says(t, 0, "fs dump DIR/a.img path /")).To(gomega.ContainSubstring(`".."`))

	g.Expect(p.says(t, 2, "fs mkfs DIR/a.img")).To(gomega.Equal("faultline: DIR/a.img: it holds data, which would be lost; --force formats it all the same\n"))
	g.Expect(p.says(t, 2, "fs mkfs DIR/a.img --force --journals 9")).To(gomega.ContainSubstring("9 journals"))
	g.Expect(p.says(t, 0, "fs check DIR/a.img")).To(gomega.Equal("DIR/a.img is clean\n"), "what cannot be formatted stays")
	g.Expect(p.says(t, 0, "fs mkfs DIR/a.img --force --size 32M")).To(gomega.ContainSubstring("33554432 bytes, format 1802"))

	// A planted fault: the free blocks that the first resource group counts.
	f, err := os.OpenFile(img, os.O_RDWR, 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	_, err = f.WriteAt([]byte{0xff}, 17*4096+128+100)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(p.says(t, 1, "fs check DIR/a.img")).To(gomega.SatisfyAll(gomega.ContainSubstring("block "), gomega.HaveSuffix(" findings\n")))

	g.Expect(unix.Flock(int(f.Fd()), unix.LOCK_EX)).To(gomega.Succeed())
	const busy = "faultline: DIR/a.img is mounted already, or another command works on it\n"
	g.Expect(p.says(t, 2, "fs check DIR/a.img")).To(gomega.Equal(busy))
	g.Expect(p.says(t, 2, "fs mkfs --force DIR/a.img")).To(gomega.Equal(busy))
}

// What cannot be made leaves no file behind, and what is not ours is not touched.
func TestFsMistakes(t *testing.T) {
	for command, want := range map[string]string{
		"fs nonesuch":                            `there is no command "nonesuch"; see faultline fs --help`,
		"fs mkfs":                                `faultline fs mkfs takes one image, found 0 arguments`,
		"fs mkfs DIR/none":                       `DIR/none: it does not exist, and without --size it is not known how large to make it`,
		"fs mkfs DIR/none --size 8M":             `DIR/none: 8388608 bytes are too few, want at least 33554432`,
		"fs mkfs DIR/none --size 1X":             `--size: the size "1X" is not a number with K, M, G or T behind it, such as 512M`,
		"fs mkfs DIR/none --size 64M --bsize 99": `DIR/none: block size 99, want a power of two from 512 to 4096`,
		"fs mkfs DIR/none --uuid x":              `--uuid x: wanted a UUID such as 01234567-89ab-cdef-0123-456789abcdef`,
		"fs mkfs DIR":                            `DIR: open: is a directory`,
		"fs check DIR/none":                      `DIR/none does not exist; faultline fs mkfs makes an image`,
		"fs check DIR/file":                      `DIR/file is not a GFS2 file system: it has no superblock at byte 65536`,
		"fs check DIR":                           `DIR: it is neither a file nor a block device`,
		"fs check DIR/a DIR/b":                   `faultline fs check takes one image, found 2 arguments`,
		"fs dump":                                `fs dump takes an image, and then one of sb|rgs|inode BLOCK|path PATH|journal N`,
		"fs dump DIR/file":                       `DIR/file is not a GFS2 file system: it has no superblock at byte 65536`,
		"fs dump DIR/file nonesuch":              `fs dump knows no "nonesuch"; wanted one of sb|rgs|inode BLOCK|path PATH|journal N`,
		"fs dump DIR/file inode":                 `fs dump knows no "inode"; wanted one of sb|rgs|inode BLOCK|path PATH|journal N`,
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			p := newPlace(t)
			write(t, filepath.Join(p.dir, "file"), "no image\n")
			g.Expect(p.says(t, 2, command)).To(gomega.Equal("faultline: " + want + "\n"))
			g.Expect(os.ReadFile(filepath.Join(p.dir, "file"))).To(gomega.BeEquivalentTo("no image\n"))
			g.Expect(filepath.Join(p.dir, "none")).NotTo(gomega.BeAnExistingFile())
		})
	}
}

// A block device that is mounted is refused, force or not.
func TestFsMkfsRefusesAMountedDevice(t *testing.T) {
	needRoot(t)
	g := gomega.NewWithT(t)
	p := newPlace(t)
	img, dir := filepath.Join(p.dir, "img"), filepath.Join(p.dir, "mnt")
	g.Expect(os.Mkdir(dir, 0o755)).To(gomega.Succeed())
	write(t, img, "")
	g.Expect(os.Truncate(img, 64<<20)).To(gomega.Succeed())
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", img).CombinedOutput(); err != nil {
		t.Skipf("mkfs.ext4: %v %s", err, out)
	}
	out, err := exec.Command("losetup", "-f", "--show", img).CombinedOutput()
	if err != nil {
		t.Skipf("losetup: %v %s", err, out)
	}
	loop := strings.TrimSpace(string(out))
	defer exec.Command("losetup", "-d", loop).Run()
	g.Expect(p.says(t, 2, "fs mkfs "+loop)).To(gomega.Equal("faultline: " + loop + ": it holds data, which would be lost; --force formats it all the same\n"))
	g.Expect(unix.Mount(loop, dir, "ext4", 0, "")).To(gomega.Succeed())
	defer unix.Unmount(dir, 0)
	g.Expect(p.says(t, 2, "fs mkfs --force "+loop)).To(gomega.Equal("faultline: " + loop + ": the device is mounted or otherwise in use\n"))
	g.Expect(p.says(t, 2, "fs check "+loop)).To(gomega.Equal("faultline: " + loop + ": the device is mounted or otherwise in use\n"))
	g.Expect(p.says(t, 2, "fs mount "+loop+" "+dir)).To(gomega.Equal("faultline: " + loop + " is mounted already, or another command works on it\n"))
	g.Expect(unix.Unmount(dir, 0)).To(gomega.Succeed())
	g.Expect(p.says(t, 0, "fs mkfs --force "+loop)).To(gomega.ContainSubstring("GFS2 of 67108864 bytes"))
	g.Expect(p.says(t, 0, "fs check "+loop)).To(gomega.Equal(loop + " is clean\n"))
}
