// Package eof is the family of programs around the end of a file: mappings that reach behind it, what is stored behind it and must never
// reach the file, sizes that change, and transfers that cross it. It imports family and prog.
//
// Every program puts something behind the end of file A (tail), changes A (change), and then crosses the end (touch). At last it
// grows A by a page: what must not be there would show.
//
// Its dimensions:
//
//   - end: empty tiny mid block last page; where A ends: at 0, 5, 1p+100, 1p+512, 2p-1, 2p;
//   - tail: clean stored synced received; what is behind the end in the last page: nothing, a store, a store that was written back, or what
//     read(2) put there;
//   - change: stay up-byte up-page up-far down-byte down-page down-zero down-up across append gap alloc keep punch zero zero-keep insert collapse;
//     nothing, truncate to these sizes, a write across the end, at it or behind it, or these modes of fallocate(2) at or across the end;
//   - touch: load store read receive send self-read self-write; how the end is crossed then: by the processor, by a read of A, by a transfer
//     from or to B whose buffer maps A across its end, by the same from or to A itself;
//   - mode: buffered direct; how the transfers are done;
//   - map: shared private; how A is mapped;
//   - cache: cold loaded evicted; whether the mapped pages were touched or evicted before;
//
// An example:
//
//	eof/mid/stored/up-far/load/buffered/shared/cold
package eof
