package matrix

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Baseline is what is known to block on a type of file system. In text it is one line for each stopped call, with the onlookers that do not get on:
//
//	# ext4 on 6.18.44, rw,relatime
//	measured load-far pwrite truncate
//	pread
//	pwrite pwrite truncate
//
// The line "measured" names the onlookers that were tried. What is not in it is unknown and never held against anybody.
type Baseline struct {
	// Source says what was measured: the text of the first comment.
	Source   string
	measured []string
	held     map[string][]string // by stopped call
}

const measured = "measured"

//go:embed baselines/*.txt
var known embed.FS

// Known is the baseline that comes with the program for a type of file system, or nil.
func Known(fsType string) (*Baseline, error) {
	text, err := known.ReadFile(path.Join("baselines", fsType+".txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the baseline of %s: %w", fsType, err)
	}
	return ParseBaseline(string(text))
}

// ReadBaseline reads a baseline from a file.
func ReadBaseline(name string) (*Baseline, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read a baseline: %w", err)
	}
	b, err := ParseBaseline(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// ParseBaseline reads the text of a baseline.
func ParseBaseline(text string) (*Baseline, error) {
	b := &Baseline{held: map[string][]string{}}
	number := 0
	for line := range strings.Lines(text) {
		number++
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case strings.HasPrefix(words[0], "#"):
			if b.Source == "" {
				b.Source = strings.TrimSpace(strings.TrimLeft(line, "# "))
			}
		case words[0] == measured && b.measured != nil:
			return nil, fmt.Errorf("read a baseline: line %d: a second %q", number, measured)
		case words[0] == measured:
			b.measured = words[1:]
		case b.measured == nil:
			return nil, fmt.Errorf("read a baseline: line %d: wanted %q and the onlookers that were tried, found %q", number, measured, words[0])
		case b.held[words[0]] != nil:
			return nil, fmt.Errorf("read a baseline: line %d: a second line of %q", number, words[0])
		default:
			if err := b.add(words[0], words[1:]); err != nil {
				return nil, fmt.Errorf("read a baseline: line %d: %w", number, err)
			}
		}
	}
	if b.measured == nil {
		return nil, fmt.Errorf("read a baseline: there is no line %q", measured)
	}
	return b, nil
}

func (b *Baseline) add(stopped string, onlookers []string) error {
	for _, name := range onlookers {
		if !slices.Contains(b.measured, name) {
			return fmt.Errorf("%q is not among what was measured", name)
		}
	}
	b.held[stopped] = append([]string{}, onlookers...)
	return nil
}

// Baseline is the text of a baseline that this footprint keeps.
func (f *Footprint) Baseline() string {
	var text strings.Builder
	fmt.Fprintf(&text, "# %s on %s, %s\n%s", f.FS, f.Kernel, f.Options, measured)
	for _, by := range f.Onlookers {
		if f.tried(by.Name) {
			text.WriteString(" " + by.Name)
		}
	}
	text.WriteString("\n")
	for _, op := range f.Ops {
		if !f.stopped(op) {
			continue
		}
		text.WriteString(op)
		for _, by := range f.Onlookers {
			if c := f.Find(op, by.Name); c != nil && c.Held() {
				text.WriteString(" " + by.Name)
			}
		}
		text.WriteString("\n")
	}
	return text.String()
}

// tried reports that a cell of the onlooker came out, stopped that one of the call did.
func (f *Footprint) tried(onlooker string) bool {
	return slices.ContainsFunc(f.Cells, func(c Cell) bool { return c.Onlooker == onlooker && c.cameOut() })
}

func (f *Footprint) stopped(op string) bool {
	return slices.ContainsFunc(f.Cells, func(c Cell) bool { return c.Stopped == op && c.cameOut() })
}

// cameOut reports that the cell says something of locks.
func (c *Cell) cameOut() bool {
	return c.Outcome != Skipped && c.Outcome != Broken && c.Outcome != Untouched
}

// Beyond says, one line each, where f holds a lock that the baseline does not know of: page faults first. Nothing is said of what the baseline did
// not measure.
func (b *Baseline) Beyond(f *Footprint) []string {
	var faults, others []string
	for i := range f.Cells {
		c := &f.Cells[i]
		held, tried := b.held[c.Stopped]
		if !c.Held() || !tried || !slices.Contains(b.measured, c.Onlooker) || slices.Contains(held, c.Onlooker) {
			continue
		}
		line := fmt.Sprintf("while %s is stopped in its user copy, %s now %s; it did not on %s", c.Stopped, c.Onlooker, c.words(), b.Source)
		if f.IsHazard(c) {
			faults = append(faults, line)
		} else {
			others = append(others, line)
		}
	}
	return append(faults, others...)
}
