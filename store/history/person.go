package history

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/store"
)

// linksAtOnce bounds the anonymous ids of one person that are looked up at the same time.
const linksAtOnce = 32

// MaxLinked is the number of anonymous ids of a user that count: of those that were ever seen
// with it the first, in the order of their bytes. Each costs look-ups at every request. People have a
// few; more come from a client that makes a new id for each visit, or from a user that many
// share, a shop's own counter. Which ids are the first follows from the history alone, so
// that all servers and stores answer alike.
const MaxLinked = 500

// Person is a visitor together with the anonymous visitors that turned out to be the same.
type Person struct {
	// Visitor is the user where one is known, else the visitor that was asked for.
	Visitor event.Visitor
	// AnonymousIDs are those that the user owns, in order, of the first MaxLinked that it was
	// seen with.
	AnonymousIDs []string
	// State is the features of all of them, as of every acknowledged event. It is the
	// caller's. A visitor without events has a State of 0 events.
	State *feature.State
}

// Person returns who a visitor is and everything known of them. An anonymous visitor
// that a user owns is that user. Of a user who was seen with more than MaxLinked anonymous
// ids, what was done under the others is left out, here and in Events. It costs, one after the other:
//
//   - for an anonymous visitor, a look-up of its owner;
//   - a read of features;
//   - for a user who was ever seen with an anonymous id, a look-up of such ids, MaxLinked at
//     the most, then of the owners of all at once, then a read of the features of each that
//     the user owns.
func (h *History) Person(ctx context.Context, v event.Visitor) (Person, error) {
	owner, err := h.owner(ctx, v)
	if err != nil {
		return Person{}, err
	}
	own, err := h.shardOf(owner).readOrRestore(ctx, owner)
	if err != nil {
		return Person{}, err
	}
	return h.withOwned(ctx, owner, own[0])
}

// Users returns the persons that users of one shard are, in their order. Their features are read
// at once; otherwise it is as Person of each.
func (h *History) Users(ctx context.Context, users []event.Visitor) ([]Person, error) {
	if len(users) == 0 {
		return nil, ctx.Err()
	}
	own, err := h.shardOf(users[0]).readOrRestore(ctx, users...)
	if err != nil {
		return nil, err
	}
	persons := make([]Person, len(users))
	for i, user := range users {
		if persons[i], err = h.withOwned(ctx, user, own[i]); err != nil {
			return nil, err
		}
	}
	return persons, nil
}

// withOwned returns the person of a visitor whose features are known, with those of the anonymous
// visitors that it owns.
func (h *History) withOwned(ctx context.Context, owner event.Visitor, own features) (Person, error) {
	p := Person{Visitor: owner, State: own.state}
	if !owner.IsUser() || !own.linked {
		return p, nil
	}
	owned, err := h.ownedBy(ctx, owner)
	if err != nil || len(owned) == 0 {
		return p, err
	}
	states := make([]*feature.State, len(owned)+1)
	states[0] = own.state
	reading, readCtx := errgroup.WithContext(ctx)
	reading.SetLimit(linksAtOnce)
	for i, anonymous := range owned {
		p.AnonymousIDs = append(p.AnonymousIDs, anonymous.ID())
		reading.Go(func() error {
			f, err := h.shardOf(anonymous).readOrRestore(readCtx, anonymous)
			if err == nil {
				states[i+1] = f[0].state
			}
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return Person{}, err
	}
	p.State = feature.Merge(states...)
	return p, nil
}

// identities returns the visitors whose events are the person's: the owner first, then
// the anonymous visitors that it owns.
func (h *History) identities(ctx context.Context, v event.Visitor) ([]event.Visitor, error) {
	owner, err := h.owner(ctx, v)
	if err != nil || !owner.IsUser() {
		return []event.Visitor{owner}, err
	}
	owned, err := h.ownedBy(ctx, owner)
	return append([]event.Visitor{owner}, owned...), err
}

// ownedBy returns the anonymous visitors that a user owns, in order, of the first MaxLinked
// that it was seen with.
func (h *History) ownedBy(ctx context.Context, user event.Visitor) ([]event.Visitor, error) {
	linked, err := h.stores.LinkedTo(ctx, user.ID(), MaxLinked)
	if err != nil || len(linked) == 0 {
		return nil, err
	}
	owners := make([]string, len(linked))
	reading, readCtx := errgroup.WithContext(ctx)
	reading.SetLimit(linksAtOnce)
	for i, id := range linked {
		reading.Go(func() error {
			least, err := h.stores.Owner(readCtx, id)
			owners[i] = least.UserID
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return nil, err
	}
	var owned []event.Visitor
	for i, id := range linked {
		if owners[i] == user.ID() {
			owned = append(owned, event.Anonymous(id))
		}
	}
	return owned, nil
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

// Concerns returns the users of whom an event tells something new: the one that it is of, the
// owner of its anonymous visitor, and where it is a link, which may have changed the owner,
// whoever was seen with that visitor, MaxLinked at the most. The event must be projected.
func (h *History) Concerns(ctx context.Context, e *event.Event) ([]event.Visitor, error) {
	v := e.Visitor()
	link, linked := e.Link()
	if !linked {
		owner, err := h.owner(ctx, v)
		if err != nil || !owner.IsUser() {
			return nil, err
		}
		return []event.Visitor{owner}, nil
	}
	seen, err := h.stores.SeenWith(ctx, link.AnonymousID, MaxLinked)
	users := []event.Visitor{v}
	for _, id := range seen {
		if user := event.User(id); user != v {
			users = append(users, user)
		}
	}
	return users, err
}
