package rank

import (
	"context"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/rank/expr"
	"github.com/attune-shop/attune/model/rule"
)

// rules evaluates the request's filter and boost, within one budget.
type rules struct {
	ctx     context.Context
	query   *Query
	shop    *Shop
	visitor *Visitor
	// user is made when the first rule asks for it.
	user   *rule.User
	budget *expr.Budget
}

// forRules returns the item as rules see it: one without an entry in the catalog has an id only.
func (c *candidate) forRules() *event.Item {
	if c.item == nil {
		return &event.Item{ID: c.id}
	}
	return c.item
}

func (r *rules) userFor(needed bool) *rule.User {
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
	return filter.Keep(r.ctx, c.forRules(), r.userFor(filter.UsesUser()), r.budget)
}
