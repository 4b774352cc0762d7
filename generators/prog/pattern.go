package prog

import (
	"bytes"
	"encoding/binary"
)

// A pattern is an endless string of bytes that look random, are never zero, and depend on the pattern's number and the offset:
// eight of them in a row name their origin, and a single misplaced byte is caught with probability 254/255.

// patternWord holds the bytes 8*i to 8*i+7 of a pattern (the finalizer of SplitMix64, public domain).
func patternWord(id int, i int64) uint64 {
	z := uint64(i)*0x9e3779b97f4a7c15 + uint64(id)*0xd1342543de82ef95 + 1
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	// A zero byte would look like a hole: set the lowest bit of each byte that is zero.
	const low7, high = 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	nonzero := (z&low7 + low7) | z
	return z | (^nonzero&high)>>7
}

// PatternByte is the byte at an offset of a pattern.
func PatternByte(id int, off int64) byte {
	return byte(patternWord(id, off>>3) >> (8 * (off & 7)))
}

// fillPattern writes the pattern's bytes from offset off on.
func fillPattern(buf []byte, id int, off int64) {
	for len(buf) > 0 && off&7 != 0 {
		buf[0] = PatternByte(id, off)
		buf, off = buf[1:], off+1
	}
	for len(buf) >= 8 {
		binary.LittleEndian.PutUint64(buf, patternWord(id, off>>3))
		buf, off = buf[8:], off+8
	}
	for i := range buf {
		buf[i] = PatternByte(id, off+int64(i))
	}
}

// same reports whether all bytes are the source's. It compares in place, without a copy of what is wanted.
func (s Source) same(got []byte, page int64) bool {
	switch s.Kind {
	case Fill:
		return allAre(got, byte(s.ID))
	case Pattern:
		return isPattern(got, s.ID, s.From.In(page))
	}
	return allAre(got, 0)
}

func allAre(got []byte, b byte) bool {
	return len(got) == 0 || got[0] == b && bytes.Equal(got[1:], got[:len(got)-1])
}

func isPattern(got []byte, id int, off int64) bool {
	for len(got) > 0 && off&7 != 0 {
		if got[0] != PatternByte(id, off) {
			return false
		}
		got, off = got[1:], off+1
	}
	for len(got) >= 8 {
		if binary.LittleEndian.Uint64(got) != patternWord(id, off>>3) {
			return false
		}
		got, off = got[8:], off+8
	}
	for i, b := range got {
		if b != PatternByte(id, off+int64(i)) {
			return false
		}
	}
	return true
}

// Origin finds where bytes come from: a pattern of the program, by number and offset of the first byte. It needs eight bytes to be sure, and
// looks at the first reach bytes of every pattern.
func Origin(got []byte, ids []int, reach int64) (id int, off int64, ok bool) {
	const enough = 8
	if len(got) < enough {
		return 0, 0, false
	}
	for _, id := range ids {
		for off := int64(0); off < reach; off++ {
			if PatternByte(id, off) == got[0] && isPattern(got[:enough], id, off) {
				return id, off, true
			}
		}
	}
	return 0, 0, false
}
