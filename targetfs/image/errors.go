package image

import "errors"

// ErrNotGFS2 says that a device has no GFS2 superblock, or none that can be read: it is no image, or a badly broken one.
var ErrNotGFS2 = errors.New("not a GFS2 file system")

// ErrDirtyJournal says that a journal must be replayed and that the image is opened for reading only. It comes with EROFS.
var ErrDirtyJournal = errors.New("it is dirty and must be replayed")
