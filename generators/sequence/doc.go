// Package sequence is the family of long random programs with one actor: what fsx does, with user buffers of every kind. The model is beside
// every step, so nothing may go wrong unseen. It imports family and prog.
//
// A sequence keeps a rough picture of what there is, in order to stay meaningful: the files with their sizes, open descriptors with their
// positions, live mappings. Every write takes the next pattern, so a misplaced byte names its origin. What may end in more than one way
// (a buffer that goes bad in the middle) neither moves a file position nor the end of a file, so that size and position are known throughout.
//
// Its dimensions:
//
//   - flavour: buffered direct mixed vector remap falloc shift names; what most steps are: transfers of one kind or of both, transfers with
//     vectors, changes of mappings, of the allocation of files, of the place of their pages, of their names;
//   - length: len-30 len-100 len-300; how many operations there are; some take two or three steps;
//
// The random numbers come from the name of a program; each combination has a number of seeds. An example:
//
//	sequence/mixed/len-100/seed-17
package sequence
