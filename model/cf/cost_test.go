package cf

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/eval"
)

// TestBudget: what does not fit is left out and named, the cheap things are always tried, and
// what is named by its algorithm is.
func TestBudget(t *testing.T) {
	d := cftest.Shop(6, 300, 120, 4000)
	o := Options{Factors: 200}.filled()
	h := &chooser{eval.Hold(d, o.Protocol, o.sample())}
	ease, als := h.cost(EASE, o), h.cost(ALS, o)
	base := h.cost(ItemKNN, o) + h.cost(Popularity, o)
	if als <= ease || h.cost(Blend, o) <= als {
		t.Fatalf("costs %v, %v, %v: the test is for others", ease, als, h.cost(Blend, o))
	}
	for _, test := range []struct {
		algorithm string
		budget    time.Duration
		tried     []string
		says      string
	}{
		{Auto, 0, []string{ItemKNN, EASE, Spectral, ALS, Popularity, Blend}, ""},
		{Auto, 1, []string{ItemKNN, Popularity}, `budget of 1ns: "ease", "spectral", "als", "blend".`},
		{Auto, base + ease, []string{ItemKNN, EASE, Popularity}, `settings of "ease", "spectral", "als", "blend".`},
		{Auto, base + ease + als + 2*ease, []string{ItemKNN, EASE, ALS, Popularity}, `9 of 12 settings of "ease", "spectral", 1 of 2 settings of "als", "blend".`},
		{EASE, 1, []string{EASE}, `: 11 of 12 settings of "ease".`},
		{EASE, 4 * ease, []string{EASE}, `: 8 of 12 settings of "ease".`},
		{Blend, 1, []string{ItemKNN, Popularity, Blend}, `: "ease", "spectral", "als".`},
	} {
		plan, err := Evaluate(t.Context(), d, Options{Algorithm: test.algorithm, Budget: test.budget, Factors: 200}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var tried []string
		for _, e := range plan.Evaluations {
			tried = append(tried, e.Algorithm)
		}
		if !slices.Equal(tried, test.tried) || !strings.HasSuffix(plan.Choice, test.says) ||
			(test.says == "") == strings.Contains(plan.Choice, "budget") {
			t.Errorf("%s for %v tried %v: %s", test.algorithm, test.budget, tried, plan.Choice)
		}
	}
}
