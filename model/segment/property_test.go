package segment

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

var eventTypes = []event.Type{
	event.Purchase, event.Purchase, event.Refund, event.AddToCart, event.RemoveFromCart, event.ViewItem, event.PageView, event.Search, "quiz", "chat",
}

// anyTime is a time before noon, often at the edge of a day or whole hours ago.
func anyTime(t *rapid.T) time.Time {
	switch rapid.IntRange(0, 3).Draw(t, "kind of time") {
	case 0:
		return midnight(-rapid.IntRange(0, 100).Draw(t, "days")).Add(time.Duration(rapid.IntRange(-1, 0).Draw(t, "microseconds")) * time.Microsecond)
	case 1:
		return ago(time.Duration(rapid.IntRange(0, 100*24).Draw(t, "hours")) * time.Hour)
	case 2:
		return ago(time.Duration(rapid.Int64Range(0, int64(400*days/time.Microsecond)).Draw(t, "ago")) * time.Microsecond)
	}
	return ago(time.Duration(rapid.Int64Range(0, int64(3*days/time.Microsecond)).Draw(t, "just")) * time.Microsecond)
}

func anyEvent(t *rapid.T, id string, kind event.Type) event.Event {
	e := event.Event{ID: id, Type: kind, OccurredAt: anyTime(t)}
	if rapid.IntRange(0, 4).Draw(t, "has item") > 0 {
		e.ItemID = fmt.Sprint("i", rapid.IntRange(0, 3).Draw(t, "item"))
	}
	if kind == event.Purchase || kind == event.Refund {
		e.Value = event.Money{
			Currency: rapid.SampledFrom([]string{"EUR", "EUR", "GBP"}).Draw(t, "currency"),
			Minor:    rapid.SampledFrom([]int64{0, 100, 5000, 5000, 70000}).Draw(t, "worth"),
		}
	}
	return e
}

func anyEvents(t *rapid.T) []event.Event {
	events := make([]event.Event, rapid.IntRange(0, 25).Draw(t, "events"))
	for i := range events {
		events[i] = anyEvent(t, fmt.Sprint(i), rapid.SampledFrom(eventTypes).Draw(t, "type"))
	}
	return events
}

func folded(events ...event.Event) *feature.State {
	var s feature.State
	for i := range events {
		s.Fold(&events[i])
	}
	return &s
}

// asked returns the subject of a state at a time. What the others compute of it depends on no more
// than what they may.
func asked(s *feature.State, now time.Time, months int) *Subject {
	known := s
	subject := &Subject{UserID: "anna", State: s, Now: now}
	if months > 0 {
		subject.Horizon = func(t time.Time) time.Time {
			return time.Date(t.Year(), t.Month()-time.Month(months), 1, 0, 0, 0, 0, time.UTC)
		}
		known = s.Since(subject.Horizon(now))
	}
	subject.Affinity = func() (categories, brands map[string]float64) {
		categories, brands = map[string]float64{}, map[string]float64{}
		for _, r := range known.Recent() {
			categories[r.ItemID] += 0.125
			brands["b"+r.ItemID] += 0.125
		}
		return categories, brands
	}
	subject.Likelihood = func() (float64, time.Time) {
		hour := now.Truncate(time.Hour)
		return float64(hour.Hour()%5+int(s.Events())%3) / 10, hour.Add(time.Hour)
	}
	subject.Likeness = func(id string) Likeness {
		half := now.Truncate(30 * time.Minute)
		is := half.Minute() == 0 // a member, by a rule of its own
		return Likeness{Known: id == "vip" && !is, Share: float64(s.Events()%4) / 4, Rank: s.Events() % 5, Until: half.Add(30 * time.Minute)}
	}
	return subject
}

