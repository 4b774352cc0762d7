package target

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/onsi/gomega"
)

// kindNames is how messages list the kinds.
const kindNames = "the kinds are dir, fuse, loop, overlay, planted, qemu, tmpfs, uml"

func TestWrongSpecsSayWhatIsWrong(t *testing.T) {
	t.Chdir(t.TempDir())
	file, err := filepath.Abs("file")
	if err := errors.Join(err, os.WriteFile(file, nil, 0o600), os.Mkdir("folder", 0o700)); err != nil {
		t.Fatal(err)
	}
	loopTypes := "the types are ext4, ext3, ext2, xfs, btrfs, f2fs, gfs2, exfat, ocfs2, ntfs3"
	for spec, problem := range map[string]string{
		"":                          `there is no kind ""; ` + kindNames,
		"lop:ext4":                  `there is no kind "lop"; did you mean "loop:ext4"; ` + kindNames,
		"nfs:server":                `there is no kind "nfs"; ` + kindNames,
		"ext4":                      `there is no kind "ext4"; ` + kindNames,
		"folder":                    `there is no kind "folder"; the folder is "./folder"; ` + kindNames,
		"dir":                       "a colon is missing: dir:PATH, or just /PATH or ./PATH",
		"dir:":                      "a path is missing: dir:PATH, or just /PATH or ./PATH",
		"dir:/no/such":              "/no/such does not exist",
		"/no/such":                  "/no/such does not exist",
		"dir:" + file:               file + " is not a directory",
		"loop:":                     "a file-system type is missing; " + loopTypes,
		"loop:ext5":                 `there is no file-system type "ext5"; did you mean "ext4"; ` + loopTypes,
		"loop:ext4,size=":           `the size "" is not a number with K, M, G or T behind it, such as 512M`,
		"loop:ext4,size=1P":         `the size "1P" is not a number with K, M, G or T behind it, such as 512M`,
		"loop:ext4,size=-1M":        `the size "-1M" is not a number with K, M, G or T behind it, such as 512M`,
		"loop:ext4,size=1Mx":        `the size "1Mx" is not a number with K, M, G or T behind it, such as 512M`,
		"loop:xfs,size=64M":         "the size 64M is too small for xfs; it needs at least 300M",
		"loop:ext4,noatime":         `there is no option "noatime"; the options are size, mkfs, mount`,
		"loop:ext4,sise=1G":         `there is no option "sise"; the options are size, mkfs, mount`,
		"loop:ext4,size=1G,size=2G": `the option "size" is given twice`,
		"tmpfs:big":                 `there is no option "big": tmpfs:[size=512M][,mount=OPTIONS]`,
		"overlay:ext4":              `there is no kind "ext4"; ` + kindNames,
		"overlay:overlay:":          "an overlay does not lie on another one here: overlay:[TARGET], TARGET what its layers lie on: dir:PATH, loop:TYPE or tmpfs: (the default)",
	} {
		t.Run(spec, func(t *testing.T) {
			g := gomega.NewWithT(t)
			temp := t.TempDir()
			_, err := Open(t.Context(), spec, Options{Temp: temp})
			var usage *UsageError
			g.Expect(errors.As(err, &usage)).To(gomega.BeTrue(), "%v", err)
			g.Expect(usage.Problem).To(gomega.Equal(problem))
			expectNothingLeft(t, temp)
		})
	}
}

func TestADirectoryThatTakesNoFoldersIsRefused(t *testing.T) {
	g := gomega.NewWithT(t)
	_, err := Open(t.Context(), "dir:/proc", Options{})
	g.Expect(err).To(gomega.MatchError(gomega.MatchRegexp(`^target "dir:/proc": make a folder of ours: mkdir /proc/faultline-\w+: no such file or directory$`)))
}

func TestUsageErrorNamesTheTarget(t *testing.T) {
	g := gomega.NewWithT(t)
	_, err := Open(t.Context(), "/no/such", Options{})
	g.Expect(err).To(gomega.MatchError(`target "dir:/no/such": /no/such does not exist`))
}

func TestPlantedUsageNamesTheFaults(t *testing.T) {
	g := gomega.NewWithT(t)
	_, err := Open(t.Context(), "planted:oops", Options{})
	g.Expect(err).To(gomega.MatchError(gomega.MatchRegexp(`^target "planted:oops": .*no fault is called "oops"; there are none, block-read, .*$`)))
}

