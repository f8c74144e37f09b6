package cf

import (
	"math"
	"slices"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/dense"
)

// FullScanItems is the number of items up to which ALS scores every item. Above it, it
// scores the neighbours of the history and the most popular items.
const FullScanItems = 10_000

// popularHead is how many of the most popular items are all that Score answers where
// popularity is the algorithm.
const popularHead = 500

// In a large catalog ALS scores factorCandidates of the factorNear nearest neighbours of the
// factorSeeds strongest signals, and the factorPopular most popular items. More of them lose
// accuracy as well as time, for that an item is no neighbour of anything in the history says
// something, too: ndcg@20 on Gowalla, 40,981 items, is .131 so, and .128 where all are scored.
const (
	factorSeeds      = 32
	factorNear       = 24
	factorCandidates = 200
	factorPopular    = 50
)

// Scratch is memory that Score uses again. The zero Scratch is ready; it serves one call
// at a time and any Snapshot.
type Scratch struct {
	taste feedback.Taste
	// tally is empty between calls.
	tally sparse.Tally
	seeds []Candidate
	out   []Candidate
	fold  folding
	blending
}

// Score returns scores for the items that the history, oldest first, speaks for, in no order,
// those of the history included. Signals of unknown items are left out. The result is valid
// until the next use of the Scratch and may be changed by the caller.
//
// Linear models: sum over the items of the history of their value (taste.read) times the
// item's row, O(history * row). ALS: fold-in of the visitor's factors, O(history rank +
// rank^2), then O(rank) an item. A blend: what its parts take, and O(candidates features).
// Popularity: the most popular items, whatever the history.
func (s *Snapshot) Score(history []feedback.Signal, sc *Scratch) []Candidate {
	sc.out = sc.out[:0]
	if s.algorithm == Popularity {
		sc.out = append(sc.out, s.best[:min(len(s.best), popularHead)]...)
		return sc.out
	}
	sc.taste.Read(history, len(s.itemIDs), s.settings.Fade)
	switch s.algorithm {
	case EASE, Spectral:
		return s.scoreRows(&s.linear, sc)
	case ItemKNN:
		return s.scoreRows(&s.similar, sc)
	case Blend:
		return s.scoreBlend(sc, nil)
	default:
		return s.scoreFactors(sc)
	}
}

// ScoreItems is Score for when the given items matter only: where the history speaks for
// them they are in the result, which may hold others, too. Items that the model does not know
// are left out, and a blend ranks those that repeat once.
func (s *Snapshot) ScoreItems(history []feedback.Signal, items []int32, sc *Scratch) []Candidate {
	if s.algorithm != ALS && s.algorithm != Blend {
		return s.Score(history, sc)
	}
	sc.out = sc.out[:0]
	sc.taste.Read(history, len(s.itemIDs), s.settings.Fade)
	if s.algorithm == Blend {
		return s.scoreBlend(sc, items)
	}
	if s.foldIn(&sc.taste, &sc.fold) {
		for _, i := range items {
			if i < 0 || int(i) >= len(s.itemIDs) {
				continue
			}
			sc.out = append(sc.out, Candidate{Item: i, Score: dense.Dot(sc.fold.user, s.factor(i))})
		}
	}
	return sc.out
}

// Scorer scores for one worker that measures.
func (s *Snapshot) Scorer() eval.Scorer { return &scorer{snapshot: s} }

// scorer is a Snapshot with memory of its own.
type scorer struct {
	snapshot *Snapshot
	scratch  Scratch
}

func (s *scorer) Score(history []feedback.Signal) []Candidate {
	return s.snapshot.Score(history, &s.scratch)
}

func (s *scorer) ScoreItems(history []feedback.Signal, items []int32) []Candidate {
	return s.snapshot.ScoreItems(history, items, &s.scratch)
}

// scoreRows adds the rows of the history up.
func (s *Snapshot) scoreRows(m *sparse.Rows, sc *Scratch) []Candidate {
	s.scatter(m, sc)
	sc.out = sc.tally.Drain(sc.out)
	return sc.out
}

// scatter adds the rows of the history up in the tally, which is empty.
func (s *Snapshot) scatter(m *sparse.Rows, sc *Scratch) {
	n, t, whole := len(s.itemIDs), &sc.tally, false
	t.Grow(n)
	entries := 0 // the ends of rows are far from each other, too: they are looked up all at once
	for _, item := range sc.taste.Items {
		from, to := m.Span(item)
		entries += int(to - from)
	}
	t.Touched = slices.Grow(t.Touched, min(entries, n))
	for k, item := range sc.taste.Items {
		if k+1 < len(sc.taste.Items) {
			m.Fetch(sc.taste.Items[k+1])
		}
		columns, values := m.Row(item)
		if len(columns) < n {
			t.AddRow(sc.taste.Values[k], columns, values)
			continue
		}
		dense.Axpy(sc.taste.Values[k], values, t.Sum[:n]) // and no columns are read
		whole = true
	}
	if whole {
		t.Touched = t.Touched[:0]
		for i := range n {
			t.Touched = append(t.Touched, int32(i))
		}
	}
}

// scoreFactors folds the visitor in and scores all items of a small catalog, or the
// candidates of a large one.
func (s *Snapshot) scoreFactors(sc *Scratch) []Candidate {
	if !s.foldIn(&sc.taste, &sc.fold) {
		return sc.out
	}
	if len(s.itemIDs) <= FullScanItems {
		sc.out = slices.Grow(sc.out, len(s.itemIDs))
		for i := range s.itemIDs {
			sc.out = append(sc.out, Candidate{Item: int32(i)})
		}
	} else {
		s.nominate(sc)
	}
	for i := range sc.out {
		sc.out[i].Score = dense.Dot(sc.fold.user, s.factor(sc.out[i].Item))
	}
	return sc.out
}

// nominate puts the items that are nearest to the history that was folded in, and the most
// popular ones, into sc.out.
func (s *Snapshot) nominate(sc *Scratch) {
	sc.tally.Grow(len(s.itemIDs))
	sc.seeds = sc.seeds[:0]
	for k, item := range sc.taste.Items {
		sc.seeds = append(sc.seeds, Candidate{Item: item, Score: sc.taste.Values[k]})
	}
	for _, seed := range sparse.KeepBest(sc.seeds, factorSeeds) {
		columns, values := s.near.Row(seed.Item)
		sc.tally.AddRow(seed.Score, columns, values)
	}
	for _, c := range s.best[:factorPopular] {
		sc.tally.Add(c.Item, math.MaxFloat32) // what is added to is lost in it
	}
	sc.out = sparse.KeepBest(sc.tally.Drain(sc.out), factorCandidates+factorPopular)
}
