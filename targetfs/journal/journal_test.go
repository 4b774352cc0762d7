package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"faultline/targetfs/disk"

	"github.com/onsi/gomega"
)

const (
	bs        = 512
	logBlocks = 64
	devBlocks = 400
)

// memory is a device that remembers every write and sync.
type memory struct {
	data []byte
	ops  []op
}

// op is a write, or a sync when data is nil.
type op struct {
	off  int64
	data []byte
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) { return copy(p, m.data[off:]), nil }
func (m *memory) Sync() error                             { m.ops = append(m.ops, op{}); return nil }

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > int64(len(m.data)) {
		return 0, errors.New("outside the device")
	}
	m.ops = append(m.ops, op{off, bytes.Clone(p)})
	return copy(m.data[off:], p), nil
}

// testFile is a journal in two extents.
func testFile() File {
	return File{BlockSize: bs, ID: 3, Inode: 9, Statfs: 7, Quota: 8, Extents: []Extent{{Addr: 200, N: 40}, {Addr: 100, N: logBlocks - 40}}}
}

// newMemory is a device with a fresh journal, as mkfs leaves it.
func newMemory(f File) *memory {
	m := &memory{data: make([]byte, devBlocks*bs)}
	for n := range f.Len() {
		lh := disk.LogHeader{Sequence: uint64(n), Flags: disk.LogUnmount | disk.LogUserspace, Blkno: n, Addr: f.Addr(n), Jinode: f.Inode}
		lh.Encode(m.data[f.Addr(n)*bs:][:bs])
	}
	return m
}

// image is the content of block addr in generation gen. Data blocks begin with the magic now and then.
func image(addr uint64, gen int, jdata bool) []byte {
	b := bytes.Repeat([]byte{byte(gen), byte(addr)}, bs/2)
	if !jdata {
		disk.PutHeader(b, disk.TypeIN)
	} else if gen%2 == 0 {
		disk.PutHeader(b, disk.TypeLD)
	}
	return b
}

