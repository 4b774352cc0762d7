package disk

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/onsi/gomega"
)

// TestDirentsAgainstMap inserts and removes at random and compares with a map after each step.
func TestDirentsAgainstMap(t *testing.T) {
	g := gomega.NewWithT(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	area := Dirents(make([]byte, 920))
	area.Init()
	want := map[string]Inum{}
	full := 0
	for step := range 3000 {
		name := fmt.Sprintf("%d%s", rnd.IntN(60), strings.Repeat("x", rnd.IntN(40)))
		hash := HashName(name)
		e, found, err := area.Find(name, hash, 1)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		_, known := want[name]
		g.Expect(found).To(gomega.Equal(known), name)
		if found {
			area.Remove(e)
			delete(want, name)
			continue
		}
		d := Dirent{Inum: Inum{uint64(step + 1), 5}, Hash: hash, Type: 8}
		room, err := area.HasRoom(len(name), 1)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		done, err := area.Insert(d, name, 1)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(done).To(gomega.Equal(room))
		if done {
			want[name] = d.Inum
		} else {
			full++
		}
		got := map[string]Inum{}
		for e, err := range area.All(1) {
			g.Expect(err).NotTo(gomega.HaveOccurred())
			got[e.Name()] = e.Inum
		}
		g.Expect(got).To(gomega.Equal(want))
	}
	g.Expect(full).To(gomega.BeNumerically(">", 10), "the area must have been full at times")
}

func TestDirentsGrowAndSetInum(t *testing.T) {
	g := gomega.NewWithT(t)
	small, large := Dirents(make([]byte, 280)), Dirents(make([]byte, 408))
	small.Init()
	for _, name := range []string{".", "..", "file"} {
		ok, err := small.Insert(Dirent{Inum: Inum{1, 2}, Hash: HashName(name)}, name, 1)
		g.Expect(ok, err).To(gomega.BeTrue())
	}
	g.Expect(large.Grow(small, 1)).To(gomega.Succeed())
	e, ok, err := large.Find("file", HashName("file"), 1)
	g.Expect(ok, err).To(gomega.BeTrue())
	g.Expect(int(e.RecLen)).To(gomega.Equal(408 - 96))
	large.SetInum(e, Inum{3, 4}, 10)
	e, _, _ = large.Find("file", HashName("file"), 1)
	g.Expect(e.Inum).To(gomega.Equal(Inum{3, 4}))
	g.Expect(e.Type).To(gomega.Equal(uint16(10)))
}

func TestDirentsErrors(t *testing.T) {
	g := gomega.NewWithT(t)
	fresh := func() Dirents {
		a := Dirents(make([]byte, 280))
		a.Init()
		for _, name := range []string{"a", "b"} {
			if ok, err := a.Insert(Dirent{Inum: Inum{1, 2}, Hash: HashName(name)}, name, 1); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		return a
	}
	for name, change := range map[string]func(Dirents){
		"rec_len 0":          func(a Dirents) { be.PutUint16(a[20:], 0) },
		"rec_len odd":        func(a Dirents) { be.PutUint16(a[20:], 49) },
		"rec_len too long":   func(a Dirents) { be.PutUint16(a[48+20:], 240) },
		"rec_len leaves gap": func(a Dirents) { be.PutUint16(a[48+20:], 200) },
		"name too long":      func(a Dirents) { be.PutUint16(a[22:], 9) },
		"no name":            func(a Dirents) { be.PutUint16(a[22:], 0) },
		"second empty":       func(a Dirents) { clear(a[48:64]) },
	} {
		a := fresh()
		change(a)
		_, _, err := a.Find("zzz", 0, 7)
		g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("block 7 is corrupt")), name)
	}
	first := fresh()
	clear(first[:16])
	_, found, err := first.Find("b", HashName("b"), 7)
	g.Expect(err).NotTo(gomega.HaveOccurred(), "the first record may be empty")
	g.Expect(found).To(gomega.BeTrue())
}

func TestEARecord(t *testing.T) {
	g := gomega.NewWithT(t)
	for _, c := range []struct{ name, data, size, ptrs int }{
		{3, 3, 24, 0}, {1, 2, 24, 0}, {3, 5000, 40, 2}, {1, 4072 - 17, 4072, 0}, {1, 4072 - 16, 32, 1}, {255, 65536, 16 + 256 + 8*17, 17},
	} {
		size, ptrs := BlockSize(4096).EARecord(c.name, c.data)
		g.Expect([]int{size, ptrs}).To(gomega.Equal([]int{c.size, c.ptrs}), "%+v", c)
	}
}

// putEA writes an inline attribute into the first record with room.
func putEA(a EAs, h EAHeader, name string, value []byte) (bool, error) {
	size, _ := BlockSize(len(a)+HeaderSize).EARecord(len(name), len(value))
	for e, err := range a.All(1) {
		if err != nil {
			return false, err
		}
		if e.Room(size) {
			h.DataLen = uint32(len(value))
			a.Put(e, h, name, value)
			return true, nil
		}
	}
	return false, nil
}

func TestEAsAgainstMap(t *testing.T) {
	g := gomega.NewWithT(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	area := EAs(make([]byte, 1000))
	area.Init()
	want := map[string]string{}
	full := 0
	for range 3000 {
		name := fmt.Sprintf("%d%s", rnd.IntN(30), strings.Repeat("n", rnd.IntN(20)))
		value := bytes.Repeat([]byte{byte(rnd.Uint32())}, rnd.IntN(80))
		removed := false
		for e, err := range area.All(1) {
			g.Expect(err).NotTo(gomega.HaveOccurred())
			if e.Type != EAUnused && e.Name() == name {
				area.Remove(e)
				delete(want, name)
				removed = true
				break
			}
		}
		if !removed {
			ok, err := putEA(area, EAHeader{Type: EAUser}, name, value)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			if ok {
				want[name] = string(value)
			} else {
				full++
			}
		}
		got := map[string]string{}
		for e, err := range area.All(1) {
			g.Expect(err).NotTo(gomega.HaveOccurred())
			if e.Type != EAUnused {
				got[e.Name()] = string(e.Inline())
			}
		}
		g.Expect(got).To(gomega.Equal(want))
	}
	g.Expect(full).To(gomega.BeNumerically(">", 10))
}

func TestEAsErrors(t *testing.T) {
	g := gomega.NewWithT(t)
	for name, change := range map[string]func(EAs){
		"rec_len 0":    func(a EAs) { be.PutUint32(a, 0) },
		"rec_len long": func(a EAs) { be.PutUint32(a, 0xfffffff8) },
		"no last flag": func(a EAs) { a[24+10] = 0 },
		"early last":   func(a EAs) { a[10] = EALast },
		"type":         func(a EAs) { a[9] = 9 },
		"no name":      func(a EAs) { a[8] = 0 },
		"value":        func(a EAs) { be.PutUint32(a[4:], 20) },
		"pointers":     func(a EAs) { a[24+11], a[24+7] = 1, 255; be.PutUint32(a[28:], 60000) },
	} {
		a := EAs(make([]byte, 1000))
		a.Init()
		for _, n := range []string{"one", "two"} {
			ok, err := putEA(a, EAHeader{Type: EAUser}, n, []byte("val"))
			g.Expect(ok, err).To(gomega.BeTrue())
		}
		change(a)
		var err error
		for _, err = range a.All(7) {
		}
		g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("block 7 is corrupt")), name)
	}
}
