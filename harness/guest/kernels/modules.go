package kernels

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// orderFile lists the modules of a built tree; builtinFile what is in the kernel itself.
const (
	orderFile   = "modules.order"
	builtinFile = "modules.builtin"
)

// moduleSource is a user's folder with modules: installed ones, or a built tree. The zero value is none.
type moduleSource struct {
	dir  string
	tree bool
}

// findModules finds the modules of a release in a folder that the user named.
func findModules(dir, release string) (moduleSource, error) {
	for _, installed := range []string{dir, filepath.Join(dir, release), filepath.Join(dir, "lib/modules", release)} {
		if isFile(filepath.Join(installed, depFile)) {
			return moduleSource{dir: installed}, nil
		}
	}
	if isFile(filepath.Join(dir, orderFile)) {
		return moduleSource{dir: dir, tree: true}, nil
	}
	return moduleSource{}, fmt.Errorf("there are no modules of %s in %s: wanted %s of make modules_install, or a built tree with %s", release, dir, depFile, orderFile)
}

// files lists what is to be copied: by its path below dir, the path that it gets.
func (m moduleSource) files() (map[string]string, error) {
	switch {
	case m.dir == "":
		return nil, nil
	case m.tree:
		return m.builtFiles()
	}
	all := map[string]string{}
	err := filepath.WalkDir(m.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() { // not the links to sources
			name := strings.TrimPrefix(path, m.dir+"/")
			all[name] = name
		}
		return err
	})
	return all, err
}

// builtFiles reads modules.order. Older trees begin each line with kernel/, newer ones name the object file.
func (m moduleSource) builtFiles() (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(m.dir, orderFile))
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, line := range strings.Fields(string(text)) {
		name := strings.TrimPrefix(line, "kernel/")
		if object, is := strings.CutSuffix(name, ".o"); is {
			name = object + ".ko"
		}
		if !fs.ValidPath(name) {
			return nil, fmt.Errorf("%s names %s, which leads outside", orderFile, line)
		}
		all[name] = "kernel/" + name
	}
	if isFile(filepath.Join(m.dir, builtinFile)) {
		all[builtinFile] = builtinFile
	}
	return all, nil
}

// copyTo copies the modules into the folder dir, which is made.
func (m moduleSource) copyTo(ctx context.Context, dir string) error {
	files, err := m.files()
	if err != nil {
		return err
	}
	for from, to := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := copyFile(filepath.Join(m.dir, from), filepath.Join(dir, to)); err != nil {
			return err
		}
	}
	return os.MkdirAll(dir, 0o755)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// fingerprint changes when a file of the build does: it is made of their paths, sizes and times.
func (b build) fingerprint() (string, error) {
	files, err := b.modules.files()
	if err != nil {
		return "", fmt.Errorf("list the modules: %w", err)
	}
	paths := []string{b.linux}
	for name := range files {
		paths = append(paths, filepath.Join(b.modules.dir, name))
	}
	slices.Sort(paths)
	sum := sha256.New()
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return "", fmt.Errorf("look at the build: %w", err)
		}
		fmt.Fprintf(sum, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
