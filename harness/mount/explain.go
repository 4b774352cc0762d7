package mount

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"faultline/targetfs/fused"
	"faultline/targetfs/image"
)

// ErrBusy says that an image is in use.
var ErrBusy = fused.ErrBusy

// closing is how long a server may take to close an image after umount(8) has come back.
const closing = 2 * time.Second

// Patiently tries use again while it fails with ErrBusy, for as long as a server may take to close an image that was unmounted a moment ago.
func Patiently(use func() error) error {
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if err := use(); !errors.Is(err, ErrBusy) || time.Since(began) > closing {
			return err
		}
	}
}

// Explain makes one line for a user of an error about an image: what is wrong, and how to mend it where that is known.
func Explain(path string, err error) error {
	var failed *fs.PathError
	about := errors.As(err, &failed) && failed.Path == path
	switch {
	case about && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist; faultline fs mkfs makes an image", path)
	case about:
		return fmt.Errorf("%s: %s: %w", path, failed.Op, failed.Err)
	case errors.Is(err, image.ErrNotGFS2):
		return fmt.Errorf("%s is not a GFS2 file system: it has no superblock at byte 65536", path)
	case errors.Is(err, image.ErrDirtyJournal):
		return fmt.Errorf("%s was not unmounted, and its journal must be replayed before it can be used read-only; mount it once without ro", path)
	case errors.Is(err, fused.ErrBusy):
		return fmt.Errorf("%s is mounted already, or another command works on it", path)
	case errors.Is(err, fused.ErrNoDevice):
		return fused.ErrNoDevice
	case errors.Is(err, fused.ErrNoFusermount):
		return fmt.Errorf("%w (package fuse3)", fused.ErrNoFusermount)
	case strings.Contains(err.Error(), path):
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
