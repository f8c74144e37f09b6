package shop

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
)

// visit is one visit under way.
type visit struct {
	who    *visitor
	goods  *goods
	random *rand.Rand
	number int
	// now moves on with each event.
	now    time.Time
	until  time.Time
	cart   []int
	seen   []int
	events []*attunev1.Event
}

// history returns what the visitor does in all visits, oldest first.
func (v *visitor) history(random *rand.Rand, goods *goods, options Options) []*attunev1.Event {
	days := make([]int, v.visits)
	for i := range days {
		days[i] = random.IntN(max(options.Days, 1))
	}
	slices.Sort(days)
	first := options.Until.AddDate(0, 0, -options.Days).Truncate(24 * time.Hour)
	var events []*attunev1.Event
	for i, day := range days {
		minute := 8*60 + random.IntN(13*60)
		visit := &visit{
			who: v, goods: goods, random: random, number: i + 1, until: options.Until,
			now: first.AddDate(0, 0, day).Add(time.Duration(minute) * time.Minute),
		}
		visit.make()
		events = append(events, visit.events...)
	}
	return events
}

// make lets the visitor look around, fill a cart, perhaps buy, and perhaps send back.
func (v *visit) make() {
	for range 2 + v.random.IntN(6) {
		v.look(v.choose())
	}
	if len(v.cart) > 1 && v.random.IntN(6) == 0 {
		v.one(event.RemoveFromCart, v.cart[len(v.cart)-1])
		v.cart = v.cart[:len(v.cart)-1]
	}
	if len(v.cart) == 0 || v.random.IntN(10) < 3 {
		return
	}
	v.add(event.BeginCheckout, func(e *attunev1.Event) { e.Lines = v.lines(v.cart) })
	v.add(event.Purchase, func(e *attunev1.Event) { e.Lines = v.lines(v.cart) })
	if v.random.IntN(16) == 0 {
		v.now = v.now.Add(time.Duration(2+v.random.IntN(6)) * 24 * time.Hour)
		back := v.cart[v.random.IntN(len(v.cart))]
		v.add(event.Refund, func(e *attunev1.Event) { e.Lines = v.lines([]int{back}) })
	}
}

// choose returns an item that the visitor has not looked at in this visit.
func (v *visit) choose() int {
	weights := slices.Clone(v.who.liking)
	for _, seen := range v.seen {
		weights[seen] = 0
	}
	return pick(v.random, weights)
}

// look views an item, found by a search at times, and decides what to do with it.
func (v *visit) look(at int) {
	one := v.goods.all[at]
	v.seen = append(v.seen, at)
	if v.random.IntN(5) == 0 {
		v.add(event.Search, func(e *attunev1.Event) { e.SearchQuery = shelves[one.shelf].search })
	}
	v.one(event.ViewItem, at)
	if one.item.GetAvailability() == attunev1.Availability_OUT_OF_STOCK {
		return
	}
	switch chance := v.random.IntN(100); {
	case chance < 6:
		v.one(event.AddToWishlist, at)
	case chance < 28:
		v.put(at)
		if beside := one.companion; v.random.IntN(100) < 40 && !slices.Contains(v.seen, beside) {
			v.seen = append(v.seen, beside)
			v.one(event.ViewItem, beside)
			if v.goods.all[beside].item.GetAvailability() == attunev1.Availability_IN_STOCK {
				v.put(beside)
			}
		}
	}
}

func (v *visit) put(at int) {
	v.cart = append(v.cart, at)
	v.one(event.AddToCart, at)
}

func (v *visit) one(kind event.Type, at int) {
	v.add(kind, func(e *attunev1.Event) { e.ItemId = v.goods.all[at].item.GetItemId() })
}

// add writes down an event a little later, unless the shop's time is over.
func (v *visit) add(kind event.Type, fill func(*attunev1.Event)) {
	v.now = v.now.Add(time.Duration(10+v.random.IntN(120)) * time.Second)
	if !v.now.Before(v.until) {
		return
	}
	person := &v.who.person
	session := fmt.Sprintf("%s-%d", person.AnonymousID, v.number)
	e := &attunev1.Event{
		EventId:    fmt.Sprintf("%s-%d", session, len(v.events)+1),
		Type:       string(kind),
		SessionId:  session,
		OccurredAt: timestamppb.New(v.now),
	}
	switch {
	case person.UserID == "" || v.number <= v.who.loggedIn:
		e.AnonymousId = person.AnonymousID
	case v.who.loggedIn > 0 && len(v.events) == 0: // the log-in links the two
		e.AnonymousId, e.UserId = person.AnonymousID, person.UserID
	default:
		e.UserId = person.UserID
	}
	fill(e)
	v.events = append(v.events, e)
}

// lines are one piece each of the items, at the catalog's prices, in the order of ids.
func (v *visit) lines(places []int) []*attunev1.Line {
	var lines []*attunev1.Line
	for _, at := range places {
		item := v.goods.all[at].item
		lines = append(lines, &attunev1.Line{ItemId: item.GetItemId(), Quantity: proto.Int64(1), Price: item.GetPrice()})
	}
	slices.SortFunc(lines, func(a, b *attunev1.Line) int { return strings.Compare(a.GetItemId(), b.GetItemId()) })
	return lines
}
