// Package layout checks the project itself: who may import whom, that every step of programs is complete, that what is public is explained, that
// files are small, and that nothing lies where it does not belong. It reads the sources of a tree, so that its own tests can show it trees with faults;
// it imports generators/prog and generators/model for the table of steps.
//
//	tree, err := layout.Read(os.DirFS("../.."))
//	complaints := tree.Imports()
package layout

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Tree is the project's files.
type Tree struct {
	// Module is the path of the module in go.mod.
	Module string
	// Top are the names at the top level.
	Top   []string
	files []file
	set   *token.FileSet
}

// file is a text of the project; syntax is nil unless it is Go.
type file struct {
	path, dir, text string
	test            bool
	syntax          *ast.File
}

// skipped are folders that are no part of the project: git's own, and what is made by running it.
var skipped = []string{".git", "faultline-results"}

// texts are the endings of files that are read.
var texts = []string{".go", ".md", ".mod", ".prog", ".yml", ".yaml", ".sh", "Makefile", "run", ".gitignore"}

// Read parses all files of a tree. Only a tree that cannot be read or parsed is an error.
func Read(root fs.FS) (*Tree, error) {
	t := &Tree{set: token.NewFileSet()}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // a temporary file that is gone by now
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(skipped, name):
			return fs.SkipDir
		}
		if name != "." && !strings.Contains(name, "/") {
			t.Top = append(t.Top, name)
		}
		if d.IsDir() || !slices.ContainsFunc(texts, func(end string) bool { return strings.HasSuffix(name, end) }) {
			return nil
		}
		return t.add(root, name)
	})
	if err != nil {
		return nil, fmt.Errorf("read the project's files: %w", err)
	}
	return t, nil
}

func (t *Tree) add(root fs.FS, name string) error {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	f := file{path: name, dir: path.Dir(name), text: string(text), test: strings.HasSuffix(name, "_test.go")}
	if name == "go.mod" {
		line, _, _ := strings.Cut(f.text, "\n")
		t.Module = strings.TrimPrefix(line, "module ")
	}
	if strings.HasSuffix(name, ".go") {
		if f.syntax, err = parser.ParseFile(t.set, name, text, parser.ParseComments); err != nil {
			return err
		}
	}
	t.files = append(t.files, f)
	return nil
}

// packages lists the folders with Go files outside of nested modules and testdata, each with its files.
func (t *Tree) packages() map[string][]file {
	all := map[string][]file{}
	for _, f := range t.files {
		if f.syntax != nil && !t.nested(f.dir) && !strings.Contains("/"+f.dir+"/", "/testdata/") {
			all[f.dir] = append(all[f.dir], f)
		}
	}
	return all
}

// nested reports whether the folder belongs to a module of its own: an example of how other people use this one.
func (t *Tree) nested(dir string) bool {
	return slices.ContainsFunc(t.files, func(f file) bool {
		return path.Base(f.path) == "go.mod" && f.dir != "." && (dir == f.dir || strings.HasPrefix(dir, f.dir+"/"))
	})
}
