// Package feature holds what is known of one visitor, as a fold over the visitor's events.
//
// A State is the same, byte for byte, whatever order its events were folded in, and
// however they were split over states that were merged later. Four rules make it so:
// sums are int64 over a bounded set of keys; what is kept of single events is the first
// K in one total order of their content, or of those that speak of one key the last; nothing is pruned by a clock, days only against
// the state's own newest event; and the stored form is sorted. A State knows nothing of
// the catalog: what depends on an item's category or brand is derived when it is read.
package feature

import (
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/event"
)

// The bounds of a State. They are part of its stored form's version.
const (
	// MaxFingerprints bounds the event ids that a state remembers. A state with more
	// remembers none, and each of its visitor's events costs a look-up in the events.
	// Measured on one busy core, to decode, fold one event in and write takes 4 us at 20
	// events (0.9 KiB) and 30 us at 256 (9 KiB); the fingerprints are 2 KiB and a
	// twentieth of the time of the latter. Four times as many would come to twice the
	// bytes for all visitors beyond 256 events, to spare few of them the look-ups.
	MaxFingerprints = 256
	// MaxRecent bounds the interactions that a state keeps of all types.
	MaxRecent = 256
	// MaxOrders bounds the lines of purchases and refunds that a state keeps.
	MaxOrders = 1024
	// MaxCustomTypes bounds the custom types that are summed each on their own: the ones
	// whose names' hashes are least. The others are summed under Other.
	MaxCustomTypes = 32
	// MaxTraits bounds the keys of traits that a state keeps, removed ones too: the ones
	// whose hashes are least.
	MaxTraits = 64
	// DayBuckets is how many days, the newest event's included, have sums of their own.
	DayBuckets = 92
)

// Other stands for all custom types beyond MaxCustomTypes, and for the custom type of this name.
const Other event.Type = "other"

// State is what is known of one visitor. The zero State is that of a visitor without
// events. Reading methods may be called concurrently, as long as nobody calls Fold.
type State struct {
	table   table
	customs []custom
	kinds   []kind
	cells   []cell
	// prints holds fingerprints of event ids in order, unless overflow says that they were too many.
	prints   []uint64
	overflow bool
	recent   []entry
	orders   []entry
	traits   []trait
}

// Presence tells whether an event may have been folded into a state.
type Presence uint8

const (
	// Absent says that no event with the id was folded in.
	Absent Presence = iota
	// Maybe says that only the visitor's stored events can tell.
	Maybe
)

// Fingerprint is the 64-bit xxHash of an event id.
func Fingerprint(eventID string) uint64 { return xxhash.Sum64String(eventID) }

// Presence tells whether an event with the id may have been folded in already.
// It takes time logarithmic in the number of events.
func (s *State) Presence(eventID string) Presence {
	if s.overflow {
		return Maybe
	}
	if _, found := slices.BinarySearch(s.prints, Fingerprint(eventID)); found {
		return Maybe
	}
	return Absent
}

// Fold adds a completed, valid event of the visitor, which must not have been folded in
// yet: Presence and the stored events tell. States of the same events are equal, whatever
// the order in which they were folded. The state keeps strings of e.
//
// An item is interacted with once by each line, or once, in one piece, by an event that
// has an item but no lines. Lists that were shown (view_item_list) are counted, but are
// no interactions with their items. Neither are Identify events; they set traits.
func (s *State) Fold(e *event.Event) {
	at, print := microsOf(e.OccurredAt), Fingerprint(e.ID)
	s.remember(print)
	slot := s.slot(e.Type)
	before := s.firstDay()
	s.touch(slot, at, at)
	if first := s.firstDay(); first > before {
		s.dropDays(first)
	}
	s.sum(slot, at, e.Value)
	eachItem(e, func(item string, quantity int64) { s.interact(at, print, e.Type, item, quantity) })
	if e.Type == event.Identify {
		for key, value := range e.Traits() {
			s.set(newTrait(at, print, key, value))
		}
	}
	s.table.compact(s)
}

// eachItem calls fn for each item that an event is an interaction with.
func eachItem(e *event.Event, fn func(item string, quantity int64)) {
	switch {
	case e.Type == event.ViewItemList || e.Type == event.Identify:
	case len(e.Lines) > 0:
		for i := range e.Lines {
			fn(e.Lines[i].ItemID, e.Lines[i].Quantity)
		}
	case e.ItemID != "":
		fn(e.ItemID, 1)
	}
}

// remember adds a fingerprint, or gives all of them up where they become too many.
func (s *State) remember(print uint64) {
	if s.overflow {
		return
	}
	i, found := slices.BinarySearch(s.prints, print)
	if found {
		return
	}
	if len(s.prints) == MaxFingerprints {
		s.prints, s.overflow = nil, true
		return
	}
	s.prints = slices.Insert(s.prints, i, print)
}

// Events returns how many events were folded in.
func (s *State) Events() int64 {
	n := int64(0)
	for i := range s.cells {
		if !s.cells[i].key.daily() {
			n += s.cells[i].events
		}
	}
	return n
}

// First returns the earliest OccurredAt, the zero time where there are no events.
func (s *State) First() time.Time {
	if len(s.kinds) == 0 {
		return time.Time{}
	}
	first := s.kinds[0].first
	for _, k := range s.kinds[1:] {
		first = min(first, k.first)
	}
	return fromMicros(first)
}

// Newest returns the latest OccurredAt, the zero time where there are no events.
func (s *State) Newest() time.Time {
	if len(s.kinds) == 0 {
		return time.Time{}
	}
	return fromMicros(s.newest())
}

// newest is Newest in microseconds. There must be an event.
func (s *State) newest() int64 {
	last := s.kinds[0].last
	for _, k := range s.kinds[1:] {
		last = max(last, k.last)
	}
	return last
}

func fromMicros(at int64) time.Time { return time.UnixMicro(at).UTC() }
