// Package family says what a family of programs is: named dimensions, a rule which combinations of their values mean something, and a
// function that lays out the program of one combination. It makes the whole sequence of programs, finds one by its name, and computes the
// covering array that is the quick subset. It imports prog and model.
//
// The name of a program says everything about it: the family and one value of every dimension. The same name is the same program in every
// process and for every seed.
//
//	var Family = &family.Family{
//		Name: "tiny",
//		Doc:  "a direct or buffered read into a mapping of the same file",
//		Dims: []family.Dim{
//			{Name: "op", Doc: "the system call", Values: []string{"read", "pread"}},
//			{Name: "mode", Doc: "how the file is opened", Values: []string{"buffered", "direct"}},
//		},
//		Rule:  func(p family.Point) string { return "" },
//		Build: func(b *family.Builder, p family.Point) {
//			b.File("A", "pat1*2p")
//			b.Line("d = open(A, rdwr)")
//			b.Line("m = mmap(d, shared, rw, 0, 2p)")
//			b.Line("pread(d, m[0:1p], 1p)")
//			b.Line("check(A)")
//		},
//	}
package family

import (
	"fmt"
	"iter"
	"os"
	"sync"

	"faultline/generators/prog"
)

// Dim is one dimension of a family.
type Dim struct {
	Name string
	// Doc is one line for people.
	Doc string
	// Values are words without blanks and slashes; they stand in the names of programs.
	Values []string
}

// Family is a generator: a named, ordered sequence of programs.
type Family struct {
	// Name is the first part of the names of its programs.
	Name string
	// Doc is one line for people.
	Doc string
	// Dims are at least two.
	Dims []Dim
	// Seeds, when not 0, is how many programs there are for each combination of values. They differ in their seed, which is the last
	// part of their names ("seed-17") and comes out of Point.Seed.
	Seeds int
	// Rule says why a combination means nothing, in a few words, the same for all of a kind; "" keeps it. nil keeps all.
	Rule func(Point) string
	// Build lays out files and steps, without expectations: Derive fills them in.
	Build func(*Builder, Point)
	// Labels are groups of all programs of the family besides those that Labels finds.
	Labels []string

	once  sync.Once
	table *pairTable
}

// DefaultSeed is the seed of runs that name none.
const DefaultSeed = 1

// page is the page size that expectations are derived for: that of this machine.
var page = int64(os.Getpagesize())

// Points lists the combinations that mean something, the last dimension running fastest. With Seeds, seed is the first of each.
func (f *Family) Points(seed uint64) iter.Seq[Point] {
	return func(yield func(Point) bool) {
		for p := range f.product() {
			if f.leftOut(p) != "" {
				continue
			}
			for i := range max(f.Seeds, 1) {
				if !yield(f.seeded(p, seed, i)) {
					return
				}
			}
		}
	}
}

// All is every program, in the order of Points.
func (f *Family) All(seed uint64) iter.Seq[*prog.Prog] { return f.programs(f.Points(seed)) }

// Quick is the program of every point of QuickPoints.
func (f *Family) Quick(seed uint64) iter.Seq[*prog.Prog] { return f.programs(f.QuickPoints(seed)) }

func (f *Family) programs(points iter.Seq[Point]) iter.Seq[*prog.Prog] {
	return func(yield func(*prog.Prog) bool) {
		for p := range points {
			if !yield(f.At(p)) {
				return
			}
		}
	}
}

// At is the program of one point. A family that lays out a program that is refused has a bug: At panics with the program's text.
func (f *Family) At(p Point) *prog.Prog {
	b := newBuilder(f.Name + "/" + p.Path())
	f.Build(b, p)
	built, err := b.program()
	if err != nil {
		panic(fmt.Sprintf("family %s: %v\n%s", f.Name, err, b.text()))
	}
	return built
}

// Find is the program of that name, or nil when the family has none.
func (f *Family) Find(name string) *prog.Prog {
	p, ok := f.parsePath(name)
	if !ok || f.leftOut(p) != "" {
		return nil
	}
	return f.At(p)
}

// Count is the number of programs of All and of Quick with the default seed, and the number of combinations left out, by reason.
func (f *Family) Count() (all, quick int, leftOut map[string]int) {
	leftOut = map[string]int{}
	for p := range f.product() {
		if reason := f.leftOut(p); reason != "" {
			leftOut[reason]++
			continue
		}
		all += max(f.Seeds, 1)
	}
	for range f.QuickPoints(DefaultSeed) {
		quick++
	}
	return all, quick, leftOut
}

func (f *Family) leftOut(p Point) string {
	if f.Rule == nil {
		return ""
	}
	return f.Rule(p)
}

// product walks through all combinations of values, whether they mean something or not.
func (f *Family) product() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		p := Point{family: f, values: make([]uint8, len(f.Dims))}
		for more := true; more; more = p.next() {
			if !yield(p.clone()) {
				return
			}
		}
	}
}

// seeded is the point with the i-th of the family's seeds.
func (f *Family) seeded(p Point, seed uint64, i int) Point {
	if f.Seeds > 0 {
		p.seed = seed + uint64(i%f.Seeds)
	}
	return p
}
