package initramfs

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// needed are the files, by their absolute names in the guest, that a program needs beside itself: none if it is linked statically. One that is
// linked dynamically, as Go does by default where there is a C compiler, needs its loader and the libraries. They lie beside the loader itself, where
// it looks for them without being told (ld.so(8)).
func needed(program *os.File) (map[string]string, error) {
	f, err := elf.NewFile(program)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", program.Name(), err)
	}
	i := slices.IndexFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	if i < 0 {
		return nil, nil
	}
	name := make([]byte, f.Progs[i].Filesz)
	if _, err := f.Progs[i].ReadAt(name, 0); err != nil {
		return nil, fmt.Errorf("read the loader's name in %s: %w", program.Name(), err)
	}
	loader := strings.TrimRight(string(name), "\x00")
	real, err := filepath.EvalSymlinks(loader)
	if err != nil {
		return nil, linked(program, err)
	}
	files := map[string]string{loader: real}
	libraries, err := f.ImportedLibraries()
	for len(libraries) > 0 && err == nil {
		path := filepath.Join(filepath.Dir(real), libraries[0])
		libraries = libraries[1:]
		if _, have := files[path]; have || path == real {
			continue
		}
		files[path] = path
		var more []string
		more, err = imports(path)
		libraries = append(libraries, more...)
	}
	if err != nil {
		return nil, linked(program, err)
	}
	return files, nil
}

func imports(library string) ([]string, error) {
	f, err := elf.Open(library)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ImportedLibraries()
}

// linked says what can be done about a program whose libraries are not found.
func linked(program *os.File, err error) error {
	return fmt.Errorf("%s is linked dynamically; build it with CGO_ENABLED=0: %w", program.Name(), err)
}

// addNeeded adds files under their names in the guest, and the folders on the way.
func (c *cpio) addNeeded(files map[string]string, made map[string]bool) error {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c.parents(filepath.Dir(name[1:]), made)
		data, err := os.ReadFile(files[name])
		if err != nil {
			return err
		}
		if err := c.file(name[1:], 0o755, int64(len(data)), strings.NewReader(string(data))); err != nil {
			return err
		}
	}
	return nil
}

// parents makes a folder and those above it, once.
func (c *cpio) parents(dir string, made map[string]bool) {
	if dir == "." || made[dir] {
		return
	}
	c.parents(filepath.Dir(dir), made)
	c.dir(dir)
	made[dir] = true
}
