package image

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"faultline/targetfs/disk"

	"github.com/onsi/gomega"
)

// TestBigDirectory makes many names, lists them, removes most of them and lists again.
func TestBigDirectory(t *testing.T) {
	count := 15_000
	if soak() {
		count = 100_000
	}
	for _, bs := range []disk.BlockSize{1024, 4096} {
		g := gomega.NewWithT(t)
		ti := formatted(t, 512<<20, FormatOptions{BlockSize: bs})
		dir := ti.create(ti.Root(), "dir", disk.ModeDir|0o755)
		file := ti.create(ti.Root(), "file", disk.ModeReg|0o644)
		want := map[string]uint64{}
		name := func(i int) string { return fmt.Sprintf("name-%d", i) }
		for i := range count {
			ti.must(func(tx *Tx) error { return tx.Link(file, dir, name(i)) })
			want[name(i)] = file
		}
		g.Expect(ti.stat(dir).Entries).To(gomega.Equal(uint32(count + 2)))
		check := func() {
			g.Expect(ti.View(func(tx *Tx) error {
				got, err := listing(tx, dir)
				g.Expect(len(got)).To(gomega.Equal(len(want)))
				for n, ino := range want {
					if got[n] != ino {
						t.Errorf("%q names %d, want %d", n, got[n], ino)
					}
				}
				return err
			})).To(gomega.Succeed())
		}
		check()
		for i := range count - 100 {
			ti.unlink(dir, name(i))
			delete(want, name(i))
		}
		check()
		ti.closeClean()
	}
}

// TestListingWhileItChanges removes what was listed while the listing goes on: every other name must appear once.
func TestListingWhileItChanges(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	file := ti.create(ti.Root(), "file", disk.ModeReg|0o644)
	dir := ti.create(ti.Root(), "dir", disk.ModeDir|0o755)
	for i := range 500 {
		ti.must(func(tx *Tx) error { return tx.Link(file, dir, fmt.Sprint(i)) })
	}
	seen := map[string]int{}
	from, last := uint64(0), ""
	for step := 0; ; step++ {
		found := false
		g.Expect(ti.View(func(tx *Tx) error {
			return tx.ReadDir(dir, from, func(e DirEntry) bool {
				seen[e.Name]++
				found, from, last = true, e.Cookie+1, e.Name
				return false
			})
		})).To(gomega.Succeed())
		if !found {
			break
		}
		if last != "." && last != ".." {
			ti.unlink(dir, last)
		}
		// New names split leaves; they may or may not be seen.
		ti.must(func(tx *Tx) error { return tx.Link(file, dir, fmt.Sprint("new", step)) })
		if step == 2000 {
			t.Fatal("the listing does not end")
		}
	}
	for i := range 500 {
		g.Expect(seen[fmt.Sprint(i)]).To(gomega.Equal(1), "name %d", i)
	}
	ti.closeClean()
}

// TestLeafChain uses names whose hashes have the same first 17 bits: no split can part them.
func TestLeafChain(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, 64<<20, FormatOptions{BlockSize: 1024})
	file := ti.create(ti.Root(), "file", disk.ModeReg|0o644)
	dir := ti.create(ti.Root(), "dir", disk.ModeDir|0o755)
	var names []string
	prefix := strings.Repeat("p", 60)
	for i := 0; len(names) < 24; i++ {
		if name := fmt.Sprint(prefix, i); disk.HashName(name)>>15 == 0x1234 {
			names = append(names, name)
		}
	}
	for _, name := range names {
		ti.must(func(tx *Tx) error { return tx.Link(file, dir, name) })
	}
	g.Expect(ti.stat(dir).Depth).To(gomega.Equal(uint16(17)))
	g.Expect(ti.View(func(tx *Tx) error {
		di, err := tx.dinode(dir)
		if err != nil {
			return err
		}
		leaves := 0
		for leaf, err := range tx.chain(&di, 0x1234<<15) {
			if err != nil {
				return err
			}
			leaves++
			g.Expect(leaf.Dist).To(gomega.Equal(uint32(leaves)))
		}
		g.Expect(leaves).To(gomega.BeNumerically(">=", 3))
		for _, name := range names {
			_, err := tx.Lookup(dir, name)
			g.Expect(err).NotTo(gomega.HaveOccurred())
		}
		return nil
	})).To(gomega.Succeed())
	ti.closeClean()
	ti.open()
	for _, name := range names {
		ti.unlink(dir, name)
	}
	ti.must(func(tx *Tx) error {
		_, err := tx.Rmdir(ti.Root(), "dir")
		return err
	})
	g.Expect(ti.Reclaim(dir)).To(gomega.Succeed())
	ti.closeClean()
}

