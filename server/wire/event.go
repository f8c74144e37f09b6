// Package wire carries what is on the wire (gen/attune/v1) into the vocabulary of
// model/event and back. It judges nothing: what the wire can say and the vocabulary cannot
// becomes a value that Validate refuses under the same field.
package wire

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
)

// ReadEvent sets e to what came. Strings are shared with it; ReceivedAt stays zero.
func ReadEvent(e *event.Event, from *attunev1.Event) {
	*e = event.Event{
		ID:               from.GetEventId(),
		Type:             event.Type(from.GetType()),
		UserID:           from.GetUserId(),
		AnonymousID:      from.GetAnonymousId(),
		SessionID:        from.GetSessionId(),
		ItemID:           from.GetItemId(),
		Value:            ReadMoney(from.GetValue()),
		OccurredAt:       ReadTime(from.GetOccurredAt()),
		SentAt:           ReadTime(from.GetSentAt()),
		SearchQuery:      from.GetSearchQuery(),
		RecommendationID: from.GetRecommendationId(),
		Placement:        from.GetPlacement(),
		Attributes:       ReadAttributes(from.GetAttributes()),
	}
	if lines := from.GetLines(); len(lines) > 0 {
		e.Lines = make([]event.Line, len(lines))
		for i, line := range lines {
			e.Lines[i] = event.Line{ItemID: line.GetItemId(), Quantity: 1, Price: ReadMoney(line.GetPrice())}
			if line != nil && line.Quantity != nil {
				e.Lines[i].Quantity = *line.Quantity
			}
		}
	}
}

// Event returns a stored event for the wire.
func Event(e *event.Event) *attunev1.Event {
	to := &attunev1.Event{
		EventId:          e.ID,
		Type:             string(e.Type),
		UserId:           e.UserID,
		AnonymousId:      e.AnonymousID,
		SessionId:        e.SessionID,
		ItemId:           e.ItemID,
		Value:            Money(e.Value),
		OccurredAt:       Time(e.OccurredAt),
		SentAt:           Time(e.SentAt),
		ReceivedAt:       Time(e.ReceivedAt),
		SearchQuery:      e.SearchQuery,
		RecommendationId: e.RecommendationID,
		Placement:        e.Placement,
		Attributes:       Attributes(e.Attributes),
	}
	for _, line := range e.Lines {
		to.Lines = append(to.Lines, &attunev1.Line{
			ItemId: line.ItemID, Quantity: proto.Int64(line.Quantity), Price: Money(line.Price),
		})
	}
	return to
}

// ReadMoney returns the amount, the zero Money where there is none.
func ReadMoney(from *attunev1.Money) event.Money {
	return event.Money{Currency: from.GetCurrencyCode(), Minor: from.GetMinorUnits()}
}

// Money returns the amount for the wire, nil where none is known.
func Money(m event.Money) *attunev1.Money {
	if !m.Known() {
		return nil
	}
	return &attunev1.Money{CurrencyCode: m.Currency, MinorUnits: m.Minor}
}

// What the wire's times become where the vocabulary has no word for them: the beginning of
// the year 1 would read as no time at all, and beyond the year 9999 there are none.
var (
	tooEarly = time.Time{}.Add(time.Microsecond)
	tooLate  = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
)

// ReadTime returns the time, the zero time where there is none. A timestamp that is none
// becomes one at the edge of time.
func ReadTime(from *timestamppb.Timestamp) time.Time {
	switch {
	case from == nil:
		return time.Time{}
	case from.CheckValid() == nil:
		if t := from.AsTime(); !t.IsZero() {
			return t
		}
		return tooEarly
	case from.GetSeconds() > 0:
		return tooLate
	}
	return tooEarly
}

// Time returns the time for the wire, nil for the zero time.
func Time(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// Violations returns what is wrong for the wire.
func Violations(violations []event.Violation) []*attunev1.FieldViolation {
	out := make([]*attunev1.FieldViolation, len(violations))
	for i, v := range violations {
		out[i] = &attunev1.FieldViolation{Field: Text(v.Field), Description: Text(v.Rule)}
	}
	return out
}

// Text returns s with what is not UTF-8 replaced, so that it can be sent to anybody.
func Text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
