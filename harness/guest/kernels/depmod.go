package kernels

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"faultline/harness/guest/unpack"
)

// depFile is what depmod(8) writes: a line for each module with everything that it depends on, the last of it to be loaded first.
const depFile = "modules.dep"

// module is what a module tells about itself in its section .modinfo.
type module struct {
	file           string // below the folder of modules
	depends, first []string
	aliases        []string
}

// completeModules writes modules.dep into a folder of modules that has none: Debian's packages leave it to the machine that they are installed on.
// Unlike depmod it counts what a module wants loaded before it ("softdep: pre", the crc32c of libcrc32c) as a dependency: a guest has no modprobe
// to ask for it.
func completeModules(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, depFile)); err == nil {
		return nil
	}
	all, err := readModules(dir)
	if err != nil {
		return fmt.Errorf("read the modules in %s: %w", dir, err)
	}
	if err := os.WriteFile(filepath.Join(dir, depFile), dependencies(all), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", depFile, err)
	}
	return nil
}

// readModules reads every module below dir, by name.
func readModules(dir string) (map[string]module, error) {
	all := map[string]module{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !isModule(file) {
			return err
		}
		m, err := readModule(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		m.file = strings.TrimPrefix(file, dir+"/")
		all[moduleName(file)] = m
		return nil
	})
	return all, err
}

func isModule(file string) bool {
	return slices.ContainsFunc([]string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"}, func(end string) bool { return strings.HasSuffix(file, end) })
}

// moduleName is the name by which others depend on a module.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

func readModule(file string) (module, error) {
	f, err := os.Open(file)
	if err != nil {
		return module{}, err
	}
	defer f.Close()
	plain, err := unpack.Reader(file, f)
	if err != nil {
		return module{}, err
	}
	defer plain.Close()
	text, err := io.ReadAll(plain)
	if err != nil {
		return module{}, err
	}
	object, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		return module{}, err
	}
	section := object.Section(".modinfo")
	if section == nil {
		return module{}, errors.New("it is no module: it has no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return module{}, err
	}
	return parseInfo(string(info)), nil
}

// parseInfo reads the lines of .modinfo: name=value, each with a zero byte behind it.
func parseInfo(info string) module {
	var m module
	for line := range strings.SplitSeq(info, "\x00") {
		name, value, _ := strings.Cut(line, "=")
		switch name {
		case "depends":
			m.depends = strings.FieldsFunc(strings.ReplaceAll(value, "-", "_"), func(r rune) bool { return r == ',' })
		case "softdep":
			m.first = append(m.first, before(value)...)
		case "alias":
			m.aliases = append(m.aliases, value)
		}
	}
	return m
}

// before is what a softdep names behind "pre:".
func before(softdep string) []string {
	_, pre, _ := strings.Cut(softdep, "pre:")
	pre, _, _ = strings.Cut(pre, "post:")
	return strings.Fields(pre)
}

// dependencies is the text of modules.dep.
func dependencies(all map[string]module) []byte {
	providers := byAlias(all)
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var order []string // each behind what it needs
		seen := map[string]bool{}
		var visit func(name string)
		visit = func(name string) {
			m, known := all[name]
			if seen[name] || !known { // built in, or not there
				return
			}
			seen[name] = true
			for _, wanted := range m.first {
				visit(providers[wanted])
				visit(strings.ReplaceAll(wanted, "-", "_"))
			}
			for _, d := range m.depends {
				visit(d)
			}
			order = append(order, m.file)
		}
		visit(name)
		slices.Reverse(order)
		fmt.Fprintf(&b, "%s:", order[0])
		for _, file := range order[1:] {
			b.WriteString(" " + file)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// byAlias finds a module for each alias. Of several that implement an algorithm, the generic one works on every processor.
func byAlias(all map[string]module) map[string]string {
	providers := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, alias := range all[name].aliases {
			if providers[alias] == "" || strings.HasSuffix(name, "_generic") {
				providers[alias] = name
			}
		}
	}
	return providers
}
