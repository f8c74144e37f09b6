package main_test

import (
	"database/sql"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver" // "sqlite3"

	"github.com/attune-shop/attune/cmd/attune/internal/importer"
	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/segment"
)

// salesSQL makes one row an invoice of a known customer out of the file's lines, by the words in which
// the importer says what it leaves out. Prices have two decimals at the most.
const salesSQL = `
CREATE TABLE sales AS
SELECT customer, invoice, invoice LIKE 'C%%' AS refund, MIN(date) AS at, SUM(ABS(quantity) * CAST(ROUND(price * 100) AS INTEGER)) AS pence
FROM (SELECT * FROM lines ORDER BY line)
WHERE customer <> '' AND code GLOB '[0-9][0-9][0-9][0-9][0-9]*' AND LTRIM(invoice, 'C') NOT GLOB '*[^0-9]*'
  AND quantity <> 0 AND (quantity < 0) = (invoice LIKE 'C%%') AND price > 0 AND TRIM(description) <> ''
GROUP BY customer, invoice;
CREATE TABLE buyers AS
SELECT customer,
  SUM(NOT refund) AS purchases, SUM(refund) AS refunds,
  SUM(CASE WHEN refund THEN -pence ELSE pence END) AS spent,
  SUM(CASE WHEN julianday('2011-12-10') - julianday(DATE(at)) < 90 THEN CASE WHEN refund THEN -pence ELSE pence END ELSE 0 END) AS spent90,
  SUM(NOT refund AND julianday('2011-12-10') - julianday(DATE(at)) < 30) AS purchases30,
  MAX(CASE WHEN NOT refund THEN at END) AS last, MIN(at) AS first,
  julianday('2011-12-10') - julianday(DATE(MAX(CASE WHEN NOT refund THEN at END))) AS days
FROM sales GROUP BY customer;
CREATE TABLE scores AS
SELECT customer,
  5 - (%[1]d < days) - (%[2]d < days) - (%[3]d < days) - (%[4]d < days) AS r,
  (3 + (%[5]d < purchases) + (%[6]d < purchases) + (%[7]d < purchases) + (%[8]d < purchases)
     + (%[9]d < spent) + (%[10]d < spent) + (%[11]d < spent) + (%[12]d < spent)) / 2 AS value
FROM buyers WHERE purchases > 0;
CREATE TABLE classes AS
SELECT customer, CASE r
  WHEN 5 THEN CASE value WHEN 1 THEN 'new_customers' WHEN 2 THEN 'potential_loyalists' WHEN 3 THEN 'potential_loyalists' ELSE 'champions' END
  WHEN 4 THEN CASE value WHEN 1 THEN 'promising' WHEN 2 THEN 'potential_loyalists' WHEN 3 THEN 'potential_loyalists' ELSE 'loyal' END
  WHEN 3 THEN CASE value WHEN 1 THEN 'about_to_sleep' WHEN 2 THEN 'about_to_sleep' WHEN 3 THEN 'need_attention' ELSE 'loyal' END
  WHEN 2 THEN CASE value WHEN 1 THEN 'hibernating' WHEN 2 THEN 'hibernating' WHEN 5 THEN 'cant_lose' ELSE 'at_risk' END
  ELSE CASE value WHEN 1 THEN 'lost' WHEN 2 THEN 'lost' WHEN 5 THEN 'cant_lose' ELSE 'at_risk' END
END AS class FROM scores;`

// sqlRules are rules and the SQL that finds the same customers, at noon of 2011-12-10.
var sqlRules = map[string][2]string{
	"often":     {"event_counts['purchase'] >= 4", "purchases >= 4"},
	"cooling":   {"purchases.d30 >= 2 && last_purchase.age > duration('168h')", "purchases30 >= 2 AND last < DATETIME('2011-12-10 12:00:00', '-7 days')"},
	"worth":     {"spent.exists(s, s.currency_code == 'GBP' && s.all >= 500000)", "spent >= 500000"},
	"returners": {"event_counts['refund'] > 0 && event_counts['purchase'] == 0", "refunds > 0 AND purchases = 0"},
	"fresh":     {"first_seen.age < duration('2160h') && spent.exists(s, s.d90 > 20000)", "first > DATETIME('2011-12-10 12:00:00', '-90 days') AND spent90 > 20000"},
}

