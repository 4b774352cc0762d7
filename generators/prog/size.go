package prog

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of bytes, written in pages of the machine that runs the program: "2p+512", "1p-1", "40". One text so serves
// machines with 4 KiB and with 64 KiB pages.
type Size struct{ Pages, Bytes int64 }

// Pages is a size of n whole pages.
func Pages(n int64) Size { return Size{Pages: n} }

// Bytes is a size of n bytes, independent of the page size.
func Bytes(n int64) Size { return Size{Bytes: n} }

// SizeOf writes n bytes in terms of the nearest page boundary: with 4 KiB pages 8191 is 2p-1 and 4608 is 1p+512.
func SizeOf(n, page int64) Size {
	pages := (n + page/2) / page
	if n < 0 {
		pages = -((-n + page/2) / page)
	}
	return Size{Pages: pages, Bytes: n - pages*page}
}

// In is the size in bytes with pages of the given size.
func (s Size) In(page int64) int64 { return s.Pages*page + s.Bytes }

// Plus is the sum of two sizes.
func (s Size) Plus(t Size) Size { return Size{s.Pages + t.Pages, s.Bytes + t.Bytes} }

// Minus is the difference of two sizes.
func (s Size) Minus(t Size) Size { return Size{s.Pages - t.Pages, s.Bytes - t.Bytes} }

// Times is the size n times over.
func (s Size) Times(n int64) Size { return Size{s.Pages * n, s.Bytes * n} }

// AtMost reports whether s <= t with the smallest and with the largest pages a machine may have (4 KiB and 64 KiB).
func (s Size) AtMost(t Size) bool { return s.In(4096) <= t.In(4096) && s.In(65536) <= t.In(65536) }

func (s Size) String() string {
	switch {
	case s.Pages == 0:
		return strconv.FormatInt(s.Bytes, 10)
	case s.Bytes == 0:
		return fmt.Sprintf("%dp", s.Pages)
	}
	return fmt.Sprintf("%dp%+d", s.Pages, s.Bytes)
}

// maxSize bounds what a text may say, so that sums of sizes do not overflow: no file offset is larger.
const maxSize = 1 << 46

// ParseSize reads "0", "512", "-1", "1p", "1p-1" or "2p+512".
func ParseSize(text string) (Size, error) {
	var s Size
	rest := text
	if i := strings.IndexByte(text, 'p'); i >= 0 {
		n, err := strconv.ParseInt(text[:i], 10, 64)
		if err != nil || n > maxSize>>16 || n < -maxSize>>16 {
			return s, fmt.Errorf("found %q, wanted a size such as 1p, 2p+512 or 40", text)
		}
		s.Pages, rest = n, text[i+1:]
		if rest == "" {
			return s, nil
		}
		if rest[0] != '+' && rest[0] != '-' {
			return s, fmt.Errorf("found %q, wanted + or - behind the p of %q", rest, text)
		}
	}
	n, err := strconv.ParseInt(rest, 10, 64)
	if err != nil || n > maxSize || n < -maxSize {
		return s, fmt.Errorf("found %q, wanted a size such as 1p, 2p+512 or 40", text)
	}
	s.Bytes = n
	return s, nil
}
