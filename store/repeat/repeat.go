// Package repeat does something again and again: looks for what other processes changed, saves how far
// something is, deletes what is old.
package repeat

import (
	"context"
	"time"
)

// Every calls do an interval from now, and so on, until ctx ends, when it returns nil, or do fails, when it
// returns that error. A call that takes longer than the interval puts the next one off.
func Every(ctx context.Context, interval time.Duration, do func(context.Context) error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := do(ctx); err != nil {
			return err
		}
	}
}

// Look calls look as Every does, and goes on after its errors, of which it tells while ctx has not ended.
func Look(ctx context.Context, interval time.Duration, look func(context.Context) error, tell func(error)) {
	_ = Every(ctx, interval, func(ctx context.Context) error { // it returns no error, as that returns none
		if err := look(ctx); err != nil && ctx.Err() == nil {
			tell(err)
		}
		return nil
	})
}
