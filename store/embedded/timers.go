package embedded

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/store"
)

// PutTimers implements store.Timers.
func (s *Store) PutTimers(ctx context.Context, shard int, timers []store.Timer) error {
	return s.put(ctx, pebble.NoSync, func(batch *pebble.Batch) error {
		for _, t := range timers {
			if err := batch.Set(timerKey(shard, t.At, t.UserID), nil, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReadTimers implements store.Timers.
func (s *Store) ReadTimers(ctx context.Context, shard int, from, until time.Time, fn func(store.Timer) error) error {
	if err := ctx.Err(); err != nil || !from.Before(until) {
		return err
	}
	return s.db.scan(timerKey(shard, from, ""), timerKey(shard, until, ""), func(key, _ []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		timer, err := decodeTimer(key)
		if err != nil {
			return err
		}
		return fn(timer)
	})
}

// DropTimers implements store.Timers. A range without timers costs no write: those who drop
// what has rung do so all the time.
func (s *Store) DropTimers(ctx context.Context, shard int, from, until time.Time) error {
	if !from.Before(until) {
		return ctx.Err()
	}
	lower, upper := timerKey(shard, from, ""), timerKey(shard, until, "")
	some := false
	err := s.db.scan(lower, upper, func([]byte, []byte) error {
		some = true
		return errFound
	})
	if err != nil || !some {
		return errors.Join(err, ctx.Err())
	}
	return s.put(ctx, pebble.NoSync, func(batch *pebble.Batch) error { return batch.DeleteRange(lower, upper, nil) })
}
