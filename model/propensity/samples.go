package propensity

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

const (
	// spacing is the time between two cuts: their hours and weekdays go round, for a visitor is
	// asked about at any of them.
	spacing = 89 * time.Hour
	// partSpan is how much of the newest history is held out, and as much before it to choose by;
	// of a short history it is a quarter.
	partSpan = 4 * Horizon
	// maxSpan bounds the history that samples are made of.
	maxSpan = 366 * 24 * time.Hour
	// MaxSamples bounds the samples that are kept: 120 MB.
	MaxSamples = 500_000
)

// part is what the samples of a span of time are for.
type part uint8

const (
	fitting part = iota
	choosing
	heldOut
)

// cut is a time at which users are looked at.
type cut struct {
	at   time.Time
	part part
}

// Samples gathers what is learned from: at each of several times, the cuts, what was known of a
// user by then, and whether the user purchased within Horizon. The newest weeks are held out to
// measure on, and as many before them are to choose by. No sample looks beyond the end of its
// part, so nothing that is to be foretold is known to what foretells it.
type Samples struct {
	cuts  []cut // oldest first
	to    time.Time
	seed  int64
	limit int
	// most is the greatest draw of a sample that is kept.
	most uint64
	all  []sample
}

// sample is one user at one cut.
type sample struct {
	user, draw uint64
	cut        int32
	bought     bool
	// sinceEvent and sincePurchase are whole days; sincePurchase is -1 without a purchase.
	sinceEvent, sincePurchase int32
	features                  vector
}

// NewSamples returns those of a history [from, to), none so far. Where there are to be more than
// MaxSamples, that many are drawn at most, by the seed. An error wraps ErrTooLittle.
func NewSamples(from, to time.Time, seed int64) (*Samples, error) {
	if to.Sub(from) < 4*Horizon {
		return nil, fmt.Errorf("%w: it is of %d days, and must be of %d: a week to look back on, one to fit, one to choose by and one to measure on",
			ErrTooLittle, max(to.Sub(from), 0)/(24*time.Hour), 4*Horizon/(24*time.Hour))
	}
	span := min(partSpan, to.Sub(from)/4)
	first := from.Add(span)
	if to.Sub(first) > maxSpan {
		first = to.Add(-maxSpan)
	}
	s := &Samples{to: to, seed: seed, limit: MaxSamples, most: math.MaxUint64}
	s.divide(heldOut, to.Add(-span), to)
	s.divide(choosing, to.Add(-2*span), to.Add(-span))
	s.divide(fitting, first, to.Add(-2*span))
	slices.Reverse(s.cuts)
	return s, nil
}

// divide adds the cuts of a part [from, to), newest first. One of Horizon or more has one at least.
func (s *Samples) divide(p part, from, to time.Time) {
	for at := to.Add(-Horizon); !at.Before(from); at = at.Add(-spacing) {
		s.cuts = append(s.cuts, cut{at: at, part: p})
	}
}

// Add adds the samples of one user, whose events these are, in any order, completed and each once.
// A user comes once. At cuts before the first event there is none: nothing was known.
func (s *Samples) Add(user string, events []event.Event) {
	ordered := make([]*event.Event, len(events))
	for i := range events {
		ordered[i] = &events[i]
	}
	slices.SortStableFunc(ordered, func(a, b *event.Event) int { return a.OccurredAt.Compare(b.OccurredAt) })
	id := s.hash(user)
	var state feature.State
	known, next := 0, 0 // how many are in state; the place of the first purchase after them
	lastPurchase := int64(-1)
	for n, c := range s.cuts {
		for ; known < len(ordered) && ordered[known].OccurredAt.Before(c.at); known++ {
			state.Fold(ordered[known])
			if ordered[known].Type == event.Purchase {
				lastPurchase = feature.DayOf(ordered[known].OccurredAt)
			}
		}
		draw := mix(id, n)
		if known == 0 || draw > s.most {
			continue
		}
		for next = max(next, known); next < len(ordered) && ordered[next].Type != event.Purchase; {
			next++
		}
		today := feature.DayOf(c.at)
		x := sample{
			user: id, draw: draw, cut: int32(n), sincePurchase: -1,
			bought:     next < len(ordered) && ordered[next].OccurredAt.Before(c.at.Add(Horizon)),
			sinceEvent: int32(today - feature.DayOf(ordered[known-1].OccurredAt)),
		}
		if lastPurchase >= 0 {
			x.sincePurchase = int32(today - lastPurchase)
		}
		x.features, _ = featuresOf(&state, c.at)
		s.all = append(s.all, x)
		s.bound()
	}
}

// bound halves the share of samples that are kept while there are too many. Which ones are left
// does not depend on the order in which users came.
func (s *Samples) bound() {
	for len(s.all) > s.limit {
		s.most /= 2
		s.all = slices.DeleteFunc(s.all, func(x sample) bool { return x.draw > s.most })
	}
}

// hash returns what stands for a user, and what is drawn by.
func (s *Samples) hash(user string) uint64 {
	digest := xxhash.NewWithSeed(uint64(s.seed))
	_, _ = digest.WriteString(user) // never fails
	return digest.Sum64()
}

// mix spreads a user and a cut over 64 bits (Steele et al. 2014, SplitMix64).
func mix(user uint64, cut int) uint64 {
	z := user + uint64(cut+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// order brings the samples into an order that does not depend on that of the users.
func (s *Samples) order() {
	slices.SortFunc(s.all, func(a, b sample) int {
		return cmp.Or(cmp.Compare(a.cut, b.cut), cmp.Compare(a.user, b.user))
	})
}

// of returns the samples of some parts.
func (s *Samples) of(some ...part) (list []*sample) {
	for i := range s.all {
		if slices.Contains(some, s.cuts[s.all[i].cut].part) {
			list = append(list, &s.all[i])
		}
	}
	return list
}
