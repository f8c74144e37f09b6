package segment

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

// TestClassOfEveryPair holds the class of each recency and value against the written table.
func TestClassOfEveryPair(t *testing.T) {
	table := map[int][]string{
		5: {NewCustomers, PotentialLoyalists, PotentialLoyalists, Champions, Champions},
		4: {Promising, PotentialLoyalists, PotentialLoyalists, Loyal, Loyal},
		3: {AboutToSleep, AboutToSleep, NeedAttention, Loyal, Loyal},
		2: {Hibernating, Hibernating, AtRisk, AtRisk, CantLose},
		1: {Lost, Lost, AtRisk, AtRisk, CantLose},
	}
	seen := map[string]bool{}
	for r := 1; r <= 5; r++ {
		for f := 1; f <= 5; f++ {
			for m := 1; m <= 5; m++ {
				got, want := Class(r, f, m), table[r][(f+m+1)/2-1]
				if got != want {
					t.Errorf("%d %d %d: %s, want %s", r, f, m, got, want)
				}
				seen[got] = true
			}
		}
	}
	if len(seen) != 11 || len(Classes) != 11 || slices.ContainsFunc(Classes, func(c string) bool { return !seen[c] }) {
		t.Errorf("%d classes occur, %d are named", len(seen), len(Classes))
	}
	for _, scores := range [][3]int{{0, 0, 0}, {0, 3, 3}, {6, 1, 1}, {1, 0, 1}, {1, 1, 6}} {
		if got := Class(scores[0], scores[1], scores[2]); got != "" {
			t.Errorf("%v is of class %s", scores, got)
		}
	}
}

func TestScores(t *testing.T) {
	scale := DefaultScale()
	for _, tc := range []struct{ days, purchases, spent, r, f, m int64 }{
		{0, 1, -5, 5, 1, 1}, {14, 2, 5000, 5, 2, 1}, {15, 3, 5001, 4, 3, 2}, {90, 4, 40000, 3, 3, 3}, {180, 9, 100000, 2, 4, 4}, {181, 10, 100001, 1, 5, 5},
	} {
		r, f, m := scale.Scores(tc.days, tc.purchases, tc.spent)
		if int64(r) != tc.r || int64(f) != tc.f || int64(m) != tc.m {
			t.Errorf("%+v: %d %d %d", tc, r, f, m)
		}
	}
	amounts := []feature.Amounts{
		{Currency: "EUR", Windows: feature.Windows{All: 7}}, {Currency: "GBP", Windows: feature.Windows{All: 9}},
	}
	for currency, want := range map[string]int64{"": 9, "EUR": 7, "USD": 0} {
		if got := (&Scale{Currency: currency}).worth(amounts); got != want {
			t.Errorf("%q: %d", currency, got)
		}
	}
}

func TestScaleOf(t *testing.T) {
	ones := []int64{1, 1, 1, 1, 1, 1, 1, 2, 2, 3}
	days := []int64{0, 10, 20, 30, 40, 50, 60, 70, 80, 90}
	got := ScaleOf("EUR", days, ones, nil)
	want := Scale{Currency: "EUR", RecencyDays: Steps{10, 30, 50, 70}, Frequency: Steps{1, 1, 1, 2}, Monetary: DefaultScale().Monetary}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
	counts := map[int]int{}
	for _, d := range days {
		r, _, _ := got.Scores(d, 1, 1)
		counts[r]++
	}
	if d := cmp.Diff(map[int]int{1: 2, 2: 2, 3: 2, 4: 2, 5: 2}, counts); d != "" {
		t.Errorf("fifths are not equal: %s", d)
	}
	for n := range 12 { // no length goes beyond the list
		ScaleOf("", make([]int64, n), make([]int64, n), make([]int64, n))
	}
}

func TestScaleJSON(t *testing.T) {
	scale := DefaultScale()
	data, err := json.Marshal(&scale)
	if err != nil {
		t.Fatal(err)
	}
	var got Scale
	if err := json.Unmarshal(data, &got); err != nil || got != scale {
		t.Errorf("%s came back as %+v, %v", data, got, err)
	}
	if err := json.Unmarshal([]byte(`{"frequency":[1,2,3,4,5]}`), &got); err == nil || !strings.Contains(err.Error(), "5 steps; must be 4") {
		t.Errorf("five steps: %v", err)
	}
}

func TestScaleValidate(t *testing.T) {
	for text, want := range map[string]string{
		`{"currency_code":"eur","recency_days":[1,2,3,4],"frequency":[1,1,1,1],"monetary_minor_units":[1,2,3,4]}`: "currency_code: must be three letters",
		`{"recency_days":[5,2,3,400000],"frequency":[-1,1,1,1]}`:                                                  "recency_days[1]: is 2; must be between 5",
	} {
		var scale Scale
		if err := json.Unmarshal([]byte(text), &scale); err != nil {
			t.Fatal(err)
		}
		err := scale.Validate()
		var invalid *event.InvalidError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
}
