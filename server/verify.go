package server

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/history"
)

// Verify makes every visitor's features in a data folder again from the history and
// compares. No server may have the folder open.
func Verify(ctx context.Context, dir string) (history.Report, error) {
	if _, err := os.Stat(dir); err != nil {
		return history.Report{}, fmt.Errorf("data folder: %w", err)
	}
	cfg := Config{}
	logger := cfg.logger()
	stores, err := embedded.Open(dir, embedded.Options{Logger: logger})
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
