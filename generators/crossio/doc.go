// Package crossio is the family of programs whose user buffer maps another file than the one that is read or written: the shapes in which
// two system calls, each holding the lock of its own file, want each other's. It imports family and prog.
//
// Its dimensions:
//
//   - shape: alone crossed ring chain; alone copies between A and a mapping of B; crossed has two actors, A with B and B with A; ring has three,
//     around A, B, C; chain is a ring whose middle file is on another file system;
//   - op: read write both vector; reads into the mapping, writes from it, reads and writes by turns, or the same with vectors of two pieces,
//     the later one first;
//   - mode: buffered direct; how the file that is read or written is opened;
//   - map: shared private; how the other file is mapped;
//   - actors: threads processes; what runs the system calls;
//   - cache: warm cold evicted; before each round the buffer stays as it is, or loses its page table entries, or its cached pages too;
//   - place: apart meet; whether what one actor changes is what another reads: apart, only the locks meet;
//   - span: page pages straddling; one page, two pages, or one page's length from the middle of a page on;
//   - third: none truncate punch sync evict drop store remap; what one more actor does to file B meanwhile: shrink and grow it, punch holes, sync it,
//     evict its pages, drop all caches of the machine, store through a mapping, map and unmap it;
//
// An example:
//
//	crossio/crossed/read/buffered/shared/threads/cold/apart/page/none
package crossio
