package main

import (
	"fmt"
	"time"

	"github.com/attune-shop/attune/model/propensity"
)

// buyersReport prints what was reached on the held-out weeks; notes come before the bins.
func (p *printer) buyersReport(r *propensity.Report, notes ...string) {
	const day = time.DateOnly
	p.line("Fitted on %s samples, %s with a purchase within 7 days; measured on the weeks from %s to %s.",
		thousands(int64(r.FittedSamples)), thousands(int64(r.FittedPositives)), r.From.Format(day), r.To.Format(day))
	p.line("")
	rows := append([]string{"of\tsamples\twith a purchase\tmodel\tAUC\tlog loss\tBrier\tcalibration error"}, comparedRows("all users", &r.All)...)
	if r.Again != nil {
		rows = append(rows, comparedRows("bought before", r.Again)...)
	}
	p.table("", rows)
	p.line("")
	better := func(of string, c *propensity.Comparison) {
		p.line("attune less recency, %s: AUC %+.4f, with a confidence of 95 %% from %+.4f to %+.4f.", of, c.Better.AUC, c.Better.Interval.Low, c.Better.Interval.High)
	}
	better("all users", &r.All)
	if r.Again != nil {
		better("bought before", r.Again)
	}
	for _, note := range notes {
		p.line("%s", note)
	}
	p.line("")
	rows = []string{"predicted\tpurchased\tsamples"}
	for _, b := range r.All.Model.Calibration {
		rows = append(rows, fmt.Sprintf("%.2f %%\t%.2f %%\t%s", 100*b.Predicted, 100*b.Observed, thousands(int64(b.Samples))))
	}
	p.table("", rows)
}

// comparedRows are those of Attune and of recency.
func comparedRows(of string, c *propensity.Comparison) []string {
	since := map[string]string{propensity.LastEvent: "the last event", propensity.LastPurchase: "the last purchase"}[c.RecencyOf]
	row := func(model string, f *propensity.Figures) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%.4f [%.4f, %.4f]\t%.4f\t%.4f\t%.4f", of, thousands(int64(c.Samples)), thousands(int64(c.Positives)),
			model, f.AUC, f.Interval.Low, f.Interval.High, f.LogLoss, f.Brier, f.CalibrationError)
	}
	return []string{row("attune", &c.Model), row("recency: days since "+since, &c.Recency)}
}
