package target

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/generators/prog"
	"faultline/harness/self"
)

// Every need of programs is decided here in exactly one way.
func TestEveryNeedIsProbedOrPromised(t *testing.T) {
	g := gomega.NewWithT(t)
	decided := append([]string{"other", "stall", "own-mount"}, guarantees()...)
	for _, p := range probes {
		decided = append(decided, p.need)
	}
	var needs []string
	for _, n := range prog.Needs {
		needs = append(needs, n.Name)
	}
	g.Expect(decided).To(gomega.ConsistOf(needs))
}

// lacking are the needs that a target does not meet, without the guarantees, without those that differ by kernel, and without further entry points.
func lacking(tg Target) []string {
	var needs []string
	for _, n := range prog.Needs {
		if tg.Lacks(n.Name) != "" && !slices.Contains(guarantees(), n.Name) && !slices.Contains([]string{"nowait", "nowait-write", "dontcache", "atomic-write", "dio512", "odirect"}, n.Name) && !isEntry(n.Name) {
			needs = append(needs, n.Name)
		}
	}
	return needs
}

func isEntry(need string) bool {
	return slices.ContainsFunc(slices.Concat(entryProbes, metadataProbes, typeProbes, taskProbes, protectProbes), func(p probeRow) bool { return p.need == need })
}

// Each type has the requests that its source has, and no others.
func TestEntryPointsAreThoseOfTheType(t *testing.T) {
	for spec, has := range map[string][]string{
		"loop:ext4":    {"fiemap", "getflags", "fsgetxattr", "fssetxattr", "getfsmap", "getfslabel", "fitrim", "ext4-ioctl"},
		"loop:xfs":     {"fiemap", "getflags", "fsgetxattr", "fssetxattr", "getfsmap", "getfslabel", "fitrim", "reflink", "dedupe", "xfs-ioctl", "xfs-handle"},
		"loop:btrfs":   {"fiemap", "getflags", "fsgetxattr", "fssetxattr", "getfslabel", "fitrim", "reflink", "dedupe", "btrfs-ioctl", "btrfs-encoded", "btrfs-encoded-write", "btrfs-scrub", "btrfs-subvolume"},
		"planted:none": {},
	} {
		t.Run(spec, func(t *testing.T) {
			tg := open(t, spec)
			if spec != "planted:none" {
				has = append(has, "symlink", "xattr")
			}
			has = append(has, "copy-range", "sendfile", "io-uring", "uring-file-buffer", "aio", "splice")
			young := map[string][]string{
				"loop:xfs": {"xfs-scrub", "xfs-scrubv", "xfs-exchange", "xfs-parents"}, "loop:btrfs": {"btrfs-encoded-uring", "btrfs-encoded-write-uring"},
				"loop:ext4": {"ext4-resize"},
			}
			for _, p := range slices.Concat(entryProbes, typeProbes) {
				if slices.Contains(young[spec], p.need) {
					continue // the kernel's age and configuration, the age of mkfs, and CAP_SYS_RESOURCE decide
				}
				gomega.NewWithT(t).Expect(tg.Lacks(p.need) == "").To(gomega.Equal(slices.Contains(has, p.need)), "%s: %q", p.need, tg.Lacks(p.need))
			}
			gomega.NewWithT(t).Expect(tg.Lacks("file-handle")).To(gomega.BeEmpty())
			known := gomega.ContainSubstring("where it is known to refuse what is wrong")
			if spec != "planted:none" {
				known = gomega.BeEmpty()
			}
			gomega.NewWithT(t).Expect(tg.Lacks("setfslabel")).To(known)
		})
	}
}

// What these types can do has not changed since 5.14.
func TestProbesAgreeWithWhatIsKnown(t *testing.T) {
	for spec, lacks := range map[string][]string{
		"loop:ext4":      nil,
		"loop:xfs":       nil,
		"loop:btrfs":     {"collapse", "insert"},
		"loop:ext2":      {"unwritten", "zero-range", "collapse", "insert"},
		"tmpfs:":         {"zero-range", "collapse", "insert"},
		"overlay:tmpfs:": {"zero-range", "collapse", "insert"},
		"planted:none":   {"collapse", "insert"},
	} {
		t.Run(spec, func(t *testing.T) {
			tg := open(t, spec)
			gomega.NewWithT(t).Expect(lacking(tg)).To(gomega.ConsistOf(lacks))
		})
	}
}

