package segment

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

// noon is the time of most tests.
var noon = time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC)

func compiler(t testing.TB) *Compiler {
	t.Helper()
	c, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fataler is a test, of the standard library or of rapid.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func mustRule(t fataler, c *Compiler, text string) *Rule {
	t.Helper()
	r, err := c.Rule(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}

func ago(d time.Duration) time.Time { return noon.Add(-d) }

const days = 24 * time.Hour

func eur(minor int64) event.Money { return event.Money{Currency: "EUR", Minor: minor} }

// shopper bought twice, 40 and 10 days ago, gave a part back, and left a lamp in the cart yesterday.
func shopper() *feature.State {
	var s feature.State
	for i, e := range []event.Event{
		{Type: event.ViewItem, ItemID: "lamp", OccurredAt: ago(50 * days)},
		{Type: event.Purchase, Lines: []event.Line{{ItemID: "lamp", Quantity: 1}}, Value: eur(4000), OccurredAt: ago(40 * days)},
		{Type: event.Purchase, Lines: []event.Line{{ItemID: "sofa", Quantity: 1}}, Value: eur(60000), OccurredAt: ago(10 * days)},
		{Type: event.Refund, Lines: []event.Line{{ItemID: "sofa", Quantity: 1}}, Value: eur(1000), OccurredAt: ago(5 * days)},
		{Type: event.AddToCart, ItemID: "lamp", OccurredAt: ago(30 * time.Hour)},
		{Type: event.PageView, OccurredAt: ago(29 * time.Hour)},
	} {
		e.ID = fmt.Sprint(i)
		s.Fold(&e)
	}
	return &s
}

func subject(s *feature.State, now time.Time) *Subject {
	return &Subject{
		UserID: "anna", State: s, Now: now,
		Affinity: func() (categories, brands map[string]float64) {
			return map[string]float64{"Lighting": 0.75, "Sofas": 0.25}, map[string]float64{"Lumen": 1}
		},
		Likelihood: func() (float64, time.Time) { return 0.4, now.Add(time.Hour) },
		Likeness: func(id string) Likeness {
			return Likeness{Known: id != "other", Share: 0.9, Rank: 12, Until: map[string]time.Time{"vip": now.Add(2 * time.Hour), "other": now.Add(3 * time.Hour)}[id]}
		},
	}
}

// midnight is the beginning of the day that lies so many days after noon's.
func midnight(n int) time.Time { return time.Date(2026, 7, 15+n, 0, 0, 0, 0, time.UTC) }

func TestEvaluate(t *testing.T) {
	c := compiler(t)
	forGood := time.Time{}
	for _, tc := range []struct {
		rule  string
		want  bool
		until time.Time
	}{
		{"true", true, forGood},
		{"user_id == 'anna'", true, forGood},
		{"event_counts['purchase'] >= 4", false, forGood},
		{"event_counts['Order Completed'] == 2", true, forGood},
		{"event_counts['never'] == 0 && !('never' in event_counts) && !has(event_counts.never)", true, forGood},
		{"event_counts.purchase == 2 && has(event_counts.purchase) && has(event_counts)", true, forGood},
		{"event_counts.exists(t, t.startsWith('add') && event_counts[t] == 1)", true, forGood},
		{"size(event_counts) == 5", true, forGood},
		{"purchases.all == 2", true, forGood},
		{"purchases.d30 >= 1", true, midnight(20)},
		{"purchases.d90 == 2", true, midnight(50)},
		{"purchases.d7 > 0", false, forGood},
		{"purchases.d30 >= 2 && last_purchase.age > duration('720h')", false, midnight(20)},
		{"last_purchase.age > duration('240h')", false, noon.Add(time.Microsecond)},
		{"last_purchase.age >= duration('240h')", true, forGood},
		{"last_purchase.age < duration('264h')", true, noon.Add(days)},
		{"last_purchase.age <= duration('264h')", true, noon.Add(days + time.Microsecond)},
		{"duration('264h') > last_purchase.age", true, noon.Add(days)},
		{"last_purchase.age < duration('264h0m0s500ns')", true, noon.Add(days + time.Microsecond)},
		{"affinity['Lighting'] > 0.3 && category_affinity['Garden'] == 0.0 && brand_affinity['Lumen'] == 1.0", true, forGood},
		{"affinity.exists(c, c.startsWith('Sof') && affinity[c] > 0.2)", true, forGood},
		{"rfm.class == 'potential_loyalists'", true, time.Date(2026, 7, 20, 0, 0, 0, 0, time.UTC)},
		{"rfm.recency == 5 && rfm.frequency == 2 && rfm.monetary == 4", true, time.Date(2026, 7, 20, 0, 0, 0, 0, time.UTC)},
		{"rfm.frequency == 2", true, forGood},
		{"now - last_seen_at > duration('720h')", false, ago(29*time.Hour - 720*time.Hour).Add(time.Microsecond)},
		{"now - duration('24h') > last_seen_at", true, forGood},
		{"now + duration('24h') < timestamp('2026-07-17T12:00:00Z')", true, noon.Add(days)},
		{"timestamp('2026-12-24T00:00:00Z') <= now", false, time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)},
		{"timestamp('2026-12-24T00:00:00Z') < now", false, time.Date(2026, 12, 24, 0, 0, 0, 1000, time.UTC)},
		{"size(cart_item_ids) > 0 && 'lamp' in cart_item_ids", true, forGood},
		{"spent.exists(s, s.currency_code == 'EUR' && s.all >= 50000)", true, forGood},
		{"spent.exists(s, s.currency_code == 'EUR' && s.d30 == 59000)", true, midnight(20)},
		{"spent.exists(s, s.currency_code == 'GBP' && s.all >= 50000)", false, forGood},
		{"average_order_minor_units['EUR'] == 32000 && average_order_minor_units['GBP'] == 0", true, forGood},
		{"types.exists(t, t.type == 'add_to_cart' && now - t.last_at < duration('48h'))", true, noon.Add(18 * time.Hour)},
		{"types.exists(t, t.type == 'refund' && t.counts.d7 == 1 && t.values[0].d7 == 1000)", true, midnight(2)},
		{"has(last_purchase) && has(last_purchase_at) && last_purchase.at == last_purchase_at", true, forGood},
		{"recent_items[0].item_id == 'lamp' && recent_items.size() == 5", true, forGood},
		{"likelihood.purchase_7d >= 0.3 && has(likelihood.purchase_7d)", true, noon.Add(time.Hour)},
		{"likeness['big'] >= 0.9 && likeness_rank['big'] <= 12 && has(likeness.big)", true, forGood},
		{"likeness['vip'] >= 0.9 && 'vip' in likeness_rank", true, noon.Add(2 * time.Hour)},
		{"likeness['other'] < 2.0", false, noon.Add(3 * time.Hour)},
		{"dyn(purchases).d30 == 1", true, midnight(20)},
		{"purchases == types[2].counts && !(purchases == types[1].counts)", true, midnight(6)},
		// Of what is not read nothing is noted.
		{"purchases.all == 0 && purchases.d30 > 0", false, forGood},
		{"purchases.all == 2 || purchases.d30 > 0", true, forGood},
		{"purchases.d30 > 0 ? purchases.all == 2 : purchases.d90 == 0", true, midnight(20)},
		// An error on one side leaves the answer to the other.
		{"traits['other'] > 0.5 || purchases.d30 == 1", true, midnight(20)},
		{"traits['other'] > 0.5 && purchases.d30 == 0", false, midnight(20)},
		{"traits['other'] > 0.5 && purchases.d30 == 1", false, midnight(20)},
	} {
		member, until, err := mustRule(t, c, tc.rule).Evaluate(subject(shopper(), noon))
		if err != nil || member != tc.want || !until.Equal(tc.until) {
			t.Errorf("%s: %v until %v, %v; want %v until %v", tc.rule, member, until, err, tc.want, tc.until)
		}
	}
}

func TestNobodyYet(t *testing.T) {
	c := compiler(t)
	for rule, want := range map[string]bool{
		"event_counts['purchase'] == 0":                       true,
		"purchases.all == 0 && size(types) == 0":              true,
		"has(last_purchase) || has(last_seen) || has(now)":    true,
		"has(last_purchase) || has(last_seen_at)":             false,
		"last_purchase.age > duration('1h')":                  false,
		"!(last_purchase.age > duration('1h'))":               false,
		"rfm.class == '' && rfm.recency == 0":                 true,
		"has(likelihood.purchase_7d)":                         false,
		"likelihood.purchase_7d < 0.5":                        false,
		"affinity['x'] == 0.0 && affinity.size() == 0":        true,
		"spent == [] && cart_item_ids == []":                  true,
		"event_counts.all(t, false) && recent_items == []":    true,
		"last_purchase.age > duration('1h') || user_id == ''": true,
	} {
		member, until, err := mustRule(t, c, rule).Evaluate(&Subject{Now: noon})
		if err != nil || member != want || !until.IsZero() {
			t.Errorf("%s: %v until %v, %v", rule, member, until, err)
		}
	}
}

func TestRuleRefuses(t *testing.T) {
	c := compiler(t)
	many := ""
	for n := range 11 {
		many += fmt.Sprintf(" || likeness['%d'] > 0.5", n)
	}
	for text, want := range map[string]string{
		"":                                     "line 1, column",
		"purchases.d30":                        "must be bool",
		"purchases.d31 > 1":                    "line 1, column 10: undefined field 'd31'",
		"true &&\n shop.open":                  "line 2, column 2: undeclared reference to 'shop'",
		"item.brand == 'x'":                    "undeclared reference to 'item'",
		"has(last_purchas)":                    "invalid argument to has()",
		"last_purchase.age > 30":               "an age with a duration",
		"last_purchase.age == now":             "an age with a duration",
		"now == now":                           "line 1, column 1: now and ages can only",
		"now > now":                            "now with a time",
		"now.getFullYear() == 2026":            "now with a time",
		"string(now) == ''":                    "now with a time",
		"dyn(now) == 3":                        "now and ages can only",
		"[now].size() == 1":                    "now and ages can only",
		"now":                                  "now and ages can only",
		"(true ? now : now) > now":             "now with a time",
		"{'a': last_seen.age} == {}":           "now and ages can only",
		"last_seen.age in [1]":                 "no matching overload",
		"likeness[user_id] > 0.5":              "line 1, column 1: the rule has to name the segment",
		"size(likeness_rank) > 0":              "name the segment",
		"has(likeness)":                        "name the segment",
		"dyn(likeness)['vip'] > 0.5":           "name the segment",
		"likeness.all(k, true)":                "name the segment",
		"event_counts == {'a': 1}":             "key by key",
		"{'a': 1} != event_counts":             "key by key",
		"user_id.matches('(')":                 "missing closing",
		"@subject.user_id == 'x'":              "line 1",
		"attune.v1.User{} == dyn(1)":           "",
		strings.Repeat("a", 5000):              "at most 4096",
		"likeness['a'] > likeness['b']" + many: "to 13 segments; at most 10",
		"recent_items.all(a, recent_items.all(b, a.item_id != b.item_id))":     "may cost more than 50000",
		"recent_items.all(a, types.all(b, spent.all(c, a.item_id != b.type)))": "may cost more",
	} {
		_, err := c.Rule(text)
		if want == "" {
			continue
		}
		var invalid *event.InvalidError
		if !errors.As(err, &invalid) || invalid.Violations[0].Field != "rule" || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v; want a violation of rule with %q", text, err, want)
		}
	}
}

