package segment

import (
	"context"
	"fmt"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/propensity"
	"github.com/attune-shop/attune/server/audience"
	"github.com/attune-shop/attune/server/wire"
)

// LearnBuyers learns who will buy, and answers the report.
func (s *Service) LearnBuyers(ctx context.Context, _ *attunev1.LearnBuyersRequest) (*attunev1.BuyersModel, error) {
	learned, err := s.options.Subjects.Buyers.Learn(ctx)
	if err != nil {
		return nil, err
	}
	return describeBuyers(learned), nil
}

// GetBuyersModel answers the report of what was learned last.
func (s *Service) GetBuyersModel(context.Context, *attunev1.GetBuyersModelRequest) (*attunev1.BuyersModel, error) {
	learned := s.options.Subjects.Buyers.Current()
	if learned == nil {
		return nil, fmt.Errorf("a model of likely buyers, which LearnBuyers makes: %w", event.ErrNotFound)
	}
	return describeBuyers(learned), nil
}

func describeBuyers(m *audience.BuyersModel) *attunev1.BuyersModel {
	r := m.Report
	out := &attunev1.BuyersModel{
		Version: m.Version, LearnedAt: wire.Time(m.LearnedAt), Users: m.Users, Events: m.Events,
		MeasuredFrom: wire.Time(r.From), MeasuredTo: wire.Time(r.To),
		FittedSamples: int64(r.FittedSamples), FittedPurchases: int64(r.FittedPositives), All: describeComparison(&r.All),
	}
	if r.Again != nil {
		out.BoughtBefore = describeComparison(r.Again)
	}
	return out
}

func describeComparison(c *propensity.Comparison) *attunev1.BuyersComparison {
	return &attunev1.BuyersComparison{
		Users: int64(c.Users), Samples: int64(c.Samples), Purchases: int64(c.Positives),
		Model: describeFigures(&c.Model), Recency: describeFigures(&c.Recency), RecencyOf: c.RecencyOf,
		Better: estimate(c.Better.AUC, c.Better.Interval),
	}
}

func describeFigures(f *propensity.Figures) *attunev1.BuyersFigures {
	out := &attunev1.BuyersFigures{
		Auc: estimate(f.AUC, f.Interval), LogLoss: f.LogLoss, Brier: f.Brier, CalibrationError: f.CalibrationError,
	}
	for _, b := range f.Calibration {
		out.Calibration = append(out.Calibration, &attunev1.CalibrationBin{Predicted: b.Predicted, Observed: b.Observed, Samples: int64(b.Samples)})
	}
	return out
}

func estimate(value float64, between propensity.Interval) *attunev1.Estimate {
	return &attunev1.Estimate{Value: value, Low: between.Low, High: between.High}
}