// TestSegmentsEqualSQL imports a year of a real shop and finds, for each class of buyers and five
// rules, exactly the customers that SQL over the file finds, which is read and cleaned on its own.
func TestSegmentsEqualSQL(t *testing.T) {
	events := realEvents(t)
	if events == nil {
		t.Skip("Online Retail is not there")
	}
	s := serve(t, append(folder(t.TempDir()), "--now", "2011-12-10T12:00:00Z"))
	defer s.stop(t)
	for batch := range slices.Chunk(events, 500) {
		if _, err := s.write(t, batch...); err != nil {
			t.Fatal(err)
		}
	}
	client := attunev1.NewSegmentServiceClient(s.conn)
	scale, err := client.SetScale(t.Context(), &attunev1.SetScaleRequest{FromBuyersCurrencyCode: "GBP"})
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]string{}
	where := map[string]string{}
	for id, rule := range sqlRules {
		rules[id], where[id] = rule[0], "SELECT customer FROM buyers WHERE "+rule[1]
	}
	for _, class := range segment.Classes {
		rules[class] = fmt.Sprintf("rfm.class == '%s'", class)
		where[class] = fmt.Sprintf("SELECT customer FROM classes WHERE class = '%s'", class)
	}
	for id, rule := range rules {
		if _, err := client.CreateSegment(t.Context(), &attunev1.CreateSegmentRequest{SegmentId: id, Rule: rule}); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
	db := salesDatabase(t, scale)
	for _, id := range slices.Sorted(maps.Keys(rules)) {
		want := customers(t, db, where[id])
		var got []string
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			found, err := client.GetSegment(t.Context(), &attunev1.GetSegmentRequest{SegmentId: id})
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("%s: %v, %v", id, found, err)
			}
			if found.GetState() == attunev1.SegmentState_READY {
				break
			}
		}
		got = slices.Sorted(maps.Keys(s.published(t, id)))
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d members, %d by SQL: %s", id, len(got), len(want), difference(got, want))
			continue
		}
		t.Logf("%s: %d customers in both", id, len(got))
	}
}

// difference names some of those who are in one list only.
func difference(got, want []string) string {
	var all []string
	for _, id := range got {
		if !slices.Contains(want, id) {
			all = append(all, "+"+id)
		}
	}
	for _, id := range want {
		if !slices.Contains(got, id) {
			all = append(all, "-"+id)
		}
	}
	return strings.Join(all[:min(len(all), 10)], " ")
}

// salesDatabase reads the file into a database.
func salesDatabase(t *testing.T, scale *attunev1.Scale) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+t.TempDir()+"/sales.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	file, err := importer.OpenFile(retailFile())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	load, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = load.ExecContext(t.Context(), `CREATE TABLE lines (line INTEGER PRIMARY KEY, invoice TEXT, code TEXT, description TEXT, quantity INTEGER, date TEXT, price REAL, customer TEXT)`)
	if err != nil {
		t.Fatal(err)
	}
	insert, err := load.PrepareContext(t.Context(), `INSERT INTO lines (invoice, code, description, quantity, date, price, customer) VALUES (?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		t.Fatal(err)
	}
	rows := csv.NewReader(file)
	for n := 0; ; n++ {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			continue
		}
		if _, err := insert.ExecContext(t.Context(), row[0], row[1], row[2], row[3], row[4], row[5], strings.TrimSuffix(row[6], ".0")); err != nil {
			t.Fatal(err)
		}
	}
	if err := load.Commit(); err != nil {
		t.Fatal(err)
	}
	var steps []any
	for _, list := range [][]int64{scale.GetRecencyDays(), scale.GetFrequency(), scale.GetMonetaryMinorUnits()} {
		for _, step := range list {
			steps = append(steps, step)
		}
	}
	if _, err := db.ExecContext(t.Context(), fmt.Sprintf(salesSQL, steps...)); err != nil {
		t.Fatal(err)
	}
	return db
}

func customers(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		all = append(all, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}
