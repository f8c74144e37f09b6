// Package likeness tells how like the members of a segment, its seed, somebody else is, by the items
// that both took an interest in. A Profile is learned of the members and everybody else (Samples), and asked
// with what is known of a user: the same state gives the same answer at any time.
//
// An item weighs as much as it tells members from others (learn.go). A user's score is the sum over the
// user's items, each by its part in a vector of length 1, so that it grows with the root of their number and
// not with it: how much somebody does is no likeness. What a score means is told by rank among others.
package likeness

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"sort"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/feature"
)

// ErrTooFew says that a segment has too few members, or leaves too few others, to learn from.
var ErrTooFew = errors.New("too few users")

// Interest is how much a user cares for items, in the order of their ids: the sum of weights of the
// recent interactions with each, as log(1 + sum), scaled to the length 1. It is empty for who has none.
type Interest []Liked

// Liked is an item's part of an interest.
type Liked struct {
	ItemID string
	Part   float64
}

// InterestOf returns the interest of a state. O(n log n) for n recent interactions, of which a state
// has feature.MaxRecent at most.
func InterestOf(s *feature.State, weights feedback.Weights) Interest {
	recent := s.Recent()
	all := make(Interest, 0, len(recent))
	for i := range recent {
		if w := weights.Training(recent[i].Type); w > 0 {
			all = append(all, Liked{recent[i].ItemID, float64(w)})
		}
	}
	slices.SortFunc(all, func(a, b Liked) int { return cmp.Or(cmp.Compare(a.ItemID, b.ItemID), cmp.Compare(a.Part, b.Part)) })
	merged := all[:0]
	for _, x := range all {
		if n := len(merged); n > 0 && merged[n-1].ItemID == x.ItemID {
			merged[n-1].Part += x.Part
		} else {
			merged = append(merged, x)
		}
	}
	length := 0.
	for i := range merged {
		merged[i].Part = math.Log1p(merged[i].Part)
		length += merged[i].Part * merged[i].Part
	}
	for i := range merged {
		merged[i].Part /= math.Sqrt(length)
	}
	return merged
}

// Profile is what was learned of one seed. It is not changed any more.
type Profile struct {
	// Items are the weights of items, above 0 for those of members. One that is not here has 0.
	Items map[string]float32 `json:"items"`
	// Others is the number of users who are not members.
	Others int64 `json:"others"`
	// Steps tell scores of others, in ascending order.
	Steps []Step `json:"steps"`
}

// Step says how many others have a score above a score.
type Step struct {
	Score float64 `json:"score"`
	Above int64   `json:"above"`
}

// Score returns the score of an interest, any number. O(n) for n items.
func (p *Profile) Score(interest Interest) float64 {
	sum := 0.
	for _, x := range interest {
		sum += float64(p.Items[x.ItemID]) * x.Part
	}
	return sum
}

// Rank returns how many others are at least as like members as somebody of that interest is, who is one
// of them: 1 for the one that is most like them. It goes by the step below, so it errs upwards, by 1 % at
// most, and users of the same score share the rank of the last. O(log n) for n steps, beside the score.
func (p *Profile) Rank(interest Interest) int64 {
	score := p.Score(interest)
	next := sort.Search(len(p.Steps), func(i int) bool { return p.Steps[i].Score >= score })
	if next == 0 {
		return p.Others
	}
	return p.Steps[next-1].Above
}

// Share returns the share of others who are less like members than who has that rank, 0 to 1.
func (p *Profile) Share(rank int64) float64 {
	if p.Others == 0 {
		return 0
	}
	return float64(p.Others-rank) / float64(p.Others)
}