// anyRule is a random rule of the grammar.
func anyRule(t *rapid.T, depth int) string {
	if depth > 0 {
		sub := func() string { return anyRule(t, depth-1) }
		switch rapid.IntRange(0, 5).Draw(t, "shape") {
		case 0:
			return fmt.Sprintf("(%s && %s)", sub(), sub())
		case 1:
			return fmt.Sprintf("(%s || %s)", sub(), sub())
		case 2:
			return fmt.Sprintf("!(%s)", sub())
		case 3:
			return fmt.Sprintf("(%s ? %s : %s)", sub(), sub(), sub())
		}
	}
	pick := func(of ...string) string { return rapid.SampledFrom(of).Draw(t, "choice") }
	number := func(most int) int { return rapid.IntRange(0, most).Draw(t, "number") }
	compare := func() string { return pick("<", "<=", ">", ">=") }
	equal := func() string { return pick("<", "<=", ">", ">=", "==", "!=") }
	window := func() string { return pick("d1", "d7", "d30", "d90", "all") }
	duration := func() string {
		return fmt.Sprintf("duration('%dh%s')", number(100*24), pick("", "", "1us", "500ns", "30m"))
	}
	kind := func() string { return pick("purchase", "refund", "add_to_cart", "view_item", "quiz", "never") }
	absolute := func() string { return fmt.Sprintf("timestamp('%s')", anyTime(t).Add(50*days).Format(time.RFC3339Nano)) }
	seen := func() string { return pick("first_seen", "last_seen", "last_purchase") }
	switch rapid.IntRange(0, 22).Draw(t, "atom") {
	case 0:
		return fmt.Sprintf("event_counts['%s'] %s %d", kind(), equal(), number(4))
	case 1:
		return fmt.Sprintf("purchases.%s %s %d", window(), equal(), number(4))
	case 2:
		return fmt.Sprintf("%s.age %s %s", seen(), compare(), duration())
	case 3:
		return fmt.Sprintf("%s %s %s.age", duration(), compare(), seen())
	case 4:
		return fmt.Sprintf("now - %s_at %s %s", seen(), compare(), duration())
	case 5:
		return fmt.Sprintf("now %s %s %s %s.at", pick("-", "+"), duration(), compare(), seen())
	case 6:
		return fmt.Sprintf("%s %s now", absolute(), compare())
	case 7:
		return fmt.Sprintf("spent.exists(s, s.currency_code == 'EUR' && s.%s %s %d)", window(), equal(), 5000*number(14))
	case 8:
		return fmt.Sprintf("types.exists(t, t.type == '%s' && now - t.last_at %s %s)", kind(), compare(), duration())
	case 9:
		return fmt.Sprintf("types.all(t, t.counts.%s %s %d)", window(), equal(), number(3))
	case 10:
		return fmt.Sprintf("types.exists_one(t, t.values.exists(v, v.%s %s %d))", window(), equal(), 5000*number(3))
	case 11:
		return fmt.Sprintf("rfm.class == '%s'", rapid.SampledFrom(Classes).Draw(t, "class"))
	case 12:
		return fmt.Sprintf("rfm.%s %s %d", pick("recency", "frequency", "monetary"), equal(), number(5))
	case 13:
		return fmt.Sprintf("likelihood.purchase_7d %s 0.%d", equal(), number(6))
	case 14:
		return fmt.Sprintf("traits['%s'] %s 'gold'", pick("tier", "other"), pick("==", "!="))
	case 22:
		return fmt.Sprintf("%s['%s'] %s %d", pick("likeness", "likeness_rank"), pick("vip", "other"), compare(), number(4))
	case 15:
		return fmt.Sprintf("size(cart_item_ids) %s %d", equal(), number(2))
	case 16:
		return fmt.Sprintf("%s['%si%d'] > 0.%d", pick("affinity", "brand_affinity"), pick("", "b"), number(3), number(4))
	case 17:
		return fmt.Sprintf("recent_items.exists(r, r.item_id == 'i%d' && now - r.occurred_at %s %s)", number(3), compare(), duration())
	case 18:
		return fmt.Sprintf("has(%s)", pick("last_purchase", "last_seen_at", "event_counts", "purchases.d7", "event_counts.purchase", "cart_item_ids", "spent", "rfm.class"))
	case 19:
		return fmt.Sprintf("average_order_minor_units['EUR'] %s %d", equal(), 5000*number(10))
	case 20:
		return fmt.Sprintf("size(%s) %s %d", pick("types", "event_counts", "spent", "recent_items", "affinity"), equal(), number(5))
	}
	return fmt.Sprintf("'%s' in event_counts", kind())
}

