package cf

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
)

// movieLens reads one part of the MovieLens-100k split, as (user, item, unix seconds).
func movieLens(t *testing.T, name string, fn func(user, item string, at int64)) {
	t.Helper()
	cftest.Lines(t, "movielens-100k", name, func(line string) {
		fields := strings.Fields(line)
		at, err := strconv.ParseInt(fields[3], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		fn(fields[0], fields[1], at)
	})
}

// splitNDCG fits the plan on the split's training part and returns nDCG@10 on its test part.
func splitNDCG(t *testing.T, plan Plan, o Options) float64 {
	t.Helper()
	b := feedback.NewBuilder()
	movieLens(t, "msr_split_item_train.tsv.gz", func(user, item string, at int64) { b.Add(user, item, 1, at) })
	d := b.Build()
	s, err := Fit(t.Context(), d, plan, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]*eval.Case{}
	movieLens(t, "msr_split_item_test.tsv.gz", func(user, item string, _ int64) {
		c := users[user]
		if c == nil {
			c = &eval.Case{}
			c.History, c.Hidden = d.History(user)
			users[user] = c
		}
		if i, ok := d.Index(item); ok {
			c.Relevant = append(c.Relevant, i)
		} else {
			c.Unknown++
		}
	})
	var cases []eval.Case
	for _, user := range slices.Sorted(maps.Keys(users)) {
		slices.Sort(users[user].Relevant)
		cases = append(cases, *users[user])
	}
	m, err := eval.Measure(t.Context(), s, cases, eval.Protocol{K: 10}, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m.Metrics[eval.NDCG.At(10)]
}

// TestMovieLens holds the algorithms to what is published for this split: popularity
// .2523, the best .4687.
func TestMovieLens(t *testing.T) {
	for _, test := range []struct {
		plan Plan
		want float64
	}{
		{Plan{Algorithm: Popularity}, .25},
		{Plan{Algorithm: ItemKNN}, .40},
		{Plan{Algorithm: EASE, Settings: Settings{Lambda: 300}}, .475},
		{Plan{Algorithm: ALS, Settings: Settings{Lambda: 4}}, .47},
	} {
		t.Run(test.plan.Algorithm, func(t *testing.T) {
			got := splitNDCG(t, test.plan, Options{Seed: 1})
			t.Logf("nDCG@10 %.4f", got)
			if got < test.want {
				t.Errorf("nDCG@10 %.4f, want at least %.4f", got, test.want)
			}
		})
	}
}
