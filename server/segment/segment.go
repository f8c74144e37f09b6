// Package segment serves the SegmentService: it defines segments (definitions.go), says who is in
// them at this moment (check.go, by subjects of subject.go), reads what store/membership publishes of
// them (members.go, watch.go), reads rules and fills in ready-made ones (rules.go), tries them out
// (preview.go), sets the scale of rfm (scale.go), and has likely buyers and lookalikes learned (buyers.go,
// lookalikes.go; seeds.go holds rules to the segments to which they may read likeness).
package segment

import (
	"context"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/server/audience"
	"github.com/attune-shop/attune/server/wire"
	"github.com/attune-shop/attune/store/membership"
)

// Options are what a Service is made of.
type Options struct {
	People audience.People
	// Crowd is everybody, whom previews and scales ask.
	Crowd *audience.Crowd
	Book  *membership.Book
	// Rules compiles what is not saved.
	Rules     *segment.Compiler
	Publisher *membership.Publisher
	Reader    *membership.Reader
	Subjects  *Subjects
	// Now is the clock.
	Now func() time.Time
}

// Service is the SegmentService. Its errors wrap the sentinels of model/event.
type Service struct {
	attunev1.UnimplementedSegmentServiceServer

	options Options
}

// New returns a Service.
func New(options Options) *Service { return &Service{options: options} }

// find returns a segment. What another process defined a moment ago is found, too.
func (s *Service) find(ctx context.Context, id string) (*membership.Segment, error) {
	if err := wire.CheckID("segment_id", id); err != nil {
		return nil, err
	}
	found, err := s.options.Book.Current().Find(id)
	if err == nil {
		return found, nil
	}
	if err := s.options.Book.Refresh(ctx); err != nil {
		return nil, err
	}
	return s.options.Book.Current().Find(id)
}
