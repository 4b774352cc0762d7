package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"faultline/harness/machine"
)

// Sweep removes what runs that died left in the folders of base: it unmounts below each folder of ours whose owner is dead, then
// deletes it. It returns the folders that are gone. What cannot be removed is an error and does not stop the rest.
// With no base it sweeps the temporary folder and /dev/shm, where targets put things by default.
func Sweep(ctx context.Context, base ...string) ([]string, error) {
	if len(base) == 0 {
		base = []string{os.TempDir(), "/dev/shm"}
	}
	h := hands{on: machine.Local{}, patience: defaultPatience}
	defer h.close()
	var gone []string
	var errs []error
	for _, dir := range base {
		s, err := ask[swept](ctx, &h, "sweep "+dir, "sweep", dir)
		if err == nil {
			err = s.err()
		}
		gone, errs = append(gone, s.Gone...), append(errs, err)
	}
	return gone, errors.Join(errs...)
}

// swept is what the child did.
type swept struct {
	Gone     []string
	Problems []string
}

func (s swept) err() error {
	var errs []error
	for _, p := range s.Problems {
		errs = append(errs, errors.New(p))
	}
	return errors.Join(errs...)
}

// sweep runs in the child: base may be on a file system under test.
func sweep(base string) (swept, error) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return swept{}, fmt.Errorf("sweep: %w", err)
	}
	var s swept
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), homePrefix) {
			continue
		}
		path := filepath.Join(base, entry.Name())
		h, err := openHome(path)
		if err != nil || !h.Mark.Owner.dead() {
			continue // not ours, or somebody's
		}
		if err := removeDead(h); err != nil {
			s.Problems = append(s.Problems, err.Error())
			continue
		}
		s.Gone = append(s.Gone, path)
	}
	return s, nil
}

// removeDead unmounts what the dead owner mounted below, lazily since nobody waits for it, and deletes the folder.
func removeDead(h home) error {
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	path, err := realPath(h.Path)
	if err != nil {
		return err
	}
	below := mountsBelow(mounts, path)
	for i := len(below) - 1; i >= 0; i-- {
		if _, err := unmountPoint(unmountArgs{Point: below[i].Point, Lazy: true}); err != nil {
			return err
		}
	}
	return removeOurs(h)
}
