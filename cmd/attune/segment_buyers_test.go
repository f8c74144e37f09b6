package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLearnBuyers learns who will buy from an imported file, and prints what that is worth.
func TestLearnBuyers(t *testing.T) {
	s := serve(t, folder(t.TempDir()))
	defer func() { _ = s.end(os.Interrupt) }()
	var text strings.Builder
	text.WriteString("event_id,type,user_id,item_id,occurred_at\n")
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for u := range 75 { // every third one purchases each time, the others have a look only
		for n := range 20 {
			at := begin.Add(time.Duration(84*n+7*(u%12)) * time.Hour)
			kind := "view_item"
			if u%3 == 0 {
				kind = "purchase"
			}
			fmt.Fprintf(&text, "e%d,%s,user-%d,lamp,%s\n", n, kind, u, at.Format(time.RFC3339))
		}
	}
	file := filepath.Join(t.TempDir(), "events.csv")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "import", "csv", file, "--addr", s.grpcAddr); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, command := range []string{"learn-buyers", "buyers-model"} {
		out, err := run(t, "segment", command, "--addr", s.grpcAddr)
		for _, want := range []string{"version 1, learned ", "1,500 events of 75 users", "Fitted on", "recency: days since", "attune less recency, all users: AUC", "predicted"} {
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("%s: %v: printed\n%s\nwithout %q", command, err, out, want)
			}
		}
	}
}
