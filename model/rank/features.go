package rank

import (
	"slices"

	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/rank/expr"
)

// features are what the request's rules see as user. Events of the request count in the
// cart, in recent items and in affinities, but in no counter.
func (v *Visitor) features(shop *Shop) *expr.User {
	u := &expr.User{
		AnonymousIDs: v.AnonymousIDs,
		EventCounts:  map[string]int64{},
		AverageOrder: map[string]int64{},
	}
	if v.Key.IsUser() {
		u.UserID = v.Key.ID()
	}
	if v.State != nil {
		summarize(u, v.State.Summary(shop.Now))
	}
	for _, x := range v.interactions(nil, shop.Now) {
		u.RecentItems = append(u.RecentItems, expr.RecentItem{
			ItemID: x.ItemID, Type: string(x.Type), At: x.At, Quantity: x.Quantity,
		})
	}
	for id := range v.cart() {
		u.CartItemIDs = append(u.CartItemIDs, id)
	}
	slices.Sort(u.CartItemIDs)
	u.Categories, u.Brands = Affinity(shop.Catalog, v, shop.Weights, shop.Now)
	return u
}

func summarize(u *expr.User, s feature.Summary) {
	for _, t := range s.Types {
		u.EventCounts[string(t.Type)] = t.Counts.All
		u.Types = append(u.Types, expr.TypeFeatures{
			Type: string(t.Type), Counts: expr.Counts(t.Counts), Values: amounts(t.Values), FirstAt: t.First, LastAt: t.Last,
		})
	}
	u.FirstSeenAt, u.LastSeenAt, u.LastPurchase = s.First, s.Last, s.LastPurchase
	u.Purchases, u.Spent = expr.Counts(s.Purchases), amounts(s.Spent)
	for _, a := range s.Averages {
		u.AverageOrder[a.Mean.Currency] = a.Mean.Minor
	}
}

func amounts(list []feature.Amounts) []expr.Amounts {
	out := make([]expr.Amounts, len(list))
	for i, a := range list {
		out[i] = expr.Amounts{Currency: a.Currency, Counts: expr.Counts(a.Windows)}
	}
	return out
}