// TestALargeUserEndsARule asks that who has more than a rule's cost went by does not hold it up.
func TestALargeUserEndsARule(t *testing.T) {
	c := compiler(t)
	many := map[string]float64{}
	for n := range 20_000 {
		many[fmt.Sprint("category", n)] = 0.001
	}
	s := Subject{Now: noon, Affinity: func() (categories, brands map[string]float64) { return many, nil }}
	loop := mustRule(t, c, "affinity.exists(c, c.startsWith('x') && affinity[c] > 0.5)")
	var invalid *event.InvalidError
	if member, _, err := loop.Evaluate(&s); member || !errors.As(err, &invalid) || !strings.Contains(err.Error(), "rule: runs too long") {
		t.Errorf("a loop over 20,000 categories: %v, %v", member, err)
	}
	if member, _, err := mustRule(t, c, "affinity['category7'] > 0.0").Evaluate(&s); !member || err != nil {
		t.Errorf("one of 20,000 categories: %v, %v", member, err)
	}
	if member, _, err := loop.Evaluate(subject(shopper(), noon)); member || err != nil {
		t.Errorf("a loop over two categories: %v, %v", member, err)
	}
	for n := range 20_000 {
		s.AnonymousIDs = append(s.AnonymousIDs, fmt.Sprint(n))
	}
	crowd := Subject{Now: noon, AnonymousIDs: s.AnonymousIDs}
	if _, _, err := mustRule(t, c, "anonymous_ids.exists(a, a.startsWith('x') && a.endsWith('x'))").Evaluate(&crowd); !errors.As(err, &invalid) {
		t.Errorf("a loop over 20,000 ids: %v", err)
	}
}

// TestRulesAreShared asks the same rules of many subjects at once, for the race detector.
func TestRulesAreShared(t *testing.T) {
	c := compiler(t)
	state := shopper()
	var rules []*Rule
	for _, text := range append(mixed(), "dyn(last_seen).age > duration('1h') && purchases.d30 > 0", "traits['other'] > 0.5 && purchases.d30 > 0") {
		rules = append(rules, mustRule(t, c, text))
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 50 {
				s := subject(state, noon)
				for _, r := range rules {
					if _, _, err := r.Evaluate(s); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wait.Wait()
}
