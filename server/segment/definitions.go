package segment

import (
	"context"
	"fmt"
	"sort"
	"time"
	"unicode/utf8"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/fault"
	"github.com/attune-shop/attune/server/wire"
	"github.com/attune-shop/attune/store/membership"
)

// The bounds of a definition.
const (
	maxDisplayNameBytes = 256
	maxDescriptionBytes = 4 << 10

	// segmentsToken marks the page tokens of ListSegments.
	segmentsToken = "segments"
)

// CreateSegment defines a segment.
func (s *Service) CreateSegment(ctx context.Context, request *attunev1.CreateSegmentRequest) (*attunev1.Segment, error) {
	now := s.options.Now().UTC().Truncate(time.Microsecond)
	defined := membership.Segment{
		ID: request.GetSegmentId(), DisplayName: request.GetDisplayName(), Description: request.GetDescription(),
		CreatedAt: now, UpdatedAt: now,
	}
	violations := append(wire.CheckName("segment_id", defined.ID), checkNames(defined.DisplayName, defined.Description)...)
	rule, _, err := s.ruleOf(request.GetRule(), request.GetTemplate())
	if violations = append(violations, violationsOf(err)...); len(violations) > 0 {
		return nil, &event.InvalidError{Violations: violations}
	}
	if err != nil {
		return nil, err
	}
	defined.Rule = rule
	edition, err := s.options.Book.Change(ctx, func(d *membership.Definitions) error {
		if err := d.Add(defined); err != nil {
			return err
		}
		return s.checkSeeds(d, defined.ID, rule, seedField(request.GetTemplate()))
	})
	if err != nil {
		return nil, err
	}
	return s.describeOne(ctx, edition, defined.ID)
}

// UpdateSegment changes what is given.
func (s *Service) UpdateSegment(ctx context.Context, request *attunev1.UpdateSegmentRequest) (*attunev1.Segment, error) {
	id := request.GetSegmentId()
	violations := append(wire.CheckName("segment_id", id), checkNames(request.GetDisplayName(), request.GetDescription())...)
	rule, err := "", error(nil)
	if request.Rule != nil || request.GetTemplate() != nil {
		rule, _, err = s.ruleOf(request.GetRule(), request.GetTemplate())
	}
	if violations = append(violations, violationsOf(err)...); len(violations) > 0 {
		return nil, &event.InvalidError{Violations: violations}
	}
	if err != nil {
		return nil, err
	}
	now := s.options.Now().UTC().Truncate(time.Microsecond)
	edition, err := s.options.Book.Change(ctx, func(d *membership.Definitions) error {
		err := d.Update(id, func(old *membership.Segment) {
			if request.DisplayName != nil {
				old.DisplayName = request.GetDisplayName()
			}
			if request.Description != nil {
				old.Description = request.GetDescription()
			}
			if rule != "" {
				old.Rule = rule
			}
			old.UpdatedAt = now
		})
		if err != nil {
			return err
		}
		return s.checkSeeds(d, id, rule, seedField(request.GetTemplate()))
	})
	if err != nil {
		return nil, err
	}
	return s.describeOne(ctx, edition, id)
}

// GetSegment answers a segment.
func (s *Service) GetSegment(ctx context.Context, request *attunev1.GetSegmentRequest) (*attunev1.Segment, error) {
	if _, err := s.find(ctx, request.GetSegmentId()); err != nil {
		return nil, err
	}
	return s.describeOne(ctx, s.options.Book.Current(), request.GetSegmentId())
}

// ListSegments answers segments in the order of their ids.
func (s *Service) ListSegments(ctx context.Context, request *attunev1.ListSegmentsRequest) (*attunev1.ListSegmentsResponse, error) {
	size, err := fault.PageSize(request.GetPageSize())
	if err != nil {
		return nil, err
	}
	after := ""
	if token := request.GetPageToken(); token != "" {
		if after, err = fault.DecodeToken(segmentsToken, token); err != nil {
			return nil, err
		}
	}
	edition := s.options.Book.Current()
	from := 0
	if after != "" {
		from = sort.Search(len(edition.Segments), func(i int) bool { return edition.Segments[i].ID > after })
	}
	to := min(from+size, len(edition.Segments))
	response := &attunev1.ListSegmentsResponse{}
	states, err := s.options.Publisher.States(ctx, edition)
	if err != nil {
		return nil, err
	}
	for i := from; i < to; i++ {
		described, err := s.describe(ctx, edition, states, i)
		if err != nil {
			return nil, err
		}
		response.Segments = append(response.Segments, described)
	}
	if to < len(edition.Segments) {
		response.NextPageToken = fault.EncodeToken(segmentsToken, edition.Segments[to-1].ID)
	}
	return response, nil
}

// DeleteSegment deletes a segment to which no other reads likeness.
func (s *Service) DeleteSegment(ctx context.Context, request *attunev1.DeleteSegmentRequest) (*attunev1.DeleteSegmentResponse, error) {
	id := request.GetSegmentId()
	if err := wire.CheckID("segment_id", id); err != nil {
		return nil, err
	}
	_, err := s.options.Book.Change(ctx, func(d *membership.Definitions) error {
		if reader, found := s.readerOf(d, id); found {
			return fmt.Errorf("segment %q is %w: %q reads likeness to it", id, event.ErrInUse, reader)
		}
		return d.Remove(id)
	})
	if err != nil {
		return nil, err
	}
	return &attunev1.DeleteSegmentResponse{}, nil
}

// describeOne puts a segment of an edition on the wire, or returns event.ErrNotFound.
func (s *Service) describeOne(ctx context.Context, edition *membership.Edition, id string) (*attunev1.Segment, error) {
	states, err := s.options.Publisher.States(ctx, edition)
	if err != nil {
		return nil, err
	}
	for i := range edition.Segments {
		if edition.Segments[i].ID == id {
			return s.describe(ctx, edition, states, i)
		}
	}
	return nil, fmt.Errorf("segment %q: %w", id, event.ErrNotFound)
}

// describe puts segment i of an edition on the wire.
func (s *Service) describe(ctx context.Context, edition *membership.Edition, states []membership.State, i int) (*attunev1.Segment, error) {
	defined := &edition.Segments[i]
	size, err := s.options.Reader.Size(ctx, defined.Number)
	if err != nil {
		return nil, err
	}
	out := &attunev1.Segment{
		SegmentId: defined.ID, DisplayName: defined.DisplayName, Description: defined.Description, Rule: defined.Rule,
		CreatedAt: wire.Time(defined.CreatedAt), UpdatedAt: wire.Time(defined.UpdatedAt), Size: size,
		State: attunev1.SegmentState_READY, Progress: 1,
	}
	if state := states[i]; !state.Ready {
		out.State, out.Progress, out.UsersAsked = attunev1.SegmentState_BACKFILLING, 0, state.Asked
		if state.Total > 0 {
			out.Progress = min(1, float64(state.Asked)/float64(state.Total))
		}
	}
	return out, nil
}

// checkNames says what is wrong with what people read of a segment.
func checkNames(displayName, description string) (all []event.Violation) {
	for _, text := range []struct {
		field, value string
		most         int
	}{{"display_name", displayName, maxDisplayNameBytes}, {"description", description, maxDescriptionBytes}} {
		if len(text.value) > text.most || !utf8.ValidString(text.value) {
			all = append(all, event.Invalid(text.field, "must be valid UTF-8 of at most %d bytes", text.most).Violations...)
		}
	}
	return all
}
