package results

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

var safeForAll = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,99}$`)

func TestBundleGolden(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := filepath.Join(t.TempDir(), "failures")
	c := sampleCases()[1]
	c.Properties = []Property{{"target", "fuse,copy=faulting"}}
	paths, err := Bundle(dir, c,
		File{"program.prog", strings.NewReader("prog x\n")},
		File{"stacks/77 worker.txt", strings.NewReader("filemap_fault\x00raw\n")})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	folder := filepath.Join(dir, "selfio-pread-direct--gfs2.faulting.fuse")
	g.Expect(paths).To(gomega.Equal([]string{
		filepath.Join(folder, "report.txt"), filepath.Join(folder, "program.prog"), filepath.Join(folder, "stacks-77-worker.txt"),
	}))
	g.Expect(readFile(t, paths[2])).To(gomega.Equal("filemap_fault\x00raw\n"), "files are kept as they are")
	golden(t, "report.txt", []byte(readFile(t, paths[0])))
}

func TestBundlesAreNeverOverwritten(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	c := sampleCases()[3]
	for i := range 3 {
		paths, err := Bundle(dir, c, File{"n", strings.NewReader(fmt.Sprint(i))})
		g.Expect(err).NotTo(gomega.HaveOccurred())
		want := numbered("selfio-wrong--gfs2.faulting.fuse", i+1)
		g.Expect(paths[1]).To(gomega.Equal(filepath.Join(dir, want, "n")))
	}
	g.Expect(readFile(t, filepath.Join(dir, "selfio-wrong--gfs2.faulting.fuse", "n"))).To(gomega.Equal("0"))
}

func TestBundleNamesAreSafe(t *testing.T) {
	g := gomega.NewWithT(t)
	hostile := []string{"", ".", "..", "../../etc/passwd", "-rf", ".hidden", "report.txt", "REPORT.TXT", "a b", "a/b", "ä\x00\n", strings.Repeat("long", 100), strings.Repeat("long", 100) + "x"}
	var files []File
	for _, h := range hostile {
		files = append(files, File{h, strings.NewReader(h)})
	}
	dir := t.TempDir()
	paths, err := Bundle(dir, Case{ID: ID{"s", "c/../..", strings.Repeat("../n", 200)}, Verdict: Wrong}, files...)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(paths).To(gomega.HaveLen(len(hostile) + 1))
	seen := map[string]bool{}
	for i, p := range paths {
		g.Expect(filepath.Dir(filepath.Dir(p))).To(gomega.Equal(dir))
		for _, name := range []string{filepath.Base(p), filepath.Base(filepath.Dir(p))} {
			g.Expect(safeForAll.MatchString(name)).To(gomega.BeTrue(), "%q", name)
		}
		low := strings.ToLower(p)
		g.Expect(seen[low]).To(gomega.BeFalse(), "%s twice", p)
		seen[low] = true
		if i > 0 {
			g.Expect(readFile(t, p)).To(gomega.Equal(hostile[i-1]))
		}
	}
}

func TestBundleTellsWhatFailed(t *testing.T) {
	g := gomega.NewWithT(t)
	paths, err := Bundle(t.TempDir(), sampleCases()[1], File{"good", strings.NewReader("x")}, File{"bad", iotest.ErrReader(unix.EIO)})
	g.Expect(err).To(gomega.MatchError(unix.EIO))
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("selfio/pread/direct")))
	g.Expect(paths).To(gomega.HaveLen(2), "what was written is told")

	file := filepath.Join(t.TempDir(), "file")
	g.Expect(os.WriteFile(file, nil, 0o644)).To(gomega.Succeed())
	_, err = Bundle(file, sampleCases()[1])
	g.Expect(errors.Is(err, unix.ENOTDIR)).To(gomega.BeTrue())
}
