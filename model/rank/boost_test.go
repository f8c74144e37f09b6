package rank

import (
	"errors"
	"testing"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/rank/expr"
)

func TestABoostedScoreIsFinite(t *testing.T) {
	compiler, err := expr.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	boost, err := compiler.Boost("1.7e308")
	if err != nil {
		t.Fatal(err)
	}
	r := &run{ctx: t.Context(), query: &Query{Boost: boost}}
	r.rules = rules{ctx: r.ctx, query: r.query, budget: expr.NewBudget(0)}
	var invalid *event.InvalidError
	if score, err := r.boost(candidate{id: "lamp", score: 2, item: &event.Item{ID: "lamp"}}); !errors.As(err, &invalid) || invalid.Violations[0].Field != "boost" {
		t.Errorf("score %v, error %v", score, err)
	}
}