func TestAReasonNamesTheCallAndTheErrno(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "tmpfs:")
	g.Expect(tg.Lacks("collapse")).To(gomega.Equal("collapse: fallocate(COLLAPSE_RANGE): operation not supported (ENOTSUP)"))
	g.Expect(tg.Lacks("punch")).To(gomega.BeEmpty())
}

// A probe is not content with a call that claims to work: it looks at the bytes.
func TestProbesLookAtTheBytes(t *testing.T) {
	for fault, lacks := range map[string]map[string]string{
		"none":         {"odirect": "", "shared-mmap": ""},
		"corrupt-byte": {"odirect": "odirect: pread of 4096 bytes at 4096 with O_DIRECT gave 4096 bytes, or others than were written"},
		"short-read":   {"odirect": "odirect: pread of 4096 bytes at 4096 with O_DIRECT gave 2048 bytes, or others than were written"},
		"eio":          {"odirect": `odirect: pread of 4096 bytes at 4096 with O_DIRECT: input/output error \(EIO\)`},
	} {
		t.Run(fault, func(t *testing.T) {
			g := gomega.NewWithT(t)
			if os.Getpagesize() != 4096 {
				t.Skip("the texts are for pages of 4096 bytes")
			}
			fuse := open(t, "planted:"+fault)
			b, err := newLocal("dir:"+fuse.Dir(), Options{})
			g.Expect(err).NotTo(gomega.HaveOccurred())
			defer b.hands.close()
			p, err := ask[probed](t.Context(), b.hands, "probe", "probe", probeArgs{fuse.Dir(), []string{"odirect", "shared-mmap"}})
			g.Expect(err).NotTo(gomega.HaveOccurred())
			for need, why := range lacks {
				got := ""
				if p.Lacks[need] != "" {
					got = need + ": " + p.Lacks[need]
				}
				g.Expect(got).To(gomega.MatchRegexp("^" + why + "$"))
			}
			g.Expect(os.ReadDir(fuse.Dir())).To(gomega.BeEmpty(), "probes leave nothing behind")
		})
	}
}

// A probe that touches a mapping where there is no file ends with a reason, not with the process.
func TestAFaultInMappedMemoryIsAReason(t *testing.T) {
	g := gomega.NewWithT(t)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	p := prober{dir: t.TempDir(), page: os.Getpagesize(), mem: make([]byte, filePages*os.Getpagesize())}
	reason, err := p.run(func(p *prober) error {
		return p.mapped(func(m []byte) error {
			g.Expect(p.file.Truncate(0)).To(gomega.Succeed())
			m[p.page] = 'x'
			return nil
		})
	})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(reason).To(gomega.MatchError(gomega.HavePrefix("touching mapped memory: ")))
	g.Expect(os.ReadDir(p.dir)).To(gomega.BeEmpty())
}

func TestDirectIOAlignmentIsReported(t *testing.T) {
	g := gomega.NewWithT(t)
	if parseVersion(kernelRelease()).less(version{6, 1}) {
		t.Skip("statx(2) tells since Linux 6.1")
	}
	g.Expect(open(t, "loop:ext4").Mount().DIOAlign).To(gomega.Equal(512))
}

