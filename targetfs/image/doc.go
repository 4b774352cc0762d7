// Package image is a GFS2 file system on a device: it formats, opens, reads, changes and checks one. A device is anything
// with ReadAt, WriteAt and Sync. The package imports disk and journal, of ours.
//
// Every change of metadata goes through a transaction. A transaction sees its own changes, leaves the image alone
// when its function returns an error, and takes effect as a whole when it doesn't:
//
//	im, err := image.Open(file, size, image.Options{})
//	err = im.Update(func(tx *image.Tx) (err error) {
//		ino, err = tx.Create(im.Root(), "hello", image.NewInode{Mode: disk.ModeReg | 0o644})
//		return err
//	})
//	n, err := im.WriteAt(ino, []byte("hello"), 0)
//	err = im.Close()
//
// Transactions gather in memory until a flush, which Sync, Close and a limit of size cause: it logs the changed blocks in
// the journal and then writes them in place. File data, unless it is journaled, is written straight away, so that it is
// there before the metadata that points to it. After a crash Open replays the journal, and each transaction is there as a
// whole or not at all.
//
// One node has the image, and so the counters in the files statfs and quota are changed in the transactions themselves, not
// gathered in statfs_change and quota_change first: whoever replays the journal finds them right. What kernels left in
// those two is applied by Open.
//
// Work whose size has no limit, such as writing, truncating and deleting a file, is a method of Image and takes as many
// transactions as it needs; the image is consistent after each. Errors of a caller's making are syscall.Errno values
// (ENOENT, EEXIST, ENOSPC), wrapped; a broken image gives a *disk.CorruptError, and the first one inside an Update
// withdraws the file system: nothing is written any more.
package image
