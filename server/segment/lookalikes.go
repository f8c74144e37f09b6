package segment

import (
	"context"
	"fmt"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/likeness"
	"github.com/attune-shop/attune/server/audience"
	"github.com/attune-shop/attune/server/wire"
)

// LearnLookalikes learns who is like the members of a segment, and answers the report.
func (s *Service) LearnLookalikes(ctx context.Context, request *attunev1.LearnLookalikesRequest) (*attunev1.LookalikesModel, error) {
	of, err := s.find(ctx, request.GetSegmentId())
	if err != nil {
		return nil, err
	}
	learned, err := s.options.Subjects.Lookalikes.Learn(ctx, of.ID)
	if err != nil {
		return nil, err
	}
	return describeLookalikes(of.ID, learned), nil
}

// GetLookalikesModel answers the report of what was learned of a segment last.
func (s *Service) GetLookalikesModel(ctx context.Context, request *attunev1.GetLookalikesModelRequest) (*attunev1.LookalikesModel, error) {
	of, err := s.find(ctx, request.GetSegmentId())
	if err != nil {
		return nil, err
	}
	learned, err := s.options.Subjects.Lookalikes.Newest(ctx, of)
	if err != nil {
		return nil, err
	}
	if learned == nil {
		return nil, fmt.Errorf("a model of lookalikes of %q, which LearnLookalikes makes: %w", of.ID, event.ErrNotFound)
	}
	return describeLookalikes(of.ID, learned), nil
}

func describeLookalikes(segmentID string, m *audience.LookalikesModel) *attunev1.LookalikesModel {
	r := m.Report
	bounds := func(e likeness.Estimate) *attunev1.Estimate {
		return &attunev1.Estimate{Value: e.Value, Low: e.Low, High: e.High}
	}
	out := &attunev1.LookalikesModel{
		SegmentId: segmentID, Version: m.Version, LearnedAt: wire.Time(m.LearnedAt), Members: r.Members, Others: r.Others,
		HeldOutMembers: int64(r.HeldOutMembers), HeldOutOthers: int64(r.HeldOutOthers),
		Auc: bounds(r.Likeness), ActivityAuc: bounds(r.Activity), Better: bounds(r.Better),
	}
	for _, x := range r.Items {
		out.Items = append(out.Items, &attunev1.TellingItem{ItemId: x.ItemID, Weight: float64(x.Weight), OfMembers: x.OfMembers, OfOthers: x.OfOthers})
	}
	return out
}
