package propensity

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

var (
	start    = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	allTypes = []event.Type{
		event.ViewItem, event.SelectItem, event.ViewItemList, event.AddToCart, event.RemoveFromCart, event.BeginCheckout,
		event.Purchase, event.Refund, event.Search, "wink",
	}
)

// happened returns one event of a user, with two lines where it is a purchase.
func happened(user string, n int, kind event.Type, at time.Time) event.Event {
	e := event.Event{ID: fmt.Sprint(user, "-", n), Type: kind, UserID: user, ItemID: fmt.Sprint("i", n%7), OccurredAt: at.Truncate(time.Microsecond)}
	if kind == event.Purchase || kind == event.Refund {
		e.Lines = []event.Line{{ItemID: e.ItemID, Quantity: 1, Price: event.Money{Currency: "EUR", Minor: 100}}, {ItemID: "i0", Quantity: 1}}
		e.Value = event.Money{Currency: []string{"EUR", "USD"}[n%2], Minor: 100}
	}
	return e
}

// anyState draws a state of some events in the days before now, a few of them of days to come.
func anyState(t *rapid.T, now time.Time) *feature.State {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	span := rapid.SampledFrom([]int{1, 10, 100, 500}).Draw(t, "span of days")
	s := &feature.State{}
	for n := range rapid.IntRange(1, 40).Draw(t, "events") {
		e := happened("u", n, allTypes[rng.IntN(len(allTypes))], now.Add(time.Duration(5-rng.IntN(24*span))*time.Hour))
		s.Fold(&e)
	}
	return s
}

// TestUntil holds Probability to the time that it names, on every day up to it and after.
func TestUntil(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	m := &Model{&logistic{}}
	for range size {
		m.logistic.mean = append(m.logistic.mean, rng.Float64())
		m.logistic.deviation = append(m.logistic.deviation, 1)
		m.logistic.weights = append(m.logistic.weights, rng.NormFloat64()/10)
	}
	rapid.Check(t, func(t *rapid.T) {
		now := start.Add(time.Duration(rapid.IntRange(0, 24*60).Draw(t, "minute")) * time.Minute)
		s := anyState(t, now)
		changes := 0
		for {
			p, until := m.Probability(s, now)
			if !(p > 0 && p < 1) {
				t.Fatalf("a probability of %v", p)
			}
			end, step := until, 23*time.Hour
			if until.IsZero() {
				end, step = now.Add(3*366*24*time.Hour), 239*time.Hour
			} else if !until.After(now) || until.Truncate(24*time.Hour) != until || until.Location() != time.UTC {
				t.Fatalf("at %s until %s", now, until)
			}
			for at := now; at.Before(end); at = at.Add(step) {
				if q, _ := m.Probability(s, at); q != p {
					t.Fatalf("%v at %s, %v at %s, before %s", p, now, q, at, until)
				}
			}
			if q, _ := m.Probability(s, end.Add(-time.Microsecond)); q != p {
				t.Fatalf("%v at %s, %v just before %s", p, now, q, end)
			}
			if until.IsZero() {
				break
			}
			if now, changes = until, changes+1; changes > 1000 {
				t.Fatal("a state that does not come to rest")
			}
		}
		// A state that is older than that is at rest from the beginning.
		if newest := s.Newest(); changes > 0 && now.Sub(newest) > (oldest+1)*24*time.Hour {
			t.Fatalf("comes to rest at %s only, after %s", now, newest)
		}
	})
}

// TestAge looks at each day: an age is never more than it is, and never less than two thirds of it.
func TestAge(t *testing.T) {
	last := 0.
	for d := range int64(500) {
		c := clock{today: 20_000 + d, next: never}
		age := c.age(20_000)
		if age < last || age > float64(d) || d < oldest && age < float64(d)/1.5 {
			t.Errorf("%d days old counts as %v", d, age)
		}
		last = age
		c.within(20_000, 30)
		next := clock{today: c.next, next: never}
		if c.next != never && (next.age(20_000) == age && (c.next-20_000 < 30) == (d < 30)) {
			t.Errorf("on day %d nothing changes on day %d", d, c.next-20_000)
		}
		if (c.next == never) != (d >= oldest) {
			t.Errorf("on day %d the next change is %d", d, c.next)
		}
	}
}

// TestFeatures reads a few of them off states that can be counted by hand.
func TestFeatures(t *testing.T) {
	day := func(n int) time.Time { return start.Add(time.Duration(n) * 24 * time.Hour) }
	s := &feature.State{}
	for n, e := range []struct {
		kind event.Type
		day  int
	}{{event.Purchase, 0}, {event.ViewItem, 20}, {event.Purchase, 20}, {event.Purchase, 20}, {event.AddToCart, 42}, {event.ViewItem, 49}, {event.ViewItem, 49}} {
		x := happened("u", n, e.kind, day(e.day).Add(time.Duration(n)*time.Minute))
		s.Fold(&x)
	}
	v, until := featuresOf(s, day(49).Add(23*time.Hour))
	of := map[string]float64{}
	for i, name := range names {
		if _, twice := of[name]; twice {
			t.Errorf("two features are named %s", name)
		}
		of[name] = float64(v[i])
	}
	if len(of) != size {
		t.Fatalf("%d features have %d names", size, len(of))
	}
	for name, want := range map[string]float64{
		"events_1d": 2, "views_1d": 2, "carts_1d": 0, "carts_7d": 0, "carts_30d": 1, "events_30d": 6, "purchases_30d": 2, "purchases_90d": 3,
		"active_days_30d": 3, "active_days_90d": 4, "purchase_days_90d": 2, "purchase_days_30d": 1,
		"events_ever": 7, "views_ever": 3, "purchases_ever": 3,
		"since_event": 0, "since_cart": 7, "since_purchase": 25, "since_first": 45, "in_cart": 1, "interval": 20,
	} {
		if math.Abs(of[name]-math.Log1p(want)) > 1e-6 {
			t.Errorf("%s is log(1 + %v), not log(1 + %v)", name, math.Expm1(of[name]), want)
		}
	}
	if of["never_purchased"] != 0 || of["repeated"] != 1 || math.Abs(of["due"]-math.Log(26./21)) > 1e-6 {
		t.Errorf("never purchased %v, repeated %v, due %v", of["never_purchased"], of["repeated"], of["due"])
	}
	if !until.Equal(day(50)) {
		t.Errorf("until %s", until)
	}

	one := &feature.State{}
	x := happened("u", 1, event.ViewItem, day(0))
	one.Fold(&x)
	v, _ = featuresOf(one, day(-3))
	if at := func(name string) float32 {
		for i, n := range names {
			if n == name {
				return v[i]
			}
		}
		return -1
	}; at("never_purchased") != 1 || at("since_event") != 0 || at("events_1d") == 0 || at("due") != 0 {
		t.Errorf("of one view, of a day to come: %v", v)
	}
	if p, until := (&Model{&logistic{bias: 9}}).Probability(&feature.State{}, start); p != 0 || !until.IsZero() {
		t.Errorf("of nothing: %v until %s", p, until)
	}
}

func BenchmarkFeatures(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	s := &feature.State{}
	for n := range 100 {
		e := happened("u", n, allTypes[rng.IntN(len(allTypes))], start.Add(-time.Duration(rng.IntN(24*200))*time.Hour))
		s.Fold(&e)
	}
	for b.Loop() {
		featuresOf(s, start)
	}
}
