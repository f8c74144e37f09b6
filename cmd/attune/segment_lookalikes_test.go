package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLearnLookalikes learns who is like the buyers of lamps from an imported file, prints what that
// is worth, and finds as many as it is asked for.
func TestLearnLookalikes(t *testing.T) {
	s := serve(t, folder(t.TempDir()))
	defer func() { _ = s.end(os.Interrupt) }()
	var text strings.Builder
	text.WriteString("event_id,type,user_id,item_id,occurred_at\n")
	for u := range 240 { // one in four buys a lamp after two shades; one in four has a look at shades; the others at rugs
		did := []string{"view_item,%s,shade-1", "view_item,%s,shade-2", "purchase,%s,lamp"}
		switch u % 4 {
		case 1:
			did = did[:2]
		case 2, 3:
			did = []string{"view_item,%s,rug-1", "view_item,%s,rug-2"}
		}
		for n, e := range did {
			fmt.Fprintf(&text, "e%d,%s,2026-05-%02dT%02d:00:00Z\n", n, fmt.Sprintf(e, fmt.Sprint("user-", u)), 1+u%28, n)
		}
	}
	file := filepath.Join(t.TempDir(), "events.csv")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	attune := func(args ...string) string {
		t.Helper()
		out, err := run(t, append(args, "--addr", s.grpcAddr)...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	attune("import", "csv", file)
	attune("segment", "create", "lamps", "--rule", "purchases.all > 0")
	for _, command := range []string{"learn-lookalikes", "lookalikes-model"} {
		out := attune("segment", command, "lamps")
		for _, want := range []string{"version 1 of lamps, learned ", "60 members and 180 others", "30 members among 90 others", "activity: number of events", "attune less activity: AUC", "shade-1 "} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: printed\n%s\nwithout %q", command, out, want)
			}
		}
	}
	if out := attune("segment", "preview", "--template", "lookalikes", "--set", "segment_id=lamps", "--set", "size=60"); !strings.Contains(out, "60 of 240") {
		t.Errorf("the preview printed\n%s", out)
	}
}
