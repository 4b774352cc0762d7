package disk

import (
	"bytes"
	"testing"
)

// fuzzBlock runs a decoder and its encoder over blocks of 512 bytes: no panic, and what decodes twice is the same.
func fuzzBlock[T comparable](f *testing.F, t BlockType, decode func([]byte, uint64) (T, error), encode func(*T, []byte)) {
	seed := make([]byte, 512)
	if t != TypeNone {
		PutHeader(seed, t)
	}
	var zero T
	encode(&zero, bytes.Clone(seed))
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decode(b, 9)
		if err != nil {
			return
		}
		out, written := bytes.Clone(b), v
		encode(&written, out)
		again, err := decode(out, 9)
		if err != nil {
			t.Fatalf("decoded %+v, encoded, and: %v", v, err)
		}
		if again != v {
			t.Fatalf("decoded %+v, then %+v", v, again)
		}
	})
}

func FuzzSuperblock(f *testing.F) { fuzzBlock(f, TypeSB, DecodeSuperblock, (*Superblock).Encode) }
func FuzzRgrp(f *testing.F) {
	// A header of zero checksum gets one when written, so the comparison leaves it out.
	decode := func(b []byte, addr uint64) (Rgrp, error) {
		rg, err := DecodeRgrp(b, addr)
		rg.Crc = 0
		return rg, err
	}
	fuzzBlock(f, TypeRG, decode, (*Rgrp).Encode)
}
func FuzzRindex(f *testing.F) {
	fuzzBlock(f, TypeNone, func(b []byte, addr uint64) (Rindex, error) {
		ri, err := DecodeRindex(b, addr)
		if err == nil {
			err = ri.Check(512, 1<<20)
		}
		if err == nil {
			// A geometry that passes describes exactly the blocks it says.
			for i := range ri.Length {
				ri.BitmapOf(make([]byte, 512), i)
			}
		}
		return ri, err
	}, (*Rindex).Encode)
}
func FuzzDinode(f *testing.F) {
	fuzzBlock(f, TypeDI, func(b []byte, addr uint64) (Dinode, error) {
		if len(b) != 512 {
			return Dinode{}, Corrupt(addr, "not a block")
		}
		return DecodeDinode(b, addr)
	}, (*Dinode).Encode)
}
func FuzzLeaf(f *testing.F) { fuzzBlock(f, TypeLF, DecodeLeaf, (*Leaf).Encode) }
func FuzzLogDescriptor(f *testing.F) {
	fuzzBlock(f, TypeLD, func(b []byte, addr uint64) (LogDescriptor, error) {
		ld, err := DecodeLogDescriptor(b, addr)
		ld.MetaHeader = NewHeader(TypeLD)
		return ld, err
	}, (*LogDescriptor).Encode)
}
func FuzzLogHeader(f *testing.F) {
	fuzzBlock(f, TypeLH, func(b []byte, addr uint64) (LogHeader, error) {
		if len(b) < LogHeaderSize {
			return LogHeader{}, Corrupt(addr, "not a block")
		}
		lh, err := DecodeLogHeader(b, addr)
		lh.Format, lh.HeaderHash, lh.Crc = TypeLH.Format(), 0, 0
		return lh, err
	}, (*LogHeader).Encode)
}

// FuzzDirents walks arbitrary areas, and inserts and removes where the walk finds no fault.
func FuzzDirents(f *testing.F) {
	area := Dirents(make([]byte, 408))
	area.Init()
	f.Add([]byte(area), "name")
	if _, err := area.Insert(Dirent{Inum: Inum{1, 2}, Hash: HashName("a")}, "a", 1); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(area), "b")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		if len(b) > 65432 || len(name) == 0 || len(name) > MaxName {
			return
		}
		a := Dirents(b)
		before := 0
		for _, err := range a.All(1) {
			if err != nil {
				return
			}
			before++
		}
		ok, err := a.Insert(Dirent{Inum: Inum{7, 8}, Hash: HashName(name)}, name, 1)
		if err != nil || !ok {
			return
		}
		e, found, err := a.Find(name, HashName(name), 1)
		if err != nil || !found {
			t.Fatalf("inserted %q and did not find it: %v", name, err)
		}
		a.Remove(e)
		after := 0
		for _, err := range a.All(1) {
			if err != nil {
				t.Fatal(err)
			}
			after++
		}
		if after != before {
			t.Fatalf("%d entries, then %d", before, after)
		}
	})
}

// FuzzEAs walks arbitrary areas and touches names and values of what it finds.
func FuzzEAs(f *testing.F) {
	area := EAs(make([]byte, 488))
	area.Init()
	f.Add([]byte(area))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 65512 {
			return
		}
		for e, err := range EAs(b).All(1) {
			if err != nil || e.Type == EAUnused {
				continue
			}
			_ = e.Name()
			if e.NumPtrs > 0 {
				_ = e.Ptrs()
			} else {
				_ = e.Inline()
			}
		}
	})
}
