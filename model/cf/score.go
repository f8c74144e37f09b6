package cf

import (
	"math"
	"slices"
)

// FullScanItems is the number of items up to which ALS scores every item. Above it, it
// scores the neighbours of the history and the most popular items.
const FullScanItems = 10_000

// popularHead is how many of the most popular items are always among the candidates of
// ALS in a large catalog, and all that Score answers where popularity is the algorithm.
const popularHead = 500

// factorCandidates is how many neighbours of the history ALS scores in a large catalog.
const factorCandidates = 2500

// Scratch is memory that Score uses again. The zero Scratch is ready; it serves one call
// at a time and any Snapshot.
type Scratch struct {
	// sum is 0 between calls.
	sum  []float32
	out  []Candidate
	fold fold
}

// Score returns scores for the items that the history speaks for, in no order, those of
// the history included. Signals of unknown items, and weights that are not positive and
// finite, are left out. The result is valid until the next use of the Scratch and may be
// changed by the caller.
//
// Linear models: sum over the history of log2(1 + weight) times the item's row,
// O(history * row). ALS: fold-in of the visitor's factors, O(history rank^2 + rank^3), then
// O(rank) an item. Popularity: the most popular items, whatever the history.
func (s *Snapshot) Score(history []Signal, sc *Scratch) []Candidate {
	sc.out = sc.out[:0]
	switch s.algorithm {
	case EASE:
		return s.gather(sc, s.scatter(&s.linear, history, sc))
	case ItemKNN:
		return s.gather(sc, s.scatter(&s.similar, history, sc))
	case ALS:
		return s.scoreFactors(history, sc)
	default:
		sc.out = append(sc.out, s.best[:min(len(s.best), popularHead)]...)
		return sc.out
	}
}

// scatter adds the rows of the history up in sc.sum, and tells how many numbers it added.
func (s *Snapshot) scatter(m *rows, history []Signal, sc *Scratch) int {
	if len(sc.sum) < len(s.itemIDs) {
		sc.sum = make([]float32, len(s.itemIDs))
	}
	sum, added := sc.sum, 0
	for _, signal := range history {
		x := s.value(signal)
		if x == 0 {
			continue
		}
		columns, values := m.row(signal.Item)
		values = values[:len(columns)]
		for i, c := range columns {
			sum[c] += x * values[i]
		}
		added += len(columns)
	}
	return added
}

// gather moves the sums to sc.out, those of 0 left out, and leaves zeros. It goes through all
// items: that is cheaper than to keep a list of those touched, whose branch is a coin toss.
func (s *Snapshot) gather(sc *Scratch, added int) []Candidate {
	n := len(s.itemIDs)
	if added == 0 {
		return sc.out
	}
	sc.out = slices.Grow(sc.out, n+1)[:n+1]
	out, kept := sc.out, 0
	for i, x := range sc.sum[:n] {
		out[kept] = Candidate{Item: int32(i), Score: x}
		bits := math.Float32bits(x) << 1
		kept += int((bits | -bits) >> 31) // 1 where x is not 0, without a branch
	}
	clear(sc.sum[:n])
	sc.out = out[:kept]
	return sc.out
}

// gatherFrom is gather of the sums from limit on, which are few.
func (s *Snapshot) gatherFrom(sc *Scratch, limit float32) {
	n := len(s.itemIDs)
	for i, x := range sc.sum[:n] {
		if x >= limit {
			sc.out = append(sc.out, Candidate{Item: int32(i), Score: x})
		}
	}
	clear(sc.sum[:n])
}

// maxWeight bounds a signal, so that sums stay finite.
const maxWeight = 1e6

// value is a signal's damped weight, 0 where it says nothing.
func (s *Snapshot) value(signal Signal) float32 {
	if signal.Item < 0 || int(signal.Item) >= len(s.itemIDs) || !(signal.Weight > 0) {
		return 0
	}
	return float32(damp(math.Min(float64(signal.Weight), maxWeight)))
}

// scoreFactors folds the visitor in and scores all items of a small catalog, or the
// candidates of a large one.
func (s *Snapshot) scoreFactors(history []Signal, sc *Scratch) []Candidate {
	if !s.foldIn(history, &sc.fold) {
		return sc.out
	}
	user := sc.fold.user
	if len(s.itemIDs) <= FullScanItems {
		sc.out = slices.Grow(sc.out, len(s.itemIDs))
		for i := range s.itemIDs {
			sc.out = append(sc.out, Candidate{Item: int32(i), Score: dot(user, s.factor(int32(i)))})
		}
		return sc.out
	}
	s.scatter(&s.similar, history, sc)
	limit := sc.limit(len(s.itemIDs), factorCandidates)
	for _, c := range s.best[:popularHead] {
		sc.sum[c.Item] = math.MaxFloat32
	}
	s.gatherFrom(sc, limit)
	for i := range sc.out {
		sc.out[i].Score = dot(user, s.factor(sc.out[i].Item))
	}
	return sc.out
}

// limit tells from where on about the n largest of the first items sums are, none of
// which may be negative. It looks at the exponent and four bits of the mantissa: what it lets
// through is at most n, less those within the last sixteenth of a doubling, or at least
// all of the largest sixteenth.
func (sc *Scratch) limit(items, n int) float32 {
	const shift = 23 - 4
	var counts [1 << (31 - shift)]int32
	for _, x := range sc.sum[:items] {
		counts[math.Float32bits(x)>>shift]++
	}
	least, kept := len(counts)-1, 0
	for ; least > 0; least-- {
		if kept > 0 && kept+int(counts[least]) > n {
			break
		}
		kept += int(counts[least])
	}
	return math.Float32frombits(uint32(least+1) << shift)
}