func TestTemporaryFolderMustExist(t *testing.T) {
	g := gomega.NewWithT(t)
	if os.Geteuid() != 0 {
		t.Skip("tmpfs: needs root")
	}
	_, err := Open(t.Context(), "tmpfs:", Options{Temp: "/no/such"})
	g.Expect(err).To(gomega.MatchError("open target tmpfs:: lstat /no: no such file or directory"))
}

func TestReadOnlyAndFullDirectoriesAreRefused(t *testing.T) {
	g := gomega.NewWithT(t)
	tg := open(t, "tmpfs:size=20M")
	spec := "dir:" + tg.Dir()
	g.Expect(os.WriteFile(filepath.Join(tg.Dir(), "big"), make([]byte, 10<<20), 0o600)).To(gomega.Succeed())
	_, err := Open(t.Context(), spec, Options{Temp: t.TempDir()})
	g.Expect(err).To(gomega.MatchError(fmt.Sprintf("target %q: %s has only 9 MiB left; 16 MiB are needed", spec, tg.Mount().Point)))
	g.Expect(glob(t, tg.Dir()+"/faultline-*")).To(gomega.BeEmpty())

	remount(t, tg, "ro")
	_, err = Open(t.Context(), spec, Options{Temp: t.TempDir()})
	g.Expect(err).To(gomega.MatchError(fmt.Sprintf("target %q: %s is on a read-only file system", spec, tg.Dir())))
}

func remount(t *testing.T, tg Target, option string) {
	t.Helper()
	if _, err := runTool(t.Context(), "mount", "-o", "remount,"+option, tg.Mount().Point); err != nil {
		t.Fatal(err)
	}
}

func TestSpecsHaveOneForm(t *testing.T) {
	for given, canonical := range map[string]string{
		"ext4":                               "loop:ext4",
		"ext4,size=512M":                     "loop:ext4",
		"ext4,size=1024M":                    "loop:ext4,size=1G",
		"ext4,mount=noatime,size=1G":         "loop:ext4,size=1G,mount=noatime",
		"xfs,mount=a,b=c,mkfs=-m x=1,y=2 -q": "loop:xfs,mkfs=-m x=1,y=2 -q,mount=a,b=c",
		"btrfs,size=131072K,mkfs=,mount=":    "loop:btrfs,size=128M",
	} {
		t.Run(given, func(t *testing.T) {
			g := gomega.NewWithT(t)
			o, err := parseLoop("loop:"+given, given)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(o.spec()).To(gomega.Equal(canonical))
			again, err := parseLoop(o.spec(), o.spec()[len("loop:"):])
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(again).To(gomega.Equal(o))
		})
	}
}

func TestRelativePathsBecomeAbsolute(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	t.Chdir(dir)
	for _, spec := range []string{".", "./", "dir:."} {
		tg := open(t, spec)
		g.Expect(tg.Spec()).To(gomega.Equal("dir:" + dir))
	}
}

func TestMissingSaysHowToGetIt(t *testing.T) {
	g := gomega.NewWithT(t)
	odd := fsType{name: "oddfs", mkfs: []string{"mkfs.oddfs"}, fsck: []string{"fsck.oddfs"}, pkg: "odd-tools"}
	err := missing("loop:oddfs", odd.lacks())
	g.Expect(err).To(gomega.MatchError("loop:oddfs: mkfs.oddfs is not installed (package odd-tools); fsck.oddfs is not installed (package odd-tools); " +
		"oddfs is not in this kernel, " + kernelRelease() + ", nor a module of it"))
	g.Expect(missing("loop:oddfs")).To(gomega.Succeed())

	err = missing("loop:ext4", lacksRoom(t.TempDir(), 1<<60))
	g.Expect(err).To(gomega.MatchError(gomega.MatchRegexp(`^loop:ext4: the image needs 1048576T, but /.* has only \d+ MiB left \(set TMPDIR, or size=\)$`)))
}

func TestEveryKindIsDocumented(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, k := range Kinds() {
		g.Expect(k.Usage).To(gomega.MatchRegexp(`^` + k.Name + `\[?:`))
		g.Expect(k.Doc).NotTo(gomega.BeEmpty())
		g.Expect(k.open).NotTo(gomega.BeNil())
	}
}

func TestErrnoOfTheChildSurvives(t *testing.T) {
	gomega.NewWithT(t).Expect(errors.Is(&remoteError{Text: "x", Errno: syscall.EROFS}, syscall.EROFS)).To(gomega.BeTrue())
}
