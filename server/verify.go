package server

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/attune-shop/attune/store/history"
)

// Verify makes every visitor's features again from the history and compares. No server may
// have a data folder open; where the stores are shared, nothing may be written meanwhile.
func Verify(ctx context.Context, where StoreConfig) (history.Report, error) {
	if err := where.check(); err != nil {
		return history.Report{}, err
	}
	if !where.Distributed() {
		if _, err := os.Stat(where.Data); err != nil {
			return history.Report{}, fmt.Errorf("data folder: %w", err)
		}
	}
	cfg := Config{}
	logger := cfg.logger()
	stores, err := where.open(ctx, logger)
	if err != nil {
		return history.Report{}, err
	}
	past, err := history.Open(ctx, stores, history.Options{Now: cfg.clock(), Logger: logger})
	if err != nil {
		return history.Report{}, errors.Join(fmt.Errorf("open the history: %w", err), stores.Close())
	}
	report, err := past.Verify(ctx)
	return report, errors.Join(err, past.Close(), stores.Close())
}
