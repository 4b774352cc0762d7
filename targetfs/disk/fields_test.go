package disk

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// byHand is a structure whose fields are listed by hand: list reads it from b or writes it there.
type byHand struct {
	name string
	v    any
	list func(f *fields)
}

func allByHand() []byHand {
	var (
		h  MetaHeader
		di Dinode
		lf Leaf
		d  Dirent
		rg Rgrp
	)
	return []byHand{
		{"header", &h, func(f *fields) { f.header(&h) }}, {"dinode", &di, func(f *fields) { f.dinode(&di) }},
		{"leaf", &lf, func(f *fields) { f.leaf(&lf) }}, {"dirent", &d, func(f *fields) { f.dirent(&d) }},
		{"rgrp", &rg, func(f *fields) { f.rgrp(&rg) }},
	}
}

// TestFieldsByHand compares the lists with what encoding/binary makes of the structures: each field, in both directions, and all
// bytes of the structure and none behind it.
func TestFieldsByHand(t *testing.T) {
	g := gomega.NewWithT(t)
	random := rand.NewChaCha8([32]byte{1})
	for range 100 {
		for _, s := range allByHand() {
			size := binary.Size(s.v)
			in := make([]byte, size+8)
			_, _ = random.Read(in)
			read := &fields{b: in}
			s.list(read)
			g.Expect(read.b).To(gomega.HaveLen(8), s.name)
			want := append([]byte(nil), in...)
			_, err := binary.Encode(want, be, s.v)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			got := append([]byte(nil), in...)
			s.list(&fields{b: got, write: true})
			g.Expect(got).To(gomega.Equal(want), "%s is written", s.name)

			// What was read, written by encoding/binary, must be what encoding/binary reads and writes.
			_, err = binary.Decode(in, be, s.v)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			reference := append([]byte(nil), in...)
			_, err = binary.Encode(reference, be, s.v)
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(want).To(gomega.Equal(reference), "%s is read", s.name)
		}
	}
}

// BenchmarkDinode decodes and encodes a dinode, and tells how many times as fast that is as encoding/binary.
func BenchmarkDinode(b *testing.B) {
	block := make([]byte, 4096)
	di := Dinode{MetaHeader: NewHeader(TypeDI), Num: Inum{1, 77}, Mode: ModeReg | 0o644, Nlink: 1, Blocks: 1}
	di.Encode(block)
	var took [2]time.Duration
	for b.Loop() {
		began := time.Now()
		di, err := DecodeDinode(block, 77)
		if err != nil {
			b.Fatal(err)
		}
		di.Encode(block)
		between := time.Now()
		if di, err = decode[Dinode](block, 77); err != nil {
			b.Fatal(err)
		}
		encode(block, &di)
		took[0] += between.Sub(began)
		took[1] += time.Since(between)
	}
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "x-reflection")
}
