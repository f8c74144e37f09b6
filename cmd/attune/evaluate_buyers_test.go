package main_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/propensity"
)

// TestEvaluateBuyers measures on a little shop of which one half comes back each few days, and the other hardly.
func TestEvaluateBuyers(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, days int, header string, line func(user, day int, kind string) string) string {
		text := header
		for user := range 80 {
			for day := range days {
				for n, kind := range []string{"view", "buy"} {
					if every := 3 + user%2*15 + user%5; (day+user+n)%every == 0 {
						text += line(user, day, kind)
					}
				}
			}
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	at := func(day, user int) int64 { return 1_700_000_000 + int64(day)*86400 + int64(user)*600 }
	csv := write("events.csv", 120, "type,user_id,item_id,occurred_at\npurchase,,i1,1700000000\n", func(user, day int, kind string) string {
		kind = map[string]string{"view": "view_item", "buy": "purchase"}[kind]
		return fmt.Sprintf("%s,u%d,i1,%s\n", kind, user, time.Unix(at(day, user), 0).UTC().Format(time.RFC3339))
	})
	rocket := write("rocket.csv", 120, "timestamp,user,event,item\n", func(user, day int, kind string) string {
		return fmt.Sprintf("%d,%d,%s,1\n", at(day, user), user, kind)
	})
	short := write("short.csv", 20, "timestamp,user,event,item\n", func(user, day int, kind string) string {
		return fmt.Sprintf("%d,%d,%s,1\n", at(day, user), user, kind)
	})

	out, err := run(t, "evaluate-buyers", "csv", csv, "--output", "json")
	var answer struct {
		Users, Events int64
		LeftOut       int64 `json:"left_out"`
		Report        propensity.Report
		Notes         []string
	}
	if err != nil || json.Unmarshal(out, &answer) != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if r := answer.Report; answer.Users != 80 || answer.LeftOut != 1 || r.All.Better.Interval.Low <= 0 || r.All.Positives < 20 || len(answer.Notes) != 0 {
		t.Errorf("%+v", answer)
	}
	out, err = run(t, "evaluate-buyers", "retailrocket", rocket)
	for _, want := range []string{"events of 80 users", "\nall users ", "attune ", "recency: days since the last ", "bought before", "attune less recency", "test_buy.csv", "\npredicted "} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v\n%s\nwithout %q", err, out, want)
		}
	}
	oneLine(t, fails(t, "evaluate-buyers", "retailrocket", short), "too little history: it is of 19 days, and must be of 28")
	oneLine(t, fails(t, "evaluate-buyers", "retailrocket", csv), "not RetailRocket")
}

// TestEvaluateBuyersPublic holds the figures on two public data sets to being better than recency.
func TestEvaluateBuyersPublic(t *testing.T) {
	dir := cmp.Or(os.Getenv("ATTUNE_TEST_DATA"), "../../../shared/data")
	for _, x := range []struct {
		format, file string
		auc          float64
	}{
		{"retailrocket", "retailrocket/events_train.csv.gz", .95},
		{"online-retail", "online-retail/online_retail.csv.gz", .73},
	} {
		path := filepath.Join(dir, x.file)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			t.Skipf("no %s in %s; set ATTUNE_TEST_DATA to the folder of the data sets", x.file, dir)
		}
		if testing.Short() {
			t.Skip("takes half a minute")
		}
		out, err := run(t, "evaluate-buyers", x.format, path, "--output", "json")
		var answer struct{ Report propensity.Report }
		if err != nil || json.Unmarshal(out, &answer) != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, c := range []*propensity.Comparison{&answer.Report.All, answer.Report.Again} {
			if c == nil || c.Better.Interval.Low <= 0 || c.Model.LogLoss >= c.Recency.LogLoss || c.Model.CalibrationError >= c.Recency.CalibrationError {
				t.Errorf("%s: %+v", x.format, c)
			}
		}
		if answer.Report.All.Model.AUC < x.auc {
			t.Errorf("%s: AUC %v", x.format, answer.Report.All.Model.AUC)
		}
	}
}
