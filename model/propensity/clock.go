package propensity

import (
	"math"
	"slices"
	"time"

	"github.com/attune-shop/attune/model/feature"
)

// steps are the ages in days that are told apart: each of the first week, then fewer and fewer.
// What is older than the last counts as that old, so that a state comes to rest.
var steps = [...]int64{1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 21, 25, 30, 36, 45, 60, 75, 90, 120, 150, 180, 240, 300, oldest}

// oldest is the age in days from which on nothing is told apart.
const oldest = 365

// clock is a day of UTC. All that the features know of time they ask of it, and it keeps the
// first day to come on which one of its answers will be another: until then they are the same.
type clock struct{ today, next int64 }

// never is the day on which what has come to rest changes.
const never = math.MaxInt64

func newClock(now time.Time) clock { return clock{today: feature.DayOf(now), next: never} }

// age returns the greatest of steps that a day is old; 0 for today and for days to come.
func (c *clock) age(day int64) float64 {
	place, exact := slices.BinarySearch(steps[:], max(c.today-day, 0))
	if exact {
		place++
	}
	if place < len(steps) {
		c.next = min(c.next, day+steps[place])
	}
	if place == 0 {
		return 0
	}
	return float64(steps[place-1])
}

// within tells whether a day is one of so many last days, today included, or one to come.
func (c *clock) within(day, days int64) bool {
	if c.today-day >= days {
		return false
	}
	c.next = min(c.next, day+days)
	return true
}

// until returns when the first of the answers changes, the zero time where none ever does.
func (c *clock) until() time.Time {
	if c.next == never {
		return time.Time{}
	}
	return feature.DayStart(c.next)
}
