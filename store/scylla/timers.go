package scylla

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// Timers lie in a partition an hour, so that those that have rung are deleted as partitions. Which
// hours have any is in a table beside, so that a range of years costs as much as the timers in it.
// An hour is noted there after its timers are stored, and let go of once it is found empty, with
// the time of before that look: an hour that is put into meanwhile stays noted. Nobody puts timers
// into an hour that another process, whose clock may go ahead, has come to the end of.
const (
	timerHour = int64(time.Hour / time.Millisecond)
	hourPage  = 1000
)

// hourOf is the number of the hour in which a time in milliseconds is.
func hourOf(ms int64) int64 {
	hour := ms / timerHour
	if ms%timerHour < 0 {
		hour--
	}
	return hour
}

// PutTimers implements store.Timers.
func (s *Store) PutTimers(ctx context.Context, shard int, timers []store.Timer) error {
	var rows batches[int64]
	hours := map[int64]bool{}
	for _, t := range timers {
		at := t.At.UnixMilli()
		hour := hourOf(at)
		hours[hour] = true
		rows.add(hour, len(t.UserID), `INSERT INTO timers (shard, hour, at, user_id) VALUES (?, ?, ?, ?)`, shard, hour, at, t.UserID)
	}
	err := rows.write(ctx, s)
	if err == nil {
		var noted batches[int]
		now := time.Now().UnixMicro()
		for hour := range hours {
			noted.add(shard, 0, `INSERT INTO timer_hours (shard, hour) VALUES (?, ?) USING TIMESTAMP ?`, shard, hour, now)
		}
		err = noted.write(ctx, s)
	}
	if err != nil {
		return fmt.Errorf("put timers: %w", err)
	}
	return nil
}

type timerRow struct {
	at     int64
	userID string
}

// ReadTimers implements store.Timers: hour by hour of those that have any.
func (s *Store) ReadTimers(ctx context.Context, shard int, from, until time.Time, fn func(store.Timer) error) error {
	return s.eachTimerHour(ctx, shard, from, until, func(hour int64) error {
		return read(ctx, s, memberPage, func(r *timerRow) []any { return []any{&r.at, &r.userID} }, func(r *timerRow) error {
			return fn(store.Timer{At: time.UnixMilli(r.at).UTC(), UserID: r.userID})
		}, `SELECT at, user_id FROM timers WHERE shard = ? AND hour = ? AND at >= ? AND at < ?`, shard, hour, from.UnixMilli(), until.UnixMilli())
	})
}

// eachTimerHour calls fn for the hours, in order, that may have timers in a range.
func (s *Store) eachTimerHour(ctx context.Context, shard int, from, until time.Time, fn func(hour int64) error) error {
	if !from.Before(until) {
		return ctx.Err()
	}
	return read(ctx, s, hourPage, func(hour *int64) []any { return []any{hour} }, func(hour *int64) error { return fn(*hour) },
		`SELECT hour FROM timer_hours WHERE shard = ? AND hour >= ? AND hour <= ?`, shard, hourOf(from.UnixMilli()), hourOf(until.UnixMilli()-1))
}

// DropTimers implements store.Timers.
func (s *Store) DropTimers(ctx context.Context, shard int, from, until time.Time) error {
	err := s.eachTimerHour(ctx, shard, from, until, func(hour int64) error {
		return s.dropTimers(ctx, shard, hour, from.UnixMilli(), until.UnixMilli())
	})
	if err != nil {
		return fmt.Errorf("drop timers: %w", err)
	}
	return nil
}

// dropTimers removes what is in a range of an hour's timers, and forgets the hour where that
// was the last of it.
func (s *Store) dropTimers(ctx context.Context, shard int, hour, from, until int64) error {
	began := time.Now().UnixMicro()
	begin, end := hour*timerHour, (hour+1)*timerHour
	query, args := `DELETE FROM timers WHERE shard = ? AND hour = ?`, []any{shard, hour}
	if from > begin || until < end {
		query, args = `DELETE FROM timers WHERE shard = ? AND hour = ? AND at >= ? AND at < ?`, append(args, from, until)
	}
	if err := s.exec(ctx, query, args...); err != nil {
		return err
	}
	if until < end {
		return nil // the hour is not over
	}
	var left int64
	err := s.one(ctx, []any{&left}, `SELECT at FROM timers WHERE shard = ? AND hour = ? LIMIT 1`, shard, hour)
	if !errors.Is(err, event.ErrNotFound) {
		return err
	}
	return s.exec(ctx, `DELETE FROM timer_hours USING TIMESTAMP ? WHERE shard = ? AND hour = ?`, began, shard, hour)
}
