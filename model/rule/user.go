package rule

import (
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

// User is whom rules read, at one time: the contract's User message. What a rule reads is computed
// when it is first read and kept. It is not safe for concurrent use.
type User struct {
	UserID       string
	AnonymousIDs []string
	// State is what the user did; nil where that is nothing.
	State *feature.State
	Now   time.Time
	// Horizon returns the first time that is kept at a time: the beginning of the month that lies a
	// number of months before it. Nothing expires where it is nil.
	Horizon func(time.Time) time.Time
	// Affinity returns the shares of recent interest; none where it is nil.
	Affinity func() (categories, brands map[string]float64)
	// Recent and Cart return recent interactions, newest first, and what is in the cart; where they are
	// nil, State tells.
	Recent func() []feature.Interaction
	Cart   func() []string
	// Segments returns the ids of the segments that the user is in; none where it is nil.
	Segments func() []string
	// Trace takes notes of what is read; nil where nobody asks.
	Trace *Trace

	// What follows is what was read already.

	state      *feature.State // since the horizon
	kept       int64          // months that the horizon lies before now
	summary    *feature.Summary
	totals     []feature.Amounts
	totaled    bool
	firstMoney time.Time // when the first purchase or refund occurred
	purchases  ref.Val
	types      []ref.Val
	spent      []ref.Val
	recent     []ref.Val
	recentRead bool
	// oldest is when the first of recent occurred, in microseconds since 1970; ForGood without one.
	oldest       int64
	cart         []string
	cartRead     bool
	segments     []string
	segmentsRead bool
	averages     values[int64]
	traits       values[any]
	categories   values[float64]
	brands       values[float64]
}

// UserMessage is the type of *User. A new field of it is added here, and what it depends on in
// model/segment/reads.go.
var UserMessage = NewMessage("attune.v1.User", Fields{
	"user_id":                   Text(func(u *User) string { return u.UserID }),
	"anonymous_ids":             Texts(func(u *User) []string { return u.AnonymousIDs }),
	"event_counts":              Map(cel.IntType, types.IntZero, func(u *User) Table { return (*eventCounts)(u) }),
	"types":                     List(typeMessage, (*User).typeList),
	"first_seen_at":             Time((*User).FirstSeen),
	"last_seen_at":              Time((*User).LastSeen),
	"purchases":                 Object(countsMessage, (*User).purchaseCounts),
	"spent":                     List(moneyMessage, (*User).spentList),
	"average_order_minor_units": Map(cel.IntType, types.IntZero, (*User).averageOrders),
	"last_purchase_at":          Time((*User).LastPurchase),
	"category_affinity":         Map(cel.DoubleType, types.Double(0), (*User).categoryShares),
	"brand_affinity":            Map(cel.DoubleType, types.Double(0), (*User).brandShares),
	"recent_items":              List(recentMessage, (*User).recentList),
	"cart_item_ids":             Texts((*User).cartItems),
	"traits":                    Map(cel.DynType, nil, (*User).traitTable), // what was not told is not known
	SegmentsField:               Texts((*User).segmentIDs),
})

// SegmentsField is the field that rules of segments themselves do not have.
const SegmentsField = "segments"

// segmentIDs returns the segments that the user is in.
func (u *User) segmentIDs() []string {
	if !u.segmentsRead && u.Segments != nil {
		u.segments = u.Segments()
	}
	u.segmentsRead = true
	return u.segments
}

// userMessages are all types that UserMessage leads to.
var userMessages = []*Message{UserMessage, countsMessage, moneyMessage, typeMessage, recentMessage}

var recentMessage = NewMessage("attune.v1.RecentItem", Fields{
	"item_id":     Text(func(r *feature.Interaction) string { return r.ItemID }),
	"type":        Text(func(r *feature.Interaction) string { return string(r.Type) }),
	"occurred_at": Time(func(r *feature.Interaction) time.Time { return r.At }),
	"quantity":    Int(func(r *feature.Interaction) int64 { return r.Quantity }),
})

// Known returns what the user did since the horizon.
func (u *User) Known() *feature.State {
	if u.state == nil {
		u.state = u.State
		if u.state == nil {
			u.state = &feature.State{}
		}
		if u.Horizon != nil {
			horizon := u.Horizon(u.Now)
			u.kept = months(u.Now) - months(horizon)
			u.state = u.state.Since(horizon)
		}
	}
	return u.state
}

// months numbers months of UTC.
func months(t time.Time) int64 {
	year, month, _ := t.UTC().Date()
	return int64(year)*12 + int64(month-1)
}

// Expires returns when something of a time falls behind the horizon: at the beginning of the first
// month that lies so far ahead. Both are in microseconds since 1970.
func (u *User) Expires(at int64) int64 {
	if u.Horizon == nil || at == ForGood {
		return ForGood
	}
	month := months(time.UnixMicro(at)) + u.kept + 1
	return time.Date(0, time.Month(month+1), 1, 0, 0, 0, 0, time.UTC).UnixMicro()
}

// holdSince notes that what was read holds until the given time expires; the zero time never does.
func (u *User) holdSince(t time.Time) {
	if u.Trace != nil && u.Horizon != nil && !t.IsZero() {
		u.Trace.Hold(u.Expires(t.UnixMicro()))
	}
}

// FirstSeen is the zero time where nothing is known, as are its neighbours.
func (u *User) FirstSeen() time.Time {
	first := u.Known().First()
	u.holdSince(first)
	return first
}

// LastSeen is when the newest event occurred.
func (u *User) LastSeen() time.Time {
	last := u.Known().Newest()
	u.holdSince(last)
	return last
}

// LastPurchase is when the newest purchase occurred.
func (u *User) LastPurchase() time.Time {
	_, _, last := u.Known().Count(event.Purchase)
	u.holdSince(last)
	return last
}

// Purchases is how many there were.
func (u *User) Purchases() int64 {
	n, first, _ := u.Known().Count(event.Purchase)
	u.holdSince(first)
	return n
}

// Spent is what purchases are worth less refunds in each currency.
func (u *User) Spent() []feature.Amounts {
	if !u.totaled {
		u.totaled = true
		known := u.Known()
		purchases, _ := known.SummaryOf(event.Purchase, u.Now)
		refunds, _ := known.SummaryOf(event.Refund, u.Now)
		u.totals = feature.Less(purchases.Values, refunds.Values)
		if u.firstMoney = purchases.First; u.firstMoney.IsZero() || !refunds.First.IsZero() && refunds.First.Before(u.firstMoney) {
			u.firstMoney = refunds.First
		}
	}
	u.holdSince(u.firstMoney)
	return u.totals
}

// summed is the summary of everything.
func (u *User) summed() *feature.Summary {
	if u.summary == nil {
		sum := u.Known().Summary(u.Now)
		u.summary = &sum
	}
	return u.summary
}

func (u *User) purchaseCounts() ref.Val {
	if u.purchases == nil {
		t, _ := u.Known().SummaryOf(event.Purchase, u.Now)
		u.purchases = countsMessage.Of(&sums{user: u, Windows: t.Counts, leaves: t.Leaves, first: t.First})
	}
	return u.purchases
}

func (u *User) typeList() []ref.Val {
	sum := u.summed()
	if u.types == nil {
		for i := range sum.Types {
			u.types = append(u.types, typeMessage.Of(&typeFeatures{user: u, TypeSummary: &sum.Types[i]}))
		}
	}
	for i := range sum.Types { // which types there are changes with the last events of one
		u.holdSince(sum.Types[i].Last)
	}
	return u.types
}

func (u *User) spentList() []ref.Val {
	if list := u.Spent(); u.spent == nil {
		u.spent = u.money(list, u.firstMoney)
	}
	return u.spent
}

// money wraps amounts of events of which the first occurred at a time.
func (u *User) money(list []feature.Amounts, first time.Time) []ref.Val {
	wrapped := make([]ref.Val, len(list))
	for i, a := range list {
		wrapped[i] = moneyMessage.Of(&money{
			currency: a.Currency, sums: sums{user: u, Windows: a.Windows, leaves: a.Leaves, first: first},
		})
	}
	return wrapped
}

// interactions reads the recent ones once, and notes when the oldest of them expires.
func (u *User) interactions() []ref.Val {
	if !u.recentRead {
		u.recentRead, u.oldest = true, ForGood
		var list []feature.Interaction
		if u.Recent != nil {
			list = u.Recent()
		} else {
			list = u.Known().Recent()
		}
		u.recent = make([]ref.Val, len(list))
		for i := range list {
			u.recent[i] = recentMessage.Of(&list[i])
			u.oldest = min(u.oldest, list[i].At.UnixMicro())
		}
	}
	u.Trace.Hold(u.Expires(u.oldest))
	return u.recent
}

func (u *User) recentList() []ref.Val { return u.interactions() }

// holdRecent notes when what is made of recent interactions changes.
func (u *User) holdRecent() {
	if u.Trace != nil && u.Horizon != nil {
		u.interactions()
	}
}

func (u *User) cartItems() []string {
	if !u.cartRead {
		u.cartRead = true
		if u.Cart != nil {
			u.cart = u.Cart()
		} else {
			u.cart = u.Known().Cart()
		}
	}
	u.holdRecent()
	return u.cart
}

func (u *User) averageOrders() Table {
	if u.averages.of == nil {
		u.averages.of = map[string]int64{}
		for _, a := range u.summed().Averages {
			u.averages.of[a.Mean.Currency] = a.Mean.Minor
		}
	}
	u.Purchases() // the averages are those of the same events
	return &u.averages
}

func (u *User) categoryShares() Table {
	u.readAffinity()
	return &u.categories
}

func (u *User) brandShares() Table {
	u.readAffinity()
	return &u.brands
}

func (u *User) traitTable() Table {
	if u.traits.of == nil {
		u.traits.of = u.Known().Traits()
	}
	u.holdSince(u.Known().FirstTrait())
	return &u.traits
}

func (u *User) readAffinity() {
	if u.Affinity != nil && u.categories.of == nil {
		u.categories.of, u.brands.of = u.Affinity()
	}
	u.holdRecent()
}
