package fused_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"faultline/targetfs/disk"
)

// populate makes files of all kinds.
func populate(t *testing.T, root string) {
	t.Helper()
	must(t, os.Mkdir(filepath.Join(root, "d"), 0o755), os.Mkdir(filepath.Join(root, "big"), 0o755))
	for i := range 400 {
		must(t, os.WriteFile(filepath.Join(root, "big", fmt.Sprintf("file%d", i)), make([]byte, i*10), 0o600))
	}
	must(t, os.WriteFile(filepath.Join(root, "d/large"), make([]byte, 5<<20), 0o600), os.Symlink("d/large", filepath.Join(root, "link")),
		os.Link(filepath.Join(root, "d/large"), filepath.Join(root, "hard")), unix.Setxattr(filepath.Join(root, "hard"), "user.a", make([]byte, 3000), 0))
}

// abuse does everything to all that can be found. Errors are expected.
func abuse(root string) {
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		unix.Getxattr(path, "user.a", make([]byte, 4096))
		unix.Setxattr(path, "user.b", []byte("x"), 0)
		os.Readlink(path)
		if d.Type().IsRegular() {
			os.ReadFile(path)
			os.WriteFile(path, []byte("new"), 0o600)
			os.Truncate(path, 10_000)
		}
		return nil
	})
	os.WriteFile(filepath.Join(root, "new"), []byte("x"), 0o600)
	os.Rename(filepath.Join(root, "new"), filepath.Join(root, "big/new"))
	os.RemoveAll(filepath.Join(root, "d"))
	var st unix.Statfs_t
	unix.Statfs(root, &st)
}

// mutate spoils a random bit of each of some random metadata blocks: of inodes, directories and attributes, because a mount checks
// the others itself.
func mutate(image []byte, r *rand.Rand) {
	var blocks []int
	for at := 0; at < len(image); at += 4096 {
		switch t, _ := disk.TypeOf(image[at:]); t {
		case disk.TypeDI, disk.TypeIN, disk.TypeLF, disk.TypeJD, disk.TypeEA, disk.TypeED:
			blocks = append(blocks, at)
		}
	}
	for range len(blocks) / 20 {
		image[blocks[r.IntN(len(blocks))]+r.IntN(300)] ^= byte(1 << r.IntN(8))
	}
}

func TestTheServerSurvivesHostileImages(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	populate(t, m.dir)
	m.unmount()
	good, err := os.ReadFile(m.image)
	must(t, err)
	served := 0
	for seed := range uint64(8) {
		bad := append([]byte(nil), good...)
		mutate(bad, rand.New(rand.NewPCG(seed, 2)))
		must(t, os.WriteFile(m.image, bad, 0o600))
		if err := m.tryStart(""); err != nil {
			g.Expect(err.Error()).NotTo(gomega.ContainSubstring("panic"), "seed %d", seed)
			continue
		}
		served++
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			abuse(m.dir)
		}()
		g.Eventually(finished, patience).Should(gomega.BeClosed(), "seed %d hangs", seed)
		m.server.Process.Signal(syscall.SIGTERM)
		g.Eventually(m.ended, patience).Should(gomega.BeClosed(), "seed %d: the server does not end", seed)
		g.Expect(m.output.String()).NotTo(gomega.ContainSubstring("panic"), "seed %d", seed)
	}
	g.Expect(served).To(gomega.BeNumerically(">", 2))
}

// A broken block is named in one line of the log, writing stops, and reading goes on.
func TestAnInconsistencyStopsWriting(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	must(t, os.WriteFile(m.path("good"), []byte("good"), 0o600), os.WriteFile(m.path("bad"), []byte("bad"), 0o600))
	var st unix.Stat_t
	must(t, unix.Stat(m.path("bad"), &st))
	m.unmount()
	f, err := os.OpenFile(m.image, os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt([]byte{0}, int64(st.Ino)*4096)
	must(t, err, f.Close())
	m.start("")
	_, err = os.ReadFile(m.path("bad"))
	g.Expect(err).To(gomega.MatchError(syscall.EIO))
	g.Expect(os.ReadFile(m.path("good"))).To(gomega.Equal([]byte("good")))
	g.Expect(os.WriteFile(m.path("new"), nil, 0o600)).To(gomega.MatchError(syscall.EIO))
	var fsst unix.Statfs_t
	must(t, unix.Statfs(m.dir, &fsst))
	m.server.Process.Signal(syscall.SIGTERM)
	g.Eventually(m.ended, patience).Should(gomega.BeClosed())
	lines := strings.Split(strings.TrimSpace(m.output.String()), "\n")
	g.Expect(lines[0]).To(gomega.ContainSubstring(fmt.Sprintf("block %d", st.Ino)))
}
