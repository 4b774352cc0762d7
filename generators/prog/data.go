package prog

import (
	"fmt"
	"strings"
)

// Data is what a file, a buffer or a range holds: runs laid end to end. "hole*1p + 'b'*1p", "pat3[512:1p]", "empty".
type Data []Run

// Alts are whole alternatives of what is checked, of any lengths: "pat1*1p | empty".
type Alts []Data

func (a Alts) String() string {
	parts := make([]string, len(a))
	for i, d := range a {
		parts[i] = d.String()
	}
	return strings.Join(parts, " | ")
}

// Run is a stretch of bytes. Usually it has one source; with several ("mix(pat1*1p, zero*1p)") each byte by itself may come from
// any of them, all taken at the same distance from their start.
type Run struct {
	Len Size
	May []Source
}

// Source says where the bytes of a run come from.
type Source struct {
	Kind SourceKind
	// ID is the byte of a Fill or the number of a Pattern.
	ID int
	// From is the offset in the Pattern of the first byte.
	From Size
}

// SourceKind is a kind of bytes.
type SourceKind uint8

const (
	// Hole is never written: reads as zero, has no blocks; in anonymous memory a page that was never touched.
	Hole SourceKind = iota
	// Unwritten is allocated by fallocate(2) and never written: reads as zero.
	Unwritten
	// Zero are written zero bytes.
	Zero
	// Fill is one byte repeated: 'b'*1p.
	Fill
	// Pattern are bytes that tell pattern and offset: pat3[512:1p].
	Pattern
	// Any is a byte of which nothing is known. Only in what is expected, never in what is written.
	Any
)

var sourceWords = map[string]SourceKind{"hole": Hole, "unwritten": Unwritten, "zero": Zero, "any": Any}

// Of is data with a single run from a single source.
func Of(s Source, length Size) Data { return Data{{Len: length, May: []Source{s}}} }

// Pat is the beginning of pattern number id.
func Pat(id int, length Size) Data { return Of(Source{Kind: Pattern, ID: id}, length) }

// HoleOf is a hole.
func HoleOf(length Size) Data { return Of(Source{Kind: Hole}, length) }

// UnwrittenOf is an unwritten extent.
func UnwrittenOf(length Size) Data { return Of(Source{Kind: Unwritten}, length) }

// FillOf is one byte repeated.
func FillOf(b byte, length Size) Data { return Of(Source{Kind: Fill, ID: int(b)}, length) }

// Len is the length of the data.
func (d Data) Len() Size {
	var n Size
	for _, r := range d {
		n = n.Plus(r.Len)
	}
	return n
}

// Definite reports whether every byte has one source that can be written.
func (d Data) Definite() bool {
	for _, r := range d {
		if len(r.May) != 1 || r.May[0].Kind == Any {
			return false
		}
	}
	return true
}

func (d Data) String() string {
	if len(d) == 0 {
		return "empty"
	}
	var parts []string
	for i := 0; i < len(d); i++ {
		if n := letters(d[i:]); n > 1 {
			parts = append(parts, d[i:i+n].quoted())
			i += n - 1
			continue
		}
		parts = append(parts, d[i].String())
	}
	return strings.Join(parts, " + ")
}

// letters is how many runs at the beginning are single bytes that can stand between double quotes.
func letters(d Data) int {
	for i, r := range d {
		if len(r.May) != 1 || r.Len != Bytes(1) || r.May[0].Kind != Fill || !isLetter(r.May[0].ID) {
			return i
		}
	}
	return len(d)
}

func isLetter(b int) bool { return b >= ' ' && b <= '~' && b != '"' && b != '\\' }

// quoted writes single bytes as a string: "user.x".
func (d Data) quoted() string {
	text := `"`
	for _, r := range d {
		text += string(rune(r.May[0].ID))
	}
	return text + `"`
}

func (r Run) String() string {
	if len(r.May) == 1 {
		return r.May[0].text(r.Len)
	}
	parts := make([]string, len(r.May))
	for i, s := range r.May {
		parts[i] = s.text(r.Len)
	}
	return "mix(" + strings.Join(parts, ", ") + ")"
}

func (s Source) text(length Size) string {
	switch s.Kind {
	case Fill:
		if length == Bytes(1) {
			return fmt.Sprintf("%q", rune(s.ID))
		}
		return fmt.Sprintf("%q*%v", rune(s.ID), length)
	case Pattern:
		if s.From == (Size{}) {
			return fmt.Sprintf("pat%d*%v", s.ID, length)
		}
		return fmt.Sprintf("pat%d[%v:%v]", s.ID, s.From, s.From.Plus(length))
	}
	for word, kind := range sourceWords {
		if kind == s.Kind {
			return fmt.Sprintf("%s*%v", word, length)
		}
	}
	return "?"
}

// Bytes writes what the data is into buf, whose length is the data's; offsets are with pages of the given size. Holes and unwritten
// extents are zero, bytes of mixed runs are those of their first source.
func (d Data) Bytes(buf []byte, page int64) {
	at := int64(0)
	for _, r := range d {
		n := r.Len.In(page)
		r.May[0].fill(buf[at:at+n], page)
		at += n
	}
}

func (s Source) fill(buf []byte, page int64) {
	switch s.Kind {
	case Fill:
		for i := range buf {
			buf[i] = byte(s.ID)
		}
	case Pattern:
		fillPattern(buf, s.ID, s.From.In(page))
	default:
		clear(buf)
	}
}

// at is the byte at distance i from the start of the source.
func (s Source) at(i, page int64) byte {
	switch s.Kind {
	case Fill:
		return byte(s.ID)
	case Pattern:
		return PatternByte(s.ID, s.From.In(page)+i)
	}
	return 0
}

// Mismatch is the first byte that is not what it may be.
type Mismatch struct {
	// Offset is in bytes from the start of the data that was compared.
	Offset int64
	Got    byte
	Want   []byte
}

// Match compares bytes with the data they must be; nil means that they are. got has the data's length.
func (d Data) Match(got []byte, page int64) *Mismatch {
	at := int64(0)
	for _, r := range d {
		n := r.Len.In(page)
		if i := r.mismatch(got[at:at+n], page); i >= 0 {
			want := make([]byte, len(r.May))
			for k, s := range r.May {
				want[k] = s.at(i, page)
			}
			return &Mismatch{Offset: at + i, Got: got[at+i], Want: want}
		}
		at += n
	}
	return nil
}

// mismatch is the offset of the first byte that no source has, or -1.
func (r Run) mismatch(got []byte, page int64) int64 {
	for _, s := range r.May {
		if s.Kind == Any {
			return -1
		}
	}
	if len(r.May) == 1 && r.May[0].same(got, page) {
		return -1
	}
next:
	for i, b := range got {
		for _, s := range r.May {
			if s.at(int64(i), page) == b {
				continue next
			}
		}
		return int64(i)
	}
	return -1
}
