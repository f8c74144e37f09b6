package rank

import (
	"cmp"
	"math"
	"slices"

	"github.com/attune-shop/attune/model/event"
)

// boostWindow is how many of the best items a boost puts in a new order, where the list
// itself is not longer. Items after them keep their places.
const boostWindow = 300

// boost returns the candidate's score times its boost.
func (r *run) boost(c candidate) (float64, error) {
	boost := r.query.Boost
	if boost == nil {
		return c.score, nil
	}
	factor, err := boost.Factor(r.ctx, c.forRules(), r.rules.userFor(boost.UsesUser()), r.rules.budget)
	if err != nil {
		return 0, err
	}
	score := c.score * factor
	if math.IsInf(score, 0) {
		return 0, event.Invalid("boost", "is %v for item %q, too much for a score of %v", factor, c.id, c.score)
	}
	return score, nil
}

// boosted takes the window from the stream and puts it in the order of boosted scores,
// equal ones as they came.
func (r *run) boosted(stream *admitted) ([]candidate, error) {
	var window []candidate
	for len(window) < max(boostWindow, r.query.Limit) {
		c, ok, err := stream.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if c.score, err = r.boost(c); err != nil {
			return nil, err
		}
		window = append(window, c)
	}
	slices.SortStableFunc(window, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	return window, nil
}
