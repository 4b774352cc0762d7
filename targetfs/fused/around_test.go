package fused_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// storedAround is how many pieces the server has stored.
func (m *mount) storedAround() (n int) {
	_, after, _ := strings.Cut(m.ask("counters"), "stored around reads on node0: ")
	fmt.Sscan(after, &n)
	return n
}

// Reads here and there bring what is around them; reads of a file that is open for writing, or far apart, do not.
func TestDenseReadsBringTheirSurroundings(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	page, pages := os.Getpagesize(), 1024
	content := make([]byte, pages*page+100)
	for i := range content {
		content[i] = byte(i / page * 7)
	}
	scattered := func(name string, flags, stride int) int {
		must(t, os.WriteFile(m.path(name), content, 0o600))
		before := m.storedAround()
		fd, err := unix.Open(m.path(name), flags, 0)
		must(t, err, unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED), unix.Fadvise(fd, 0, 0, unix.FADV_RANDOM))
		buf := make([]byte, page)
		for i := range pages {
			at := i * stride % (pages + 1) * page
			n, err := unix.Pread(fd, buf, int64(at))
			must(t, err)
			g.Expect(buf[:n]).To(gomega.Equal(content[at:at+n]), "page %d", at/page)
		}
		must(t, unix.Close(fd))
		return m.storedAround() - before
	}
	g.Expect(scattered("dense", unix.O_RDONLY, 7)).To(gomega.BeNumerically(">", 0))
	g.Expect(scattered("written", unix.O_RDWR, 7)).To(gomega.Equal(0))
	g.Expect(scattered("same page", unix.O_RDONLY, 0)).To(gomega.Equal(0))
	m.unmount()
}

// stamps are what the pages of a file hold.
type stamps []struct {
	turn  atomic.Uint64 // odd while the page changes, and never the same again
	holds atomic.Uint64
}

// change lets do change some pages to a stamp that is new, or to zero where it says so.
func (s stamps) change(pages []int, do func(stamp uint64) (zero bool, err error)) error {
	stamp := uint64(0)
	for _, p := range pages {
		stamp = max(stamp, s[p].turn.Add(1))
	}
	zero, err := do(stamp)
	if zero {
		stamp = 0
	}
	for _, p := range pages {
		s[p].holds.Store(stamp)
		s[p].turn.Add(1)
	}
	return err
}

// Nothing old is ever read while pages are stored and a writer opens, maps, cuts and extends the file: no store reaches a page that is newer.
func TestWhatIsStoredIsNeverOld(t *testing.T) {
	g := gomega.NewWithT(t)
	m := mounted(t, "")
	page := os.Getpagesize()
	const pages, rounds, readers = 256, 1500, 3
	path := m.path("a")
	must(t, os.WriteFile(path, make([]byte, pages*page), 0o600))
	now := make(stamps, pages)
	var over atomic.Bool
	var all sync.WaitGroup
	for seed := range uint64(readers) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, 2))
			for !over.Load() {
				if err := readSome(path, now, random, page); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(3, 3))
	for range rounds {
		p := random.IntN(pages)
		var err error
		switch random.IntN(8) {
		case 0, 1:
			err = cutAndExtend(path, now, p, page)
		case 2, 3:
			err = storeMapped(path, now, p, page)
		default:
			err = writePage(path, now, p, page)
		}
		must(t, err)
	}
	over.Store(true)
	all.Wait()
	g.Expect(m.storedAround()).To(gomega.BeNumerically(">", 0))
	m.unmount()
	m.start("")
	content, err := os.ReadFile(path)
	must(t, err)
	for p := range now {
		g.Expect(binary.LittleEndian.Uint64(content[p*page:])).To(gomega.Equal(now[p].holds.Load()), "page %d after a new mount", p)
	}
	m.unmount()
}

// readSome reads pages that are not cached, and compares those that nobody changed meanwhile.
func readSome(path string, now stamps, random *rand.Rand, page int) error {
	fd, err := unix.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := firstOf(unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED), unix.Fadvise(fd, 0, 0, unix.FADV_RANDOM)); err != nil {
		return err
	}
	buf := make([]byte, 8)
	for range 100 {
		p := random.IntN(len(now))
		turn, want := now[p].turn.Load(), now[p].holds.Load()
		n, err := unix.Pread(fd, buf, int64(p*page))
		if err != nil {
			return err
		}
		if got := binary.LittleEndian.Uint64(buf); turn%2 == 0 && now[p].turn.Load() == turn && (n < 8 || got != want) {
			return fmt.Errorf("page %d holds %d (%d bytes), want %d", p, got, n, want)
		}
	}
	return nil
}

func writePage(path string, now stamps, p, page int) error {
	return now.change([]int{p}, func(stamp uint64) (bool, error) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return false, err
		}
		_, err = f.WriteAt(binary.LittleEndian.AppendUint64(nil, stamp), int64(p*page))
		return false, firstOf(err, f.Close())
	})
}

// storeMapped changes the page through a mapping, and looks at it while it is dirty.
func storeMapped(path string, now stamps, p, page int) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	mapped, err := unix.Mmap(int(f.Fd()), 0, len(now)*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	for range 20 {
		err = firstOf(err, now.change([]int{p}, func(stamp uint64) (bool, error) {
			binary.LittleEndian.PutUint64(mapped[p*page:], stamp)
			return false, nil
		}))
	}
	return firstOf(err, unix.Munmap(mapped))
}

// cutAndExtend makes the file shorter, by its name, and long again: its end is zero then.
func cutAndExtend(path string, now stamps, p, page int) error {
	var pages []int
	for i := p; i < len(now); i++ {
		pages = append(pages, i)
	}
	return now.change(pages, func(uint64) (bool, error) {
		return true, firstOf(unix.Truncate(path, int64(p*page)), unix.Truncate(path, int64(len(now)*page)))
	})
}
