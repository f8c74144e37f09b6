package rank

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

const (
	// shortestInterval is the least time between two purchases that counts as one.
	shortestInterval = 24 * time.Hour
	// lapsed is how often its interval may pass before a habit counts as given up.
	lapsed = 3
)

// BuyAgain lists what the visitor bought on at least two days, the most due first:
//
//	due = time since the last purchase / mean time between purchases
//
// A habit whose interval has passed more than three times is taken as given up little by
// little: its score is 9/due. A refund takes back the purchase before it.
func BuyAgain(ctx context.Context, shop *Shop, visitor *Visitor, query *Query, scratch *Scratch) ([]Entry, error) {
	r := newRun(ctx, shop, visitor, query, scratch)
	var out []candidate
	for _, h := range habitsOf(visitor.orders(shop.Now)) {
		due := float64(shop.Now.Sub(h.last.At)) / float64(h.interval)
		if due > lapsed {
			due = lapsed * lapsed / due
		}
		out = append(out, candidate{id: h.last.ItemID, score: max(due, 0), from: fromOrders, cause: int32(len(r.interests)), row: -1})
		r.interests = append(r.interests, interest{itemID: h.last.ItemID, weight: 1, cause: &h.last, row: -1})
	}
	slices.SortStableFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.id, b.id))
	})
	return r.list(&slice{rest: out})
}

// orders are the visitor's purchases and refunds by item, newest first.
func (v *Visitor) orders(now time.Time) []feature.Interaction {
	session := Visitor{Session: v.Session}
	var all []feature.Interaction
	for _, x := range session.interactions(nil, now) {
		if x.Type == event.Purchase || x.Type == event.Refund {
			all = append(all, x)
		}
	}
	if v.State != nil {
		all = append(all, v.State.Orders()...)
	}
	return all
}

// habit is an item that is bought time and again.
type habit struct {
	last     feature.Interaction
	interval time.Duration
}

// habitsOf finds habits in orders that come newest first; the order of the result is that
// of the last purchases.
func habitsOf(orders []feature.Interaction) []habit {
	type record struct {
		bought   []feature.Interaction // newest first, at least shortestInterval apart
		returned int
	}
	records := map[string]*record{}
	var items []string
	for _, x := range orders {
		rec := records[x.ItemID]
		if rec == nil {
			rec = &record{}
			records[x.ItemID] = rec
			items = append(items, x.ItemID)
		}
		switch {
		case x.Type == event.Refund:
			rec.returned++
		case rec.returned > 0:
			rec.returned--
		case len(rec.bought) == 0 || rec.bought[len(rec.bought)-1].At.Sub(x.At) >= shortestInterval:
			rec.bought = append(rec.bought, x)
		}
	}
	var habits []habit
	for _, id := range items {
		if b := records[id].bought; len(b) >= 2 {
			span := b[0].At.Sub(b[len(b)-1].At)
			habits = append(habits, habit{last: b[0], interval: span / time.Duration(len(b)-1)})
		}
	}
	return habits
}
