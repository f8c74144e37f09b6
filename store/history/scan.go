package history

import (
	"bytes"
	"context"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/store"
)

// Scan calls fn for every visitor with all of its events, in the order of event ids. An
// anonymous visitor's events come under its owner's name, in a call of their own. Visitors
// come in any order.
func (h *History) Scan(ctx context.Context, fn func(owner event.Visitor, events []event.Event) error) error {
	return h.eachVisitor(ctx, func(v event.Visitor, records []located) error {
		owner, err := h.owner(ctx, v)
		if err != nil {
			return err
		}
		events := make([]event.Event, len(records))
		for i, r := range records {
			events[i] = r.Event
		}
		return fn(owner, events)
	})
}

// located is an event, the row of the log that it came in, and the size of its binary form.
type located struct {
	event.Event
	seq   store.Seq
	bytes int
}

// eachVisitor calls fn for each visitor with all of its events.
func (h *History) eachVisitor(ctx context.Context, fn func(event.Visitor, []located) error) error {
	var current event.Visitor
	var events []located
	err := h.stores.ScanEvents(ctx, func(r store.Record) error {
		if r.Visitor != current {
			if len(events) > 0 {
				if err := fn(current, events); err != nil {
					return err
				}
			}
			current, events = r.Visitor, events[:0]
		}
		e, err := event.Decode(r.Data)
		if err != nil {
			return err
		}
		events = append(events, located{e, r.Seq, len(r.Data)})
		return nil
	})
	if err != nil || len(events) == 0 {
		return err
	}
	return fn(current, events)
}

// Sighting is a user as a scan came by. Later events may be missing from it.
type Sighting struct {
	User event.Visitor
	// value is nil where what is known of the user is in more than one place.
	value []byte
}

// State returns the user's features as of the scan. It is nil where only Person can tell.
func (s Sighting) State() (*feature.State, error) {
	if s.value == nil {
		return nil, nil
	}
	f, err := decodeFeatures(s.value)
	if err != nil || f.linked {
		return nil, err
	}
	return f.state, nil
}

// EachUser calls fn for every user who ever did anything, at least once, in any order. What
// happens during the scan may be in the sightings or not. Anonymous visitors are left out.
func (h *History) EachUser(ctx context.Context, fn func(Sighting) error) error {
	if h.stores.LosesFeatures() {
		return h.stores.ScanVisitors(ctx, func(v event.Visitor) error {
			if !v.IsUser() {
				return nil
			}
			return fn(Sighting{User: v})
		})
	}
	return h.stores.ScanFeatures(ctx, func(v event.Visitor, value []byte) error {
		if !v.IsUser() {
			return nil
		}
		return fn(Sighting{User: v, value: bytes.Clone(value)})
	})
}
