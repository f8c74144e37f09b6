package feature

import (
	"time"

	"github.com/attune-shop/attune/model/event"
)

// DayOf numbers the days of UTC from 1970-01-01 on, as EachDay and OrderDays do.
func DayOf(t time.Time) int64 { return dayOf(microsOf(t)) }

// DayStart returns the beginning of a day.
func DayStart(day int64) time.Time { return fromMicros(day * dayMicros) }

// EachDay calls fn with how many events of a type a day has, for the DayBuckets days up to
// that of Newest. A day comes once for each type and currency.
func (s *State) EachDay(fn func(t event.Type, day, events int64)) {
	for _, c := range s.cells {
		if c.key.daily() {
			fn(s.typeOf(c.key.slot()), c.key.period(), c.events)
		}
	}
}

// OrderDays returns how many days have a purchase, as far as Orders goes back, and the first
// and the last of them.
func (s *State) OrderDays() (days int, first, last int64) {
	for i := range s.orders {
		e := &s.orders[i]
		if s.entryType(e) != event.Purchase {
			continue
		}
		day := dayOf(e.at)
		if days == 0 {
			last = day
		}
		if days == 0 || day != first {
			days, first = days+1, day
		}
	}
	return days, first, last
}
