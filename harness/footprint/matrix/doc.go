// Package matrix is what a lock footprint is: for each system call that was stopped in the middle of its user copy, and each operation that another
// process tried meanwhile (the onlooker), what came of it and which lock was in the way; and, where a server counts, who did the copy. It writes footprints as JSON and reads them back, tells
// what differs between two of them, and holds one against the baseline of its type of file system. It imports the standard library only.
//
//	old, err := matrix.ReadFile("old.json")
//	now, err := matrix.ReadFile("new.json")
//	pairs, err := matrix.Pair(old, now)
//	for _, change := range pairs[0].Changes() {
//		fmt.Println(change)
//	}
package matrix