// TestAnswersHoldUntil compares an answer with those at later times that it claims to hold at.
func TestAnswersHoldUntil(t *testing.T) {
	c := compiler(t)
	rapid.Check(t, func(t *rapid.T) {
		state, months := folded(anyEvents(t)...), rapid.IntRange(0, 4).Draw(t, "months")
		var rules []*Rule
		var texts []string
		shared := asked(state, noon, months)
		for range 5 {
			text := anyRule(t, 3)
			texts, rules = append(texts, text), append(rules, mustRule(t, c, text))
		}
		for i, r := range rules {
			member, until, err := r.Evaluate(shared)
			if err != nil {
				t.Fatal(err)
			}
			// A subject that other rules were asked about gives the same answer as one of its own.
			if m, u, err := r.Evaluate(asked(state, noon, months)); err != nil || m != member || !u.Equal(until) {
				t.Fatalf("%s: %v until %v, alone %v until %v, %v", texts[i], member, until, m, u, err)
			}
			span := 500 * days
			if !until.IsZero() {
				span = until.Sub(noon)
			}
			if span <= 0 {
				t.Fatalf("%s holds until %v", texts[i], until)
			}
			for n := range 12 {
				later := until.Add(-time.Microsecond)
				if n > 0 || until.IsZero() {
					later = noon.Add(time.Duration(rapid.Int64Range(0, int64(span)-1).Draw(t, "later")))
				}
				if m, _, err := r.Evaluate(asked(state, later, months)); err != nil || m != member {
					t.Fatalf("%s: %v until %v, but %v at %v, %v", texts[i], member, until, m, later, err)
				}
			}
		}
	})
}

// TestAnswersTurnAtUntil asks rules that read one thing at the very time until which they hold.
func TestAnswersTurnAtUntil(t *testing.T) {
	c := compiler(t)
	var comparisons, sums []string
	for _, op := range []string{"<", "<=", ">", ">="} {
		for _, d := range []string{"720h", "24h", "100h1us", "2400h500ns"} {
			for _, x := range []string{"last_seen", "first_seen", "last_purchase"} {
				comparisons = append(comparisons, fmt.Sprintf("%s.age %s duration('%s')", x, op, d),
					fmt.Sprintf("now - duration('%s') %s %s_at", d, op, x), fmt.Sprintf("%s.at %s now - duration('%s')", x, op, d))
			}
		}
	}
	for _, w := range []string{"d1", "d7", "d30", "d90"} {
		sums = append(sums, "purchases."+w)
	}
	// A number is equal to itself until it changes.
	values := map[string][]*Rule{}
	for _, text := range append(sums, "rfm.recency") {
		for n := range 26 {
			values[text] = append(values[text], mustRule(t, c, fmt.Sprintf("%s == %d", text, n)))
		}
	}
	rules := map[string]*Rule{}
	for _, text := range comparisons {
		rules[text] = mustRule(t, c, text)
	}
	turns := 0
	rapid.Check(t, func(t *rapid.T) {
		state := folded(anyEvents(t)...)
		check := func(text string, r *Rule, member bool, until time.Time) {
			if until.IsZero() {
				return
			}
			turns++
			if m, _, _ := r.Evaluate(asked(state, until, 0)); m == member {
				t.Fatalf("%s: %v until %v, and still then", text, member, until)
			}
		}
		for text, r := range rules {
			member, until, _ := r.Evaluate(asked(state, noon, 0))
			check(text, r, member, until)
		}
		for text, equals := range values {
			for _, r := range equals {
				if member, until, _ := r.Evaluate(asked(state, noon, 0)); member {
					check(text, r, member, until)
				}
			}
		}
	})
	if turns == 0 {
		t.Error("nothing turned")
	}
}

// TestHorizonTakesEffect asks what forgets at the beginning of the month in which it does.
func TestHorizonTakesEffect(t *testing.T) {
	c := compiler(t)
	state := folded(
		event.Event{ID: "1", Type: event.Purchase, Value: eur(100), OccurredAt: time.Date(2026, 4, 20, 8, 0, 0, 0, time.UTC)},
		event.Event{ID: "2", Type: event.Purchase, Value: eur(100), OccurredAt: time.Date(2026, 6, 20, 8, 0, 0, 0, time.UTC)},
		event.Event{ID: "3", Type: event.ViewItem, ItemID: "lamp", OccurredAt: time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)},
	)
	for rule, month := range map[string]time.Month{
		"purchases.all == 2": time.August, "event_counts['purchase'] == 2": time.August, "has(last_purchase)": time.October,
		"event_counts['view_item'] == 1": time.November, "first_seen_at < timestamp('2026-05-01T00:00:00Z')": time.August,
		"has(last_seen)": time.November, "size(recent_items) == 1": time.November, "size(types) == 2": time.October,
		"average_order_minor_units['EUR'] == 100": time.August, "spent[0].all == 200": time.August, "rfm.frequency == 2": time.August,
	} {
		r := mustRule(t, c, rule)
		want := time.Date(2026, month, 1, 0, 0, 0, 0, time.UTC)
		member, until, err := r.Evaluate(asked(state, noon, 3))
		if err != nil || !member || !until.Equal(want) {
			t.Errorf("%s: %v until %v, %v; want until %v", rule, member, until, err, want)
		}
	}
}

