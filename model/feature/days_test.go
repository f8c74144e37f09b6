package feature

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/event"
)

// TestDays holds the days of a state to its events.
func TestDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t, 80)
		var s State
		var last time.Time
		for i := range events {
			s.Fold(&events[i])
			if last.Before(events[i].OccurredAt) {
				last = events[i].OccurredAt
			}
		}
		counts := map[int64]int64{} // of all types
		var bought []int64
		for i := range events {
			day := DayOf(events[i].OccurredAt)
			if start := DayStart(day); events[i].OccurredAt.Before(start) || !events[i].OccurredAt.Before(start.AddDate(0, 0, 1)) {
				t.Fatalf("%s is not of the day from %s", events[i].OccurredAt, start)
			}
			if day > DayOf(last)-DayBuckets {
				counts[day]++
			}
			if events[i].Type == event.Purchase && len(events[i].Lines) > 0 {
				bought = append(bought, day)
			}
		}
		s.EachDay(func(_ event.Type, day, events int64) { counts[day] -= events })
		for day, n := range counts {
			if n != 0 {
				t.Errorf("day %d is off by %d", day, n)
			}
		}
		if len(s.orders) == MaxOrders {
			return
		}
		slices.Sort(bought)
		bought = slices.Compact(bought)
		n, from, to := s.OrderDays()
		if n != len(bought) || n > 0 && (from != bought[0] || to != bought[n-1]) {
			t.Errorf("%d days from %d to %d, not %v", n, from, to, bought)
		}
	})
}
