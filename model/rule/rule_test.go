package rule_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/rule"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func newEnv(t *testing.T) *cel.Env {
	t.Helper()
	env, err := rule.NewEnv(nil, cel.Variable("user", rule.UserMessage.Type()))
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// anna bought at noon and 40 days before, looked at a lamp yesterday, and is of the tier gold.
func anna(trace *rule.Trace) *rule.User {
	var s feature.State
	for _, e := range []event.Event{
		{ID: "1", Type: event.Purchase, Value: event.Money{Currency: "EUR", Minor: 500}, OccurredAt: noon},
		{ID: "2", Type: event.Purchase, Value: event.Money{Currency: "EUR", Minor: 700}, OccurredAt: noon.AddDate(0, 0, -40)},
		{ID: "3", Type: event.ViewItem, ItemID: "lamp", OccurredAt: noon.AddDate(0, 0, -1)},
		{ID: "4", Type: event.Identify, Attributes: []byte(`{"tier":"gold"}`), OccurredAt: noon},
	} {
		s.Fold(&e)
	}
	return &rule.User{UserID: "anna", State: &s, Now: noon, Trace: trace}
}

// TestCompileRefuses what is no rule, with the field, the place and the reason.
func TestCompileRefuses(t *testing.T) {
	env := newEnv(t)
	for text, want := range map[string]string{
		"user.colour == 'red'":                                    "line 1, column 5: undefined field 'colour'",
		"person.user_id == 'anna'":                                "line 1, column 1: undeclared reference to 'person'",
		"user.user_id > 3":                                        "column 14: found no matching overload for '_>_'",
		"true &&\n  user.purchases == 1":                          "line 2, column 18: found no matching overload",
		"user.purchases.d30 >=":                                   "line 1, column 22: Syntax error",
		"attune.v1.User{user_id: 'anna'} == user && user.x":       "undefined field 'x'",
		strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100): "recursion",
		"'" + strings.Repeat("x", rule.MaxTextBytes) + "'":        "is 4098 bytes long; at most 4096",
		"a + b + c + d":                                           "undeclared reference to 'c'",
	} {
		_, err := rule.Compile(env, "rule", text)
		var invalid *event.InvalidError
		if !errors.As(err, &invalid) || len(invalid.Violations) > 3 || invalid.Violations[0].Field != "rule" || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// TestFlatCost: only what the text bounds needs no meter.
func TestFlatCost(t *testing.T) {
	env := newEnv(t)
	for text, flat := range map[string]bool{
		"user.event_counts['purchase'] >= 4 && user.user_id.startsWith('a')": true,
		"'lamp' in user.cart_item_ids":                                       true,
		"user.purchases.d30 * 2 > size(user.types)":                          true,
		"user.spent.exists(s, s.all > 5)":                                    false,
		"user.user_id.matches('a+')":                                         false,
		"user.user_id + user.user_id == 'x'":                                 false,
		"user.cart_item_ids == user.anonymous_ids":                           false,
		"string(user.purchases.all) == '1'":                                  false,
	} {
		ast, err := rule.Compile(env, "rule", text)
		if err != nil {
			t.Fatal(err)
		}
		if got := rule.FlatCost(ast.NativeRep()) > 0; got != flat {
			t.Errorf("%s: flat %v", text, got)
		}
		if checked := ast.NativeRep(); !rule.Mentions(checked, "user") || rule.Mentions(checked, "item") {
			t.Errorf("%s: what it mentions", text)
		}
	}
}

// TestAnswers says of each rule what anna's answer is, and until when it holds: for good where that is empty.
func TestAnswers(t *testing.T) {
	env := newEnv(t)
	const unknown = "unknown"
	for _, tc := range []struct{ text, want, until string }{
		// Lookups: what never happened counts 0 and is still not there; what is not known is an error.
		{"user.event_counts['purchase'] == 2 && user.event_counts.purchase == 2", "true", ""},
		{"user.event_counts['refund'] == 0", "true", ""},
		{"'refund' in user.event_counts || has(user.event_counts.refund)", "false", ""},
		{"user.event_counts['Order Completed'] == 2 && 'Order Completed' in user.event_counts", "true", ""}, // another name of it
		{"size(user.event_counts) == 3 && user.event_counts.exists(k, k == 'view_item')", "true", ""},
		{"user.average_order_minor_units == {'EUR': 600}", "true", ""},
		{"user.average_order_minor_units == {'EUR': 600, 'GBP': 0}", "false", ""},
		{"user.category_affinity['Lamps'] == 0.0", "true", ""},
		{"has(user.traits.tier) && user.traits['tier'] == 'gold'", "true", ""},
		{"has(user.traits.size)", "false", ""},
		{"user.traits['size'] == 'L'", unknown, ""},
		{"user.traits['size'] == 'L' || user.user_id == 'anna'", "true", ""},
		{"has(user.anonymous_ids)", "false", ""},
		{"user.last_purchase_at == timestamp('2026-03-10T12:00:00Z')", "true", ""},
		{"dyn(user).user_id == 'anna' && has(dyn(user).user_id)", "true", ""},
		{"user == user && user.purchases == user.purchases", "true", "2026-03-11"},
		// Traces: windows hold until the midnight at which their oldest day leaves, all of them for good.
		{"user.purchases.d1 == 1", "true", "2026-03-11"},
		{"user.purchases.d7 == 1", "true", "2026-03-17"},
		{"user.purchases.d90 == 2", "true", "2026-04-29"},
		{"user.purchases.d30 >= 1 && user.purchases.d7 >= 1", "true", "2026-03-17"},
		{"user.purchases.all == 2 || user.purchases.d1 == 1", "true", ""}, // the rest is not read
		{"user.types.exists(t, t.type == 'view_item' && t.counts.d1 == 1)", "false", ""},
		{"user.spent.all(s, s.d30 == 500)", "true", "2026-04-09"},
	} {
		ast, err := rule.Compile(env, "rule", tc.text)
		if err != nil {
			t.Fatal(err)
		}
		program, err := env.Program(ast)
		if err != nil {
			t.Fatal(err)
		}
		var trace rule.Trace
		trace.Start()
		value, _, err := program.Eval(map[string]any{"user": rule.UserMessage.Of(anna(&trace))})
		got, until := unknown, ""
		if err == nil {
			got = map[bool]string{true: "true", false: "false"}[value.Value().(bool)]
		}
		if at := trace.Until(); !at.IsZero() {
			until = at.Format(time.DateOnly)
		}
		if got != tc.want || until != tc.until {
			t.Errorf("%s: %s until %q, want %s until %q (%v)", tc.text, got, until, tc.want, tc.until, err)
		}
	}
}

// TestRetention: what falls behind the horizon is not there, and answers hold until something does.
func TestRetention(t *testing.T) {
	var trace rule.Trace
	trace.Start()
	u := anna(&trace)
	u.Horizon = func(now time.Time) time.Time { return time.Date(now.Year(), now.Month()-1, 1, 0, 0, 0, 0, time.UTC) }
	if n := u.Purchases(); n != 1 { // that of 29 January is gone
		t.Errorf("%d purchases", n)
	}
	// What is left begins with what is kept, 1 February, for all that is known.
	if got := trace.Until(); !got.Equal(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("holds until %v", got)
	}
}

// TestMessages says where something is wrong, in one line of bounded length.
func TestMessages(t *testing.T) {
	if got := rule.At(2, 4, "not\n  like\xff this"); got != "line 2, column 5: not like? this" {
		t.Error(got)
	}
	if got := rule.OneLine(strings.Repeat("é", 400)); len(got) > 310 || !strings.HasSuffix(got, "é...") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