// TestReadsLeavesOutNothing adds an event of a type that a rule is said not to read.
func TestReadsLeavesOutNothing(t *testing.T) {
	c := compiler(t)
	rapid.Check(t, func(t *rapid.T) {
		events, text := anyEvents(t), anyRule(t, 2)
		for n := range rapid.SampledFrom([]int{0, 0, 300}).Draw(t, "of custom types") {
			events = append(events, event.Event{ID: fmt.Sprint("c", n), Type: event.Type(fmt.Sprint("custom", n%40)), ItemID: "i1", OccurredAt: ago(days)})
		}
		r := mustRule(t, c, text)
		before, _, _ := r.Evaluate(asked(folded(events...), noon, 0))
		for _, kind := range append(eventTypes, event.BeginCheckout, "custom99", "Order Completed") {
			if r.Reads().Types(kind) {
				continue
			}
			more := slices.Concat(events, []event.Event{anyEvent(t, "more", event.Canonical(string(kind)))})
			if after, _, _ := r.Evaluate(asked(folded(more...), noon, 0)); after != before {
				t.Fatalf("%s does not read %s, and is %v after one", text, kind, after)
			}
		}
	})
}

func TestReads(t *testing.T) {
	c := compiler(t)
	all := []event.Type{event.Purchase, event.Refund, event.ViewItem, "custom"}
	for _, tc := range []struct {
		rule  string
		types []event.Type
		other Reads
	}{
		{"user_id == 'x' || now > timestamp('2026-01-01T00:00:00Z')", nil, Reads{}},
		{"event_counts['purchase'] > 1", all[:1], Reads{}},
		{"event_counts['Order Refunded'] > 1", all[1:2], Reads{}},
		{"'view_item' in event_counts || has(event_counts.purchase)", []event.Type{event.Purchase, event.ViewItem}, Reads{}},
		{"event_counts['quiz'] > 1", all[3:], Reads{}},
		{"event_counts[user_id] > 1", all, Reads{}},
		{"size(event_counts) > 1", all, Reads{}},
		{"types.exists(t, t.counts.d7 > 2 && (t.counts.all > 3 && 'purchase' == t.type))", all[:1], Reads{}},
		{"types.exists(t, t.type == 'purchase' || t.counts.all > 3)", all, Reads{}},
		{"types.exists(t, t.type != 'purchase' && t.counts.all > 3)", all, Reads{}},
		{"types.all(t, t.type == 'purchase' && t.counts.all > 3)", all, Reads{}},
		{"types.exists_one(t, t.type == 'purchase' && t.counts.all > 3)", all, Reads{}},
		{"types.exists(t, t.type == 'purchase') && size(types) > 1", all, Reads{}},
		{"types.exists(t, t.type == 'purchase' && types.exists(x, x.type == 'refund' && t.type == 'quiz'))", all[:2], Reads{}},
		{"has(last_purchase) && purchases.d1 > 0", all[:1], Reads{}},
		{"spent == []", all[:2], Reads{}},
		{"rfm.class == 'lost'", all[:2], Reads{Scale: true}},
		{"affinity['x'] > 0.1", all, Reads{Catalog: true}},
		{"likelihood.purchase_7d > 0.1", all, Reads{Likelihood: true}},
		{"[1].all(x, cart_item_ids == [])", all, Reads{}},
		{"likeness['x'] > 0.1", all, Reads{Seeds: []string{"x"}}},
		{"'y' in likeness || has(likeness.x) || likeness_rank['x'] < 9 || likeness['z'] > 0.5", all, Reads{Seeds: []string{"x", "y", "z"}}},
	} {
		reads := mustRule(t, c, tc.rule).Reads()
		if tc.other.types = reads.types; !reflect.DeepEqual(reads, tc.other) {
			t.Errorf("%s: %+v", tc.rule, reads)
		}
		for _, kind := range all {
			want := false
			for _, k := range tc.types {
				want = want || k == kind
			}
			if reads.Types(kind) != want {
				t.Errorf("%s: %s is %v", tc.rule, kind, !want)
			}
		}
	}
	for name := range fields {
		if _, ok := reads[name]; !ok {
			t.Errorf("what %s depends on is not said", name)
		}
	}
}
