package rank

import (
	"cmp"
	"context"
	"slices"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/rank/expr"
)

// boostWindow is how many of the best items a boost puts in a new order, where the list
// itself is not longer. Items behind them keep their places.
const boostWindow = 300

// rules evaluates the request's filter and boost, within one budget.
type rules struct {
	ctx     context.Context
	query   *Query
	shop    *Shop
	visitor *Visitor
	// user is made when the first rule asks for it.
	user   *expr.User
	budget *expr.Budget
}

// seen returns the item as rules see it: one without an entry in the catalog has an id only.
func (c *candidate) seen() *event.Item {
	if c.item == nil {
		return &event.Item{ID: c.id}
	}
	return c.item
}

func (r *rules) userFor(needed bool) *expr.User {
	if needed && r.user == nil {
		r.user = r.visitor.features(r.shop)
	}
	return r.user
}

func (r *rules) keeps(c *candidate) (bool, error) {
	filter := r.query.Filter
	if filter == nil {
		return true, nil
	}
	return filter.Keep(r.ctx, c.seen(), r.userFor(filter.UsesUser()), r.budget)
}

// boost returns the candidate's score times its boost.
func (r *run) boost(c candidate) (float64, error) {
	boost := r.query.Boost
	if boost == nil {
		return c.score, nil
	}
	factor, err := boost.Factor(r.ctx, c.seen(), r.rules.userFor(boost.UsesUser()), r.rules.budget)
	return c.score * factor, err
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
