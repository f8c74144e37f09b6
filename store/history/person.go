package history

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/store"
)

// Person is a visitor together with the anonymous visitors that turned out to be the same.
type Person struct {
	// Visitor is the user where one is known, else the visitor that was asked for.
	Visitor event.Visitor
	// AnonymousIDs are those that the user owns, in order.
	AnonymousIDs []string
	// State is the features of all of them, as of every acknowledged event. It is the
	// caller's. A visitor without events has a State of 0 events.
	State *feature.State
}

// Person returns who a visitor is and everything known of them. An anonymous visitor
// that a user owns is that user. Cost: one read of features, one look-up of links, and
// both again for each anonymous id that the user owns.
func (h *History) Person(ctx context.Context, v event.Visitor) (Person, error) {
	visitors, err := h.identities(ctx, v)
	if err != nil {
		return Person{}, err
	}
	p := Person{Visitor: visitors[0]}
	states := make([]*feature.State, len(visitors))
	for i, visitor := range visitors {
		if i > 0 {
			p.AnonymousIDs = append(p.AnonymousIDs, visitor.ID())
		}
		if states[i], err = h.shardOf(visitor).read(ctx, visitor); err != nil {
			return Person{}, err
		}
	}
	p.State = states[0]
	if len(states) > 1 {
		p.State = feature.Merge(states...)
	}
	return p, nil
}

// identities returns the visitors whose events are the person's: the owner first, then
// the anonymous visitors that it owns.
func (h *History) identities(ctx context.Context, v event.Visitor) ([]event.Visitor, error) {
	owner, err := h.owner(ctx, v)
	if err != nil || !owner.IsUser() {
		return []event.Visitor{owner}, err
	}
	visitors := []event.Visitor{owner}
	linked, err := h.stores.LinkedTo(ctx, owner.ID())
	if err != nil {
		return nil, err
	}
	for _, id := range linked {
		least, err := h.stores.Owner(ctx, id)
		if err != nil {
			return nil, err
		}
		if least.UserID == owner.ID() {
			visitors = append(visitors, event.Anonymous(id))
		}
	}
	return visitors, nil
}

// owner returns the user that an anonymous visitor belongs to, and v itself for any other.
func (h *History) owner(ctx context.Context, v event.Visitor) (event.Visitor, error) {
	if !v.IsAnonymous() {
		return v, nil
	}
	least, err := h.stores.Owner(ctx, v.ID())
	if errors.Is(err, event.ErrNotFound) {
		return v, nil
	}
	return event.User(least.UserID), err
}

// Position is a place in a person's events, newest first. The zero Position is before the newest.
type Position struct {
	OccurredAt time.Time
	EventID    string
	Visitor    event.Visitor
}

// PositionOf returns the place of an event.
func PositionOf(e *event.Event) Position {
	return Position{OccurredAt: e.OccurredAt, EventID: e.ID, Visitor: e.Visitor()}
}

// newer orders positions from the newest on.
func (p Position) newer(other Position) int {
	if c := other.OccurredAt.Compare(p.OccurredAt); c != 0 {
		return c
	}
	if c := strings.Compare(other.EventID, p.EventID); c != 0 {
		return c
	}
	return strings.Compare(string(other.Visitor), string(p.Visitor))
}

// EventQuery selects from a person's events.
type EventQuery struct {
	// Type is the only type wanted; empty is every type.
	Type event.Type
	// After is the last event of the page before; zero starts with the newest.
	After Position
	// Limit is the number of events at the most, above 0.
	Limit int
}

// Events returns events of the person that a visitor is, newest first. It reads all of
// them, in memory bounded by the limit: time is linear in the person's events.
func (h *History) Events(ctx context.Context, v event.Visitor, q EventQuery) ([]event.Event, error) {
	type placed struct {
		event.Event
		at Position
	}
	order := func(a, b placed) int { return a.at.newer(b.at) }
	var page []placed
	err := h.eachEvent(ctx, v, func(e event.Event) error {
		at := PositionOf(&e)
		if q.Type != "" && e.Type != q.Type || q.After != (Position{}) && q.After.newer(at) >= 0 {
			return nil
		}
		if page = append(page, placed{e, at}); len(page) >= 4*q.Limit+64 {
			slices.SortFunc(page, order)
			page = page[:q.Limit]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(page, order)
	events := make([]event.Event, min(len(page), q.Limit))
	for i := range events {
		events[i] = page[i].Event
	}
	return events, nil
}

// EventIDs returns the ids of those events of the person whose fingerprints
// (feature.Fingerprint) are asked for. Time is linear in the person's events.
func (h *History) EventIDs(ctx context.Context, v event.Visitor, fingerprints []uint64) (map[uint64]string, error) {
	ids := make(map[uint64]string, len(fingerprints))
	err := h.eachEvent(ctx, v, func(e event.Event) error {
		if print := feature.Fingerprint(e.ID); slices.Contains(fingerprints, print) {
			ids[print] = e.ID
		}
		return nil
	})
	return ids, err
}

// eachEvent calls fn for every event of the person that a visitor is.
func (h *History) eachEvent(ctx context.Context, v event.Visitor, fn func(event.Event) error) error {
	visitors, err := h.identities(ctx, v)
	if err != nil {
		return err
	}
	for _, visitor := range visitors {
		err := h.stores.ReadEvents(ctx, h.shardOf(visitor).number, visitor, func(r store.Record) error {
			e, err := event.Decode(r.Data)
			if err != nil {
				return err
			}
			return fn(e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
