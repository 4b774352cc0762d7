package results

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// replaceFile puts a new file at path, whole or not at all: it is written under a temporary name in the same folder, synced,
// and renamed. The temporary name is fixed, so that killed writers leave one file behind at most.
func replaceFile(path string, write func(io.Writer) error) error {
	dir, base := filepath.Split(path)
	tmp := dir + "." + base + ".tmp"
	if err := writeFile(tmp, os.O_TRUNC, write); err != nil {
		os.Remove(tmp) // the disk may be full
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Clean(dir))
}

// writeFile creates or opens path for writing with the further flag, fills it and syncs it.
func writeFile(path string, flag int, write func(io.Writer) error) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 64<<10)
	if err := write(w); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}
