package rank

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/trend"
)

// relatedItems is how many candidates are asked of the model for one item.
const relatedItems = 500

// Recommend lists items for a visitor: those that the model derives from the visitor's
// events, with newcomers among them, then what is alike, then what everybody likes. A
// visitor nobody knows gets what everybody likes, mixed over categories.
func Recommend(ctx context.Context, shop *Shop, visitor *Visitor, query *Query, scratch *Scratch) ([]Entry, error) {
	r := newRun(ctx, shop, visitor, query, scratch)
	r.learn()
	sources := make([]source, 0, 5)
	if len(r.signals) > 0 {
		sources = append(sources, newScored(shop.Model, shop.Model.Score(r.signals, &scratch.cf)))
	}
	if content := shop.Content; len(r.interests) > 0 && content != nil {
		salt := string(visitor.Key)
		if len(r.signals) > 0 && content.newcomers {
			s := r.search()
			r.newcomers = content.alike(s, &s.newcomers, content.fresh, salt, bridgeReach, nil)
		}
		sources = append(sources, later(func() source {
			s := r.search()
			return content.alike(s, &s.others, content.all, salt, contentReach, r.interests)
		}))
	}
	sources = append(sources,
		later(func() source { return r.mixed(r.common()) }), r.common(),
		later(func() source { return r.mixed(&catalogue{content: shop.Content}) }), &catalogue{content: shop.Content})
	return r.list(sources...)
}

// search has the profile of the visitor's interests, which is made when it is first asked for.
func (r *run) search() *search {
	if !r.profiled {
		r.profiled = true
		r.shop.Content.profileOf(&r.scratch.search.profile, r.shop, r.interests)
	}
	return &r.scratch.search
}

// Similar lists what can go in the place of an item: what the model knows to be, then what
// is alike by its content. An item that neither model nor catalog knows is event.ErrNotFound.
func Similar(ctx context.Context, shop *Shop, visitor *Visitor, query *Query, scratch *Scratch, itemID string) ([]Entry, error) {
	item, row, err := shop.find(itemID)
	if err != nil {
		return nil, err
	}
	r := newRun(ctx, shop, visitor, query, scratch)
	r.basket = []string{itemID}
	r.gate.leaveOut(itemID)
	var sources []source
	if row >= 0 {
		sources = append(sources, &rows{model: shop.Model, rest: shop.Model.Similar(row, relatedItems), from: fromSimilar})
	}
	if item != nil && shop.Content != nil {
		s := &scratch.search
		shop.Content.profileOf(&s.profile, shop, []interest{{itemID: itemID, weight: 1, row: row}})
		if row >= 0 {
			fresh := shop.Content.alike(s, &s.newcomers, shop.Content.fresh, itemID, bridgeReach, nil)
			fresh.cause = 0
			r.newcomers = fresh
		}
		sources = append(sources, later(func() source {
			others := shop.Content.alike(s, &s.others, shop.Content.all, itemID, contentReach, nil)
			others.cause = 0
			return others
		}))
	}
	return r.list(sources...)
}

// find looks an item up in the model and in the catalog; row is -1 where the model has none.
func (s *Shop) find(itemID string) (item *event.Item, row int32, err error) {
	row = -1
	if s.Model != nil {
		if i, ok := s.Model.Index(itemID); ok {
			row = i
		}
	}
	item, known := s.Catalog.Item(itemID)
	if !known && row < 0 {
		return nil, -1, fmt.Errorf("item %q: %w", itemID, event.ErrNotFound)
	}
	return item, row, nil
}

