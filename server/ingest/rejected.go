package ingest

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/fault"
	"github.com/attune-shop/attune/server/wire"
	"github.com/attune-shop/attune/store"
)

const (
	// tokenKind marks the page tokens of ListRejected.
	tokenKind = "rejected"
	// maxPageBytes bounds a page of dead letters below what gRPC clients take by default. A
	// letter that is longer on its own is shown without its attributes, and kept whole.
	maxPageBytes = 3 << 20
	// replayPage is the number of letters replayed at once.
	replayPage = 100
)

// ListRejected lists the dead letters, oldest first. A page also ends where it grows long.
func (s *Service) ListRejected(ctx context.Context, request *attunev1.ListRejectedRequest) (*attunev1.ListRejectedResponse, error) {
	size, err := fault.PageSize(request.GetPageSize())
	if err != nil {
		return nil, err
	}
	after := ""
	if token := request.GetPageToken(); token != "" {
		if after, err = fault.DecodeToken(tokenKind, token); err != nil {
			return nil, err
		}
	}
	letters, err := s.options.Rejected.RejectedLetters(ctx, after, size+1)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	response := &attunev1.ListRejectedResponse{}
	bytes := 0
	for i := range letters {
		shown, err := describe(&letters[i])
		if err != nil {
			return nil, err
		}
		bytes += proto.Size(shown)
		if n := len(response.RejectedEvents); n == size || n > 0 && bytes > maxPageBytes {
			response.NextPageToken = fault.EncodeToken(tokenKind, letters[i-1].ID)
			break
		}
		response.RejectedEvents = append(response.RejectedEvents, shown)
	}
	return response, nil
}

func describe(letter *store.DeadLetter) (*attunev1.RejectedEvent, error) {
	shown := &attunev1.RejectedEvent{
		RejectedId: letter.ID, Event: &attunev1.Event{},
		Violations: wire.Violations(letter.Violations), ReceivedAt: wire.Time(letter.ReceivedAt),
	}
	if err := proto.Unmarshal(letter.Data, shown.Event); err != nil {
		return nil, fmt.Errorf("dead letter %s: %w: %w", letter.ID, event.ErrCorrupt, err)
	}
	if len(letter.Data) > maxPageBytes {
		shown.Event.Attributes = nil
	}
	wire.MakeSendable(shown.Event)
	return shown, nil
}

// ReplayRejected sends dead letters through the door once more: those named, those
// repaired, or all where none is. Letters that are taken now are removed.
func (s *Service) ReplayRejected(ctx context.Context, request *attunev1.ReplayRejectedRequest) (*attunev1.ReplayRejectedResponse, error) {
	replay := &replay{service: s, repairs: map[string]*attunev1.Event{}, answer: &attunev1.ReplayRejectedResponse{}}
	ids, err := replay.wanted(request)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		err = replay.all(ctx)
	} else {
		err = replay.named(ctx, ids)
	}
	if err != nil {
		return nil, err
	}
	return replay.answer, nil
}

type replay struct {
	service *Service
	repairs map[string]*attunev1.Event
	answer  *attunev1.ReplayRejectedResponse
}

// wanted returns the letters that the request names, each once.
func (r *replay) wanted(request *attunev1.ReplayRejectedRequest) ([]string, error) {
	if n := len(request.GetRejectedIds()); n > maxEvents {
		return nil, event.Invalid("rejected_ids", "must be at most %d, are %d", maxEvents, n)
	}
	if n := len(request.GetRepairs()); n > maxEvents {
		return nil, event.Invalid("repairs", "must be at most %d, are %d", maxEvents, n)
	}
	var ids []string
	named := map[string]bool{}
	for i, repair := range request.GetRepairs() {
		id := repair.GetRejectedId()
		if repair.GetEvent() == nil {
			return nil, event.Invalid(fmt.Sprintf("repairs[%d].event", i), "must be given")
		}
		if named[id] {
			return nil, event.Invalid(fmt.Sprintf("repairs[%d].rejected_id", i), "must not be given twice")
		}
		named[id], r.repairs[id] = true, repair.GetEvent()
		ids = append(ids, id)
	}
	for _, id := range request.GetRejectedIds() {
		if !named[id] {
			named[id] = true
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (r *replay) named(ctx context.Context, ids []string) error {
	for len(ids) > 0 {
		n := min(len(ids), replayPage)
		letters := make([]store.DeadLetter, n)
		for i, id := range ids[:n] {
			var err error
			if letters[i], err = r.service.options.Rejected.RejectedLetter(ctx, id); err != nil {
				return fmt.Errorf("dead letter %q: %w", id, err)
			}
		}
		if err := r.send(ctx, letters); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func (r *replay) all(ctx context.Context) error {
	for after := ""; ; {
		letters, err := r.service.options.Rejected.RejectedLetters(ctx, after, replayPage)
		if err != nil {
			return fmt.Errorf("dead letters: %w", err)
		}
		if len(letters) == 0 {
			return nil
		}
		if err := r.send(ctx, letters); err != nil {
			return err
		}
		after = letters[len(letters)-1].ID
	}
}

// send writes the letters' events as one batch and removes the letters that were taken.
func (r *replay) send(ctx context.Context, letters []store.DeadLetter) error {
	s := r.service
	given := make([]*attunev1.Event, len(letters))
	for i := range letters {
		if given[i] = r.repairs[letters[i].ID]; given[i] != nil {
			continue
		}
		given[i] = &attunev1.Event{}
		if err := proto.Unmarshal(letters[i].Data, given[i]); err != nil {
			return fmt.Errorf("dead letter %s: %w: %w", letters[i].ID, event.ErrCorrupt, err)
		}
	}
	b := s.batches.Get().(*batch)
	defer s.recycle(b)
	s.read(b, given, s.options.Now())
	if err := s.store(ctx, b); err != nil {
		return err
	}
	var taken []string
	for i, result := range b.results {
		switch result.GetStatus() {
		case attunev1.EventStatus_ACCEPTED:
			r.answer.Accepted++
		case attunev1.EventStatus_DUPLICATE:
			r.answer.Duplicate++
		default:
			r.answer.Rejected++
			continue
		}
		taken = append(taken, letters[i].ID)
	}
	if len(taken) == 0 {
		return nil
	}
	return s.options.Rejected.DeleteRejected(ctx, taken)
}
