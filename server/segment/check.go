package segment

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/rank"
	"github.com/attune-shop/attune/server/wire"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/membership"
)

const (
	// maxChecked bounds the visitors, and the segments, of one check, and maxAnswers the first times the
	// second: of short ids that is a message that clients take by default.
	maxChecked = 1_000
	maxAnswers = 100_000
	// checkedAtOnce is the number of visitors that are read at the same time.
	checkedAtOnce = 16
)

// CheckMembership tells which visitors are in which segments now.
func (s *Service) CheckMembership(ctx context.Context, request *attunev1.CheckMembershipRequest) (*attunev1.CheckMembershipResponse, error) {
	users, visitors := request.GetUserIds(), request.GetAnonymousIds()
	if n := len(users) + len(visitors); n == 0 || n > maxChecked {
		return nil, event.Invalid("user_ids", "must be 1 to %d together with anonymous_ids, are %d", maxChecked, n)
	}
	response := &attunev1.CheckMembershipResponse{Memberships: make([]*attunev1.Membership, len(users)+len(visitors))}
	asked := make([]event.Visitor, 0, len(response.GetMemberships()))
	for i, id := range users {
		if err := wire.CheckID(fmt.Sprintf("user_ids[%d]", i), id); err != nil {
			return nil, err
		}
		response.Memberships[len(asked)] = &attunev1.Membership{UserId: id}
		asked = append(asked, event.User(id))
	}
	for i, id := range visitors {
		if err := wire.CheckID(fmt.Sprintf("anonymous_ids[%d]", i), id); err != nil {
			return nil, err
		}
		response.Memberships[len(asked)] = &attunev1.Membership{AnonymousId: id}
		asked = append(asked, event.Anonymous(id))
	}
	edition, which, err := s.chosen(ctx, request.GetSegmentIds())
	if err != nil {
		return nil, err
	}
	if n := len(asked) * len(which); n > maxAnswers {
		return nil, event.Invalid("user_ids", "are %d visitors to be checked for %d segments, %d answers; at most %d: name fewer", len(asked), len(which), n, maxAnswers)
	}
	checking, checkCtx := errgroup.WithContext(ctx)
	checking.SetLimit(checkedAtOnce)
	for i, visitor := range asked {
		checking.Go(func() error {
			in, err := s.segmentsOf(checkCtx, edition, which, visitor)
			response.Memberships[i].SegmentIds = in
			return err
		})
	}
	return response, checking.Wait()
}

// ListUserSegments answers the segments that a visitor is in now.
func (s *Service) ListUserSegments(ctx context.Context, request *attunev1.ListUserSegmentsRequest) (*attunev1.ListUserSegmentsResponse, error) {
	visitor, err := wire.Visitor(request.GetUserId(), request.GetAnonymousId())
	if err != nil {
		return nil, err
	}
	edition, which, err := s.chosen(ctx, nil)
	if err != nil {
		return nil, err
	}
	in, err := s.segmentsOf(ctx, edition, which, visitor)
	return &attunev1.ListUserSegmentsResponse{SegmentIds: in}, err
}

// chosen returns the places of some segments in the newest edition, of all where none is named.
func (s *Service) chosen(ctx context.Context, ids []string) (*membership.Edition, []int, error) {
	if len(ids) > maxChecked {
		return nil, nil, event.Invalid("segment_ids", "must be at most %d, are %d", maxChecked, len(ids))
	}
	for i, id := range ids {
		if _, err := s.find(ctx, id); err != nil {
			if errors.Is(err, event.ErrNotFound) {
				return nil, nil, event.Invalid(fmt.Sprintf("segment_ids[%d]", i), "is not a segment: %q", id)
			}
			return nil, nil, err
		}
	}
	edition := s.options.Book.Current()
	var which []int
	for i := range edition.Segments {
		if len(ids) == 0 || slices.Contains(ids, edition.Segments[i].ID) {
			which = append(which, i)
		}
	}
	return edition, which, nil
}

// segmentsOf evaluates rules on what is known of a visitor at this moment.
func (s *Service) segmentsOf(ctx context.Context, edition *membership.Edition, which []int, visitor event.Visitor) ([]string, error) {
	person, err := s.options.People.Person(ctx, visitor)
	if err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	return s.in(edition, which, &person), nil
}

// Of returns the segments that a visitor is in, as lists of recommendations ask.
func (s *Service) Of(visitor *rank.Visitor) []string {
	if visitor.State == nil {
		return nil
	}
	edition := s.options.Book.Current()
	all := make([]int, len(edition.Segments))
	for i := range all {
		all[i] = i
	}
	return s.in(edition, all, &history.Person{Visitor: visitor.Key, AnonymousIDs: visitor.AnonymousIDs, State: visitor.State})
}

// in returns which of some segments of an edition a person is in, in the order of their ids.
// Nobody is in a segment of whom nothing is known.
func (s *Service) in(edition *membership.Edition, which []int, person *history.Person) []string {
	if person.State.Events() == 0 {
		return nil
	}
	var in []string
	subject := s.options.Subjects.Of(person, s.options.Now())
	for _, i := range which {
		if rule := edition.Rules[i]; rule != nil {
			if is, _, err := rule.Evaluate(subject); is && err == nil {
				in = append(in, edition.Segments[i].ID)
			}
		}
	}
	return in
}
