package segment

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/event"
)

func TestTemplates(t *testing.T) {
	c := compiler(t)
	given := map[string]map[string]any{
		"rfm_class": {"class": PotentialLoyalists}, "category_browsers": {"category": "Lighting"}, "lookalikes": {"segment_id": "vip", "size": 12},
	}
	want := map[string]bool{
		"rfm_class": true, "cart_abandoners": true, "lapsed": false, "new": false, "high_value": true, "category_browsers": true,
		"lookalikes": true, "likely_buyers": true, "never_bought": false, "repeat_buyers": true,
	}
	for _, template := range Templates() {
		text, err := template.Rule(given[template.Name])
		if err != nil {
			t.Errorf("%s: %v", template.Name, err)
			continue
		}
		member, _, err := mustRule(t, c, text).Evaluate(subject(shopper(), noon))
		if err != nil || member != want[template.Name] {
			t.Errorf("%s, %s: %v, %v", template.Name, text, member, err)
		}
		delete(want, template.Name)
	}
	if len(want) > 0 {
		t.Errorf("no template for %v", want)
	}
}

func templateOf(t fataler, name string) *Template {
	t.Helper()
	for i, template := range Templates() {
		if template.Name == name {
			return &Templates()[i]
		}
	}
	t.Fatalf("no template %s", name)
	return nil
}

// TestAbandonersReturn asks that a purchase or a visit ends it, and time begins and ends it.
func TestAbandonersReturn(t *testing.T) {
	c := compiler(t)
	text, err := templateOf(t, "cart_abandoners").Rule(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := mustRule(t, c, text)
	add := event.Event{ID: "a", Type: event.AddToCart, ItemID: "lamp", OccurredAt: noon}
	buy := event.Event{ID: "b", Type: event.Purchase, ItemID: "rug", Value: eur(1), OccurredAt: noon.Add(time.Hour)}
	for _, tc := range []struct {
		events []event.Event
		after  time.Duration
		want   bool
		until  time.Time
	}{
		{[]event.Event{add}, time.Hour, false, noon.Add(24 * time.Hour)},
		{[]event.Event{add}, 24 * time.Hour, true, noon.Add(30 * days)},
		{[]event.Event{add}, 30 * days, false, time.Time{}},
		{[]event.Event{add, buy}, 29 * days, false, noon.Add(30 * days)},
	} {
		member, until, err := r.Evaluate(asked(folded(tc.events...), noon.Add(tc.after), 0))
		if err != nil || member != tc.want || !until.Equal(tc.until) {
			t.Errorf("%d events, after %v: %v until %v, %v", len(tc.events), tc.after, member, until, err)
		}
	}
}

func TestTemplateRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		params map[string]any
		want   string
	}{
		{"lapsed", map[string]any{"hours": 0}, "parameters.hours: must be between 1 and 87600"},
		{"lapsed", map[string]any{"hours": 1.5}, "whole number"},
		{"lapsed", map[string]any{"hours": "3h') || true || duration('3"}, "must be a number"},
		{"lapsed", map[string]any{"days": 3}, "parameters.days: is no parameter of lapsed"},
		{"likely_buyers", map[string]any{"p": math.NaN()}, "must be a number"},
		{"likely_buyers", map[string]any{"p": 1.1}, "between 0 and 1"},
		{"lookalikes", map[string]any{"size": 5}, "parameters.segment_id: must be given"},
		{"category_browsers", nil, "parameters.category: must be given"},
		{"category_browsers", map[string]any{"category": "\xff"}, "UTF-8"},
		{"category_browsers", map[string]any{"category": strings.Repeat("x", 3000)}, "bytes"},
		{"rfm_class", map[string]any{"class": "best"}, "one of champions, loyal"},
	} {
		_, err := templateOf(t, tc.name).Rule(tc.params)
		var invalid *event.InvalidError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s of %v: %v; want %q", tc.name, tc.params, err, tc.want)
		}
	}
}

// TestTextStaysText asks for a category of any name: no name becomes part of the rule.
func TestTextStaysText(t *testing.T) {
	c := compiler(t)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOfN(rapid.OneOf(rapid.Rune(), rapid.RuneFrom([]rune("\"'\\\n\r`%{}\x00\x7f\u2028rb"))), 1, 40, 160).Draw(t, "category")
		text, err := templateOf(t, "category_browsers").Rule(map[string]any{"category": name})
		if err != nil {
			t.Fatal(err)
		}
		s := subject(shopper(), noon)
		s.Affinity = func() (categories, brands map[string]float64) { return map[string]float64{name: 1}, nil }
		if member, _, err := mustRule(t, c, text).Evaluate(s); !member || err != nil {
			t.Fatalf("%q became %s: %v", name, text, err)
		}
	})
}
