// Package trend counts what happened to items of late: by hour for two days and by day for
// a month. It holds counters only; who feeds it and who asks must see to it that they do
// not do so at once.
//
// Counts are integers and every order is total, so the same events in the same order give
// the same lists and the same bytes. A bucket that outgrows its bound forgets its
// rarest entries.
package trend

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/event"
)

const (
	// MinWindow is the shortest window of Top.
	MinWindow = time.Hour
	// MaxWindow is the longest.
	MaxWindow = 30 * 24 * time.Hour

	hoursKept = 48
	daysKept  = 31
	// hourEntries and dayEntries bound the (type, item) pairs that a bucket keeps; it grows
	// to twice as many before it forgets.
	hourEntries = 4 << 10
	dayEntries  = 8 << 10
	// maxCount keeps sums of weighted counts far from overflow.
	maxCount = 1_000_000_000
)

// Counters counts events by item, type and time. The zero Counters is ready for use.
// At most hoursKept + daysKept buckets of twice their entries are held, some 30 MB at the worst.
type Counters struct {
	hours, days series
	// texts are the names that entries stand for, and some that none does any more; used
	// is how many of them some did when they were last looked through.
	texts   map[text]string
	used    int
	changes uint64
}

// Count is an item and its weighted number of events.
type Count struct {
	ItemID string
	Score  float64
}

// text stands for a name: its 64-bit hash. That two of a million items share one has a
// chance of one in 37 million.
type text uint64

func textOf(name string) text { return text(xxhash.Sum64String(name)) }

type entry struct{ kind, item text }

type bucket map[entry]int64

// series holds buckets by their start in units since 1970.
type series struct {
	buckets map[int64]bucket
	newest  int64
}

// Add counts n events of a type for an item. Events too old for every bucket, measured by
// the newest event seen, and n <= 0 change nothing.
func (c *Counters) Add(at time.Time, kind event.Type, itemID string, n int64) {
	if n <= 0 || itemID == "" {
		return
	}
	c.changes++
	e := entry{textOf(string(kind)), textOf(itemID)}
	first := c.hours.add(floorDiv(at.Unix(), 3600), hoursKept, hourEntries, e, n)
	if c.days.add(floorDiv(at.Unix(), 86400), daysKept, dayEntries, e, n) || first {
		c.name(e.kind, string(kind))
		c.name(e.item, itemID)
	}
}

func (c *Counters) name(t text, name string) {
	if _, known := c.texts[t]; known {
		return
	}
	if c.texts == nil {
		c.texts = map[text]string{}
	}
	c.texts[t] = strings.Clone(name)
}

// Changes grows with every event that was added; equal values mean equal lists at one time.
func (c *Counters) Changes() uint64 { return c.changes }

// Clone returns a copy. O(entries).
func (c *Counters) Clone() *Counters {
	return &Counters{hours: c.hours.clone(), days: c.days.clone(), texts: maps.Clone(c.texts), used: c.used, changes: c.changes}
}

func (s *series) clone() series {
	copied := series{buckets: make(map[int64]bucket, len(s.buckets)), newest: s.newest}
	for start, b := range s.buckets {
		copied.buckets[start] = maps.Clone(b)
	}
	return copied
}

// Prune forgets what no window that ends at now or later can see.
func (c *Counters) Prune(now time.Time) {
	c.hours.prune(floorDiv(now.Unix(), 3600), hoursKept)
	c.days.prune(floorDiv(now.Unix(), 86400), daysKept)
	if len(c.texts) <= 2*c.used {
		return
	}
	used := make(map[text]string, c.used)
	for _, s := range []*series{&c.hours, &c.days} {
		for _, b := range s.buckets {
			for e := range b {
				used[e.kind], used[e.item] = c.texts[e.kind], c.texts[e.item]
			}
		}
	}
	c.texts, c.used = used, max(len(used), 1000)
}

// Top returns the n items with the greatest weighted number of events in the window that
// ends with the hour of now, the greatest first and equal ones by id. Where kind is empty
// each type counts with its weight (to a thousandth; 0 where it has none), else only that
// type does, each event once. A window of up to 48 hours is made of hours and a longer one
// of days; of the oldest bucket that share counts that lies inside the window.
// O(entries in the window).
func (c *Counters) Top(now time.Time, window time.Duration, kind event.Type, weight func(event.Type) float64, n int) []Count {
	window = min(max(window, MinWindow), MaxWindow)
	s, unit := &c.hours, int64(3600)
	if window > hoursKept*time.Hour {
		s, unit = &c.days, 86400
	}
	milli := map[text]int64{} // by type
	if kind != "" {
		weight = func(t event.Type) float64 {
			if t == kind {
				return 1
			}
			return 0
		}
	}
	from := now.Add(-window).Unix()
	sums := map[text]int64{}
	for at := floorDiv(from, unit); at <= floorDiv(now.Unix(), unit); at++ {
		minutes := min(unit, at*unit+unit-from) / 60
		for e, count := range s.buckets[at] {
			w, known := milli[e.kind]
			if !known {
				w = int64(weight(event.Type(c.texts[e.kind])) * 1000)
				milli[e.kind] = w
			}
			if w > 0 && minutes > 0 {
				sums[e.item] += count * w * minutes
			}
		}
	}
	return c.best(sums, float64(unit/60*1000), n)
}

func (c *Counters) best(sums map[text]int64, unit float64, n int) []Count {
	out := make([]Count, 0, len(sums))
	for item, sum := range sums {
		out = append(out, Count{ItemID: c.texts[item], Score: float64(sum) / unit})
	}
	slices.SortFunc(out, func(a, b Count) int {
		if c := cmp.Compare(b.Score, a.Score); c != 0 {
			return c
		}
		return strings.Compare(a.ItemID, b.ItemID)
	})
	return out[:min(n, len(out))]
}

// add tells whether the entry is new in its bucket.
func (s *series) add(at, kept int64, entries int, e entry, n int64) (first bool) {
	if s.buckets == nil {
		s.buckets = map[int64]bucket{}
		s.newest = at
	}
	if at <= s.newest-kept {
		return false
	}
	if at > s.newest {
		s.newest = at
		s.prune(at, kept)
	}
	b := s.buckets[at]
	if b == nil {
		b = bucket{}
		s.buckets[at] = b
	}
	before := len(b)
	b[e] = min(b[e]+min(n, maxCount), maxCount)
	first = len(b) > before
	if len(b) > 2*entries {
		s.buckets[at] = b.frequent(entries)
	}
	return first
}

// prune forgets the buckets at and before at - kept.
func (s *series) prune(at, kept int64) {
	for start := range s.buckets {
		if start <= at-kept {
			delete(s.buckets, start)
		}
	}
}

// frequent keeps the n entries with the greatest counts; which of equal ones is decided
// by their hashes.
func (b bucket) frequent(n int) bucket {
	type ranked struct {
		entry
		count int64
	}
	all := make([]ranked, 0, len(b))
	for e, count := range b {
		all = append(all, ranked{e, count})
	}
	slices.SortFunc(all, func(x, y ranked) int {
		return cmp.Or(cmp.Compare(y.count, x.count), cmp.Compare(x.item, y.item), cmp.Compare(x.kind, y.kind))
	})
	out := make(bucket, 2*n)
	for _, r := range all[:min(n, len(all))] {
		out[r.entry] = r.count
	}
	return out
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
