package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommands drives a server with nothing but the command line.
func TestCommands(t *testing.T) {
	s := serve(t, folder(t.TempDir()))
	defer func() { _ = s.end(os.Interrupt) }()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}

	events := write("events.csv", "event_id,type,user_id,item_id,quantity,price.currency_code,price.minor_units,occurred_at\n"+
		"e1,purchase,anna,lamp,2,EUR,1250,2026-01-01T10:00:00Z\n"+
		"e2,purchase,ben,lamp,1,EUR,1250,2026-01-01T10:00:00Z\n"+
		"e3,view_item,anna,bulb,,,,2026-01-02T10:00:00Z\n"+
		"e4,purchase,anna,lamp,2,XXQ,1250,2026-01-01T10:00:00Z\n"+
		"e5,view_item,anna,bulb,,,,yesterday\n")
	s.asks(t, []string{"All 5 lines read add up", "lines[].price.currency_code", "malformed occurred_at"}, "import", "csv", events)
	var report struct {
		Lines     int64
		Duplicate struct{ Events int64 }
		Rejected  struct{ Events int64 }
		Skipped   []struct{ Lines int64 }
	}
	if err := json.Unmarshal([]byte(s.ask(t, "import", "csv", events, "--output", "json")), &report); err != nil {
		t.Fatal(err)
	}
	if report.Lines != 5 || report.Duplicate.Events != 3 || report.Rejected.Events != 1 || len(report.Skipped) != 1 {
		t.Errorf("the second import: %+v", report)
	}

	items := write("items.jsonl", `{"item_id":"lamp","title":"Lamp","price":{"currency_code":"EUR","minor_units":"1250"},"categories":["Home > Lamps"]}`+"\n"+
		`{"itemId":"bulb","title":"Bulb"}`+"\n")
	s.asks(t, []string{"2 items stored"}, "items", "upsert", items)
	s.asks(t, []string{"Bulb", "--page-token"}, "items", "list", "--page-size", "1")
	s.asks(t, []string{"Home > Lamps", "in stock"}, "items", "get", "lamp")
	s.asks(t, []string{`"item_id": "lamp"`}, "items", "get", "lamp", "--output", "json")
	s.asks(t, []string{"items, list"}, "items", "similar", "lamp")
	s.asks(t, []string{"items, list"}, "items", "bought-together", "lamp", "bulb")
	s.asks(t, []string{"items, list"}, "items", "trending", "--window", "720h")
	said := write("said.jsonl", `{"event_id":"i1","type":"identify","user_id":"anna","occurred_at":"2026-01-03T10:00:00Z",`+
		`"attributes":{"tier":"gold","age":41,"newsletter":true}}`+"\n")
	s.asks(t, []string{"All 1 lines read add up"}, "import", "jsonl", said)
	s.asks(t, []string{"25.00 EUR", "Bulb", `traits: age=41, newsletter=true, tier="gold"`}, "user", "get", "anna")
	s.asks(t, []string{"2 x lamp", "view_item"}, "user", "events", "anna")
	s.asks(t, []string{`"recommendation_id"`, `"score"`}, "recommend", "anna", "--limit", "1", "--output", "json")
	s.asks(t, []string{"popularity", "interactions"}, "train", "--algorithm", "popularity")
	s.asks(t, []string{"item_knn", "interactions"}, "train", "--algorithm", "item_knn", "--objective", "next-item", "--limit", "5", "--include-seen", "--keep-active")
	s.asks(t, []string{"-popularity: ", ", in service"}, "models", "get")
	s.asks(t, []string{"item_knn of 3 interactions"}, "train", "--keep-active", "--budget", "1s")
	s.asks(t, []string{"-popularity", "in service"}, "models", "list")
	version, _, _ := strings.Cut(s.ask(t, "models", "list"), " ")
	s.asks(t, []string{version + ": ", ", in service"}, "models", "activate", version)
	s.asks(t, []string{"1 items, list"}, "recommend", "anna", "--exclude-bought", "--explain")
	s.asks(t, []string{"bulb deleted"}, "items", "delete", "bulb")

	for _, tc := range []struct {
		want string
		args []string
	}{
		{`"nobody"`, []string{"user", "get", "nobody"}},
		{"too little history: it is of 2 days", []string{"segment", "learn-buyers"}},
		{"not found", []string{"segment", "buyers-model"}},
		{"limit: ", []string{"recommend", "anna", "--limit=-1"}},
		{"filter: ", []string{"recommend", "anna", "--filter", "item.colour"}},
		{"page_token: ", []string{"items", "list", "--page-token", "nonsense"}},
		{"first line must be", []string{"import", "online-retail", events}},
	} {
		if out := fails(t, append(tc.args, "--addr", s.grpcAddr)...); !strings.Contains(out, tc.want) {
			t.Errorf("%v failed with\n%s\nwithout %q", tc.args, out, tc.want)
		}
	}
	if out := fails(t, "user", "get", "anna", "--addr", "127.0.0.1:1"); !strings.Contains(out, "no answer from a server at 127.0.0.1:1") {
		t.Errorf("without a server: %s", out)
	}
}

// TestDemo shows the small shop to its end and leaves nothing behind.
func TestDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	out, err := run(t, "demo", "--exit", "--visitors", "60", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text := string(out)
	if strings.Count(text, "recommended, without") != 3 || !strings.Contains(text, " 0 rejected") {
		t.Errorf("the demo printed\n%s", text)
	}
	for _, want := range []string{"Goes with", "curl 'http://127.0.0.1:", "grpcurl -plaintext 127.0.0.1:"} {
		if !strings.Contains(text, want) {
			t.Errorf("the demo printed no %q", want)
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
