package segment

import (
	"fmt"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

// twenty is the state of 20 events of a usual visitor.
func twenty() *feature.State {
	var s feature.State
	for n := range 20 {
		e := event.Event{
			ID: fmt.Sprint(n), Type: []event.Type{event.ViewItem, event.ViewItem, event.AddToCart, event.PageView, event.Purchase}[n%5],
			ItemID: fmt.Sprint("item", n%7), OccurredAt: ago(time.Duration(n*37) * time.Hour),
		}
		if e.Type == event.Purchase {
			e.Value = eur(int64(1000 * n))
		}
		s.Fold(&e)
	}
	return &s
}

// mixed are fifty rules as shops have them.
func mixed() []string {
	kinds := []string{
		"event_counts['purchase'] >= %d", "purchases.d30 >= %d && last_purchase.age > duration('72h')", "affinity['Lighting'] > 0.%d",
		"rfm.class == 'at_risk' || rfm.frequency > %d", "now - last_seen_at > duration('%d0h')", "size(cart_item_ids) > %d",
		"spent.exists(s, s.currency_code == 'EUR' && s.all >= %d0000)",
		"types.exists(t, t.type == 'add_to_cart' && now - t.last_at < duration('%d8h'))",
		"likelihood.purchase_7d > 0.%d", "'item%d' in cart_item_ids",
	}
	var rules []string
	for n := range 50 {
		rules = append(rules, fmt.Sprintf(kinds[n%len(kinds)], 1+n/10))
	}
	return rules
}

func BenchmarkEvaluate(b *testing.B) {
	c, data := compiler(b), twenty().Append(nil)
	run := func(name string, texts ...string) {
		b.Run(name, func(b *testing.B) {
			var rules []*Rule
			for _, text := range texts {
				rules = append(rules, mustRule(b, c, text))
			}
			affinity := func() (categories, brands map[string]float64) { return map[string]float64{"Lighting": 0.3}, nil }
			likely := func() (float64, time.Time) { return 0.25, time.Time{} }
			b.ReportAllocs()
			for b.Loop() {
				state, err := feature.Decode(data)
				if err != nil {
					b.Fatal(err)
				}
				s := Subject{UserID: "anna", State: state, Now: noon, Affinity: affinity, Likelihood: likely}
				for _, r := range rules {
					if _, _, err := r.Evaluate(&s); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
	run("decoding alone")
	run("counts", "event_counts['purchase'] >= 4")
	run("windows", "purchases.d30 >= 2 && last_purchase.age > duration('720h')")
	run("class", "rfm.class == 'at_risk'")
	run("loop", "types.exists(t, t.type == 'add_to_cart' && now - t.last_at < duration('48h'))")
	run("fifty", mixed()...)
}

func FuzzRule(f *testing.F) {
	for _, text := range append(mixed(), "has(last_purchase)", "now - now", "dyn(last_seen).age > duration('1h')", "likelihood.purchase_7d > 0.5",
		"now + duration('9223372036s') > timestamp('9999-01-01T00:00:00Z')", "recent_items.map(r, r.occurred_at).exists(t, t < now)") {
		f.Add(text)
	}
	c := compiler(f)
	state := twenty()
	f.Fuzz(func(t *testing.T, text string) {
		r, err := c.Rule(text)
		if err != nil {
			return
		}
		for _, s := range []*Subject{subject(state, noon), {Now: noon}} {
			if _, until, err := r.Evaluate(s); err == nil && !until.IsZero() && !until.After(noon) {
				t.Fatalf("%s holds until %v, which was before", text, until)
			}
		}
	})
}
