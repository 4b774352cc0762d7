package layout

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// Docs complains about packages whose comment does not say what they are for, what they import and how they are used, and about exported names
// without a comment. Commands need no example, packages of tests only no comment, and fields of structs are their type's business.
func (t *Tree) Docs() []string {
	var all []string
	for dir, files := range t.packages() {
		if slices.ContainsFunc(files, func(f file) bool { return !f.test }) {
			all = append(all, packageComment(dir, files)...)
		}
		for _, f := range files {
			if !f.test {
				all = append(all, t.exported(f)...)
			}
		}
	}
	slices.Sort(all)
	return all
}

func packageComment(dir string, files []file) []string {
	var texts []string
	name := ""
	for _, f := range files {
		if !f.test {
			name = f.syntax.Name.Name
			if f.syntax.Doc != nil {
				texts = append(texts, f.syntax.Doc.Text())
			}
		}
	}
	if len(texts) != 1 {
		return []string{fmt.Sprintf("%s: %d package comments, wanted one", dir, len(texts))}
	}
	text := texts[0]
	if name == "main" {
		return nil
	}
	var all []string
	if !strings.HasPrefix(text, "Package "+name+" ") {
		all = append(all, fmt.Sprintf("%s: the package comment does not begin with \"Package %s\"", dir, name))
	}
	if !strings.Contains(text, "import") {
		all = append(all, dir+": the package comment does not say what it imports")
	}
	if !strings.Contains(text, "\n\t") {
		all = append(all, dir+": the package comment has no example")
	}
	return all
}

// known are methods whose meaning is that of a well-known interface.
var known = []string{"String", "Error", "Unwrap", "Is", "As", "Len", "Less", "Swap", "Read", "Write", "Close", "ReadAt", "WriteAt", "MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText"}

// exported complains about exported names without a comment.
func (t *Tree) exported(f file) []string {
	var all []string
	complain := func(n *ast.Ident, doc ...*ast.CommentGroup) {
		if !n.IsExported() || slices.ContainsFunc(doc, func(d *ast.CommentGroup) bool { return d != nil }) {
			return
		}
		all = append(all, fmt.Sprintf("%v: %s has no comment", t.set.Position(n.Pos()), n.Name))
	}
	for _, decl := range f.syntax.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || ast.IsExported(receiver(d)) && !slices.Contains(known, d.Name.Name) {
				complain(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					complain(s.Name, s.Doc, d.Doc, s.Comment)
				case *ast.ValueSpec:
					for _, n := range s.Names {
						complain(n, s.Doc, d.Doc, s.Comment)
					}
				}
			}
		}
	}
	return all
}

// receiver is the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	x := d.Recv.List[0].Type
	for {
		switch y := x.(type) {
		case *ast.StarExpr:
			x = y.X
		case *ast.IndexExpr:
			x = y.X
		case *ast.Ident:
			return y.Name
		default:
			return ""
		}
	}
}
