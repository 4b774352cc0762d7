package matrix

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
)

// Version is that of the JSON form. It grows when an older reader would misread the file; fields that are only added do not change it.
const Version = 1

// file is the JSON form: one object, so that a version can stand in it.
type file struct {
	Version    int          `json:"faultline_footprints"`
	Footprints []*Footprint `json:"footprints"`
}

// Write writes footprints as JSON.
func Write(w io.Writer, all []*Footprint) error {
	text, err := json.MarshalIndent(file{Version, all}, "", " ")
	if err != nil {
		return fmt.Errorf("write footprints: %w", err)
	}
	if _, err := w.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("write footprints: %w", err)
	}
	return nil
}

// WriteFile writes footprints into a file, which is made or emptied.
func WriteFile(name string, all []*Footprint) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write footprints: %w", err)
	}
	if err := Write(f, all); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write footprints: %w", err)
	}
	return nil
}

// Read reads what Write wrote. Files of a later version, and files whose cells do not belong to the table, are errors.
func Read(r io.Reader) ([]*Footprint, error) {
	var f file
	if err := json.NewDecoder(r).Decode(&f); err != nil {
		return nil, fmt.Errorf("read footprints: %w", err)
	}
	switch {
	case f.Version == 0:
		return nil, fmt.Errorf("read footprints: this is JSON, but not of footprints")
	case f.Version > Version:
		return nil, fmt.Errorf("read footprints: version %d is newer than this program, which reads up to %d", f.Version, Version)
	}
	for i, one := range f.Footprints {
		if one == nil {
			return nil, fmt.Errorf("read footprints: number %d is null", i+1)
		}
		if err := one.check(); err != nil {
			return nil, fmt.Errorf("read footprints: %s: %w", one.Target, err)
		}
	}
	return f.Footprints, nil
}

// ReadFile reads a file of footprints.
func ReadFile(name string) ([]*Footprint, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read footprints: %w", err)
	}
	defer f.Close()
	all, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

// checkCopies finds copies of calls that the table does not have, and two of one call.
func (f *Footprint) checkCopies() error {
	for i := range f.Copies {
		switch c := &f.Copies[i]; {
		case !slices.Contains(f.Ops, c.Stopped):
			return fmt.Errorf("a copy is of the stopped call %q, which the table does not have", c.Stopped)
		case f.Copy(c.Stopped) != c:
			return fmt.Errorf("there are two copies of %s", c.Stopped)
		}
	}
	return nil
}

// check finds onlookers of no group, and cells that stand nowhere in the table, twice, or with an outcome that does not exist.
func (f *Footprint) check() error {
	for _, by := range f.Onlookers {
		if !slices.Contains(Groups, by.Group) {
			return fmt.Errorf("the onlooker %q is of the group %q, which does not exist", by.Name, by.Group)
		}
	}
	seen := map[[2]string]bool{}
	for i := range f.Cells {
		c := &f.Cells[i]
		at := [2]string{c.Stopped, c.Onlooker}
		switch {
		case !slices.Contains(f.Ops, c.Stopped):
			return fmt.Errorf("a cell is of the stopped call %q, which the table does not have", c.Stopped)
		case f.group(c.Onlooker) == "":
			return fmt.Errorf("a cell is of the onlooker %q, which the table does not have", c.Onlooker)
		case !slices.Contains(Outcomes, c.Outcome):
			return fmt.Errorf("the cell of %s and %s has the outcome %q", c.Stopped, c.Onlooker, c.Outcome)
		case seen[at]:
			return fmt.Errorf("there are two cells of %s and %s", c.Stopped, c.Onlooker)
		}
		seen[at] = true
	}
	return f.checkCopies()
}
