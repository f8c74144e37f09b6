package scylla

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

func TestPagesLearn(t *testing.T) {
	p := &pages{rows: 100}
	for i, step := range []struct{ rows, bytes, want int }{
		{100, 100 * 200, 400}, // small ones: more, by steps
		{400, 400 * 200, greatestPage},
		{greatestPage, 400 << 20, leastPage}, // great ones: fewer at once
		{0, 0, leastPage},                    // an empty page tells nothing
		{20, 20 * 16 << 10, 64},
		{3, 0, 64}, // nor do rows without a size
		{64, 64 * 4 << 10, 256},
	} {
		if p.learn(step.rows, step.bytes); p.rows != step.want {
			t.Errorf("step %d: a page of %d rows, want %d", i, p.rows, step.want)
		}
	}
}

// TestGreatEventsComeInSmallPages: events of hundreds of KB are all read, some MiB at once.
func TestGreatEventsComeInSmallPages(t *testing.T) {
	s := opened(t, freshKeyspace(t))
	const great, small = 130, 3_000
	data := bytes.Repeat([]byte("x"), 300<<10)
	for i := range great {
		record := store.Record{Visitor: event.User("great"), EventID: fmt.Sprintf("%04d", i), Seq: 1, Data: data}
		if err := s.PutEvents(t.Context(), 0, []store.Record{record}); err != nil {
			t.Fatal(err)
		}
	}
	records := make([]store.Record, small)
	for i := range records {
		records[i] = store.Record{Visitor: event.User("small"), EventID: fmt.Sprintf("%04d", i), Seq: 1, Data: data[:100]}
	}
	if err := s.PutEvents(t.Context(), 0, records); err != nil {
		t.Fatal(err)
	}
	for visitor, want := range map[event.Visitor]struct{ events, rows int }{
		event.User("great"): {great, leastPage}, event.User("small"): {small, greatestPage},
	} {
		events := 0
		if err := s.ReadEvents(t.Context(), 0, visitor, func(r store.Record) error {
			if id := fmt.Sprintf("%04d", events); r.EventID != id {
				return fmt.Errorf("%s came where %s should", r.EventID, id)
			}
			events++
			return nil
		}); err != nil || events != want.events {
			t.Errorf("%s: %d events, %v", visitor, events, err)
		}
		pages := &pages{rows: eventPage}
		if err := readPages(t.Context(), s, pages, func(r *eventRow) []any { return []any{&r.id, &r.data} }, func(*eventRow) error { return nil },
			`SELECT event_id, data FROM events WHERE visitor = ?`, string(visitor)); err != nil || pages.rows != want.rows {
			t.Errorf("%s: pages of %d rows, %v", visitor, pages.rows, err)
		}
	}
	scanned := map[event.Visitor]int{}
	if err := s.ScanEvents(t.Context(), func(r store.Record) error { scanned[r.Visitor]++; return nil }); err != nil {
		t.Fatal(err)
	}
	if scanned[event.User("great")] != great || scanned[event.User("small")] != small {
		t.Errorf("scanned %v", scanned)
	}
}
