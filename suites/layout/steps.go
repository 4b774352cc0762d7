package layout

import (
	"fmt"
	"go/ast"
	"slices"
	"strconv"

	"faultline/generators/model"
	"faultline/generators/prog"
)

// workers is where the worker keeps its functions: the keys of a map named ops.
const workers = "harness/worker/ops.go"

// Steps complains about operations of programs that lack a function of the worker, one of the model, a line of documentation or an example, and
// about functions for operations that do not exist.
func (t *Tree) Steps() []string {
	performed := t.performed()
	var all []string
	for _, name := range prog.OpNames() {
		lacks := map[string]bool{
			"a function in the worker": !slices.Contains(performed, name), "a function in the model": !model.Knows(name),
			"a line of documentation": prog.Ops[name].Doc == "", "an example": prog.Example(name) == "",
		}
		for what, lacking := range lacks {
			if lacking {
				all = append(all, fmt.Sprintf("%s has not got %s", name, what))
			}
		}
	}
	for _, name := range append(performed, prog.Examples()...) {
		if prog.Ops[name] == nil {
			all = append(all, name+" is no operation")
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// performed lists the operations that the worker has functions for.
func (t *Tree) performed() []string {
	var names []string
	for _, f := range t.files {
		if f.path != workers {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			assign, is := n.(*ast.AssignStmt)
			if !is || len(assign.Lhs) != 1 || fmt.Sprint(assign.Lhs[0]) != "ops" {
				return true
			}
			table, is := assign.Rhs[0].(*ast.CompositeLit)
			if !is {
				return true
			}
			for _, e := range table.Elts {
				if key, is := e.(*ast.KeyValueExpr).Key.(*ast.BasicLit); is {
					name, _ := strconv.Unquote(key.Value)
					names = append(names, name)
				}
			}
			return false
		})
	}
	return names
}
