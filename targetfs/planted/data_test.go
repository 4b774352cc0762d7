package planted

import (
	"bytes"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/onsi/gomega"
)

func newData(free int64) *data {
	s := &space{}
	s.give(free)
	return &data{space: s, blocks: map[int64]*block{}}
}

func TestDataIsLikeASliceOfBytes(t *testing.T) {
	g := gomega.NewWithT(t)
	const most = 5 * blockSize
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		d, want := newData(capacity), []byte{}
		for step := range 300 {
			off := random.IntN(most)
			n := random.IntN(most - off)
			end := min(off+n, len(want))
			switch random.IntN(5) {
			case 0:
				d.setSize(int64(off))
				want = append(want, make([]byte, max(0, off-len(want)))...)[:off]
			case 1:
				src := bytes.Repeat([]byte{byte(1 + step%255)}, n)
				g.Expect(d.writeAt(src, int64(off))).To(gomega.BeZero())
				want = append(want, make([]byte, max(0, off+n-len(want)))...)
				copy(want[off:], src)
			case 2:
				d.punch(int64(off), int64(n))
				clear(want[min(off, end):end])
			case 3:
				d.unwrite(int64(off), int64(n))
				clear(want[min(off, end):end])
			case 4:
				g.Expect(d.reserve(int64(off), int64(n))).To(gomega.BeZero())
			}
			got := bytes.Repeat([]byte{0xff}, most+1)
			g.Expect(d.readAt(got, 0)).To(gomega.Equal(len(want)), "seed %d, step %d", seed, step)
			g.Expect(bytes.Equal(got[:len(want)], want)).To(gomega.BeTrue(), "seed %d, step %d", seed, step)
			g.Expect(capacity - d.space.free.Load()).To(gomega.BeEquivalentTo(len(d.blocks)))
		}
		d.free()
		g.Expect(d.space.free.Load()).To(gomega.BeEquivalentTo(capacity))
	}
}

func TestSeekTellsDataFromHoles(t *testing.T) {
	g := gomega.NewWithT(t)
	d := newData(capacity)
	g.Expect(d.writeAt([]byte("x"), 3*blockSize)).To(gomega.BeZero())
	g.Expect(d.reserve(4*blockSize, blockSize)).To(gomega.BeZero())
	d.setSize(6 * blockSize)
	for _, test := range []struct {
		seek      func(int64) (int64, syscall.Errno)
		off, want int64
		errno     syscall.Errno
	}{
		{d.seekData, 0, 3 * blockSize, 0},
		{d.seekData, 3*blockSize + 9, 3*blockSize + 9, 0},
		{d.seekData, 4 * blockSize, 0, syscall.ENXIO}, // reserved is not written
		{d.seekHole, 0, 0, 0},
		{d.seekHole, 3 * blockSize, 4 * blockSize, 0},
		{d.seekHole, 6 * blockSize, 0, syscall.ENXIO},
	} {
		got, errno := test.seek(test.off)
		g.Expect([]any{got, errno}).To(gomega.Equal([]any{test.want, test.errno}), "from %d", test.off)
	}
}

func TestFullSpaceChangesNothing(t *testing.T) {
	g := gomega.NewWithT(t)
	d := newData(2)
	g.Expect(d.writeAt([]byte("x"), 0)).To(gomega.BeZero())
	g.Expect(d.writeAt(make([]byte, 3*blockSize), 0)).To(gomega.Equal(syscall.ENOSPC))
	g.Expect(d.reserve(0, math.MaxInt64/2)).To(gomega.Equal(syscall.ENOSPC))
	g.Expect([]int64{d.size, int64(len(d.blocks)), d.space.free.Load()}).To(gomega.Equal([]int64{1, 1, 1}))
	g.Expect(d.writeAt(make([]byte, 2*blockSize), 0)).To(gomega.BeZero(), "the room that there is")
}
