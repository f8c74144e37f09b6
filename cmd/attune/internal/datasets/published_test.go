package datasets

import (
	"cmp"
	"errors"
	"io/fs"
	"math"
	"os"
	"testing"

	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/cf/eval"
)

// shared opens a data set of the real ones, where they are.
func shared(t *testing.T, name string) *Set {
	t.Helper()
	dir := cmp.Or(os.Getenv("ATTUNE_TEST_DATA"), "../../../../../shared/data")
	s, err := Open(name, dir)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%v; set ATTUNE_TEST_DATA to the folder of the data sets", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPopularityIsAsPublished: what has no settings must come out the same, which holds the
// reading, the protocol and the metrics to those of the tables.
func TestPopularityIsAsPublished(t *testing.T) {
	for _, name := range []string{MovieLens, Gowalla} {
		t.Run(name, func(t *testing.T) {
			s := shared(t, name)
			model, err := cf.Fit(t.Context(), cmp.Or(s.Counted, s.Train), cf.Plan{Algorithm: cf.Popularity}, cf.Options{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			m, err := eval.Measure(t.Context(), model, s.Cases, s.Protocol, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := s.Published[0]
			if want.Model != cf.Popularity {
				t.Fatalf("the first row is %q", want.Model)
			}
			for metric, x := range want.Metrics {
				if got := m.Metrics[metric]; math.Abs(got-x) > .00015 {
					t.Errorf("%s is %.5f, published is %.4f", metric, got, x)
				}
			}
		})
	}
}

// TestSharedSizes holds the reading to what the files are said to hold.
func TestSharedSizes(t *testing.T) {
	for name, want := range map[string][4]int{ // users, items, interactions, lists
		MovieLens:    {943, 1682, 75_066, 943},
		Gowalla:      {29_858, 40_981, 810_128, 29_858},
		Yoochoose:    {116_167, 17_376, 486_026, 55_898},
		RetailRocket: {2174, 29_905, 75_374 + 12_456 + 9551, 2174},
	} {
		t.Run(name, func(t *testing.T) {
			s := shared(t, name)
			if got := [4]int{s.Train.Users(), s.Train.Items(), s.Train.Interactions(), len(s.Cases)}; got != want {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// TestPublishedRowsHaveTheirTablesMetrics and nothing that is no share.
func TestPublishedRowsHaveTheirTablesMetrics(t *testing.T) {
	for table, metrics := range map[*[]Published][]string{
		&publishedMovieLens: {"map@10", "ndcg@10", "precision@10", "recall@10"},
		&publishedGowalla:   {"recall@20", "ndcg@20"},
		&publishedYoochoose: {"hit_rate@20", "mrr@20"},
	} {
		for _, row := range *table {
			for _, name := range metrics {
				if x := row.Metrics[name]; !(x > 0 && x < 1) || len(row.Metrics) != len(metrics) {
					t.Errorf("%s: %s is %g", row.Model, name, x)
				}
			}
		}
	}
}
