package initramfs

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Tree is the folder of one kernel's modules, as depmod(8) leaves it: with modules.dep and modules.builtin.
type Tree struct {
	dir     string
	files   map[string]string   // name of a module -> its file, relative to dir
	needs   map[string][]string // file -> the files of modules that it needs
	builtin map[string]bool     // names
}

// OpenTree reads the lists in dir. An empty dir stands for a kernel without modules: then everything counts as built in.
func OpenTree(dir string) (*Tree, error) {
	t := &Tree{dir: dir, files: map[string]string{}, needs: map[string][]string{}, builtin: map[string]bool{}}
	if dir == "" {
		return t, nil
	}
	err := eachLine(filepath.Join(dir, "modules.dep"), func(line string) {
		file, needs, ok := strings.Cut(line, ":")
		if ok {
			t.files[moduleName(file)] = file
			t.needs[file] = strings.Fields(needs)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read the list of modules: %w", err)
	}
	err = eachLine(filepath.Join(dir, "modules.builtin"), func(line string) { t.builtin[moduleName(line)] = true })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the list of built-in modules: %w", err)
	}
	return t, nil
}

func eachLine(file string, do func(string)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		do(strings.TrimSpace(lines.Text()))
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// moduleName is the name that the kernel gives to a module: "kernel/fs/ext4/crc-itu-t.ko.xz" is crc_itu_t.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// Has says whether the kernel has a module, built in or as a file.
func (t *Tree) Has(name string) bool {
	return t.BuiltIn(name) || t.files[strings.ReplaceAll(name, "-", "_")] != ""
}

// BuiltIn says whether the kernel has a module built in.
func (t *Tree) BuiltIn(name string) bool {
	return t.dir == "" || t.builtin[strings.ReplaceAll(name, "-", "_")]
}

// NoModule says which modules a kernel does not have.
type NoModule struct {
	Dir   string // of the kernel's modules
	Names []string
}

func (e *NoModule) Error() string {
	return fmt.Sprintf("the kernel of %s has no module %s", e.Dir, strings.Join(e.Names, ", "))
}

// Resolve lists the files of the modules called names and of all that they need, in the order in which they are to be inserted. Modules that are
// built in have no file. Those called maybe are left out where there are none; for names that are unknown otherwise
// the error is a *NoModule.
func (t *Tree) Resolve(names, maybe []string) ([]string, error) {
	var order, unknown []string
	for _, name := range slices.Concat(names, maybe) {
		name = strings.ReplaceAll(name, "-", "_")
		if file := t.files[name]; file != "" {
			order = t.add(order, file, nil)
		} else if !t.Has(name) && slices.Contains(names, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return nil, &NoModule{Dir: t.dir, Names: unknown}
	}
	for i := range order {
		order[i] = filepath.Join(t.dir, order[i])
	}
	return order, nil
}

// add appends what file needs, and then file. above are the files that wait for this one: a circle ends there.
func (t *Tree) add(order []string, file string, above []string) []string {
	if slices.Contains(order, file) || slices.Contains(above, file) {
		return order
	}
	above = append(slices.Clip(above), file)
	for _, need := range t.needs[file] {
		order = t.add(order, need, above)
	}
	return append(order, file)
}
