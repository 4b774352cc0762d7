// Package regress holds a program for every failure ever found, one file each in testdata, and runs them as specs. To add one, put the
// program of a failure's bundle there: its expectations are the file's own. The programs are part of the binary, so that every run has
// them. This file imports prog only.
//
//	for _, p := range regress.Programs() { ... }
package regress

import (
	"embed"
	"fmt"
	"sync"

	"faultline/generators/prog"
)

//go:embed testdata/*.prog
var files embed.FS

// Programs are the regressions, in the order of their file names.
var Programs = sync.OnceValue(func() []*prog.Prog {
	entries, err := files.ReadDir("testdata")
	if err != nil {
		panic(fmt.Sprintf("regress: %v", err)) // the files are in the binary
	}
	var all []*prog.Prog
	for _, e := range entries {
		text, err := files.ReadFile("testdata/" + e.Name())
		if err != nil {
			panic(fmt.Sprintf("regress: %v", err))
		}
		p, err := prog.Parse(string(text))
		if err == nil {
			err = p.Validate()
		}
		if err != nil {
			panic(fmt.Sprintf("regress: testdata/%s: %v", e.Name(), err))
		}
		all = append(all, p)
	}
	return all
})