// Together lists what is bought with the items of a basket: the sum over them of what is
// bought with each. A basket of which nothing is known is event.ErrNotFound.
func Together(ctx context.Context, shop *Shop, visitor *Visitor, query *Query, scratch *Scratch, basket []string) ([]Entry, error) {
	r := newRun(ctx, shop, visitor, query, scratch)
	r.basket = basket
	r.gate.leaveOut(basket...)
	type sum struct {
		score, most float64
		cause       int32
	}
	sums := map[int32]sum{}
	var missing error
	known := 0
	for at, id := range basket {
		_, row, err := shop.find(id)
		if err != nil {
			missing = err
			continue
		}
		known++
		if row < 0 {
			continue
		}
		for _, c := range shop.Model.Together(row, relatedItems) {
			s := sums[c.Item]
			s.score += float64(c.Score)
			if float64(c.Score) > s.most {
				s.most, s.cause = float64(c.Score), int32(at)
			}
			sums[c.Item] = s
		}
	}
	if known == 0 && missing != nil {
		return nil, missing
	}
	out := make([]candidate, 0, len(sums))
	for row, s := range sums {
		out = append(out, candidate{id: shop.Model.ItemID(row), score: s.score, from: fromTogether, cause: s.cause, row: row})
	}
	slices.SortFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.row, b.row))
	})
	return r.list(&slice{rest: out})
}

// Trending lists counted items, the greatest count first; with a category only items of it
// or below it.
func Trending(ctx context.Context, shop *Shop, visitor *Visitor, query *Query, scratch *Scratch, counts []trend.Count, category string) ([]Entry, error) {
	r := newRun(ctx, shop, visitor, query, scratch)
	r.gate.category = category
	return r.list(&trends{rest: counts})
}

// Rerank puts the given items in the visitor's order: by the model's scores, then by
// likeness to the visitor's interests, then as they came. Items that the request leaves
// out or that cannot be had are not in the list.
func Rerank(ctx context.Context, shop *Shop, visitor *Visitor, query *Query, scratch *Scratch, ids []string) ([]Entry, error) {
	r := newRun(ctx, shop, visitor, query, scratch)
	r.learn()
	given := make([]candidate, len(ids))
	for i, id := range ids {
		given[i] = candidate{id: id, from: fromRequest, cause: -1, row: -1}
	}
	top := r.scoreGiven(given)
	if len(r.interests) > 0 && shop.Content != nil {
		for i := range given {
			if given[i].from == fromModel {
				continue
			}
			if likeness := shop.Content.likeness(&r.search().profile, shop.Catalog, given[i].id); likeness > 0 {
				given[i].score, given[i].from = likeness*top/2, fromContent
			}
		}
	}
	slices.SortStableFunc(given, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	return r.list(&slice{rest: given})
}

// scoreGiven gives the model's scores to the candidates and returns the greatest, 1 where
// there is none.
func (r *run) scoreGiven(given []candidate) float64 {
	if len(r.signals) == 0 {
		return 1
	}
	places, rows := make(map[int32]int, len(given)), make([]int32, 0, len(given))
	for i := range given {
		if row, ok := r.shop.Model.Index(given[i].id); ok {
			places[row], given[i].row = i, row
			rows = append(rows, row)
		}
	}
	top := 0.0
	for _, c := range r.shop.Model.ScoreItems(r.signals, rows, &r.scratch.cf) {
		if i, ok := places[c.Item]; ok && c.Score > 0 {
			given[i].score, given[i].from = float64(c.Score), fromModel
			top = max(top, float64(c.Score))
		}
	}
	if top == 0 {
		return 1
	}
	return top
}

// RecentlyViewed lists the items that the visitor viewed, the newest first, with scores
// 1, 1/2, 1/3, ...
func RecentlyViewed(ctx context.Context, shop *Shop, visitor *Visitor, query *Query, scratch *Scratch) ([]Entry, error) {
	r := newRun(ctx, shop, visitor, query, scratch)
	var out []candidate
	for _, x := range visitor.interactions(nil, shop.Now) {
		if !viewed(x) {
			continue
		}
		out = append(out, candidate{
			id: x.ItemID, score: 1 / float64(len(out)+1), from: fromHistory, cause: int32(len(r.interests)), row: -1,
		})
		r.interests = append(r.interests, interest{itemID: x.ItemID, weight: 1, cause: &x, row: -1})
	}
	return r.list(&slice{rest: out})
}
