package disk

import (
	"testing"

	"github.com/onsi/gomega"
)

func TestDinodeOfKernel(t *testing.T) {
	g := gomega.NewWithT(t)
	b := block(t, 4096, `01161970 00000004 00000000 00000000 00000190 00000000 00000000 00000001
		00000000 00000925 000041ed 00000000 00000000 00000003 00000000 00000f18
		00000000 00000001 00000000 6b03088c @104 00000000 00000925
		00000000 00000925 00000000 00000001 00000001 000004b0 00000000 00000000
		00000000 0000000a @176 2a6a5812 04dd6112 04dd6112
		@232 00000000 00000001 00000000 00000925 0ed4e242 00300001 00040000
		@272 2e @280 00000000 0000000c 00000000 00000924 9608161c 00300002 00040000
		@320 2e2e @328 00000000 00000002 00000000 00000926 23a0dee4 0f3800 02 00080000`)
	// The last record is made to end the area: the dump shows two of ten entries.
	b[328+20], b[328+21] = 0x0e, 0xb8
	copy(b[368:], "f1")
	di, err := DecodeDinode(b, 2341)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(di.Num).To(gomega.Equal(Inum{1, 2341}))
	g.Expect([]uint32{di.Mode, di.Nlink, di.Flags, di.PayloadFormat, di.Entries, di.AtimeNsec}).To(
		gomega.Equal([]uint32{0o40755, 3, FlagJdata, FormatDirent, 10, 0x2a6a5812}))
	g.Expect([]uint64{di.Size, di.Blocks, di.GoalMeta, di.GoalData, di.Generation}).To(
		gomega.Equal([]uint64{3864, 1, 2341, 2341, 1}))
	var names []string
	for e, err := range DirentsOf(b).All(2341) {
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(e.Hash).To(gomega.Equal(HashName(e.Name())))
		names = append(names, e.Name())
	}
	g.Expect(names).To(gomega.Equal([]string{".", "..", "f1"}))
	out := append([]byte(nil), b...)
	di.Encode(out)
	g.Expect(out).To(gomega.Equal(b))
}

func TestDinodeErrors(t *testing.T) {
	g := gomega.NewWithT(t)
	good := Dinode{MetaHeader: NewHeader(TypeDI), Num: Inum{1, 77}, Mode: ModeReg | 0o644, Nlink: 1, Size: 10, Blocks: 1}
	dir := good
	dir.Mode, dir.Flags, dir.Depth, dir.Size = ModeDir, FlagJdata|FlagExhash, 8, 8<<8
	for _, c := range []struct {
		name   string
		di     Dinode
		change func(*Dinode)
		ok     bool
	}{
		{"file", good, func(*Dinode) {}, true},
		{"directory", dir, func(*Dinode) {}, true},
		{"address", good, func(d *Dinode) { d.Num.Addr = 78 }, false},
		{"type", good, func(d *Dinode) { d.MetaHeader.Type = TypeIN }, false},
		{"height", good, func(d *Dinode) { d.Height = 11 }, false},
		{"stuffed size", good, func(d *Dinode) { d.Size = 3865 }, false},
		{"size", good, func(d *Dinode) { d.Size, d.Height = 1<<63, 9 }, false},
		{"small depth", dir, func(d *Dinode) { d.Depth, d.Size = 7, 8<<7 }, false},
		{"large depth", dir, func(d *Dinode) { d.Depth, d.Size, d.Height = 18, 8<<18, 1 }, false},
		{"table size", dir, func(d *Dinode) { d.Size = 8<<8 + 8 }, false},
	} {
		c.change(&c.di)
		b := make([]byte, 4096)
		c.di.Encode(b)
		_, err := DecodeDinode(b, 77)
		g.Expect(err == nil).To(gomega.Equal(c.ok), "%s: %v", c.name, err)
	}
}

func TestValidType(t *testing.T) {
	g := gomega.NewWithT(t)
	g.Expect(ValidType(ModeReg | 0o777)).To(gomega.BeTrue())
	g.Expect(ValidType(0o777)).To(gomega.BeFalse())
	g.Expect(DirentType(ModeLink | 0o777)).To(gomega.Equal(uint16(10)))
}
