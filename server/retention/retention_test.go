package retention_test

import (
	"context"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/server/retention"
	"github.com/attune-shop/attune/store/history"
)

var noon = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

func TestHorizonIsTheBeginningOfAMonth(t *testing.T) {
	for months, want := range map[int]string{0: "2026-03-01", 1: "2026-02-01", 3: "2025-12-01", 27: "2023-12-01"} {
		if got := retention.Horizon(noon, months).Format(time.DateOnly); got != want {
			t.Errorf("%d months: %s, want %s", months, got, want)
		}
	}
}

// past has one visitor whose events, newest first, are a month apart.
type past []event.Event

func (p past) Person(context.Context, event.Visitor) (history.Person, error) {
	state := &feature.State{}
	for i := range p {
		state.Fold(&p[i])
	}
	return history.Person{State: state}, nil
}
func (p past) Events(context.Context, event.Visitor, history.EventQuery) ([]event.Event, error) {
	return p, nil
}
func (p past) EventIDs(context.Context, event.Visitor, []uint64) (map[uint64]string, error) {
	return map[uint64]string{1: "a"}, nil
}
func (p past) Scan(_ context.Context, fn func(event.Visitor, []event.Event) error) error {
	if err := fn("uanna", p); err != nil {
		return err
	}
	return fn("uold", p[9:])
}

func TestRetained(t *testing.T) {
	var p past
	for n := range 10 {
		e := event.Event{ID: string(rune('a' + n)), Type: event.ViewItem, UserID: "anna", ItemID: "lamp", OccurredAt: noon.AddDate(0, 0, -31*n)}
		e.Complete(noon)
		p = append(p, e)
	}
	if got := retention.New(p, 0, nil); len(got.(past)) != 10 {
		t.Error("no retention is not the history itself")
	}
	const months, want = 2, 3
	h := retention.New(p, months, func() time.Time { return noon })
	person, err := h.Person(t.Context(), "uanna")
	if got := person.State.Events(); err != nil || got != want {
		t.Errorf("person with %d events, %v", got, err)
	}
	events, err := h.Events(t.Context(), "uanna", history.EventQuery{})
	if err != nil || len(events) != want {
		t.Errorf("%d events, %v", len(events), err)
	}
	calls := 0
	if err := h.Scan(t.Context(), func(_ event.Visitor, events []event.Event) error {
		calls++
		if len(events) != want {
			t.Errorf("%d events scanned", len(events))
		}
		return nil
	}); err != nil || calls != 1 {
		t.Errorf("%d visitors, %v", calls, err)
	}
	if ids, err := h.EventIDs(t.Context(), "uanna", []uint64{1}); err != nil || ids[1] != "a" {
		t.Error(ids, err)
	}
}
