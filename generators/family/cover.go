package family

import (
	"cmp"
	"iter"
	"math/rand/v2"
	"slices"
)

// perPair is how many points the covering array chooses from when it wants to cover a pair.
const perPair = 24

// pair is a value of one dimension and a value of a later one.
type pair struct{ dim, value, dim2, value2 uint8 }

// pairTable knows every pair of values that some valid point has.
type pairTable struct {
	points [][]uint8
	// having holds for each pair the valid points that have it, as indices of points.
	having map[pair][]int32
	// pairs are the keys of having, the rarest first.
	pairs []pair
}

// pairsOf calls f for every pair of values of a point.
func pairsOf(values []uint8, f func(pair)) {
	for i := range values {
		for j := i + 1; j < len(values); j++ {
			f(pair{uint8(i), values[i], uint8(j), values[j]})
		}
	}
}

// pairTable enumerates the family once.
func (f *Family) pairTable() *pairTable {
	f.once.Do(func() {
		t := &pairTable{having: map[pair][]int32{}}
		for p := range f.product() {
			if f.leftOut(p) != "" {
				continue
			}
			t.points = append(t.points, p.values)
		}
		for i, values := range t.points {
			pairsOf(values, func(pr pair) { t.having[pr] = append(t.having[pr], int32(i)) })
		}
		for pr := range t.having {
			t.pairs = append(t.pairs, pr)
		}
		slices.SortFunc(t.pairs, func(a, b pair) int {
			return cmp.Or(cmp.Compare(len(t.having[a]), len(t.having[b])), a.compare(b))
		})
		f.table = t
	})
	return f.table
}

func (a pair) compare(b pair) int {
	return cmp.Or(cmp.Compare(a.dim, b.dim), cmp.Compare(a.dim2, b.dim2), cmp.Compare(a.value, b.value), cmp.Compare(a.value2, b.value2))
}

// QuickPoints is a covering array: every pair of values of two dimensions that some valid point has is in one of these points. It is
// greedy: the rarest pair that is not yet covered gets, of some points drawn by the seed, the one that covers most besides. The points
// come in the order of Points. With Seeds, the points take the seeds in turn.
func (f *Family) QuickPoints(seed uint64) iter.Seq[Point] {
	return func(yield func(Point) bool) {
		for i, values := range f.pairTable().cover(seed) {
			if !yield(f.seeded(Point{family: f, values: values}, seed, i)) {
				return
			}
		}
	}
}

func (t *pairTable) cover(seed uint64) [][]uint8 {
	random := rand.New(rand.NewPCG(seed, 0))
	covered := make(map[pair]bool, len(t.pairs))
	var chosen []int32
	for _, pr := range t.pairs {
		if covered[pr] {
			continue
		}
		best := t.best(t.having[pr], covered, random)
		pairsOf(t.points[best], func(pr pair) { covered[pr] = true })
		chosen = append(chosen, best)
	}
	slices.Sort(chosen)
	array := make([][]uint8, len(chosen))
	for i, at := range chosen {
		array[i] = t.points[at]
	}
	return array
}

// best draws some of the points and keeps the one with most pairs that are not covered.
func (t *pairTable) best(from []int32, covered map[pair]bool, random *rand.Rand) int32 {
	best, most := int32(0), 0
	for range min(perPair, len(from)) {
		at, gain := from[random.IntN(len(from))], 0
		pairsOf(t.points[at], func(pr pair) {
			if !covered[pr] {
				gain++
			}
		})
		if gain > most {
			best, most = at, gain
		}
	}
	return best
}
