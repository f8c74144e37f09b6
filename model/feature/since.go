package feature

import (
	"slices"
	"time"
)

// Since returns what the state tells of the time from the month of horizon on: months,
// days, interactions, traits and types before it are left out, and no First is earlier. Nothing
// is left out of s, which is returned as it is where it is all of that time. The sums of
// types with slots of their own are those of a state of only the later events; Presence
// still knows of the earlier ones.
func (s *State) Since(horizon time.Time) *State {
	month := monthOf(microsOf(horizon))
	start := microsOf(time.Date(1970, time.Month(1+month), 1, 0, 0, 0, 0, time.UTC))
	if len(s.kinds) == 0 || microsOf(s.First()) >= start {
		return s
	}
	later := State{table: s.table, customs: s.customs, prints: s.prints, overflow: s.overflow}
	for _, k := range s.kinds {
		if k.last >= start {
			k.first = max(k.first, start)
			later.kinds = append(later.kinds, k)
		}
	}
	for _, c := range s.cells {
		if from := start / dayMicros; c.key.daily() && c.key.period() >= from || !c.key.daily() && c.key.period() >= month {
			later.cells = append(later.cells, c)
		}
	}
	later.recent = newerThan(s.recent, start)
	later.orders = newerThan(s.orders, start)
	later.traits = s.traitsSince(start)
	result := &State{}
	result.absorb(&later)
	return result
}

// newerThan returns the entries from start on; lists are newest first.
func newerThan(list []entry, start int64) []entry {
	n, _ := slices.BinarySearchFunc(list, start, func(e entry, start int64) int {
		if e.at >= start {
			return -1
		}
		return 1
	})
	return list[:n]
}
