// Package rank makes one request's list: candidates, then what may not be in it, then
// boosts, then variety, then reasons. It is pure: who the visitor is, what the shop offers,
// what the model knows and what time it is are handed in.
//
// A list is made from the best candidate down and its making stops when it is full, so
// that filters are evaluated on as few items as will do. A new list goes beside those in
// lists.go, a new place that candidates come from into candidates.go, a new ground to
// leave an item out into exclude.go, a new bound on how alike a list may be into
// diversity.go.
package rank

import (
	"context"
	"time"

	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/rank/expr"
	"github.com/attune-shop/attune/model/trend"
)

// Model is what a list needs of a trained model; *cf.Snapshot is one.
type Model interface {
	Algorithm() string
	Items() int
	Index(itemID string) (int32, bool)
	ItemID(i int32) string
	Score(history []feedback.Signal, scratch *cf.Scratch) []cf.Candidate
	ScoreItems(history []feedback.Signal, items []int32, scratch *cf.Scratch) []cf.Candidate
	Explainer(history []feedback.Signal) func(item int32) []cf.Contribution
	Similar(item int32, n int) []cf.Candidate
	Together(item int32, n int) []cf.Candidate
	Popular() []cf.Candidate
}

var _ Model = (*cf.Snapshot)(nil)

// Catalog is what the shop offers now.
type Catalog interface {
	// Item returns an item that nobody changes.
	Item(id string) (*event.Item, bool)
	// Each calls fn for every item until it returns false.
	Each(fn func(*event.Item) bool)
	Len() int
}

// Shop is what a list is made from, the same for every visitor.
type Shop struct {
	// Model is nil where none has been trained.
	Model   Model
	Catalog Catalog
	// Content is NewContent of the two, as recent as the caller likes.
	Content *Content
	// Trending returns the items with the most events of late, best first. It is called
	// only where a list needs them.
	Trending func() []trend.Count
	// Weights say how much interest an event of each type shows.
	Weights feedback.Weights
	Now     time.Time
	// Segments returns the ids of the segments that a visitor is in. It is called only where a rule
	// reads them; nil where there are none.
	Segments func(*Visitor) []string
}

// Visitor is who a list is for. The zero Visitor is one that nobody knows.
type Visitor struct {
	Key event.Visitor
	// AnonymousIDs are those that the visitor owns.
	AnonymousIDs []string
	// State is nil where nothing is on record.
	State *feature.State
	// Past are the visitor's interactions on record, oldest first, where there were more than the
	// State keeps and they were read; else nil. What was seen and what is in the cart go by it.
	Past []feature.Interaction
	// Session are events of the request, oldest first; one without a time happened now.
	Session []feature.Interaction
}

// Query is what a request asks of its list. Everything is checked: Limit is above 0.
type Query struct {
	Limit         int
	Filter        *expr.Filter
	Boost         *expr.Boost
	Exclude       map[string]struct{}
	ExcludeBought bool
	ExcludeSeen   bool
	ExcludeInCart bool
	// MaxPerCategory is 0 for no bound. An item counts for the widest category of its
	// first path; items without a category are not bounded.
	MaxPerCategory int
	Explain        bool
}

// Entry is one item of a list.
type Entry struct {
	ItemID  string
	Score   float64
	Reasons []Reason
}

// Scratch is memory that one request at a time may use again.
type Scratch struct {
	cf     cf.Scratch
	search search
	taken  map[string]struct{}

	learning learning
}

// run is the making of one list.
type run struct {
	ctx     context.Context
	shop    *Shop
	visitor *Visitor
	query   *Query
	scratch *Scratch
	gate    gate
	rules   rules
	// interests are the visitor's, the strongest first; signals are the events that the model is
	// asked with, oldest first, and signalOf tells which interest each belongs to, -1 for none.
	interests []interest
	signals   []feedback.Signal
	signalOf  []int
	// explain is the model's Explainer, nil until a reason is asked for.
	explain   func(item int32) []cf.Contribution
	profiled  bool // whether the scratch has the profile of the interests
	newcomers source
	basket    []string
}

func newRun(ctx context.Context, shop *Shop, visitor *Visitor, query *Query, scratch *Scratch) *run {
	r := &run{ctx: ctx, shop: shop, visitor: visitor, query: query, scratch: scratch}
	if scratch.taken == nil {
		scratch.taken = map[string]struct{}{}
	}
	clear(scratch.taken)
	r.rules = rules{ctx: ctx, query: query, shop: shop, visitor: visitor, budget: expr.NewBudget(shop.Catalog.Len())}
	r.gate = newGate(r)
	return r
}

// list takes from the sources in turn until the list is full. The scores of every source
// after the first are brought below what came before.
func (r *run) list(sources ...source) ([]Entry, error) {
	stream := &admitted{run: r, sources: sources, newcomers: r.newcomers}
	variety := newVariety(r.query)
	out := make([]candidate, 0, min(r.query.Limit, 64))
	take := func(c candidate) {
		if variety.allows(&c) {
			out = append(out, c)
		}
	}
	if r.query.Boost != nil {
		window, err := r.boosted(stream)
		if err != nil {
			return nil, err
		}
		for i := 0; i < len(window) && len(out) < r.query.Limit; i++ {
			take(window[i])
		}
	}
	for len(out) < r.query.Limit {
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
		take(c)
	}
	entries := make([]Entry, len(out))
	for i := range out {
		entries[i] = Entry{ItemID: out[i].id, Score: out[i].score}
		if r.query.Explain {
			entries[i].Reasons = r.reasons(&out[i])
		}
	}
	return entries, nil
}
