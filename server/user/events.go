package user

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/fault"
	"github.com/attune-shop/attune/server/wire"
	"github.com/attune-shop/attune/store/history"
)

// place is a history.Position in a page token.
type place struct {
	At      int64         `json:"t"` // Unix microseconds
	EventID string        `json:"e"`
	Visitor event.Visitor `json:"v"`
}

// ListEvents answers a visitor's events, newest first. A page goes on where the one before
// ended, whatever was written meanwhile.
func (s *Service) ListEvents(ctx context.Context, request *attunev1.ListEventsRequest) (*attunev1.ListEventsResponse, error) {
	visitor, err := wire.Visitor(request.GetUserId(), request.GetAnonymousId())
	if err != nil {
		return nil, err
	}
	size, err := fault.PageSize(request.GetPageSize())
	if err != nil {
		return nil, err
	}
	query := history.EventQuery{Type: event.Canonical(request.GetType()), Limit: size + 1}
	if len(query.Type) > event.MaxTypeBytes {
		return nil, event.Invalid("type", "must be at most %d bytes, is %d", event.MaxTypeBytes, len(query.Type))
	}
	kind := fmt.Sprintf("events %q %q", visitor, query.Type)
	if token := request.GetPageToken(); token != "" {
		if query.After, err = readPlace(kind, token); err != nil {
			return nil, err
		}
	}
	events, err := s.options.People.Events(ctx, visitor, query)
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	response := &attunev1.ListEventsResponse{}
	if len(events) > size {
		events = events[:size]
		response.NextPageToken = placeAfter(kind, &events[size-1])
	}
	for i := range events {
		response.Events = append(response.Events, wire.Event(&events[i]))
	}
	return response, nil
}

func placeAfter(kind string, last *event.Event) string {
	p := history.PositionOf(last)
	value, _ := json.Marshal(place{At: p.OccurredAt.UnixMicro(), EventID: p.EventID, Visitor: p.Visitor}) // text always has a JSON form
	return fault.EncodeToken(kind, string(value))
}

func readPlace(kind, token string) (history.Position, error) {
	value, err := fault.DecodeToken(kind, token)
	if err != nil {
		return history.Position{}, err
	}
	var p place
	if err := json.Unmarshal([]byte(value), &p); err != nil {
		return history.Position{}, event.Invalid("page_token", "is not a page token of this list")
	}
	return history.Position{OccurredAt: time.UnixMicro(p.At).UTC(), EventID: p.EventID, Visitor: p.Visitor}, nil
}
