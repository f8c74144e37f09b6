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
const popularHead = 1000

// Scratch is memory that Score uses again. The zero Scratch is ready; it serves one call
// at a time and any Snapshot.
type Scratch struct {
	sum     []float32
	touched []int32
	out     []Candidate
	fold    fold
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
		s.scatter(&s.linear, history, sc)
		return sc.drain()
	case ItemKNN:
		s.scatter(&s.similar, history, sc)
		return sc.drain()
	case ALS:
		return s.scoreFactors(history, sc)
	default:
		sc.out = append(sc.out, s.best[:min(len(s.best), popularHead)]...)
		return sc.out
	}
}

// scatter adds the rows of the history up in sc.
func (s *Snapshot) scatter(m *rows, history []Signal, sc *Scratch) {
	if len(sc.sum) < len(s.itemIDs) {
		sc.sum = make([]float32, len(s.itemIDs))
	}
	sum, touched := sc.sum, sc.touched[:0]
	for _, signal := range history {
		x := s.value(signal)
		if x == 0 {
			continue
		}
		columns, values := m.row(signal.Item)
		values = values[:len(columns)]
		for i, c := range columns {
			if sum[c] == 0 {
				touched = append(touched, c)
			}
			sum[c] += x * values[i]
		}
	}
	sc.touched = touched
}

// drain moves what scatter added up to sc.out. An item whose parts cancel out exactly may
// be in touched twice; it is left out.
func (sc *Scratch) drain() []Candidate {
	for _, c := range sc.touched {
		if x := sc.sum[c]; x != 0 {
			sc.out = append(sc.out, Candidate{Item: c, Score: x})
			sc.sum[c] = 0
		}
	}
	sc.touched = sc.touched[:0]
	return sc.out
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
	for _, c := range s.best[:popularHead] {
		if sc.sum[c.Item] == 0 {
			sc.touched = append(sc.touched, c.Item)
			sc.sum[c.Item] = 1
		}
	}
	sc.drain()
	for i := range sc.out {
		sc.out[i].Score = dot(user, s.factor(sc.out[i].Item))
	}
	return sc.out
}
