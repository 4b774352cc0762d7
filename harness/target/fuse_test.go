package target

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/targetfs/disk"
)

func TestFuseSpecsHaveOneForm(t *testing.T) {
	for given, canonical := range map[string]string{
		"":                                     "fuse",
		"copy=nofault,size=512M,nodes=1":       "fuse",
		"nodes=2,size=1024M,copy=faulting":     "fuse:copy=faulting,size=1G,nodes=2",
		"bsize=512,format=1801,copy=recursive": "fuse:copy=recursive,bsize=512,format=1801",
	} {
		t.Run(given, func(t *testing.T) {
			g := gomega.NewWithT(t)
			o, err := parseFuse("fuse:"+given, given)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(o.spec()).To(gomega.Equal(canonical))
		})
	}
}

func TestWrongFuseSpecsSayWhatIsWrong(t *testing.T) {
	for spec, problem := range map[string]string{
		"fuse:fast":            `there is no option "fast": ` + fuseKind().Usage,
		"fuse:copy=x":          `unknown user-copy policy "x"; there are kernel, faulting, recursive, nofault`,
		"fuse:nodes=x":         `nodes=x is not a number`,
		"fuse:nodes=0":         `nodes=0 is not a number`,
		"fuse:size=8M":         `8388608 bytes are too few, want at least 33554432`,
		"fuse:bsize=3000":      `block size 3000, want a power of two from 512 to 4096`,
		"fuse:format=1800":     `format 1800, want 1801 or 1802`,
		"fuse:size=64M,speed=": `the size "64M,speed=" is not a number with K, M, G or T behind it, such as 512M`,
	} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			_, err := Open(t.Context(), spec, Options{Temp: t.TempDir()})
			usage, is := errors.AsType[*UsageError](err)
			g.Expect(is).To(gomega.BeTrue(), "%v", err)
			g.Expect(usage.Problem).To(gomega.Equal(problem))
		})
	}
}

// openFuseUnclosed opens the target fuse; the test closes it.
func openFuseUnclosed(t *testing.T, temp string) *local {
	t.Helper()
	tg, err := Open(t.Context(), "fuse:size=64M", Options{Temp: temp})
	skipMissing(t, err)
	gomega.NewWithT(t).Expect(err).NotTo(gomega.HaveOccurred())
	return tg.(*local)
}

// The check at the end sees what was broken below the mount.
func TestFuseCloseFindsDamage(t *testing.T) {
	g := gomega.NewWithT(t)
	temp := t.TempDir()
	tg := openFuseUnclosed(t, temp)
	spoilGFS2(t, filepath.Join(tg.temp.Path, "image"))
	err := tg.Close(context.Background())
	var damage *CheckError
	g.Expect(errors.As(err, &damage)).To(gomega.BeTrue(), "%v", err)
	g.Expect(damage.Output).To(gomega.ContainSubstring("block "))
	expectNothingLeft(t, temp)
}

// spoilGFS2 changes the link count of the master directory of an image with blocks of 4096 bytes. Whoever has it mounted has no reason to write that dinode: what the
// directory holds changes only when a file system grows.
func spoilGFS2(t *testing.T, path string) {
	t.Helper()
	g := gomega.NewWithT(t)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	defer f.Close()
	head := make([]byte, disk.SuperblockSize)
	_, err = f.ReadAt(head, disk.SuperblockOffset)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	super, err := disk.DecodeSuperblock(head, 16)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	const links = 52 // offset of di_nlink
	_, err = f.WriteAt([]byte{0, 0, 0, 99}, int64(super.MasterDir.Addr)*4096+links)
	g.Expect(err).NotTo(gomega.HaveOccurred())
}

// A server that was killed leaves an image that the journal makes whole.
func TestFuseCloseAfterAKill(t *testing.T) {
	g := gomega.NewWithT(t)
	temp := t.TempDir()
	tg := openFuseUnclosed(t, temp)
	g.Expect(os.WriteFile(filepath.Join(tg.Dir(), "file"), make([]byte, 100_000), 0o600)).To(gomega.Succeed())
	dir, err := os.Open(tg.Dir())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(dir.Sync()).To(gomega.Succeed())
	dir.Close()
	g.Expect(unix.Kill(tg.Servers()[0], unix.SIGKILL)).To(gomega.Succeed())
	g.Eventually(func() error { return tg.Check(t.Context()) }, 10*time.Second).Should(gomega.MatchError(gomega.ContainSubstring("signal: killed")))
	err = tg.Close(context.Background())
	g.Expect(err).To(gomega.MatchError("close fuse:size=64M: check the image: the server ended with signal: killed"), "and nothing is wrong with the image")
	expectNothingLeft(t, temp)
}

func TestFuseAbortFreesAndCloseStillChecks(t *testing.T) {
	g := gomega.NewWithT(t)
	temp := t.TempDir()
	tg := openFuseUnclosed(t, temp)
	g.Expect(tg.Abort()).To(gomega.Succeed())
	g.Expect(os.WriteFile(filepath.Join(tg.Dir(), "file"), nil, 0o600)).NotTo(gomega.Succeed())
	g.Expect(tg.Close(context.Background())).To(gomega.Succeed())
	expectNothingLeft(t, temp)
}

// While nothing hangs no circle is told, and the glocks of the folder's lookup are there.
func TestFuseTellsItsLocks(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(open(t, "fuse").Locks(t.Context())).To(gomega.SatisfyAll(
		gomega.HavePrefix("cycle:\n\nNo task waits for itself.\n"), gomega.MatchRegexp(`(?m)^G:  s:\w\w n:2/`), gomega.ContainSubstring("counters:\n\nfaulting:\n")))
	g.Expect(open(t, "planted:none").Locks(t.Context())).To(gomega.BeEmpty())
}

// The server counts the buffers that it copies, whatever the policy; other file systems have nobody to ask.
func TestFuseTellsItsCopies(t *testing.T) {
	g := gomega.NewWithT(t)
	for policy, calls := range map[string]uint64{"nofault": 1, "faulting": 1, "kernel": 0} {
		tg := open(t, "fuse:copy="+policy)
		before, err := tg.Copies(t.Context())
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(os.WriteFile(filepath.Join(tg.Dir(), "file"), []byte("text"), 0o600)).To(gomega.Succeed())
		after, err := tg.Copies(t.Context())
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(after.Calls-before.Calls).To(gomega.Equal(calls), policy)
		g.Expect(after.Pages-before.Pages).To(gomega.Equal(calls), policy)
	}
	n, err := open(t, "planted:none").Copies(t.Context())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(n).To(gomega.BeNil())
}
