package feature

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/event"
)

// at is a time some minutes into the test's day.
func at(minute int) time.Time { return newest.Add(time.Duration(minute) * time.Minute) }

func fold(events ...event.Event) *State {
	var s State
	for i := range events {
		if events[i].ID == "" {
			events[i].ID = fmt.Sprint("e", i)
		}
		s.Fold(&events[i])
	}
	return &s
}

func TestCart(t *testing.T) {
	s := fold(
		event.Event{Type: event.AddToCart, ItemID: "lamp", OccurredAt: at(1)},
		event.Event{Type: event.AddToCart, Lines: []event.Line{{ItemID: "bulb", Quantity: 3}, {ItemID: "rug", Quantity: 1}}, OccurredAt: at(2)},
		event.Event{Type: event.AddToCart, ItemID: "sofa", OccurredAt: at(3)},
		event.Event{Type: event.RemoveFromCart, ItemID: "rug", OccurredAt: at(5)},
		event.Event{Type: event.RemoveFromCart, ItemID: "bulb", OccurredAt: at(4)},
		event.Event{Type: event.Purchase, Lines: []event.Line{{ItemID: "sofa", Quantity: 1}}, OccurredAt: at(6)},
		event.Event{Type: event.ViewItem, ItemID: "lamp", OccurredAt: at(7)},
		event.Event{Type: event.RemoveFromCart, ItemID: "never", OccurredAt: at(8)},
	)
	if d := cmp.Diff([]string{"bulb", "lamp"}, s.Cart()); d != "" {
		t.Error(d)
	}
}

func TestBoughtAndSeen(t *testing.T) {
	buy := func(item string, n int64, minute int) event.Event {
		return event.Event{Type: event.Purchase, Lines: []event.Line{{ItemID: item, Quantity: n}}, OccurredAt: at(minute)}
	}
	refund := func(item string, n int64, minute int) event.Event {
		e := buy(item, n, minute)
		e.Type = event.Refund
		return e
	}
	s := fold(
		buy("kept", 1, 1), buy("returned", 1, 2), buy("partly", 3, 3), buy("again", 1, 4),
		refund("returned", 1, 5), refund("partly", 1, 6), refund("again", 1, 7), buy("again", 1, 8), refund("unknown", 1, 9),
		event.Event{Type: event.ViewItem, ItemID: "seen", OccurredAt: at(10)},
		event.Event{Type: event.SelectItem, ItemID: "clicked", OccurredAt: at(11)},
		event.Event{Type: event.ViewItem, ItemID: "seen", OccurredAt: at(12)},
		event.Event{Type: event.ViewItemList, ItemID: "shown", OccurredAt: at(13)},
		event.Event{Type: event.Search, SearchQuery: "q", OccurredAt: at(14)},
	)
	if d := cmp.Diff([]string{"again", "partly", "kept"}, s.Bought()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"seen", "clicked"}, s.Seen()); d != "" {
		t.Error(d)
	}
	if got := len(s.Orders()); got != 9 {
		t.Errorf("%d orders", got)
	}
	first := s.Recent()[0]
	want := Interaction{ItemID: "seen", Type: event.ViewItem, At: at(12), Fingerprint: Fingerprint("e11"), Quantity: 1}
	if d := cmp.Diff(want, first); d != "" {
		t.Error(d)
	}
}

// TestRecentAgainstEvents asks for the newest interactions, and that lists are bounded.
func TestRecentAgainstEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t, 500)
		s := folded(t, events)
		var times []time.Time
		for _, e := range events {
			if e.Type == event.ViewItemList || e.Type == event.Identify {
				continue
			}
			n := len(e.Lines)
			if n == 0 && e.ItemID != "" {
				n = 1
			}
			for range n {
				times = append(times, e.OccurredAt)
			}
		}
		recent := s.Recent()
		if len(recent) != min(len(times), MaxRecent) || len(s.Orders()) > MaxOrders {
			t.Fatalf("%d recent interactions of %d, %d orders", len(recent), len(times), len(s.Orders()))
		}
		for i, r := range recent {
			if i > 0 && recent[i-1].At.Before(r.At) {
				t.Fatal("not newest first")
			}
			older := 0
			for _, at := range times {
				if at.After(r.At) {
					older++
				}
			}
			if older > i {
				t.Fatalf("interaction %d has %d newer ones", i, older)
			}
		}
	})
}

