// Package retention leaves out of a history what has expired. What is expired stays where
// it is stored; it is left out wherever the history is read.
package retention

import (
	"context"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store/history"
)

// History is what Retained reads; *history.History is one.
type History interface {
	Person(ctx context.Context, v event.Visitor) (history.Person, error)
	Events(ctx context.Context, v event.Visitor, q history.EventQuery) ([]event.Event, error)
	EventIDs(ctx context.Context, v event.Visitor, fingerprints []uint64) (map[uint64]string, error)
	Scan(ctx context.Context, fn func(owner event.Visitor, events []event.Event) error) error
}

// Horizon returns the first time that is kept: the beginning of the month that lies months
// before that of now, in UTC.
func Horizon(now time.Time, months int) time.Time {
	now = now.UTC()
	return time.Date(now.Year(), now.Month()-time.Month(months), 1, 0, 0, 0, 0, time.UTC)
}

// Retained is a History without what occurred before the horizon.
type Retained struct {
	history History
	months  int
	now     func() time.Time
}

// New returns the History without what is more than so many whole months old; the
// History as it is where months is 0.
func New(h History, months int, now func() time.Time) History {
	if months <= 0 {
		return h
	}
	return &Retained{history: h, months: months, now: now}
}

func (r *Retained) horizon() time.Time { return Horizon(r.now(), r.months) }

// Person returns a visitor as its events since the horizon make it.
func (r *Retained) Person(ctx context.Context, v event.Visitor) (history.Person, error) {
	person, err := r.history.Person(ctx, v)
	if err == nil {
		person.State = person.State.Since(r.horizon())
	}
	return person, err
}

// Events returns a visitor's events since the horizon, newest first.
func (r *Retained) Events(ctx context.Context, v event.Visitor, q history.EventQuery) ([]event.Event, error) {
	events, err := r.history.Events(ctx, v, q)
	horizon := r.horizon()
	for i := range events {
		if events[i].OccurredAt.Before(horizon) {
			return events[:i], err
		}
	}
	return events, err
}

// EventIDs returns the ids of those events that are asked for.
func (r *Retained) EventIDs(ctx context.Context, v event.Visitor, fingerprints []uint64) (map[uint64]string, error) {
	return r.history.EventIDs(ctx, v, fingerprints)
}

// Scan calls fn for every visitor with its events since the horizon, if it has any.
func (r *Retained) Scan(ctx context.Context, fn func(owner event.Visitor, events []event.Event) error) error {
	horizon := r.horizon()
	var kept []event.Event
	return r.history.Scan(ctx, func(owner event.Visitor, events []event.Event) error {
		kept = kept[:0]
		for i := range events {
			if !events[i].OccurredAt.Before(horizon) {
				kept = append(kept, events[i])
			}
		}
		if len(kept) == 0 {
			return nil
		}
		return fn(owner, kept)
	})
}
