package audience

import (
	"context"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/event"
)

// History is what is learned from; *history.History is one.
type History interface {
	// Scan calls fn for every visitor with all of its events. Those of an anonymous visitor come
	// under its owner's name, in a call of their own.
	Scan(ctx context.Context, fn func(owner event.Visitor, events []event.Event) error) error
}

// gathering reads the history twice, for a user's events lie in several places: once to count in how
// many, and for the span of all; and again for each user with all events. Only those of users who
// were in several places are held in memory until the last of these has come.
type gathering struct {
	history History
	// places counts those of each user, by a hash of the id; done marks who was handed on.
	places map[uint64]int
	// from is the time of the first event, to is after the last one.
	from, to      time.Time
	users, events int64
}

const done = -1

// gather reads the span of what users did.
func gather(ctx context.Context, history History) (*gathering, error) {
	g := &gathering{history: history, places: map[uint64]int{}}
	err := history.Scan(ctx, func(owner event.Visitor, events []event.Event) error {
		if !owner.IsUser() {
			return ctx.Err()
		}
		g.places[hashOf(owner)]++
		g.events += int64(len(events))
		for i := range events {
			at := events[i].OccurredAt
			if g.from.IsZero() || at.Before(g.from) {
				g.from = at
			}
			if !at.Before(g.to) {
				g.to = at.Add(time.Microsecond)
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	g.users = int64(len(g.places))
	return g, nil
}

// each calls fn for each user, once, with all events, in any order. What arrives meanwhile may be
// missing. The events are valid only during the call.
func (g *gathering) each(ctx context.Context, fn func(user event.Visitor, events []event.Event)) error {
	waiting := map[event.Visitor][]event.Event{}
	err := g.history.Scan(ctx, func(owner event.Visitor, events []event.Event) error {
		if err := ctx.Err(); err != nil || !owner.IsUser() {
			return err
		}
		id := hashOf(owner)
		places := g.places[id]
		g.places[id] = places - 1
		if places > 1 {
			waiting[owner] = append(waiting[owner], events...)
			return nil
		}
		if places != 1 { // handed on already, or was not there before
			g.places[id] = done
			return nil
		}
		if before, more := waiting[owner]; more {
			events = append(before, events...)
			delete(waiting, owner)
		}
		g.places[id] = done
		fn(owner, events)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read history: %w", err)
	}
	for user, events := range waiting { // some of whose events are gone meanwhile
		fn(user, events)
	}
	return nil
}

func hashOf(v event.Visitor) uint64 { return xxhash.Sum64String(string(v)) }
