// Package journal writes and recovers GFS2 journals: a flush of the log makes a set of block images durable at once, and
// recovery copies the images of the flushes that were not written in place to where they belong. The package imports
// disk only, of ours.
//
//	head, err := journal.Head(dev, file)                // the last log header
//	if !journal.Clean(head) {
//		_, err = journal.Recover(dev, file, blocks)
//	}
//	log, err := journal.Open(dev, file)
//	err = log.Commit(journal.Record{Blocks: changed})   // durable from here on
//	... write the blocks in place, use them, commit more ...
//	err = log.Close()
//
// The caller writes the blocks of a commit in place before the next commit. Each log header therefore declares the flush that
// it ends to be the whole live log. A block that one flush frees may be used for data once that flush is
// committed: no older image of it is live, so that no revoke is needed. Recovery honours revokes, which kernels write.
package journal
