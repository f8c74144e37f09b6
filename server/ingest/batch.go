package ingest

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/retention"
	"github.com/attune-shop/attune/server/wire"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
)

// maxEvents bounds the events of one batch.
const maxEvents = 10_000

// batch is one request's events on their way. It is used again by the next.
type batch struct {
	// events are those that are valid, and places their places in the request.
	events []event.Event
	places []int32
	// results has an element for each event of the request.
	results []*attunev1.EventResult
	// refused are the places of those that are not valid, or of which there is no room.
	refused []refusal
}

type refusal struct {
	place      int
	violations []event.Violation
}

// write takes a batch in and returns a result for each event. What was refused is a dead
// letter by then. An error says that the fate of some events is unknown; the same batch
// again counts nothing twice.
func (s *Service) write(ctx context.Context, given []*attunev1.Event) ([]*attunev1.EventResult, error) {
	if len(given) > maxEvents {
		return nil, event.Invalid("events", "must be at most %d, are %d", maxEvents, len(given))
	}
	now := s.options.Now()
	b := s.batches.Get().(*batch)
	defer s.recycle(b)
	s.read(b, given, now)
	if err := s.store(ctx, b); err != nil {
		return nil, err
	}
	if len(b.refused) > 0 {
		if err := s.keep(ctx, b, given, now); err != nil {
			return nil, err
		}
	}
	return b.results, nil
}

// read parts the valid events from the others.
func (s *Service) read(b *batch, given []*attunev1.Event, now time.Time) {
	if cap(b.events) < len(given) {
		b.events = make([]event.Event, 0, len(given))
	}
	room := make([]attunev1.EventResult, len(given))
	b.results = make([]*attunev1.EventResult, len(given))
	for i, from := range given {
		b.results[i] = &room[i]
		n := len(b.events)
		b.events = b.events[:n+1]
		e := &b.events[n]
		wire.ReadEvent(e, from)
		violations := wire.Unread(from)
		if len(violations) == 0 {
			violations = s.judge(e, now)
		}
		if len(violations) > 0 {
			b.refuse(i, e.ID, violations)
			b.events = b.events[:n]
			continue
		}
		e.Complete(now)
		b.results[i].EventId = e.ID
		b.places = append(b.places, int32(i))
	}
}

// judge returns what is wrong with an event.
func (s *Service) judge(e *event.Event, now time.Time) []event.Violation {
	violations := e.Validate(now)
	if len(violations) == 0 && s.options.RetentionMonths > 0 && !e.OccurredAt.IsZero() {
		if horizon := retention.Horizon(now, s.options.RetentionMonths); e.OccurredAt.Before(horizon) {
			violations = event.Invalid("occurred_at", "must not be before %s: older events have expired",
				horizon.Format(time.RFC3339)).Violations
		}
	}
	return violations
}

func (b *batch) refuse(place int, id string, violations []event.Violation) {
	result := b.results[place]
	result.EventId, result.Status = wire.Text(id), attunev1.EventStatus_REJECTED
	result.Violations = wire.Violations(violations)
	b.refused = append(b.refused, refusal{place: place, violations: violations})
}

// store writes the valid events.
func (s *Service) store(ctx context.Context, b *batch) error {
	if len(b.events) == 0 {
		return nil
	}
	outcomes, err := s.options.History.Write(ctx, b.events)
	if err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	for n, outcome := range outcomes {
		place := int(b.places[n])
		switch outcome {
		case history.Accepted:
			b.results[place].Status = attunev1.EventStatus_ACCEPTED
		case history.Duplicate:
			b.results[place].Status = attunev1.EventStatus_DUPLICATE
		case history.Full:
			b.refuse(place, b.events[n].ID, full(&b.events[n]))
		default:
			return fmt.Errorf("write events: event %d of %d has outcome %d", n, len(outcomes), outcome)
		}
	}
	return nil
}

// full says that a visitor has as many events as one may have, under the field that names
// the visitor.
func full(e *event.Event) []event.Violation {
	field := "user_id"
	switch v := e.Visitor(); {
	case v.IsAnonymous():
		field = "anonymous_id"
	case v.IsSession():
		field = "session_id"
	}
	return event.Invalid(field, "has %d events, or %d MiB of them, which is as much as one visitor may have", history.MaxEvents, history.MaxBytes>>20).Violations
}

// keep stores what was refused as dead letters, as it came.
func (s *Service) keep(ctx context.Context, b *batch, given []*attunev1.Event, now time.Time) error {
	letters := make([]store.DeadLetter, len(b.refused))
	for i, r := range b.refused {
		from := given[r.place]
		if from == nil {
			from = &attunev1.Event{}
		}
		data, err := proto.Marshal(from)
		if err != nil {
			return fmt.Errorf("keep a rejected event: %w", err)
		}
		letters[i] = store.DeadLetter{ReceivedAt: now, Violations: r.violations, Data: data}
	}
	if err := s.options.Rejected.PutRejected(ctx, letters); err != nil {
		return fmt.Errorf("keep rejected events: %w", err)
	}
	return nil
}

// recycle lets go of what the batch refers to and keeps its room.
func (s *Service) recycle(b *batch) {
	clear(b.events)
	clear(b.refused)
	b.events, b.places, b.refused, b.results = b.events[:0], b.places[:0], b.refused[:0], nil
	s.batches.Put(b)
}
