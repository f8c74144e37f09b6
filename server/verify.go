package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/attune-shop/attune/server/retention"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/membership"
)

// VerifyConfig is all that an operator may set of attune verify.
type VerifyConfig struct {
	StoreConfig   `embed:""`
	HistoryConfig `embed:""`
}

// Report is what Verify found.
type Report struct {
	// History is of features and events, Segments of who is published to be in which segment.
	History  history.Report
	Segments membership.Report
}

// Differences is the number of all of them.
func (r *Report) Differences() int64 { return r.History.Differences + r.Segments.Differences }

// Verify makes every visitor's features again from the history and compares, and asks the rules of
// segments about everybody, as of when members were last published. No server may have a data
// folder open; where the stores are shared, nothing may be written meanwhile.
func Verify(ctx context.Context, cfg VerifyConfig) (report Report, err error) {
	if err := errors.Join(cfg.StoreConfig.check(), cfg.HistoryConfig.check()); err != nil {
		return report, err
	}
	if !cfg.Distributed() {
		if _, err := os.Stat(cfg.Data); err != nil {
			return report, fmt.Errorf("data folder: %w", err)
		}
	}
	logger := (&Config{}).logger()
	stores, err := cfg.open(ctx, logger)
	if err != nil {
		return report, err
	}
	past, err := history.Open(ctx, stores, history.Options{Now: time.Now, Logger: logger})
	if err != nil {
		return report, errors.Join(fmt.Errorf("open the history: %w", err), stores.Close())
	}
	if report.History, err = past.Verify(ctx); err == nil {
		report.Segments, err = verifySegments(ctx, &cfg.HistoryConfig, stores, past, logger)
	}
	return report, errors.Join(err, past.Close(), stores.Close())
}

func verifySegments(
	ctx context.Context, cfg *HistoryConfig, stores store.Stores, past *history.History, logger *slog.Logger,
) (membership.Report, error) {
	published, err := membership.PublishedAt(ctx, stores)
	if err != nil {
		return membership.Report{}, err
	}
	then := func() time.Time { return published }
	kept := retention.New(past, cfg.Retention, then)
	r, err := openRules(ctx, cfg, stores, past, kept, then, logger)
	if err != nil {
		return membership.Report{}, err
	}
	return membership.Verify(ctx, r.publishing(past, stores, then, logger))
}