// dio512 is refused where the kernel says that the alignment is larger.
func TestDIO512HeedsTheAlignment(t *testing.T) {
	g := gomega.NewWithT(t)
	if parseVersion(kernelRelease()).less(version{6, 1}) {
		t.Skip("statx(2) tells since Linux 6.1")
	}
	skipWithoutLoop(t, "ext4")
	image := filepath.Join(t.TempDir(), "image")
	g.Expect(makeImage(image, 64<<20)).To(gomega.Succeed())
	out, err := runTool(t.Context(), "losetup", "--sector-size", "4096", "--show", "-f", image)
	if err != nil {
		t.Skip(err)
	}
	device := strings.TrimSpace(out)
	defer runTool(t.Context(), "losetup", "-d", device)
	_, err = runTool(t.Context(), "mkfs.ext4", "-q", "-F", device)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	point := t.TempDir()
	g.Expect(unix.Mount(device, point, "ext4", 0, "")).To(gomega.Succeed())
	defer unix.Unmount(point, unix.MNT_DETACH)
	tg := open(t, "dir:"+point)
	g.Expect(tg.Lacks("dio512")).To(gomega.MatchRegexp(`^dio512: statx says that offsets are aligned to 4096 and memory to \d+ bytes$`))
	g.Expect(tg.Lacks("odirect")).To(gomega.BeEmpty())
	g.Expect(tg.Mount().DIOAlign).To(gomega.Equal(4096))
}

// userRole prints what a user without rights gets: the lacks of a dir: target, then errors of other kinds.
const userRole = "target-test-user"

func init() {
	self.Register(userRole, func(args []string) int {
		unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 4096, Max: 4096})
		tg, err := Open(context.Background(), "dir:"+args[0], Options{Temp: args[0]})
		if err != nil {
			fmt.Println(err)
			return 1
		}
		for _, n := range prog.Needs {
			if why := tg.Lacks(n.Name); why != "" {
				fmt.Println(why)
			}
		}
		fmt.Println("stalls", tg.Mount().Stalls, tg.Stalls() != "")
		fmt.Println("close", tg.Close(context.Background()))
		for _, spec := range []string{"loop:ext4", "tmpfs:", "overlay:", "dir:/root", "planted:none"} {
			tg, err := Open(context.Background(), spec, Options{Temp: args[0]})
			if err == nil {
				err = tg.Close(context.Background())
			}
			fmt.Println(spec, "->", err)
		}
		for _, f := range Doctor(context.Background()) {
			if !f.OK {
				fmt.Println("doctor", f.Name, "|", f.Detail, "|", f.Mend)
			}
		}
		return 0
	})
}

func TestWithoutRoot(t *testing.T) {
	g := gomega.NewWithT(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "user") // t.TempDir is below a folder that others may not enter
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer os.RemoveAll(dir)
	g.Expect(os.Chown(dir, nobody, nobody)).To(gomega.Succeed())
	cmd := self.Command(userRole, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	g.Expect(err).NotTo(gomega.HaveOccurred(), string(out))
	text := string(out)
	t.Log(text)
	for _, line := range []string{
		"drop-caches: open /proc/sys/vm/drop_caches: permission denied (EACCES)",
		"mlock: mlock of 8 pages: cannot allocate memory (ENOMEM)",
		"close <nil>",
		"loop:ext4 -> loop:ext4: it needs root to mount (dir:PATH does not)",
		"tmpfs: -> tmpfs:: it needs root to mount (dir:PATH does not)",
		"overlay: -> overlay:tmpfs:: it needs root to mount (dir:PATH does not)",
		`dir:/root -> target "dir:/root": user 65534 may not make a folder in /root (permission denied)`,
		"doctor root | this is user 65534 | sudo; without root, test with dir:PATH",
		"doctor locked memory | the limit is 4096 bytes, programs lock up to 32768 | ulimit -l",
		"doctor drop_caches | open /proc/sys/vm/drop_caches: permission denied | root; in a container --privileged",
	} {
		g.Expect(strings.Split(text, "\n")).To(gomega.ContainElement(line))
	}
	g.Expect(text).To(gomega.MatchRegexp(`(?m)^(stalls fuse true|stalls userfaultfd false|stall: userfaultfd: .*; and no FUSE file can do instead: .*)$`))
	if info, err := os.Stat("/dev/fuse"); err == nil && info.Mode()&0o006 == 0o006 {
		if _, err := findTool("fusermount3"); err != nil {
			t.Skip("the rest needs fusermount3")
		}
		g.Expect(text).NotTo(gomega.ContainSubstring("stall: "))
	}
	g.Expect(glob(t, filepath.Join(dir, "*"))).To(gomega.BeEmpty())
}
