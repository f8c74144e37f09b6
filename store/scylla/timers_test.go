package scylla

import (
	"testing"
	"time"

	"github.com/attune-shop/attune/store"
)

// TestHoursWithoutTimersAreForgotten: a range of years is read by the hours that have timers.
func TestHoursWithoutTimersAreForgotten(t *testing.T) {
	s, ctx := opened(t, freshKeyspace(t)), t.Context()
	noon := time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)
	var timers []store.Timer
	for minute := range 240 {
		timers = append(timers, store.Timer{At: noon.Add(time.Duration(minute) * time.Minute), UserID: "ann"})
	}
	if err := s.PutTimers(ctx, 0, timers); err != nil {
		t.Fatal(err)
	}
	hours := func() (n int) {
		if err := s.eachTimerHour(ctx, 0, time.Time{}, noon.AddDate(1000, 0, 0), func(int64) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, step := range []struct {
		from, until time.Duration
		want        int
	}{
		{0, 0, 4},
		{0, 59 * time.Minute, 4},
		{59 * time.Minute, 61 * time.Minute, 3}, // the rest of the first hour
		{150 * time.Minute, 180 * time.Minute, 3},
		{61 * time.Minute, 150 * time.Minute, 2}, // the second, and the first half of the third: its end was dropped before
		{150 * time.Minute, 181 * time.Minute, 1},
		{3 * time.Hour, 4 * time.Hour, 0},
	} {
		if err := s.DropTimers(ctx, 0, noon.Add(step.from), noon.Add(step.until)); err != nil {
			t.Fatal(err)
		}
		if n := hours(); n != step.want {
			t.Errorf("%d hours after %v to %v was dropped, want %d", n, step.from, step.until, step.want)
		}
	}
	if err := s.PutTimers(ctx, 0, timers[:1]); err != nil || hours() != 1 {
		t.Errorf("%d hours, %v", hours(), err)
	}
}
