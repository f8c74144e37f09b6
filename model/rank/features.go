package rank

import (
	"maps"
	"slices"

	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/rule"
)

// features are what the request's rules see as user. Events of the request count in the
// cart, in recent items and in affinities, but in no counter.
func (v *Visitor) features(shop *Shop) *rule.User {
	u := &rule.User{
		AnonymousIDs: v.AnonymousIDs, State: v.State, Now: shop.Now,
		Recent: func() []feature.Interaction { return v.interactions(nil, shop.Now) },
		Cart:   func() []string { return slices.Sorted(maps.Keys(v.cart())) },
		Affinity: func() (categories, brands map[string]float64) {
			return Affinity(shop.Catalog, v, shop.Weights, shop.Now)
		},
	}
	if shop.Segments != nil {
		u.Segments = func() []string { return shop.Segments(v) }
	}
	if v.Key.IsUser() {
		u.UserID = v.Key.ID()
	}
	return u
}
