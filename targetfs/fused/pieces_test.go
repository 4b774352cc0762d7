package fused

import (
	"os"
	"testing"

	"github.com/onsi/gomega"
)

// The second small read of a piece is enough, unless as many other pieces were read between the two as are remembered.
func TestReadsFarApartAreLeftAlone(t *testing.T) {
	g := gomega.NewWithT(t)
	a, page := newAround(), os.Getpagesize()
	read := func(piece int) bool { return a.begin(1, int64(piece*piecePages*page), page) }
	for piece := range maxPieces {
		g.Expect(read(piece)).To(gomega.BeFalse())
	}
	g.Expect(read(maxPieces)).To(gomega.BeFalse())
	g.Expect(read(0)).To(gomega.BeFalse(), "forgotten")
	g.Expect(read(maxPieces)).To(gomega.BeTrue())
}