func TestNames(t *testing.T) {
	g := gomega.NewWithT(t)
	ti := formatted(t, MinSize, FormatOptions{})
	for name, want := range map[string]error{
		"":                       syscall.EINVAL,
		".":                      syscall.EINVAL,
		"a/b":                    syscall.EINVAL,
		"a\x00b":                 syscall.EINVAL,
		strings.Repeat("n", 256): syscall.ENAMETOOLONG,
		strings.Repeat("n", 255): nil,
		"\xff\xfe":               nil,
	} {
		err := ti.Update(func(tx *Tx) error {
			_, err := tx.Create(ti.Root(), name, NewInode{Mode: disk.ModeReg})
			return err
		})
		g.Expect(expect(err, want)).To(gomega.Succeed(), "%q", name)
	}
	for want, spec := range map[error]NewInode{
		syscall.EINVAL:       {Mode: 0o644},
		syscall.ENAMETOOLONG: {Mode: disk.ModeLink, Target: strings.Repeat("t", 3864)},
		syscall.EEXIST:       {Mode: disk.ModeReg},
	} {
		name := "new"
		if want == syscall.EEXIST {
			name = "\xff\xfe"
		}
		err := ti.Update(func(tx *Tx) error {
			_, err := tx.Create(ti.Root(), name, spec)
			return err
		})
		g.Expect(err).To(gomega.MatchError(want))
	}
	g.Expect(ti.View(func(tx *Tx) error {
		_, err := tx.Lookup(ti.Root(), "missing")
		return err
	})).To(gomega.MatchError(syscall.ENOENT))
	ti.closeClean()
}

// TestEqualHashes lists names with the same hash one at a time: each must come once.
func TestEqualHashes(t *testing.T) {
	g := gomega.NewWithT(t)
	byHash := map[uint32]string{}
	var names []string
	rnd := rand.New(rand.NewPCG(1, 1))
	for len(names) < 6 {
		// Names that differ in four bytes or fewer never have the same CRC: digits that count up would not do.
		name := fmt.Sprintf("%016x", rnd.Uint64())
		hash := disk.HashName(name)
		if first, ok := byHash[hash]; ok {
			names = append(names, first, name)
		}
		byHash[hash] = name
	}
	ti := formatted(t, MinSize, FormatOptions{})
	file := ti.create(ti.Root(), "file", disk.ModeReg|0o644)
	dir := ti.create(ti.Root(), "dir", disk.ModeDir|0o755)
	for _, name := range names {
		ti.must(func(tx *Tx) error { return tx.Link(file, dir, name) })
	}
	seen := map[string]int{}
	for from, more := uint64(0), true; more; {
		more = false
		g.Expect(ti.View(func(tx *Tx) error {
			return tx.ReadDir(dir, from, func(e DirEntry) bool {
				seen[e.Name]++
				from, more = e.Cookie+1, true
				return false
			})
		})).To(gomega.Succeed())
	}
	for _, name := range names {
		g.Expect(seen[name]).To(gomega.Equal(1), name)
	}
	g.Expect(seen).To(gomega.HaveLen(len(names) + 2))
	ti.closeClean()
}
