package kernels

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// CacheEnv names the environment variable with another cache folder than the user's (os.UserCacheDir()/faultline).
const CacheEnv = "FAULTLINE_CACHE"

// sentinel is the file that marks what we made. Nothing without it is ever removed.
const sentinel = ".faultline-kernel"

// newPrefix begins the names of folders that are being filled.
const newPrefix = ".new-"

// Store is a folder of kernels.
type Store struct{ dir string }

// Open opens the user's store, and makes the folder where there is none yet.
func Open() (*Store, error) {
	cache := os.Getenv(CacheEnv)
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find the cache folder (set %s): %w", CacheEnv, err)
		}
		cache = filepath.Join(user, "faultline")
	}
	return At(filepath.Join(cache, "kernels"))
}

// At opens a store in dir, which is made where there is none yet.
func At(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open the kernel store %s: %w", dir, err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return nil, fmt.Errorf("make the kernel store: %w", err)
	}
	return &Store{abs}, nil
}

// List returns the kernels in the store by name.
func (s *Store) List() ([]Kernel, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list the kernel store: %w", err)
	}
	var all []Kernel
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		k, err := read(filepath.Join(s.dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // no kernel of ours, or just removed
		}
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b Kernel) int {
		return cmp.Or(compareReleases(a.Release, b.Release), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

// get returns the kernel of a name.
func (s *Store) get(name string) (Kernel, bool) {
	k, err := read(s.path(name))
	return k, err == nil
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// Remove removes a kernel that the store holds. A guest that runs it goes on.
func (s *Store) Remove(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Lstat(s.path(name)); err != nil {
		return s.unknown(name)
	}
	return s.discard(s.path(name))
}

// unknown says that there is no such kernel, and which there are.
func (s *Store) unknown(name string) error {
	var names []string
	all, err := s.List()
	if err != nil {
		return err
	}
	for _, k := range all {
		names = append(names, k.Name)
	}
	if len(names) == 0 {
		return fmt.Errorf("there is no kernel %q; there is none yet, see faultline kernel fetch --help", name)
	}
	return fmt.Errorf("there is no kernel %q; there are %s", name, strings.Join(names, ", "))
}

// install makes a kernel in the store: fill writes into an empty folder and describes what it wrote, and only a whole kernel appears under its name. One
// that was there is replaced. The caller holds the lock.
func (s *Store) install(name string, fill func(dir string) (Kernel, error)) (Kernel, error) {
	dir, err := os.MkdirTemp(s.dir, newPrefix)
	if err != nil {
		return Kernel{}, fmt.Errorf("make a folder for kernel %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, sentinel), []byte("made by faultline, which may remove this folder\n"), 0o644); err != nil {
		os.Remove(dir)
		return Kernel{}, fmt.Errorf("mark the folder of kernel %s as ours: %w", name, err)
	}
	defer s.discard(dir) // what is left: nothing, a part, or the kernel that was replaced
	k, err := fill(dir)
	if err != nil {
		return Kernel{}, err
	}
	k.Name = name
	if err := k.write(dir); err != nil {
		return Kernel{}, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return Kernel{}, fmt.Errorf("put kernel %s in its place: %w", name, err)
	}
	if err := s.publish(dir, s.path(name)); err != nil {
		return Kernel{}, fmt.Errorf("put kernel %s in its place: %w", name, err)
	}
	return k.in(s.path(name)), nil
}

// publish gives the folder dir its name. One of that name that is ours changes places with it.
func (s *Store) publish(dir, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	if !ours(to) {
		return fmt.Errorf("%s is there, and was not made by faultline", to)
	}
	return unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, to, unix.RENAME_EXCHANGE)
}

// discard removes a folder of the store that we made. One that is gone is no error.
func (s *Store) discard(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !ours(dir) {
		return fmt.Errorf("remove %s: it was not made by faultline", dir)
	}
	if err := oneDevice(dir); err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	defer root.Close()
	return removeMarkLast(root, filepath.Base(dir))
}

// removeMarkLast removes a folder in root so that what a kill leaves of it carries our mark still.
func removeMarkLast(root *os.Root, name string) error {
	entries, err := fs.ReadDir(root.FS(), name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == sentinel {
			continue
		}
		if err := root.RemoveAll(name + "/" + e.Name()); err != nil {
			return err
		}
	}
	return root.RemoveAll(name)
}

// ours reports whether dir is a folder, not a link to one, with our mark.
func ours(dir string) bool {
	folder, err := os.Lstat(dir)
	if err != nil || !folder.IsDir() {
		return false
	}
	mark, err := os.Lstat(filepath.Join(dir, sentinel))
	return err == nil && mark.Mode().IsRegular()
}

// oneDevice refuses a folder with something mounted in it.
func oneDevice(dir string) error {
	var top unix.Stat_t
	if err := unix.Lstat(filepath.Dir(dir), &top); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		if st.Dev != top.Dev {
			return fmt.Errorf("something is mounted on %s", path)
		}
		return nil
	})
}
