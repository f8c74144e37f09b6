package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEvaluate measures on a little shop of two tastes: who likes the one thing likes the other.
func TestEvaluate(t *testing.T) {
	dir := t.TempDir()
	var train, test, negatives strings.Builder
	for u := range 60 {
		for i := range 8 {
			if item := u%2*8 + i; i == u/2%8 {
				fmt.Fprintf(&test, "%d,%d\n", u, item)
				fmt.Fprintf(&negatives, "(%d,%d)\t%d\t%d\n", u, item, (u+1)%2*8, (u+1)%2*8+1)
			} else {
				fmt.Fprintf(&train, "%d,%d,%d\n", u, item, 1000*i+u)
			}
		}
	}
	for name, text := range map[string]string{
		"train.csv": train.String(), "test.csv": test.String(), "negatives": negatives.String(), "prefixes": "1 2\t3\n8\t9\n", "bad.csv": "u,i,5\nu,i\n",
		"retailrocket/events_train.csv": "timestamp,user,event,item\n1,a,view,x\n2,a,buy,y\n3,b,buy,z\n", "retailrocket/test_buy.csv": "user,item\na,z\nb,y\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	type row struct {
		Model      string
		Source     string
		Metrics    map[string]float64
		FitSeconds *float64              `json:"fit_seconds"`
		PeakBytes  *int64                `json:"peak_bytes"`
		Intervals  map[string][2]float64 `json:"intervals"`
	}
	evaluate := func(args ...string) (rows []row, models []string) {
		t.Helper()
		out, err := run(t, append([]string{"evaluate", "--data", dir, "--output", "json", "--dataset"}, args...)...)
		var answer struct{ Rows []row }
		if err != nil || json.Unmarshal(out, &answer) != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		for _, r := range answer.Rows {
			models = append(models, r.Model)
			if r.Source != "attune" || r.FitSeconds == nil || *r.FitSeconds <= 0 || r.PeakBytes != nil && *r.PeakBytes < 1<<20 {
				t.Errorf("%v: %+v", args, r)
			}
		}
		return answer.Rows, models
	}

	files := []string{"csv", "--train", "train.csv", "--test", "test.csv"}
	rows, models := evaluate(append(files, "--k", "1", "--algorithm", "item_knn")...)
	if !slices.Equal(models, []string{"item_knn", "popularity"}) || rows[0].Metrics["recall@1"] != 1 || rows[1].Metrics["recall@1"] > .9 || rows[0].Intervals != nil {
		t.Errorf("%+v", rows)
	}
	if rows, _ = evaluate(append(files, "--seen", "--k", "1", "--algorithm", "popularity")...); rows[0].Metrics["coverage@1"] != 1./16 {
		t.Errorf("the most popular item is not on top of each list: %+v", rows)
	}
	rows, _ = evaluate(append(files, "--k", "3", "--negatives", "negatives", "--algorithm", "popularity")...)
	if len(rows) != 1 || rows[0].Metrics["hit_rate@3"] != 1 {
		t.Errorf("three of three candidates do not hold the item: %+v", rows)
	}
	if rows, _ = evaluate("csv", "--train", "train.csv", "--prefixes", "prefixes"); rows[0].Metrics["hit_rate@10"] != 1 {
		t.Errorf("the next item is not found: %+v", rows)
	}
	rows, models = evaluate("retailrocket")
	slices.Sort(models)
	if !slices.Equal(models, []string{"als", "auto", "item_knn", "popularity"}) || len(rows[0].Intervals) != 2 {
		t.Errorf("%+v", rows)
	}

	out, err := run(t, append([]string{"evaluate", "--data", dir, "--dataset"}, files...)...)
	for _, want := range []string{"measured on 60 lists of 10", "source", "ndcg@10", "\nauto ", "\nauto: ", "popularity: "} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v\n%s\nwithout %q", err, out, want)
		}
	}

	for _, bad := range []struct {
		want string
		args []string
	}{
		{"--data: there is no msr_split_item_train.tsv, plain or .gz, in ", []string{"ml100k"}},
		{"--k must be at least 1", append(files, "--k", "0")},
		{"--k is for --dataset csv", []string{"gowalla", "--k", "5"}},
		{"--seen is for --dataset csv", []string{"gowalla", "--no-seen"}},
		{"--train is required", []string{"csv", "--test", "test.csv"}},
		{"--test is required", []string{"csv", "--train", "train.csv"}},
		{"--test: stat ", []string{"csv", "--train", "train.csv", "--test", "nowhere"}},
		{"--prefixes stands in place of --test", append(files, "--prefixes", "prefixes")},
		{"--prefixes is for --protocol next-item", []string{"csv", "--train", "train.csv", "--prefixes", "prefixes", "--protocol", "top-k"}},
		{"--negatives is for --protocol leave-one-out", append(files, "--negatives", "negatives", "--protocol", "top-k")},
		{"--protocol must be top-k, leave-one-out or next-item", append(files, "--protocol", "magic")},
		{`--algorithm: must be "auto"`, append(files, "--algorithm", "magic")},
		{"bad.csv:2: wrong number of fields", []string{"csv", "--train", "bad.csv", "--test", "test.csv"}},
	} {
		oneLine(t, fails(t, append([]string{"evaluate", "--data", dir, "--dataset"}, bad.args...)...), bad.want)
	}
}
