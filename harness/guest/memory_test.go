package guest

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"
)

// atOffset reads as its own offset.
type atOffset struct{}

func (atOffset) ReadAt(b []byte, at int64) (int, error) {
	for i := range b {
		b[i] = byte((at + int64(i)) >> 28)
	}
	return len(b), nil
}

// The memory of a large guest goes on behind the devices.
func TestMemoryAroundTheHole(t *testing.T) {
	g := gomega.NewWithT(t)
	m := pcMemory{atOffset{}}
	b := make([]byte, 4096)
	for at, want := range map[int64]byte{0: 0, 0x10000000: 1, holeFrom - 4096: 0xb, holeTo: 0xc, holeTo + 0x10000000: 0xd} {
		n, err := m.ReadAt(b, at)
		g.Expect(n, err).To(gomega.Equal(4096))
		g.Expect(string(b)).To(gomega.Equal(strings.Repeat(string(rune(want)), 4096)), "at %#x", at)
	}
	for _, at := range []int64{holeFrom - 1, holeFrom, holeTo - 1} {
		_, err := m.ReadAt(b, at)
		g.Expect(err).To(gomega.MatchError(gomega.ContainSubstring("devices are there")))
	}
}
