package main

import (
	"context"
	"io"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/propensity"
)

type segmentLearnBuyersCmd struct{ remote }

// Run has the server learn, for as long as that takes, and prints what it is worth.
func (c *segmentLearnBuyersCmd) Run(ctx context.Context, out io.Writer) error {
	return c.talk(ctx, func(ctx context.Context, s *shopServer) error {
		learned, err := s.segments.LearnBuyers(ctx, &attunev1.LearnBuyersRequest{})
		if err != nil {
			return err
		}
		return c.showBuyers(out, learned)
	})
}

type segmentBuyersModelCmd struct{ remote }

// Run prints what the model in service is worth.
func (c *segmentBuyersModelCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		learned, err := s.segments.GetBuyersModel(ctx, &attunev1.GetBuyersModelRequest{})
		if err != nil {
			return err
		}
		return c.showBuyers(out, learned)
	})
}

// showBuyers prints a model of likely buyers.
func (r *remote) showBuyers(out io.Writer, m *attunev1.BuyersModel) error {
	if r.Output == "json" {
		return printJSON(out, m)
	}
	p := &printer{to: out}
	p.line("version %d, learned %s from %s events of %s users", m.GetVersion(), m.GetLearnedAt().AsTime().Format(time.RFC3339),
		thousands(m.GetEvents()), thousands(m.GetUsers()))
	p.buyersReport(reportOf(m))
	return p.err
}

// reportOf turns what a server answers into the report that evaluate-buyers prints, too.
func reportOf(m *attunev1.BuyersModel) *propensity.Report {
	r := &propensity.Report{
		From: m.GetMeasuredFrom().AsTime(), To: m.GetMeasuredTo().AsTime(),
		FittedSamples: int(m.GetFittedSamples()), FittedPositives: int(m.GetFittedPurchases()), All: comparisonOf(m.GetAll()),
	}
	if again := m.GetBoughtBefore(); again != nil {
		c := comparisonOf(again)
		r.Again = &c
	}
	return r
}

func comparisonOf(c *attunev1.BuyersComparison) propensity.Comparison {
	return propensity.Comparison{
		Users: int(c.GetUsers()), Samples: int(c.GetSamples()), Positives: int(c.GetPurchases()),
		Model: figuresOf(c.GetModel()), Recency: figuresOf(c.GetRecency()), RecencyOf: c.GetRecencyOf(),
		Better: propensity.Difference{AUC: c.GetBetter().GetValue(), Interval: intervalOf(c.GetBetter())},
	}
}

func figuresOf(f *attunev1.BuyersFigures) propensity.Figures {
	figures := propensity.Figures{
		AUC: f.GetAuc().GetValue(), Interval: intervalOf(f.GetAuc()),
		LogLoss: f.GetLogLoss(), Brier: f.GetBrier(), CalibrationError: f.GetCalibrationError(),
	}
	for _, b := range f.GetCalibration() {
		figures.Calibration = append(figures.Calibration, propensity.Bin{Predicted: b.GetPredicted(), Observed: b.GetObserved(), Samples: int(b.GetSamples())})
	}
	return figures
}

func intervalOf(e *attunev1.Estimate) propensity.Interval {
	return propensity.Interval{Low: e.GetLow(), High: e.GetHigh()}
}
