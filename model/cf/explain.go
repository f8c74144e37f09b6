package cf

import (
	"cmp"
	"slices"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
)

// Contribution is what one signal of a history adds to an item's score.
type Contribution struct {
	// From is the signal's place in the history.
	From int
	// Share is its part of all that speaks for the item, above 0 up to 1.
	Share float32
}

// Explain returns the signals that speak for the item, strongest first; none where the
// history does not (popularity). Shares add up to 1. O(history log row), for ALS as
// much as Score; Explainer is cheaper for several items.
func (s *Snapshot) Explain(history []feedback.Signal, item int32) []Contribution {
	return s.Explainer(history)(item)
}

// Explainer returns Explain for one history, which must not change. It is not safe for
// concurrent use. What all items have in common is done once: for ALS, whose parts are
// exact as well (Hu, Koren, Volinsky 2008, section 5), O(history rank^2 + rank^3), and then
// O(history rank + rank^2) an item. Of a blend, what the linear parts and the moves between items
// add to the mixed chance.
func (s *Snapshot) Explainer(history []feedback.Signal) func(item int32) []Contribution {
	var t feedback.Taste
	t.Read(history, len(s.itemIDs), s.settings.Fade)
	var parts func(item int32, into []float32)
	switch s.algorithm {
	case EASE, Spectral:
		parts = linearParts(&s.linear, &t)
	case ItemKNN:
		parts = linearParts(&s.similar, &t)
	case ALS:
		parts = s.factorParts(&t)
	case Blend:
		parts = s.blendParts(history, &t)
	default:
		return func(int32) []Contribution { return nil }
	}
	values := make([]float32, len(t.Items))
	return func(item int32) []Contribution {
		if item < 0 || int(item) >= len(s.itemIDs) {
			return nil
		}
		parts(item, values)
		return contributions(values, t.From)
	}
}

// linearParts tells what each item of the taste adds to an item's score: x_i B_i,item.
func linearParts(m *sparse.Rows, t *feedback.Taste) func(item int32, into []float32) {
	return func(item int32, into []float32) {
		for i, x := range t.Values {
			into[i] = x * m.At(t.Items[i], item)
		}
	}
}

// blendParts tells what each item of the taste adds to the chance that the linear parts and the
// moves of a blend give an item.
func (s *Snapshot) blendParts(history []feedback.Signal, t *feedback.Taste) func(item int32, into []float32) {
	var sc Scratch
	sc.taste.Read(history, len(s.itemIDs), s.settings.Fade)
	s.ask(&sc)
	place := make(map[int32]int, len(t.Items))
	for i, item := range t.Items {
		place[item] = i
	}
	b := s.blend
	return func(item int32, into []float32) {
		clear(into)
		for k, name := range b.base {
			if name == ALS || sc.said[k].total <= 0 {
				continue
			}
			for i, x := range t.Values {
				into[i] += b.shares[k] / sc.said[k].total * x * s.rowsOf(name).At(t.Items[i], item)
			}
		}
		if b.sequence == nil {
			return
		}
		for k := range b.sequence.Parts() {
			total := sc.said[len(b.base)+k].total
			if total <= 0 {
				continue
			}
			b.sequence.Explain(k, t.Trail, item, func(from int32, x float32) {
				if i, ok := place[from]; ok {
					into[i] += b.shares[len(b.base)+k] / total * x
				}
			})
		}
	}
}

func contributions(parts []float32, from []int32) []Contribution {
	var total float32
	count := 0
	for _, x := range parts {
		if x > 0 {
			count++
		}
	}
	if count == 0 {
		return nil
	}
	out := make([]Contribution, 0, count)
	for i, x := range parts {
		if x > 0 {
			out = append(out, Contribution{From: int(from[i]), Share: x})
			total += x
		}
	}
	for i := range out {
		out[i].Share /= total
	}
	slices.SortStableFunc(out, func(a, b Contribution) int { return cmp.Compare(b.Share, a.Share) })
	return out
}
