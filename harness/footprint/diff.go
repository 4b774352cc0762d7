package footprint

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

// Diff says line by line what differs between two lists of tables. The tables are held against each other in their order; cells that only one side has are left out.
func Diff(old, new []*Footprint) (lines []string) {
	if len(old) != len(new) {
		lines = append(lines, fmt.Sprintf("%d tables on one side, %d on the other", len(old), len(new)))
	}
	for i := range min(len(old), len(new)) {
		a, b := old[i], new[i]
		title := fmt.Sprintf("%s, %s -> %s, %s: ", a.Target, a.Kernel, b.Target, b.Kernel)
		if a.Target == b.Target && a.Kernel == b.Kernel {
			title = a.Target + ": "
		}
		for k := range a.Cells {
			was := &a.Cells[k]
			is := b.Find(was.Op, was.Onlooker)
			if is == nil || is.Outcome == was.Outcome {
				continue
			}
			line := fmt.Sprintf("%s%s while %s is stopped: %s -> %s", title, was.Onlooker, was.Op, was.Outcome, is.Outcome)
			for _, c := range []*Cell{was, is} {
				if c.Held() && c.Why != "" {
					line += " (" + c.Why + ")"
				}
			}
			lines = append(lines, line)
		}
	}
	return lines
}

//go:embed baseline/*.txt
var baselines embed.FS

// baseline is what is known to block for a type of file system: for each operation the onlookers. Known is false if the type has none.
func baseline(fs string) (blocks map[string][]string, known bool) {
	text, err := baselines.ReadFile("baseline/" + fs + ".txt")
	if err != nil {
		return nil, false
	}
	blocks = map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		op, list, _ := strings.Cut(line, ":")
		blocks[op] = strings.Fields(list)
	}
	return blocks, true
}

// Beyond says, a line each, what blocks or deadlocks in the table and does not in the baseline of its type of file system. Without a baseline that is nothing.
func (f *Footprint) Beyond() (lines []string) {
	known, has := baseline(f.FS)
	if !has {
		return nil
	}
	for i := range f.Cells {
		c := &f.Cells[i]
		if c.Held() && !slices.Contains(known[c.Op], c.Onlooker) {
			lines = append(lines, fmt.Sprintf("%s now %s while %s is stopped: %s", c.Onlooker, c.Outcome, c.Op, c.Why))
		}
	}
	return lines
}

// Baseline is the table in the form of a baseline file.
func (f *Footprint) Baseline() string {
	text := fmt.Sprintf("# What blocks on %s, seen on %s: operation, onlookers.\n", f.FS, f.Kernel)
	for _, op := range f.Ops() {
		line := op + ":"
		for i := range f.Cells {
			if c := &f.Cells[i]; c.Op == op && c.Held() {
				line += " " + c.Onlooker
			}
		}
		text += line + "\n"
	}
	return text
}
