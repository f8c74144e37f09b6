package membership_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/membership"
)

// BenchmarkSweep asks everybody for a segment that all are in.
func BenchmarkSweep(b *testing.B) {
	const users = 200_000
	quiet := slog.New(slog.DiscardHandler)
	stores, err := embedded.Open(b.TempDir(), embedded.Options{Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	past, err := history.Open(b.Context(), stores, history.Options{Now: time.Now, Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	var events []event.Event
	for n := range users {
		e := event.Event{ID: "e", Type: event.ViewItem, UserID: fmt.Sprintf("user-%07d", n), ItemID: "lamp", OccurredAt: time.Now().Add(-time.Hour)}
		e.Complete(time.Now())
		if events = append(events, e); len(events) == 5_000 {
			if _, err := past.Write(b.Context(), events); err != nil {
				b.Fatal(err)
			}
			events = events[:0]
		}
	}
	compiler, err := segment.NewCompiler()
	if err != nil {
		b.Fatal(err)
	}
	book, err := membership.OpenBook(b.Context(), stores, compiler, quiet)
	if err != nil {
		b.Fatal(err)
	}
	publisher := membership.Open(b.Context(), membership.Options{
		Log: past, People: past, Store: stores, Book: book, Now: time.Now, Logger: quiet,
		Subject: func(p *history.Person, now time.Time) *segment.Subject {
			return &segment.Subject{UserID: p.Visitor.ID(), State: p.State, Now: now}
		},
		Basis: func(segment.Reads) string { return "" },
	})
	n := 0
	for b.Loop() {
		n++
		edition, err := book.Change(context.Background(), func(d *membership.Definitions) error {
			return d.Add(membership.Segment{ID: fmt.Sprint("s", n), Rule: "event_counts['view_item'] > 0"})
		})
		if err != nil {
			b.Fatal(err)
		}
		for ready := false; !ready; time.Sleep(5 * time.Millisecond) {
			states, err := publisher.States(context.Background(), edition)
			if err != nil {
				b.Fatal(err)
			}
			ready = true
			for _, s := range states {
				ready = ready && s.Ready
			}
		}
	}
	b.ReportMetric(float64(users)*float64(b.N)/b.Elapsed().Seconds(), "users/s")
	if err := publisher.Close(); err != nil {
		b.Fatal(err)
	}
	if err := past.Close(); err != nil {
		b.Fatal(err)
	}
	if err := stores.Close(); err != nil {
		b.Fatal(err)
	}
}
