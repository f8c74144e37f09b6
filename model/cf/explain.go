package cf

import "slices"

// Contribution is what one signal of a history adds to an item's score.
type Contribution struct {
	// From is the signal's place in the history.
	From int
	// Share is its part of all that speaks for the item, above 0 up to 1.
	Share float32
}

// Explain returns the signals that speak for the item, strongest first; none where the
// history does not (popularity). Shares add up to 1. O(history log row); for ALS, which is
// exact as well (Hu, Koren, Volinsky 2008, section 5), O(history rank^2).
func (s *Snapshot) Explain(history []Signal, item int32) []Contribution {
	if item < 0 || int(item) >= len(s.itemIDs) {
		return nil
	}
	var part func(Signal) float32
	switch s.algorithm {
	case EASE:
		part = func(x Signal) float32 { return s.value(x) * s.linear.at(x.Item, item) }
	case ItemKNN:
		part = func(x Signal) float32 { return s.value(x) * s.similar.at(x.Item, item) }
	case ALS:
		part = s.factorParts(history, item)
	}
	if part == nil {
		return nil
	}
	var out []Contribution
	var total float32
	for i, signal := range history {
		if x := part(signal); x > 0 {
			out = append(out, Contribution{From: i, Share: x})
			total += x
		}
	}
	for i := range out {
		out[i].Share /= total
	}
	slices.SortStableFunc(out, func(a, b Contribution) int {
		switch {
		case a.Share > b.Share:
			return -1
		case a.Share < b.Share:
			return 1
		}
		return 0
	})
	return out
}
