package feature

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/event"
)

var newest = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var known = []event.Type{
	event.ViewItem, event.ViewItemList, event.SelectItem, event.AddToCart, event.RemoveFromCart,
	event.Purchase, event.Refund, event.Search, event.PageView, event.Identify,
}

// anyEvents draws up to n events of one visitor, with distinct ids: few and many types,
// times that collide, times long past, lines that repeat an item, few and many traits.
func anyEvents(t *rapid.T, n int) []event.Event {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	customs := rapid.SampledFrom([]int{0, 3, 80}).Draw(t, "custom types")
	items := rapid.SampledFrom([]int{1, 5, 2000}).Draw(t, "items")
	lines := rapid.SampledFrom([]int{2, 9, 60}).Draw(t, "lines")
	traits := rapid.SampledFrom([]int{2, 40, 200}).Draw(t, "traits")
	span := rapid.SampledFrom([]time.Duration{0, time.Hour, 100 * 24 * time.Hour, 4000 * 24 * time.Hour}).Draw(t, "span")
	money := func() event.Money {
		if rng.IntN(3) == 0 {
			return event.Money{}
		}
		return event.Money{Currency: []string{"EUR", "USD", "GBP"}[rng.IntN(3)], Minor: rng.Int64N(event.MaxAmount)}
	}
	events := make([]event.Event, rapid.IntRange(0, n).Draw(t, "events"))
	for i := range events {
		e := &events[i]
		e.ID = fmt.Sprint("e", i)
		e.UserID = "u"
		e.Type = known[rng.IntN(len(known))]
		if customs > 0 && rng.IntN(2) == 0 {
			e.Type = event.Type(fmt.Sprint("custom_", rng.IntN(customs)))
		} else if rng.IntN(20) == 0 {
			e.Type = Other
		}
		e.OccurredAt = newest.Add(-time.Duration(rng.Int64N(int64(span)/int64(time.Minute)+1)) * time.Minute)
		e.Value = money()
		if e.Type == event.Identify {
			e.Attributes = anyTraits(rng, traits)
		}
		if rng.IntN(4) > 0 {
			e.ItemID = fmt.Sprint("item-", rng.IntN(items))
		}
		if e.Type == event.Purchase || e.Type == event.Refund || rng.IntN(10) == 0 {
			for range 1 + rng.IntN(lines) {
				e.Lines = append(e.Lines, event.Line{ItemID: fmt.Sprint("item-", rng.IntN(items)), Quantity: 1 + rng.Int64N(3)})
			}
		}
	}
	return events
}

// folded folds events in, leaving out those whose ids were seen: where the state cannot
// tell, a set of ids does, as the stored events do.
func folded(t *rapid.T, events []event.Event) *State {
	var s State
	stored := make(map[string]bool)
	for i := range events {
		e := &events[i]
		if s.Presence(e.ID) == Absent {
			if stored[e.ID] {
				t.Fatalf("%s is folded in and said to be absent", e.ID)
			}
		} else if stored[e.ID] {
			continue
		}
		stored[e.ID] = true
		s.Fold(e)
	}
	return &s
}

func TestOrderAndDuplicatesDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t, 700)
		want := folded(t, events).Append(nil)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffle"), 2))
		again := append([]event.Event(nil), events...)
		for range len(events) / 3 {
			again = append(again, events[rng.IntN(len(events))])
		}
		rng.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		if got := folded(t, again).Append(nil); !bytes.Equal(got, want) {
			t.Fatalf("another order gives other bytes: %d, %d", len(got), len(want))
		}
	})
}

func TestFoldThroughStoredForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t, 400)
		want := folded(t, events).Append(nil)
		every := rapid.IntRange(1, 50).Draw(t, "events a write")
		s := &State{}
		for i := range events {
			s.Fold(&events[i])
			if i%every == 0 {
				s = stored(t, s)
			}
		}
		if got := s.Append(nil); !bytes.Equal(got, want) {
			t.Fatal("to write and read the state in between gives other bytes")
		}
	})
}

// stored returns the state as it comes out of its stored form.
func stored(t *rapid.T, s *State) *State {
	data := s.Append([]byte("before"))[6:]
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if again := got.Append(nil); !bytes.Equal(again, data) {
		t.Fatalf("read and written again:\n%x\n%x", data, again)
	}
	return got
}

// TestMergeIsFoldOfAll also merges visitors who used the same event ids.
func TestMergeIsFoldOfAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t, 700)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "split"), 3))
		parts := make([]*State, rapid.IntRange(1, 4).Draw(t, "parts")+1)
		for i := range parts[1:] { // the first stays nil
			parts[i+1] = &State{}
		}
		ids := rapid.SampledFrom([]int{1, 50, 1 << 30}).Draw(t, "ids")
		var all State
		for i := range events {
			e := &events[i]
			if n := len(parts) - 1; n > 1 {
				e.ID = fmt.Sprint("e", i/n%ids)
			}
			all.Fold(e)
			parts[1+i%(len(parts)-1)].Fold(e)
		}
		want := all.Append(nil)
		var before [][]byte
		for i, p := range parts[1:] {
			if rapid.Bool().Draw(t, "stored") {
				parts[i+1] = stored(t, p)
			}
			before = append(before, p.Append(nil))
		}
		rng.Shuffle(len(parts)-1, func(i, j int) {
			parts[i+1], parts[j+1] = parts[j+1], parts[i+1]
			before[i], before[j] = before[j], before[i]
		})
		merged := Merge(parts...)
		if got := merged.Append(nil); !bytes.Equal(got, want) {
			t.Fatalf("merged:\n%x\nfolded:\n%x", got, want)
		}
		merged.Fold(&event.Event{ID: "new", Type: "custom_new", ItemID: "new", OccurredAt: newest.Add(time.Minute)})
		for i, p := range parts[1:] {
			if !bytes.Equal(p.Append(nil), before[i]) {
				t.Fatal("folding into the merged state changed one that it was made of")
			}
		}
	})
}