func TestPresence(t *testing.T) {
	var s State
	for i := range MaxFingerprints {
		id := fmt.Sprint("e", i)
		if s.Presence(id) != Absent {
			t.Fatalf("%s is said to be there", id)
		}
		s.Fold(&event.Event{ID: id, Type: event.PageView, OccurredAt: newest})
		if s.Presence(id) != Maybe {
			t.Fatalf("%s is said to be absent", id)
		}
	}
	if s.Presence("new") != Absent {
		t.Error("a state that is just full does not know")
	}
	s.Fold(&event.Event{ID: "one more", Type: event.PageView, OccurredAt: newest})
	for _, id := range []string{"e0", "one more", "new"} {
		if s.Presence(id) != Maybe {
			t.Errorf("%s: a state that is too full claims to know", id)
		}
	}
}

func TestCustomTypes(t *testing.T) {
	var s State
	for i := range 100 {
		s.Fold(&event.Event{ID: fmt.Sprint(i), Type: event.Type(fmt.Sprint("t", i)), ItemID: "a", OccurredAt: at(i)})
	}
	sum := s.Summary(newest)
	if len(sum.Types) != MaxCustomTypes+1 {
		t.Fatalf("%d types", len(sum.Types))
	}
	for _, one := range sum.Types {
		want := int64(1)
		if one.Type == Other {
			want = 100 - MaxCustomTypes
		}
		if one.Counts.All != want || one.Counts.D1 != want {
			t.Errorf("%s: %+v, want %d", one.Type, one.Counts, want)
		}
	}
	if got := s.Recent()[0].Type; got != "t99" {
		t.Errorf("the newest interaction is of type %s", got)
	}
}

func TestSummary(t *testing.T) {
	eur := func(n int64) event.Money { return event.Money{Currency: "EUR", Minor: n} }
	days := func(n int) time.Time { return newest.AddDate(0, 0, -n) }
	s := fold(
		event.Event{Type: event.Purchase, Value: eur(1000), OccurredAt: days(0)},
		event.Event{Type: event.Purchase, Value: eur(501), OccurredAt: days(6)},
		event.Event{Type: event.Purchase, Value: event.Money{Currency: "USD", Minor: 30}, OccurredAt: days(29)},
		event.Event{Type: event.Refund, Value: eur(100), OccurredAt: days(1)},
		event.Event{Type: event.Purchase, OccurredAt: days(400)},
		event.Event{Type: event.PageView, OccurredAt: days(90)},
	)
	got := s.Summary(newest)
	page := Windows{All: 1}
	if got.Types[0].Type != event.PageView || got.Types[0].Counts != page || got.Types[1].Type != event.Purchase {
		t.Errorf("%+v", got.Types)
	}
	got.Types = nil
	today := newest.Unix() / 86400
	want := Summary{
		Events: 6, First: days(400), Last: days(0), LastPurchase: days(0),
		Purchases: Windows{D1: 1, D7: 2, D30: 3, D90: 3, All: 4},
		Spent: []Amounts{
			{"EUR", Windows{D1: 1000, D7: 1401, D30: 1401, D90: 1401, All: 1401}, Leaves{today + 1, today + 1, today + 24, today + 84}},
			{"USD", Windows{D30: 30, D90: 30, All: 30}, Leaves{D30: today + 1, D90: today + 61}},
		},
		Averages: []Average{{Orders: 2, Mean: eur(751)}, {Orders: 1, Mean: event.Money{Currency: "USD", Minor: 30}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	later := s.Summary(newest.AddDate(0, 0, 1)).Purchases
	if want := (Windows{D1: 0, D7: 1, D30: 2, D90: 3, All: 4}); later != want {
		t.Errorf("a day later: %+v, want %+v", later, want)
	}
}

func TestLongFoldStaysSmall(t *testing.T) {
	var s State
	for i := range 20_000 {
		s.Fold(&event.Event{ID: fmt.Sprint(i), Type: event.ViewItem, ItemID: fmt.Sprint("i", i), OccurredAt: at(i)})
	}
	if n := len(s.table.text); n > 2*slack+MaxRecent {
		t.Errorf("the table holds %d names", n)
	}
	if n := len(s.Append(nil)); n > 16<<10 {
		t.Errorf("the stored form takes %d bytes", n)
	}
}
