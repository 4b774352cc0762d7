package worker

import (
	"bytes"
	"os"
	"testing"
	"unsafe"

	"github.com/onsi/gomega"
)

// ram is the memory of a machine in which the pages of a table lie backwards, from frame first on.
func ram(t *table, first uint64) (memory []byte, frames []uint64) {
	const page = 4096
	n := tablePages(page)
	memory = bytes.Repeat([]byte{0xa5}, int(first+uint64(n))*page)
	table := unsafe.Slice((*byte)(unsafe.Pointer(t)), unsafe.Sizeof(*t))
	for i := range n {
		frame := first + uint64(n-1-i)
		frames = append(frames, frame)
		copy(memory[frame*page:(frame+1)*page], table[i*page:])
	}
	return memory, frames
}

func TestExhume(t *testing.T) {
	g := gomega.NewWithT(t)
	dead := new(table)
	for i, s := range []*slot{&dead.slots[0], &dead.slots[slotCount-1]} {
		s.seq.Store(7)
		s.tid.Store(int32(100 + i))
		s.state.Store(packState(5, 3+i, true))
	}
	dead.log(&dead.slots[0], 2, eventEnd, 10, result{})
	dead.log(&dead.slots[0], 3, eventBegin, 20, result{})
	dead.fail(&Failure{Step: 2, Text: "it was wrong"})
	memory, frames := ram(dead, 3)
	r, err := Exhume(bytes.NewReader(memory), frames)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	live := r.Live()
	g.Expect(live).To(gomega.HaveLen(2))
	g.Expect([]int{live[0].TID, live[0].Step, live[1].TID, live[1].Step}).To(gomega.Equal([]int{100, 3, 101, 4}))
	events := r.Events(7)
	g.Expect(events).To(gomega.HaveLen(2))
	g.Expect([]int{events[0].Step, events[1].Step}).To(gomega.Equal([]int{2, 3}))
	g.Expect(events[0].End).To(gomega.BeTrue())
	g.Expect(r.Events(8)).To(gomega.BeEmpty())
	g.Expect(r.FailureSoFar()).To(gomega.HaveField("Text", "it was wrong"))
}

func TestExhumeNothing(t *testing.T) {
	g := gomega.NewWithT(t)
	memory, frames := ram(new(table), 0)
	_, err := Exhume(bytes.NewReader(memory), frames[1:])
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("are not those of a worker")))
	_, err = Exhume(bytes.NewReader(memory[:4096]), frames)
	g.Expect(err).To(gomega.HaveOccurred())
	_, err = Exhume(bytes.NewReader(bytes.Repeat([]byte{0xa5}, len(memory))), frames)
	g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("not a worker's any more")))
	r, err := Exhume(bytes.NewReader(memory), frames)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(r.Live()).To(gomega.BeEmpty())
	g.Expect(r.Events(0)).To(gomega.BeEmpty())
	g.Expect(r.FailureSoFar()).To(gomega.BeNil())
}

func TestFramesOfTheTable(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may know page frames")
	}
	g := gomega.NewWithT(t)
	p, err := Start(Config{Dir: t.TempDir()})
	g.Expect(err).NotTo(gomega.HaveOccurred())
	frames, err := p.Frames()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(frames).To(gomega.HaveLen(int(tablePages(uintptr(os.Getpagesize())))))
	seen := map[uint64]bool{}
	for _, f := range frames {
		g.Expect(seen[f]).To(gomega.BeFalse(), "each page has a frame of its own")
		seen[f] = true
	}
	p.Close()
	_, err = p.Frames()
	g.Expect(err).To(gomega.HaveOccurred())
}