// write puts the blocks of a record in their places.
func write(t *testing.T, dev Device, r Record) {
	t.Helper()
	for _, b := range r.Blocks {
		if _, err := dev.WriteAt(b.Data, int64(b.Addr)*bs); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, dev Device) *Log {
	t.Helper()
	l, err := Open(dev, testFile())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// randomRecord changes some of the first 50 blocks; odd ones are data.
func randomRecord(rnd *rand.Rand, gen int) (r Record) {
	for _, n := range rnd.Perm(50)[:1+rnd.IntN(50)] {
		addr := uint64(n + 1)
		r.Blocks = append(r.Blocks, Block{addr, image(addr, gen, addr%2 == 1), addr%2 == 1})
	}
	return r
}

func TestCleanAfterClose(t *testing.T) {
	g := gomega.NewWithT(t)
	m := newMemory(testFile())
	before := bytes.Clone(m.data)
	l := open(t, m)
	g.Expect(m.data).To(gomega.Equal(before), "opening must not write")
	g.Expect(l.Commit(Record{Blocks: []Block{{5, image(5, 1, false), false}}})).To(gomega.Succeed())
	head, err := Head(m, testFile())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(Clean(head)).To(gomega.BeFalse())
	g.Expect([]uint64{head.Sequence, uint64(head.Tail), uint64(head.Blkno), head.Addr, head.Jinode, head.StatfsAddr,
		head.QuotaAddr, uint64(head.Jid)}).To(gomega.Equal([]uint64{logBlocks, 0, 2, 202, 9, 7, 8, 3}))
	_, err = Open(m, testFile())
	g.Expect(err).To(gomega.MatchError("journal 3 is dirty"))
	g.Expect(l.Close()).To(gomega.Succeed())
	head, err = Head(m, testFile())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(Clean(head)).To(gomega.BeTrue())
	g.Expect(head.Tail).To(gomega.Equal(head.Blkno))
}

func TestTooLarge(t *testing.T) {
	g := gomega.NewWithT(t)
	m := newMemory(testFile())
	l := open(t, m)
	var r Record
	for i := range uint64(logBlocks - 3) {
		r.Blocks = append(r.Blocks, Block{i + 1, image(i+1, 1, false), false})
	}
	g.Expect(l.Commit(r)).To(gomega.MatchError(ErrTooLarge))
	r.Blocks = r.Blocks[:len(r.Blocks)-2]
	g.Expect(l.Commit(r)).To(gomega.Succeed())
}

// TestCrashAnywhere commits records and writes them in place, and then looks at every point where the machine may have died:
// after each write, in the middle of it, and with any of the writes since the last sync lost. After recovery the device
// must hold exactly what some commit left: the last one that had returned, or the one under way.
func TestCrashAnywhere(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 0))
	m := newMemory(testFile())
	l := open(t, m)
	start := bytes.Clone(m.data)
	m.ops = nil
	states := [][]byte{bytes.Clone(m.data[:60*bs])}
	committed := []int{0} // number of operations after which state i is durable
	for gen := 1; gen <= 25; gen++ {
		r := randomRecord(rnd, gen)
		if err := l.Commit(r); err != nil {
			t.Fatal(err)
		}
		committed = append(committed, len(m.ops))
		write(t, m, r)
		states = append(states, bytes.Clone(m.data[:60*bs]))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for cut := range m.ops {
		for variant := range 3 {
			dead := crash(start, m.ops, cut, variant, rnd)
			if err := recovered(dead, states, committed, cut); err != nil {
				t.Fatalf("cut after %d of %d operations, variant %d: %v", cut, len(m.ops), variant, err)
			}
		}
	}
}

// crash is the device after cut operations. Variant 1 tears operation number cut; variant 2 loses some writes that no sync follows.
func crash(start []byte, ops []op, cut, variant int, rnd *rand.Rand) *memory {
	m := &memory{data: bytes.Clone(start)}
	synced := 0
	for i, o := range ops[:cut] {
		if o.data == nil {
			synced = i
		}
	}
	for i, o := range ops[:cut] {
		if variant == 2 && i > synced && rnd.IntN(2) == 0 {
			continue
		}
		copy(m.data[o.off:], o.data)
	}
	if variant == 1 {
		torn := ops[cut].data
		copy(m.data[ops[cut].off:], torn[:len(torn)/2/bs*bs+len(torn)/4%bs])
	}
	return m
}

func recovered(m *memory, states [][]byte, committed []int, cut int) error {
	if _, err := Recover(m, testFile(), devBlocks); err != nil {
		return err
	}
	head, err := Head(m, testFile())
	if err != nil || !Clean(head) {
		return fmt.Errorf("after recovery: %+v, %v", head, err)
	}
	if _, err := Open(m, testFile()); err != nil {
		return err
	}
	last := 0
	for i, ops := range committed {
		if ops <= cut {
			last = i
		}
	}
	for _, state := range states[last:min(last+2, len(states))] {
		if bytes.Equal(m.data[:60*bs], state) {
			return nil
		}
	}
	return fmt.Errorf("commit %d had returned, and the device has neither its content nor that of the next", last)
}

// TestRevokes logs block 5, revokes it, and logs it again, at each position of the log: round the end too.
func TestRevokes(t *testing.T) {
	for shift := range logBlocks + 5 {
		g := gomega.NewWithT(t)
		m := newMemory(testFile())
		l := open(t, m)
		for range shift {
			g.Expect(l.flush(nil, disk.LogFlushNormal)).To(gomega.Succeed())
		}
		// One live log of three flushes: the header of the last one gets the tail of the first.
		tail := l.next
		five := func(gen int) Record {
			return Record{Blocks: []Block{{5, image(5, gen, false), false}, {6, image(6, gen, false), false}}}
		}
		g.Expect(l.Commit(five(1))).To(gomega.Succeed())
		many := Record{}
		for i := range uint64(200) {
			many.Revokes = append(many.Revokes, 1000+i)
		}
		many.Revokes = append(many.Revokes, 5)
		body := l.build(&many, l.size(&many)-1)
		g.Expect(len(body) / bs).To(gomega.Equal(4))
		g.Expect(l.file.write(m, l.next, body)).To(gomega.Succeed())
		at := (l.next + 4) % logBlocks
		g.Expect(l.file.write(m, at, l.header(at, tail, 0))).To(gomega.Succeed())

		done, err := Recover(m, testFile(), devBlocks)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect([]int{done.Replayed, done.Revoked}).To(gomega.Equal([]int{1, 1}), "shift %d", shift)
		g.Expect(m.data[5*bs : 6*bs]).To(gomega.Equal(make([]byte, bs)))
		g.Expect(m.data[6*bs : 7*bs]).To(gomega.Equal(image(6, 1, false)))
	}
}

// TestLoggedInTheFlushOfItsRevoke: gfs2 writes the image first, and the revoke, which is of an older one, behind it.
func TestLoggedInTheFlushOfItsRevoke(t *testing.T) {
	g := gomega.NewWithT(t)
	m := newMemory(testFile())
	l := open(t, m)
	tail := l.next
	g.Expect(l.Commit(Record{Blocks: []Block{{5, image(5, 1, false), false}, {6, image(6, 1, false), false}}})).To(gomega.Succeed())
	r := Record{Blocks: []Block{{5, image(5, 2, false), false}}, Revokes: []uint64{5, 6}}
	body := l.build(&r, l.size(&r)-1)
	g.Expect(l.file.write(m, l.next, body)).To(gomega.Succeed())
	at := l.next + uint32(len(body)/bs)
	g.Expect(l.file.write(m, at, l.header(at, tail, 0))).To(gomega.Succeed())
	done, err := Recover(m, testFile(), devBlocks)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(done).To(gomega.Equal(Recovered{Replayed: 1, Revoked: 2}))
	g.Expect(m.data[5*bs : 6*bs]).To(gomega.Equal(image(5, 2, false)))
	g.Expect(m.data[6*bs : 7*bs]).To(gomega.Equal(make([]byte, bs)))
}

// TestLoggedAfterRevoke: an image newer than the revoke is replayed.
func TestLoggedAfterRevoke(t *testing.T) {
	g := gomega.NewWithT(t)
	m := newMemory(testFile())
	l := open(t, m)
	tail := l.next
	g.Expect(l.Commit(Record{Revokes: []uint64{5}})).To(gomega.Succeed())
	r := Record{Blocks: []Block{{5, image(5, 2, true), true}}}
	body := l.build(&r, l.size(&r)-1)
	g.Expect(l.file.write(m, l.next, body)).To(gomega.Succeed())
	g.Expect(l.file.write(m, l.next+2, l.header(l.next+2, tail, 0))).To(gomega.Succeed())
	done, err := Recover(m, testFile(), devBlocks)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(done).To(gomega.Equal(Recovered{Replayed: 1}))
	g.Expect(m.data[5*bs:6*bs]).To(gomega.Equal(image(5, 2, true)), "the magic must be back")
}

// TestEscape logs a data block that looks like the newest log header of all, at the place where it stands.
func TestEscape(t *testing.T) {
	g := gomega.NewWithT(t)
	m := newMemory(testFile())
	l := open(t, m)
	fake := disk.LogHeader{Sequence: 1 << 40, Flags: disk.LogUnmount, Blkno: l.next + 1}
	data := make([]byte, bs)
	fake.Encode(data)
	g.Expect(l.Commit(Record{Blocks: []Block{{5, data, true}}})).To(gomega.Succeed())
	head, err := Head(m, testFile())
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(head.Sequence).To(gomega.Equal(uint64(logBlocks)))
	done, err := Recover(m, testFile(), devBlocks)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(done.Replayed).To(gomega.Equal(1))
	g.Expect(m.data[5*bs : 6*bs]).To(gomega.Equal(data))
}

// TestDamagedHead: a header that is not whole does not count; the one before it is the head.
func TestDamagedHead(t *testing.T) {
	g := gomega.NewWithT(t)
	m := newMemory(testFile())
	l := open(t, m)
	first := Record{Blocks: []Block{{5, image(5, 1, false), false}}}
	g.Expect(l.Commit(first)).To(gomega.Succeed())
	write(t, m, first)
	g.Expect(l.Close()).To(gomega.Succeed())
	at := testFile().Addr(l.next-1) * bs
	for _, off := range []uint64{30, 200} {
		m.data[at+off] ^= 0x10
		head, err := Head(m, testFile())
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(head.Sequence).To(gomega.Equal(uint64(logBlocks)))
		m.data[at+off] ^= 0x10
	}
}

func TestRecoverRefuses(t *testing.T) {
	for name, damage := range map[string]func(m *memory, f File){
		"chunk type":           func(m *memory, f File) { m.data[f.Addr(0)*bs+27] = 99 },
		"chunk without header": func(m *memory, f File) { m.data[f.Addr(0)*bs] = 0 },
		"image without header": func(m *memory, f File) { m.data[f.Addr(1)*bs] = 0 },
		"address":              func(m *memory, f File) { m.data[f.Addr(0)*bs+72] = 1 },
	} {
		g := gomega.NewWithT(t)
		m := newMemory(testFile())
		l := open(t, m)
		g.Expect(l.Commit(Record{Blocks: []Block{{5, image(5, 1, false), false}}})).To(gomega.Succeed())
		damage(m, testFile())
		_, err := Recover(m, testFile(), devBlocks)
		_, corrupt := errors.AsType[*disk.CorruptError](err)
		g.Expect(corrupt).To(gomega.BeTrue(), "%s: %v", name, err)
		g.Expect(m.data[5*bs:6*bs]).To(gomega.Equal(make([]byte, bs)), name)
	}
}

// FuzzRecover replays logs with random bytes in them.
func FuzzRecover(f *testing.F) {
	m := newMemory(testFile())
	l, err := Open(m, testFile())
	if err != nil {
		f.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for gen := range 3 {
		if err := l.Commit(randomRecord(rnd, gen)); err != nil {
			f.Fatal(err)
		}
	}
	if err := l.Commit(Record{Revokes: []uint64{1, 2, 3}}); err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(0), uint16(24), uint32(1))
	f.Add(uint16(3), uint16(28), uint32(0xffffffff))
	f.Fuzz(func(t *testing.T, block, off uint16, value uint32) {
		dead := &memory{data: bytes.Clone(m.data)}
		file := testFile()
		be.PutUint32(dead.data[file.Addr(uint32(block)%logBlocks)*bs+uint64(off%(bs-4)):], value)
		if _, err := Recover(dead, file, devBlocks); err != nil {
			return
		}
		if head, err := Head(dead, file); err != nil || !Clean(head) {
			t.Fatalf("recovered, and the head is %+v, %v", head, err)
		}
	})
}
