package expr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/rule"
)

var (
	lamp = &event.Item{
		ID: "lamp", Title: "Brass lamp", Categories: []string{"Lighting", "Home > Living"}, Brand: "Lumen",
		Price: event.Money{Currency: "EUR", Minor: 4900}, Availability: event.InStock,
		Attributes:    []byte(`{"color":"brass","watts":40,"tags":["warm","e27"]}`),
		AvailableFrom: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	bare = &event.Item{ID: "bare"}
	noon = time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
)

// anna looked at lamps, bought twice, the first time long ago, and has a shade in the cart.
func anna() *rule.User {
	var s feature.State
	for n := range 12 {
		s.Fold(&event.Event{ID: fmt.Sprint("view", n), Type: event.ViewItem, ItemID: "lamp", OccurredAt: noon})
	}
	for n, days := range []int{1, 50} {
		s.Fold(&event.Event{
			ID: fmt.Sprint("buy", n), Type: event.Purchase, Value: event.Money{Currency: "EUR", Minor: 4950},
			OccurredAt: noon.AddDate(0, 0, -days),
		})
	}
	s.Fold(&event.Event{ID: "add", Type: event.AddToCart, ItemID: "shade", OccurredAt: noon})
	s.Fold(&event.Event{
		ID: "identify", Type: event.Identify, OccurredAt: noon, Attributes: []byte(`{"tier":"gold","age":41,"newsletter":true}`),
	})
	return &rule.User{
		UserID: "anna", State: &s, Now: noon,
		Affinity: func() (categories, brands map[string]float64) { return map[string]float64{"Lighting": 0.75}, nil },
	}
}

func compiler(t testing.TB) *Compiler {
	t.Helper()
	c, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFilterKeep(t *testing.T) {
	c := compiler(t)
	for _, tc := range []struct {
		text string
		item *event.Item
		want bool
	}{
		{"item.price.minor_units < 5000 && item.brand != 'Acme'", lamp, true},
		{"item.price.minor_units < 5000", bare, false},
		{"!(item.price.minor_units < 5000)", bare, false},
		{"!has(item.price)", bare, true},
		{"has(item.price) && item.price.currency_code == 'EUR'", lamp, true},
		{"'Lighting' in item.categories", lamp, true},
		{"item.categories.exists(c, c.startsWith('Home > '))", lamp, true},
		{"item.categories.exists(c, c.startsWith('Home > '))", bare, false},
		{"item.availability == 'IN_STOCK'", bare, true},
		{"item.attributes.color == 'brass'", lamp, true},
		{"item.attributes.color == 'brass'", bare, false},
		{"item.attributes.colour == 'brass'", lamp, false},
		{"item.attributes.watts > 39", lamp, true},
		{"'warm' in item.attributes.tags", lamp, true},
		{"item.attributes[?'colour'].orValue('brass') == 'brass'", lamp, true},
		{"item.available_from < timestamp('2026-06-01T00:00:00Z')", lamp, true},
		{"item.available_until < timestamp('2026-06-01T00:00:00Z')", lamp, false},
		{"user.event_counts['purchase'] >= 2", lamp, true},
		{"user.event_counts['refund'] == 0", lamp, true},
		{"'refund' in user.event_counts || has(user.event_counts.refund)", lamp, false},
		{"'purchase' in user.event_counts && has(user.event_counts.purchase)", lamp, true},
		{"user.event_counts.purchase == 2 && user.event_counts[?'refund'].orValue(7) == 7", lamp, true},
		{"user.event_counts.exists(t, t == 'view_item') && user.event_counts.size() == 4", lamp, true},
		{"user.brand_affinity['Acme'] == 0.0 && user.average_order_minor_units['USD'] == 0", lamp, true},
		{"user.average_order_minor_units['EUR'] == 4950", lamp, true},
		{"user.purchases.d30 == 1 && user.purchases.all == 2", lamp, true},
		{"user.category_affinity[item.categories[0]] > 0.5", lamp, true},
		{"user.spent.exists(s, s.currency_code == 'EUR' && s.all > 5000)", lamp, true},
		{"user.recent_items.exists(r, r.item_id == item.item_id)", lamp, true},
		{"has(user.last_purchase_at)", lamp, true},
		{"!('shade' in user.cart_item_ids)", lamp, false},
		{"user.traits.tier == 'gold' && user.traits.newsletter", lamp, true},
		{"user.traits['age'] >= 18", lamp, true},
		{"user.traits.country == 'DE'", lamp, false},
		{"!(user.traits.country == 'DE')", lamp, false},
		{"!has(user.traits.country) && 'tier' in user.traits", lamp, true},
		{"item == item && dyn(item).brand == 'Lumen'", lamp, true},
		{"item.title.matches('^Brass')", lamp, true},
		{"item.price == item.price", lamp, true},
	} {
		f, err := c.Filter(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		got, err := f.Keep(context.Background(), tc.item, anna(), NewBudget(0))
		if err != nil || got != tc.want {
			t.Errorf("%s for %s: %v, %v; want %v", tc.text, tc.item.ID, got, err, tc.want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	c := compiler(t)
	for text, want := range map[string]string{
		"item.price <":            "line 1, column",
		"item.prize.minor_units":  "undefined field 'prize'",
		"item.brand == 5":         "no matching overload",
		"item.price":              "must be bool",
		"1 + 1":                   "must be bool",
		"shop.open":               "undeclared reference to 'shop'",
		"":                        "line 1",
		"item.title.matches('(')": "missing closing",
		"true || '" + strings.Repeat("x", rule.MaxTextBytes) + "' == ''": "at most 4096",
		strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200):     "recursion",
		"attune.v1.Money{minor_units: 3}.minor_units == 3 && item.b":     "undefined field",
	} {
		_, err := c.Filter(text)
		var invalid *event.InvalidError
		if !errors.As(err, &invalid) || invalid.Violations[0].Field != "filter" || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v; want a violation of filter with %q", text, err, want)
		}
	}
}

func TestBoostFactor(t *testing.T) {
	c := compiler(t)
	for _, tc := range []struct {
		text string
		item *event.Item
		want float64
		fail bool
	}{
		{"'Lighting' in item.categories ? 2.0 : 1.0", lamp, 2, false},
		{"3", lamp, 3, false},
		{"2u", lamp, 2, false},
		{"user.category_affinity['Lighting'] * 4.0", lamp, 3, false},
		{"user.category_affinity['Garden']", lamp, 0, false},
		{"user.traits.tier == 'gold' ? 2.0 : 1.0", lamp, 2, false},
		{"user.traits.age / 10.0", lamp, 4.1, false},
		{"double(item.attributes.watts) / 10.0", bare, 1, false},
		{"-1.0", lamp, 0, true},
		{"0.0 / 0.0", lamp, 0, true},
		{"1.0 / 0.0", lamp, 0, true},
		{"1 / 0", lamp, 1, false},
	} {
		b, err := c.Boost(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		got, err := b.Factor(context.Background(), tc.item, anna(), NewBudget(0))
		var invalid *event.InvalidError
		if tc.fail != errors.As(err, &invalid) || got != tc.want {
			t.Errorf("%s: %v, %v; want %v", tc.text, got, err, tc.want)
		}
	}
	if _, err := c.Boost("item.brand"); err == nil || !strings.Contains(err.Error(), "boost: is of type string") {
		t.Errorf("a boost that is text: %v", err)
	}
}

func TestBounds(t *testing.T) {
	c := compiler(t)
	digits := "[0,1,2,3,4,5,6,7,8,9]"
	long := digits + ".all(a, " + digits + ".all(b, " + digits + ".all(c, " + digits + ".all(d, " + digits + ".all(e, a+b+c+d+e >= 0)))))"
	f, err := c.Filter(long)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.Keep(context.Background(), lamp, nil, NewBudget(0)); err == nil || !strings.Contains(err.Error(), "filter: runs too long") {
		t.Errorf("a filter of 100,000 steps: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = f.Keep(ctx, lamp, nil, NewBudget(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("a filter whose caller left: %v", err)
	}
	cheap, err := c.Filter("item.brand == 'Lumen'")
	if err != nil {
		t.Fatal(err)
	}
	budget := &Budget{left: 9}
	kept := 0
	for err = nil; err == nil && kept < 100; kept++ {
		_, err = cheap.Keep(context.Background(), lamp, nil, budget)
	}
	if err == nil || !strings.Contains(err.Error(), "filter: costs more than a request") {
		t.Errorf("after %d evaluations: %v", kept, err)
	}
}

func TestUsesUser(t *testing.T) {
	c := compiler(t)
	for rule, want := range map[string]bool{
		"item.brand == 'user'":                               false,
		"user.user_id == item.brand":                         true,
		"item.categories.exists(c, c in user.cart_item_ids)": true,
	} {
		f, err := c.Filter(rule)
		if err != nil {
			t.Fatal(err)
		}
		if f.UsesUser() != want {
			t.Errorf("%s: %v", rule, !want)
		}
	}
}

func FuzzCompileAndEvaluate(f *testing.F) {
	for _, rule := range []string{
		"item.price.minor_units < 5000 && item.brand != 'Acme'", "'a' in item.categories ? 2.0 : 1.0",
		"user.event_counts['purchase'] >= 2", "item.attributes.color == 'brass'",
		"item.categories.map(c, c + c).exists(c, c.size() > 3)", "item.title.matches('^(a+)+$')",
		"user.spent.all(s, s.d1 / s.d7 == 0)", "duration('1h') > duration('1s')", "[item, item] == [item]", "has(item.price)",
	} {
		f.Add(rule)
	}
	c := compiler(f)
	f.Fuzz(func(t *testing.T, rule string) {
		budget := NewBudget(0)
		for _, item := range []*event.Item{lamp, bare} {
			if filter, err := c.Filter(rule); err == nil {
				_, err = filter.Keep(context.Background(), item, anna(), budget)
				wantInvalid(t, err)
			} else {
				wantInvalid(t, err)
			}
			if boost, err := c.Boost(rule); err == nil {
				factor, err := boost.Factor(context.Background(), item, anna(), budget)
				wantInvalid(t, err)
				if !(factor >= 0) {
					t.Fatalf("factor %v", factor)
				}
			}
		}
	})
}

func wantInvalid(t *testing.T, err error) {
	t.Helper()
	var invalid *event.InvalidError
	if err != nil && !errors.As(err, &invalid) {
		t.Fatalf("not an InvalidError: %v", err)
	}
}

func BenchmarkKeep(b *testing.B) {
	c := compiler(b)
	for name, rule := range map[string]string{
		"fields":     "item.price.minor_units < 5000 && item.brand != 'Acme'",
		"category":   "'Lighting' in item.categories",
		"attributes": "item.attributes.color == 'brass'",
		"loop":       "item.categories.exists(c, c.startsWith('Home > '))",
	} {
		b.Run(name, func(b *testing.B) {
			f, err := c.Filter(rule)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if ok, err := f.Keep(context.Background(), lamp, nil, NewBudget(0)); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

// TestAnOrdinaryRuleMayLookAtEveryItem of a large catalog that is in its budget.
func TestAnOrdinaryRuleMayLookAtEveryItem(t *testing.T) {
	f, err := compiler(t).Filter(`item.categories.exists(c, c.startsWith("Home")) && item.price.minor_units < 5000 && item.brand != "Acme"`)
	if err != nil {
		t.Fatal(err)
	}
	const items = 50_000
	budget := NewBudget(items)
	for n := range items {
		if _, err := f.Keep(t.Context(), lamp, nil, budget); err != nil {
			t.Fatalf("item %d: %v", n, err)
		}
	}
}
