package kernels

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockName is the file whose flock(2) a writer of the store holds. Readers need none: kernels appear whole.
const lockName = ".lock"

// lockPause is how long a writer waits before it asks again for the lock of another one.
const lockPause = 100 * time.Millisecond

// lock waits until no one else writes to the store, here or in another process. It removes what a writer that was killed left half done.
func (s *Store) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, lockName), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the kernel store: %w", err)
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock the kernel store %s: %w", s.dir, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("wait for another process that writes to the kernel store: %w", ctx.Err())
		case <-time.After(lockPause):
		}
	}
	if err := s.sweep(); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// sweep removes folders that were never finished. The lock is held, so nobody fills them.
func (s *Store) sweep() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("list the kernel store: %w", err)
	}
	for _, e := range entries {
		dir := filepath.Join(s.dir, e.Name())
		if !strings.HasPrefix(e.Name(), newPrefix) {
			continue
		}
		if !ours(dir) {
			os.Remove(dir) // an empty one, which was not marked yet
			continue
		}
		if err := s.discard(dir); err != nil {
			return err
		}
	}
	return nil
}
