package family

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Point is one combination: a value for every dimension.
type Point struct {
	family *Family
	values []uint8
	seed   uint64
}

// Get is the value of a dimension. Asking for a dimension that the family does not have is a bug and panics.
func (p Point) Get(dim string) string {
	for i := range p.family.Dims {
		if d := &p.family.Dims[i]; d.Name == dim {
			return d.Values[p.values[i]]
		}
	}
	panic(fmt.Sprintf("family %s has no dimension %s", p.family.Name, dim))
}

// Is reports whether the dimension has one of the values.
func (p Point) Is(dim string, values ...string) bool { return slices.Contains(values, p.Get(dim)) }

// Seed is the seed of a family with Seeds, otherwise 0.
func (p Point) Seed() uint64 { return p.seed }

// Path is the values in order, with slashes between them; with Seeds, the seed is last.
func (p Point) Path() string {
	parts := make([]string, 0, len(p.values)+1)
	for i, v := range p.values {
		parts = append(parts, p.family.Dims[i].Values[v])
	}
	if p.family.Seeds > 0 {
		parts = append(parts, seedWord+strconv.FormatUint(p.seed, 10))
	}
	return strings.Join(parts, "/")
}

// seedWord stands in front of the seed in a name.
const seedWord = "seed-"

// parsePath is the inverse of family name + "/" + Path.
func (f *Family) parsePath(name string) (Point, bool) {
	p := Point{family: f, values: make([]uint8, len(f.Dims))}
	parts := strings.Split(name, "/")
	if parts[0] != f.Name {
		return p, false
	}
	parts = parts[1:]
	if f.Seeds > 0 {
		last := len(parts) - 1
		if last < 0 {
			return p, false
		}
		digits, found := strings.CutPrefix(parts[last], seedWord)
		seed, err := strconv.ParseUint(digits, 10, 64)
		if !found || err != nil || strconv.FormatUint(seed, 10) != digits {
			return p, false
		}
		p.seed, parts = seed, parts[:last]
	}
	if len(parts) != len(f.Dims) {
		return p, false
	}
	for i, word := range parts {
		v := slices.Index(f.Dims[i].Values, word)
		if v < 0 {
			return p, false
		}
		p.values[i] = uint8(v)
	}
	return p, true
}

func (p Point) clone() Point {
	p.values = slices.Clone(p.values)
	return p
}

// next changes the point to its successor, the last dimension running fastest; false behind the last one.
func (p Point) next() bool {
	for i := len(p.values) - 1; i >= 0; i-- {
		if p.values[i]++; int(p.values[i]) < len(p.family.Dims[i].Values) {
			return true
		}
		p.values[i] = 0
	}
	return false
}
