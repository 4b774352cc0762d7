package usercopy

import (
	"iter"
	"os"
)

// pages goes through the pages that the buffers touch: the first address in each, and how many bytes of the buffer are in it.
func pages(buffers []Range) iter.Seq2[uintptr, int] {
	size := uintptr(os.Getpagesize())
	return func(yield func(uintptr, int) bool) {
		for _, b := range buffers {
			end := b.Addr + uintptr(b.Len)
			for at := b.Addr; at < end; {
				next := min((at|(size-1))+1, end)
				if !yield(at, int(next-at)) {
					return
				}
				at = next
			}
		}
	}
}

// behind is what is left of the buffers after n bytes.
func behind(buffers []Range, n int) []Range {
	for i, b := range buffers {
		if n < b.Len {
			left := append([]Range{{b.Addr + uintptr(n), b.Len - n}}, buffers[i+1:]...)
			return left
		}
		n -= b.Len
	}
	return nil
}
