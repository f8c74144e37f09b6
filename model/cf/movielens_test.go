package cf

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// dataLines calls fn for the lines of a file of a public data set, and skips the test where that
// is not there.
func dataLines(t *testing.T, set, name string, fn func(line string)) {
	t.Helper()
	dir := cmp.Or(os.Getenv("ATTUNE_TEST_DATA"), "../../../shared/data")
	file, err := os.Open(filepath.Join(dir, set, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no %s in %s; set ATTUNE_TEST_DATA to the folder that holds %s/", name, dir, set)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fn(lines.Text())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// movieLens reads one part of the MovieLens-100k split, as (user, item, unix seconds).
func movieLens(t *testing.T, name string, fn func(user, item string, at int64)) {
	t.Helper()
	dataLines(t, "movielens-100k", name, func(line string) {
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
	b := NewBuilder()
	movieLens(t, "msr_split_item_train.tsv.gz", func(user, item string, at int64) { b.Add(user, item, 1, at) })
	d := b.Build()
	s, err := Fit(t.Context(), d, plan, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	users := map[string]*Case{}
	movieLens(t, "msr_split_item_test.tsv.gz", func(user, item string, _ int64) {
		c := users[user]
		if c == nil {
			c = &Case{}
			c.History, c.Hidden = d.History(user)
			users[user] = c
		}
		if i, ok := d.Index(item); ok {
			c.Relevant = append(c.Relevant, i)
		} else {
			c.Unknown++
		}
	})
	var cases []Case
	for _, user := range slices.Sorted(maps.Keys(users)) {
		slices.Sort(users[user].Relevant)
		cases = append(cases, *users[user])
	}
	m, err := Measure(t.Context(), s, cases, Protocol{K: 10}, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m.Metrics[NDCG.At(10)]
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