// TestSumsAgainstEvents compares what a state tells with the events themselves.
func TestSumsAgainstEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t, 300)
		s := folded(t, events)
		if got := s.Events(); got != int64(len(events)) {
			t.Fatalf("%d events, want %d", got, len(events))
		}
		now := newest.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "days later")) * 24 * time.Hour)
		got := s.Summary(now)
		want := naive(events, now)
		for i := range got.Types {
			g := &got.Types[i]
			if g.Type.Number() == 0 { // may be summed under Other
				continue
			}
			w := want[g.Type]
			if d := cmp.Diff(w, g); d != "" {
				t.Fatal(d)
			}
			if one, ok := s.SummaryOf(g.Type, now); !ok || !cmp.Equal(one, *g) {
				t.Fatalf("%s alone: %+v, want %+v", g.Type, one, *g)
			}
			if n, first, last := s.Count(g.Type); n != g.Counts.All || !first.Equal(g.First) || !last.Equal(g.Last) {
				t.Fatalf("%s: %d from %v to %v", g.Type, n, first, last)
			}
			if n := s.Currencies(); n < len(g.Values) {
				t.Fatalf("%d currencies, and %s has %d", n, g.Type, len(g.Values))
			}
			delete(want, g.Type)
		}
		all := int64(0)
		for _, g := range got.Types {
			all += g.Counts.All
		}
		if all != int64(len(events)) {
			t.Fatalf("types count %d events, want %d", all, len(events))
		}
		for typ := range want {
			if typ.Number() != 0 {
				t.Fatalf("%s is missing", typ)
			}
		}
	})
}

// TestSinceIsFoldOfLater compares a state from a month on with one of that month's and
// later events only. More custom types than have slots may differ in what is Other.
func TestSinceIsFoldOfLater(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t, 300)
		horizon := newest.AddDate(0, -rapid.IntRange(0, 40).Draw(t, "months"), 0)
		month := time.Date(horizon.Year(), horizon.Month(), 1, 0, 0, 0, 0, time.UTC)
		var later []event.Event
		for _, e := range events {
			if !e.OccurredAt.Before(month) {
				later = append(later, e)
			}
		}
		all := folded(t, events)
		before := all.Append(nil)
		got, want := all.Since(horizon), folded(t, later)
		if !bytes.Equal(all.Append(nil), before) {
			t.Fatal("the state itself changed")
		}
		if _, err := Decode(got.Append(nil)); err != nil {
			t.Fatal(err)
		}
		if got.Events() != want.Events() || got.First().Before(month) && got.Events() > 0 {
			t.Fatalf("%d events from %s on, want %d", got.Events(), got.First(), want.Events())
		}
		a, b := got.Summary(newest), want.Summary(newest)
		if d := cmp.Diff(b.Spent, a.Spent); d != "" || a.Purchases != b.Purchases {
			t.Fatal(d)
		}
		if len(all.recent) < MaxRecent { // else older ones had their place
			if d := cmp.Diff(want.Recent(), got.Recent()); d != "" {
				t.Fatal(d)
			}
		}
		if len(all.traits) < MaxTraits {
			if d := cmp.Diff(want.Traits(), got.Traits()); d != "" {
				t.Fatal(d)
			}
		}
	})
}

// naive sums events one by one.
func naive(events []event.Event, now time.Time) map[event.Type]*TypeSummary {
	types := make(map[event.Type]*TypeSummary)
	midnight := now.Truncate(24 * time.Hour)
	for _, e := range events {
		t := types[e.Type]
		if t == nil {
			t = &TypeSummary{Type: e.Type, First: e.OccurredAt, Last: e.OccurredAt}
			types[e.Type] = t
		}
		if e.OccurredAt.Before(t.First) {
			t.First = e.OccurredAt
		}
		if e.OccurredAt.After(t.Last) {
			t.Last = e.OccurredAt
		}
		add := func(w *Windows, l *Leaves, n int64) {
			w.All += n
			for _, window := range []struct {
				days       int
				sum, leave *int64
			}{{1, &w.D1, &l.D1}, {7, &w.D7, &l.D7}, {30, &w.D30, &l.D30}, {90, &w.D90, &l.D90}} {
				if n != 0 && !e.OccurredAt.Before(midnight.AddDate(0, 0, 1-window.days)) {
					*window.sum += n
					if day := e.OccurredAt.Unix()/86400 + int64(window.days); *window.leave == 0 || day < *window.leave {
						*window.leave = day
					}
				}
			}
		}
		add(&t.Counts, &t.Leaves, 1)
		if e.Value.Known() {
			a := amounts(&t.Values, e.Value.Currency)
			add(&a.Windows, &a.Leaves, e.Value.Minor)
		}
	}
	return types
}
