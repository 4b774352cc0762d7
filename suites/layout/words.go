package layout

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// maxLines is how long a file may be.
const maxLines = 500

// topLevel is what may stand at the top.
var topLevel = []string{
	"suites", "generators", "harness", "targetfs", "results", "go.mod", "go.sum", "README.md", "main.go", "Makefile", ".ci", "LICENSE", ".gitignore", ".readme",
	// git's own, and what .gitignore names
	".git", "faultline", "faultline-results",
}

// heaps are names of packages that say nothing.
var heaps = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "lib"}

// words are what no file may say, each in two halves so that this file does not.
var words = map[string]string{
	"TO" + "DO":         "do it, or open an issue",
	"FIX" + "ME":        "do it, or open an issue",
	"/wo" + "rk/":       "that is a path of one machine",
	"/ro" + "ot/":       "that is a path of one machine",
	"proxy." + "golang": "that is the host of a package registry",
	"registry." + "npm": "that is the host of a package registry",
	"py" + "pi.org":     "that is the host of a package registry",
	"deb." + "debian":   "that is the host of a package registry",
}

// Files complains about files that are too long, names that say nothing, words that do not belong into the project, and what lies at the top without
// being named in the design.
func (t *Tree) Files() []string {
	var all []string
	for _, name := range t.Top {
		if !slices.Contains(topLevel, name) && !strings.HasSuffix(name, ".test") && !strings.HasSuffix(name, ".prof") {
			all = append(all, name+": does not belong to the top level")
		}
	}
	dirs := map[string]bool{}
	for _, f := range t.files {
		if n := strings.Count(f.text, "\n"); f.syntax != nil && n > maxLines {
			all = append(all, fmt.Sprintf("%s: %d lines, wanted at most %d", f.path, n, maxLines))
		}
		if f.syntax != nil && !dirs[f.dir] && slices.Contains(heaps, path.Base(f.dir)) {
			all = append(all, f.dir+": the name says nothing")
		}
		dirs[f.dir] = true
		all = append(all, spoken(f)...)
	}
	slices.Sort(all)
	return all
}

func spoken(f file) []string {
	var all []string
	for i, line := range strings.Split(f.text, "\n") {
		for word, why := range words {
			if says(line, word) {
				all = append(all, fmt.Sprintf("%s:%d: %s: %s", f.path, i+1, word, why))
			}
		}
	}
	return all
}

// says reports whether a line has the word. A path begins where it does: the end of a longer one does not count.
func says(line, word string) bool {
	before, _, found := strings.Cut(line, word)
	if !found || word[0] != '/' || before == "" {
		return found
	}
	return !strings.ContainsAny(before[len(before)-1:], "*.)}_-") && !isLetter(before[len(before)-1])
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' }
